//! The screen around a session: takes the terminal, feeds the screen with keys, signals and records, gives the terminal back.

use super::settings::Dress;
use super::shelf;
use crate::cli::Ui;
use crossbeam_channel::{Receiver, bounded};
use rematch::run::RunState;
use rematch::run::recorder::now_ms;
use rematch::run::session::Session;
use rematch::ui::capability::{Capabilities, Pixels};
use rematch::ui::event::Signal;
use rematch::ui::glyphs::Glyphs;
use rematch::ui::graphics::Graphics;
use rematch::ui::input::read_input;
use rematch::ui::intent::Place;
use rematch::ui::settings::Images;
use rematch::ui::terminal::Terminal;
use rematch::ui::{app, stderr};
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The screen where there is a terminal for it, else plain lines.
pub fn choose(asked: Option<Ui>, dress: &Dress) -> Ui {
    asked.unwrap_or_else(|| if dress.settings.capabilities().dumb { Ui::Plain } else { Ui::Tui })
}

/// What the screen needs besides the session.
pub struct Setting<'a> {
    pub dress: Dress,
    pub signals: &'a Receiver<Signal>,
    /// The run's folder, as messages name it; of a run that has not started, the folder of all runs.
    pub folder: &'a Path,
    pub pace: Option<Box<dyn app::Pace>>,
    /// Why the run cannot go on at the moment, where that cannot be recorded.
    pub trouble: Option<Box<dyn Fn() -> Option<String>>>,
    /// What goes on before the run starts.
    pub preparing: Option<Box<dyn Fn() -> String>>,
    /// The folder of runs, for the Runs view.
    pub runs: PathBuf,
    /// The run so far, of one that is attached to.
    pub known: Option<RunState>,
    /// The same with all of its reports, once it is read.
    pub better: Option<Receiver<RunState>>,
    /// What the clock of the process that trains is ahead of this one's.
    pub clock_ahead_ms: i64,
}

/// Shows a session until it is left. `said`: gets what libraries print while the screen is up.
pub fn show(session: Session, setting: Setting, said: impl FnMut(String) + Send + 'static) -> anyhow::Result<app::Left> {
    let ahead_s = super::doctor::ahead_of_utc();
    let Dress { settings, themes, keymap } = setting.dress;
    let capabilities = settings.capabilities();
    let mut surface = Terminal::enter(&capabilities, settings.synchronized)?;
    // Before keys are read: the terminal's answer comes in among them.
    let graphics = graphics(settings.images, &capabilities, &mut surface)?;
    let captured = stderr::capture(said)?;
    let (to, input) = bounded(1024);
    let reader = read_input(to, capabilities.escape_time())?;
    let options = app::Options {
        themes,
        keymap,
        motion: settings.motion,
        album: Some(Box::new(Folders)),
        glyphs: Glyphs::of(capabilities.glyphs),
        graphics,
        max_fps: capabilities.max_fps,
        folder: setting.folder.display().to_string(),
        pace: setting.pace,
        trouble: setting.trouble,
        ahead_s,
        preparing: setting.preparing,
        known: setting.known,
        better: setting.better,
        shelf: shelf::Reader::spawn(setting.runs).map(|reader| Box::new(reader) as Box<dyn app::Shelf>),
    };
    let left = app::run(session, &mut surface, &input, setting.signals, options, &|| {
        now_ms().saturating_add_signed(setting.clock_ahead_ms)
    });
    drop(reader);
    surface.leave();
    drop(captured);
    Ok(left)
}

/// Frames of a copy of one run that have the same name before the search for a free one is given up.
const SAME_NAME: u32 = 1000;

/// Keeps frames in a run's folder; where nothing can be written there, in the present one.
struct Folders;

impl app::Album for Folders {
    fn keep(&self, folder: &str, place: &Place, contents: &str) -> Result<String, String> {
        let cannot = |path: &Path, error: &io::Error| match error.kind() {
            ErrorKind::AlreadyExists => format!("{} is there already: name another file", path.display()),
            _ => format!("{} cannot be written: {error}", path.display()),
        };
        match place {
            Place::At(name) => {
                let path = Path::new(name);
                write_new(path, contents).map_err(|error| cannot(path, &error))?;
                Ok(name.clone())
            }
            Place::Run(name) => {
                let beside = free(Path::new(folder), name, contents);
                let (path, written) = match beside.1 {
                    Err(_) => free(Path::new(""), name, contents),
                    Ok(()) => beside,
                };
                written.map(|()| path.display().to_string()).map_err(|error| cannot(&path, &error))
            }
        }
    }
}

/// Writes under the name, or under the first like it that is free: `frame-x-2.txt`.
fn free(folder: &Path, name: &str, contents: &str) -> (PathBuf, io::Result<()>) {
    let (stem, end) = name.rsplit_once('.').unwrap_or((name, "txt"));
    let mut path = folder.join(name);
    for number in 2..SAME_NAME {
        match write_new(&path, contents) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => path = folder.join(format!("{stem}-{number}.{end}")),
            done => return (path, done),
        }
    }
    (path, Err(ErrorKind::AlreadyExists.into()))
}

fn write_new(path: &Path, contents: &str) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(contents.as_bytes())
}

/// Pixels where they are wanted and the terminal says that it takes them; a terminal that nothing speaks for is asked only if told to.
fn graphics(images: Images, capabilities: &Capabilities, terminal: &mut Terminal) -> anyhow::Result<Graphics> {
    let ask = match (images, capabilities.pixels) {
        (Images::Cells, _) | (_, Pixels::Never) | (Images::Auto, Pixels::Unlikely) => false,
        (Images::Kitty, Pixels::Unlikely | Pixels::Perhaps) | (Images::Auto, Pixels::Perhaps) => true,
    };
    let patience = Duration::from_secs(if capabilities.over_ssh { 3 } else { 1 });
    Ok(if ask && terminal.takes_pictures(patience)? {
        Graphics::Kitty
    } else if capabilities.over_ssh {
        Graphics::FewColours
    } else {
        Graphics::Cells
    })
}
