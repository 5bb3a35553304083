//! The thread that reads the folder of runs for the Runs view.
//!
//! It waits until it is asked and ends when the screen does. Questions that wait for one answer are answered once: a folder of many runs
//! may take longer than the time between two looks.

use super::rewind;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use rematch::run::checkpoints::{self, Pinned};
use rematch::run::shelf::Shelf;
use rematch::ui::app::{self, Shelved};
use rematch::ui::screen::BranchWish;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

enum Question {
    Look,
    Open(String),
    Checkpoints(String),
    Pin(PathBuf, Pinned),
    Remove(PathBuf),
}

pub struct Reader {
    ask: Sender<Question>,
    told: Sender<Shelved>,
    runs: PathBuf,
    answers: Receiver<Shelved>,
}

impl Reader {
    /// `None` where the system has no thread left: the view then shows this run alone.
    pub fn spawn(runs: PathBuf) -> Option<Self> {
        // As many as a person can press before the first is read; what does not fit is asked again soon.
        let (ask, asked) = bounded(16);
        let (to, answers) = unbounded();
        let (folder, told) = (runs.clone(), to.clone());
        let read = move || read(runs, &asked, &to);
        thread::Builder::new().name("runs".into()).spawn(read).ok()?;
        Some(Self { ask, told, runs: folder, answers })
    }
}

impl app::Shelf for Reader {
    fn look(&self) {
        let _ = self.ask.try_send(Question::Look);
    }

    fn open(&self, id: &str) {
        let _ = self.ask.try_send(Question::Open(id.to_string()));
    }

    fn checkpoints(&self, folder: &str) {
        let _ = self.ask.try_send(Question::Checkpoints(folder.to_string()));
    }

    fn pin(&self, checkpoint: &Path, pinned: Pinned) {
        let _ = self.ask.try_send(Question::Pin(checkpoint.to_path_buf(), pinned));
    }

    fn remove(&self, checkpoint: &Path) {
        let _ = self.ask.try_send(Question::Remove(checkpoint.to_path_buf()));
    }

    fn fork(&self, folder: &str, wish: &BranchWish) {
        // In the background, whatever this screen does: the answer is that it trains, or why it does not.
        let words = rewind::words(Path::new(folder), &self.runs, wish);
        let to = self.told.clone();
        let begin = move || {
            let program = std::env::current_exe()?;
            let done = Command::new(program).args(words).arg("--detach").stdin(Stdio::null()).output()?;
            let text = if done.status.success() { done.stdout } else { done.stderr };
            let text = String::from_utf8_lossy(&text).trim().to_string();
            Ok::<_, std::io::Error>(if done.status.success() { Ok(text) } else { Err(text) })
        };
        let told = move || {
            let answer = begin().unwrap_or_else(|error| Err(error.to_string()));
            let _ = to.send(Shelved::Forked(answer));
        };
        let _ = thread::Builder::new().name("fork".into()).spawn(told);
    }

    fn answers(&self) -> Receiver<Shelved> {
        self.answers.clone()
    }
}

fn read(runs: PathBuf, asked: &Receiver<Question>, to: &Sender<Shelved>) {
    let mut shelf = Shelf::new(runs);
    while let Ok(first) = asked.recv() {
        let waiting: Vec<Question> = std::iter::once(first).chain(asked.try_iter()).collect();
        // A person waits for these.
        for question in &waiting {
            let answer = match question {
                Question::Look => continue,
                Question::Open(id) => Shelved::Opened { id: id.clone(), found: shelf.open(id) },
                Question::Checkpoints(folder) => {
                    let mut all = checkpoints::list(&Path::new(folder).join("checkpoints"));
                    all.reverse();
                    Shelved::Checkpoints(all)
                }
                Question::Pin(path, pinned) => changed(path, checkpoints::pin(path, *pinned)),
                Question::Remove(path) => changed(path, checkpoints::remove(path)),
            };
            if to.send(answer).is_err() {
                return;
            }
        }
        if waiting.iter().any(|question| matches!(question, Question::Look)) {
            let answer = match shelf.look() {
                Ok(None) => continue,
                Ok(Some(entries)) => Shelved::Looked(Ok(entries)),
                Err(error) => Shelved::Looked(Err(error.to_string())),
            };
            if to.send(answer).is_err() {
                return;
            }
        }
    }
}

fn changed(path: &Path, done: std::io::Result<()>) -> Shelved {
    Shelved::Changed(done.map_err(|error| format!("{}: {error}", path.display())))
}
