//! `rematch replay`: a recorded run on the same screen, at any pace, without libtorch.

use super::{Failed, beside, rewind, screen, settings};
use crate::cli::{Colour, Replay, Ui, View};
use anyhow::{anyhow, bail};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use rematch::headless::{self, Style};
use rematch::protocol::Step;
use rematch::run::RunState;
use rematch::run::replay::{self, PaceControl};
use rematch::run::seek::{self, Sought, Target};
use rematch::run::session::{Access, Session};
use rematch::run::shelf::Shelf;
use rematch::run::store::RunFolder;
use rematch::ui::glyphs::Glyphs;
use rematch::ui::intent::Leave;
use rematch::ui::picture::{Paper, svg};
use rematch::ui::screen::Screen;
use rematch::ui::{app, layout, signals, terminal, view};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;

pub fn run(args: &Replay) -> anyhow::Result<u8> {
    let Some(pace) =
        replay::Pace::ALL.iter().copied().find(|p| p.name().trim_end_matches('x') == args.pace.trim_end_matches('x'))
    else {
        let known: Vec<&str> = replay::Pace::ALL.iter().map(|p| p.name()).collect();
        bail!("--pace {} is not a pace; choose one of: {}", args.pace, known.join(", "));
    };
    let folder = RunFolder::open(&args.runs, &args.run)?;
    if let Some(file) = &args.picture {
        return picture(args, &folder, file);
    }
    let dress = settings::dress(&args.look)?;
    let ui = screen::choose(args.ui, &dress);
    let style = match ui {
        Ui::Tui => {
            let pace = PaceControl::new(pace);
            // Without a place to begin at, each record is seen as it comes.
            let (known, records) = match args.at {
                None => (None, replay::replay(&folder.events(), &pace)?),
                Some(at) => {
                    let Sought { state, records } = seek::replay_from(&folder.events(), &pace, at)?;
                    (Some(state), records)
                }
            };
            let (signal, heard) = bounded(16);
            let _signals = signals::listen(signal, signals::OnSignals::default())?;
            terminal::install_panic_hook(|_| {});
            let setting = screen::Setting {
                dress,
                signals: &heard,
                folder: folder.path(),
                pace: Some(Box::new(Turning::new(pace, folder.events()))),
                trouble: None,
                preparing: None,
                runs: beside(&args.runs, &folder),
                known,
                better: None,
                clock_ahead_ms: 0,
            };
            let left = screen::show(Session::replay(records), setting, |_| {})?;
            if let Leave::Branch(wish) = left.why {
                return Err(rewind::begin(folder.path(), &beside(&args.runs, &folder), &wish, &args.look));
            }
            return Ok(0);
        }
        Ui::Plain | Ui::Json | Ui::None if args.at.is_some() => {
            bail!(
                "--at begins the screen at a step, or pictures one with --picture FILE; lines are printed from the first record on"
            );
        }
        Ui::Plain => Style::Plain,
        Ui::Json => Style::Json,
        Ui::None => Style::None,
    };
    let records = replay::replay(&folder.events(), &PaceControl::new(replay::Pace::Unbounded))?;
    let outcome = headless::follow_in(&records, style, folder.path(), &mut std::io::stdout())?;
    if outcome.is_none()
        && let Some(Err(damage)) = replay::read_log(&folder.events())?.find(Result::is_err)
    {
        return Err(Failed(damage.to_string()).into());
    }
    if outcome.is_none() && style != Style::Json {
        let _ = writeln!(std::io::stderr(), "rematch: {}: the record ends before the run did", folder.id());
    }
    if style == Style::None && outcome.is_none() {
        return Err(Failed(format!("{}: never finished", folder.id())).into());
    }
    Ok(0)
}

/// The live screen as it stood after the given step, in a file.
fn picture(args: &Replay, folder: &RunFolder, file: &Path) -> anyhow::Result<u8> {
    if args.look.color.is_some_and(|colour| !matches!(colour, Colour::Truecolor | Colour::Light)) {
        bail!("--picture has every colour: choose a look by --theme, or --color truecolor or light");
    }
    let themes = settings::for_pictures(&args.look)?;
    let (palette, paper) = (themes.palette(), Paper::of(themes.palette().ground()));
    let glyphs = match args.look.glyphs {
        None | Some(crate::cli::Glyphs::Braille) => Glyphs::Braille,
        Some(crate::cli::Glyphs::Half) => Glyphs::Half,
        Some(crate::cli::Glyphs::Ascii) => Glyphs::Ascii,
    };
    let mut state = RunState::default();
    let mut shown = Screen::new(palette, glyphs, Access::Steer, folder.path().display().to_string());
    let mut log = replay::read_log(&folder.events())?;
    seek::fold(&mut log, args.at.unwrap_or(Target::Step(Step::MAX)), &mut state, |record, state| {
        shown.now_ms = record.at_ms;
        shown.saw(record, state);
    })?;
    if args.view == View::Runs {
        shown.runs.looked(
            Shelf::new(beside(&args.runs, folder)).look().map(Option::unwrap_or_default).map_err(|error| error.to_string()),
        );
    }
    shown.toasts.clear();
    shown.turn_to(match args.view {
        View::Dash => layout::View::Dash,
        View::Charts => layout::View::Charts,
        View::Robust => layout::View::Robust,
        View::Gallery => layout::View::Gallery,
        View::Runs => layout::View::Runs,
        View::Log => layout::View::Events,
        View::System => layout::View::System,
    });
    let (least_w, least_h) = layout::SMALLEST;
    if args.size.0 < least_w || args.size.1 < least_h {
        bail!("--size {}x{} is too small; allowed: {least_w}x{least_h} or more", args.size.0, args.size.1);
    }
    let area = Rect::new(0, 0, args.size.0, args.size.1);
    let mut buffer = Buffer::empty(area);
    view::draw_into(area, &mut buffer, &state, &shown);
    std::fs::write(file, svg(&buffer, paper)).map_err(|error| anyhow!("cannot write {}: {error}", file.display()))?;
    Ok(0)
}

/// The replay's pace, as the screen turns it, and the thread that looks for the steps it is sent to.
struct Turning {
    pace: PaceControl,
    ask: Sender<Step>,
    sought: Receiver<Result<Sought, String>>,
}

impl Turning {
    fn new(pace: PaceControl, log: PathBuf) -> Self {
        let (ask, asked) = unbounded::<Step>();
        let (to, sought) = unbounded();
        let knob = pace.clone();
        let look = move || {
            while let Ok(first) = asked.recv() {
                // Keys may come faster than a long log can be read: only the last place counts.
                let step = asked.try_iter().last().unwrap_or(first);
                let found = seek::replay_from(&log, &knob, Target::Step(step)).map_err(|error| error.to_string());
                if to.send(found).is_err() {
                    return;
                }
            }
        };
        // Without a thread the replay plays on and cannot seek.
        let _ = thread::Builder::new().name("seek".into()).spawn(look);
        Self { pace, ask, sought }
    }
}

impl app::Pace for Turning {
    fn faster(&self) {
        self.pace.faster();
    }
    fn slower(&self) {
        self.pace.slower();
    }
    fn toggle(&self) {
        self.pace.toggle();
    }
    fn label(&self) -> String {
        self.pace.label()
    }
    fn seek(&self, step: Step) {
        let _ = self.ask.send(step);
    }
    fn sought(&self) -> Receiver<Result<Sought, String>> {
        self.sought.clone()
    }
}
