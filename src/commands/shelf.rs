//! The thread that reads the folder of runs for the Runs view.
//!
//! It waits until it is asked and ends when the screen does. Questions that wait for one answer are answered once: a folder of many runs
//! may take longer than the time between two looks.

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use rematch::run::shelf::Shelf;
use rematch::ui::app::{self, Shelved};
use std::path::PathBuf;
use std::thread;

enum Question {
    Look,
    Open(String),
}

pub struct Reader {
    ask: Sender<Question>,
    answers: Receiver<Shelved>,
}

impl Reader {
    /// `None` where the system has no thread left: the view then shows this run alone.
    pub fn spawn(runs: PathBuf) -> Option<Self> {
        // As many as a person can press before the first is read; what does not fit is asked again soon.
        let (ask, asked) = bounded(16);
        let (to, answers) = unbounded();
        let read = move || read(runs, &asked, &to);
        thread::Builder::new().name("runs".into()).spawn(read).ok()?;
        Some(Self { ask, answers })
    }
}

impl app::Shelf for Reader {
    fn look(&self) {
        let _ = self.ask.try_send(Question::Look);
    }

    fn open(&self, id: &str) {
        let _ = self.ask.try_send(Question::Open(id.to_string()));
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
            let Question::Open(id) = question else { continue };
            let answer = Shelved::Opened { id: id.clone(), found: shelf.open(id) };
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
