//! Whole screens of a recorded run, key streams, and what a frame costs on the wire. No worker, no terminal, no sleeping.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

#[path = "screens/alerts.rs"]
mod alerts;
#[path = "screens/branch.rs"]
mod branch;
#[path = "screens/charts.rs"]
mod charts;
#[path = "screens/command_line.rs"]
mod command_line;
#[path = "screens/dialogs.rs"]
mod dialogs;
#[path = "screens/events.rs"]
mod events;
#[path = "screens/gallery.rs"]
mod gallery;
#[path = "screens/matrix.rs"]
mod matrix;
#[path = "screens/recording.rs"]
mod recording;
#[path = "screens/robust.rs"]
mod robust;
#[path = "screens/runs.rs"]
mod runs;
#[path = "screens/steering.rs"]
mod steering;
#[path = "screens/streams.rs"]
mod streams;
#[path = "screens/sweep.rs"]
mod sweep;
#[path = "screens/system.rs"]
mod system;

use crossbeam_channel::unbounded;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::{Frame, Terminal};
use recording::{Kind, Machines, recording};
use rematch::protocol::{Change, Command, CommandId, Event, Outcome, Record};
use rematch::run::RunState;
use rematch::run::session::{Access, Session};
use rematch::ui::app::{self, Options, Surface};
use rematch::ui::capability::Colour;
use rematch::ui::event::{Input, Signal};
use rematch::ui::glyphs::Glyphs;
use rematch::ui::graphics::{Graphics, Placement};
use rematch::ui::intent::{self, Effect, Leave};
use rematch::ui::keymap::Keymap;
use rematch::ui::layout::View;
use rematch::ui::screen::{Asked, Motion, Screen};
use rematch::ui::terminal::backend::{FrameWriter, ScreenBackend};
use rematch::ui::terminal::{Drawn, LinkSpeed};
use rematch::ui::theme::{Palette, Themes};
use rematch::ui::view;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn fold(records: &[Record]) -> (RunState, Screen) {
    fold_with(records, Palette::TrueColour, Glyphs::Braille)
}

fn fold_with(records: &[Record], palette: Palette, glyphs: Glyphs) -> (RunState, Screen) {
    let mut state = RunState::default();
    let mut screen = Screen::new(palette, glyphs, Access::Steer, "runs/demo".into());
    for record in records {
        screen.now_ms = record.at_ms;
        state.apply(record);
        screen.saw(record, &state);
    }
    screen.expire();
    (state, screen)
}

fn picture(width: u16, height: u16, state: &RunState, screen: &Screen) -> String {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    view::draw_into(area, &mut buffer, state, screen);
    let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_string();
    (0..height).map(row).collect::<Vec<_>>().join("\n")
}

fn press(screen: &mut Screen, state: &RunState, keys: &str) -> Vec<Effect> {
    let code = |c| match c {
        '\n' => KeyCode::Enter,
        '\x1b' => KeyCode::Esc,
        '\t' => KeyCode::Tab,
        '\x08' => KeyCode::Backspace,
        c => KeyCode::Char(c),
    };
    keys.chars().flat_map(|c| intent::key(screen, state, &KeyEvent::new(code(c), KeyModifiers::NONE))).collect()
}

fn ctrl_c(screen: &mut Screen, state: &RunState) -> Vec<Effect> {
    intent::key(screen, state, &KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL))
}

/// A third of the way, a little after lambda was changed.
fn midway(kind: Kind, machines: Machines) -> Vec<Record> {
    recording(kind, machines, 470)
}

#[test]
fn the_dash_at_every_tier() {
    let (state, screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    for (width, height) in [(40, 10), (60, 16), (80, 24), (120, 40), (200, 60)] {
        insta::assert_snapshot!(format!("dash_{width}x{height}"), picture(width, height, &state, &screen));
    }
}

#[test]
fn other_methods_and_machines() {
    let (state, screen) = fold(&midway(Kind::Sat, Machines::Cpu));
    insta::assert_snapshot!("sat_cpu_120x40", picture(120, 40, &state, &screen));
}

#[test]
fn ascii_is_ascii_and_mono_has_no_colour() {
    let (mut state, mut screen) = fold_with(&midway(Kind::Rrm, Machines::Cpu), Palette::Mono, Glyphs::Ascii);
    press(&mut screen, &state, "e.25");
    insta::assert_snapshot!("ascii_editor_80x24", picture(80, 24, &state, &screen));
    press(&mut screen, &state, "\x1b");
    for (width, height) in [(60, 16), (80, 24), (120, 40), (200, 60)] {
        assert!(picture(width, height, &state, &screen).is_ascii(), "{width}x{height}");
    }
    state.finished = None;
    let area = Rect::new(0, 0, 120, 40);
    let mut buffer = Buffer::empty(area);
    view::draw_into(area, &mut buffer, &state, &screen);
    let colours = |c: ratatui::style::Color| c == ratatui::style::Color::Reset;
    assert!(buffer.content.iter().all(|c| colours(c.fg) && colours(c.bg)));
}

#[test]
fn half_blocks_use_no_braille() {
    let (state, screen) = fold_with(&midway(Kind::Rrm, Machines::Cpu), Palette::Ansi16, Glyphs::Half);
    let picture = picture(120, 40, &state, &screen);
    assert!(picture.contains(['▀', '▄']) && !picture.contains(|c| ('\u{2800}'..='\u{28ff}').contains(&c)));
}

#[test]
fn dialogs() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    press(&mut screen, &state, "q");
    insta::assert_snapshot!("quit_80x24", picture(80, 24, &state, &screen));
    press(&mut screen, &state, "\x1b?");
    insta::assert_snapshot!("help_120x40", picture(120, 40, &state, &screen));
    press(&mut screen, &state, "/smooth");
    let found = picture(80, 24, &state, &screen);
    assert!(found.contains("smoothing of the curves") && !found.contains("crosshair"), "{found}");
}

#[test]
fn paused_finished_and_failed_say_so() {
    let records = midway(Kind::Rrm, Machines::Gpu);
    let (state, screen) = fold(&recording::paused(records.clone()));
    let shown = picture(80, 24, &state, &screen);
    assert!(shown.contains("PAUSED") && shown.contains("ETA --"), "{shown}");
    let (state, screen) = fold(&recording(Kind::Rrm, Machines::Gpu, u64::MAX));
    insta::assert_snapshot!("finished_120x40", picture(120, 40, &state, &screen));
    let message = "worker panicked at src/train.rs:120: index out of range".to_string();
    let (state, mut screen) = fold(&recording::ended(records, Outcome::Failed { message }));
    insta::assert_snapshot!("failed_80x24", picture(80, 24, &state, &screen));
    assert_eq!(press(&mut screen, &state, "\n"), [Effect::Leave(Leave::Quit)]);
}

#[test]
fn a_value_is_only_proposed_until_enter_and_pending_until_answered() {
    let mut records = midway(Kind::Rrm, Machines::Gpu);
    let (mut state, mut screen) = fold(&records);
    assert_eq!(press(&mut screen, &state, "*"), []);
    let shown = picture(80, 24, &state, &screen);
    assert!(shown.contains("0.25→0.5") && shown.contains("! not set"), "{shown}");
    let effects = press(&mut screen, &state, "\n");
    let [Effect::Ask(Command::Set { change: Change::Lambda(new), note: None }, asked)] = &effects[..] else {
        panic!("{effects:?}");
    };
    assert_eq!(*new, 0.5);
    let id = CommandId(7);
    screen.waiting.push((id, *asked));
    screen.pending.values_mut().for_each(|p| p.sent = Some(id));
    assert!(picture(80, 24, &state, &screen).contains("… pending"));
    let last = records.last().unwrap().clone();
    let answer = Event::Controlled {
        step: state.step,
        by: Some(id),
        change: Change::Lambda(0.5),
        previous: Change::Lambda(0.25),
        note: None,
        stair: None,
    };
    records.push(Record { seq: last.seq + 1, at_ms: last.at_ms, event: answer });
    state.apply(records.last().unwrap());
    screen.saw(records.last().unwrap(), &state);
    let shown = picture(80, 24, &state, &screen);
    assert!(shown.contains(&format!("λ 0.25 -> 0.5 @ step {}", state.step)) && !shown.contains("pending"), "{shown}");
    press(&mut screen, &state, "u");
    assert!(picture(80, 24, &state, &screen).contains("0.5→0.25"));
    press(&mut screen, &state, "\x1b");
    assert!(screen.pending.is_empty());
}

#[test]
fn typed_values_carry_their_note_and_bad_ones_are_not_sent() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    let effects = press(&mut screen, &state, ".05\t\tlower before the drop\n");
    assert!(matches!(&effects[..],
        [Effect::Ask(Command::Set { change: Change::Lambda(v), note: Some(n) }, Asked::Dial { .. })]
            if *v == 0.05 && n == "lower before the drop"));
    screen.pending.clear();
    assert_eq!(press(&mut screen, &state, "e-1\n"), []);
    assert!(picture(80, 24, &state, &screen).contains("! lambda = -1 is out of range"));
}

#[test]
fn quitting_saves_unless_twice_told_not_to() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    let stops = |effects: Vec<Effect>| format!("{effects:?}");
    assert!(stops(press(&mut screen, &state, "q\n")).contains("AfterStep, save: Save"));
    assert!(stops(press(&mut screen, &state, "qj\n")).contains("AfterEpoch, save: Save"));
    assert_eq!(press(&mut screen, &state, "qjj\n\n"), []);
    assert!(stops(press(&mut screen, &state, "qjj\nj\n")).contains("save: Discard"));
    assert_eq!(ctrl_c(&mut screen, &state), []);
    assert!(stops(ctrl_c(&mut screen, &state)).contains("AfterStep, save: Save"));
    assert_eq!(ctrl_c(&mut screen, &state), [Effect::Leave(Leave::AtOnce)]);
    screen.access = Access::ReadOnly;
    assert_eq!(press(&mut screen, &state, "q"), [Effect::Leave(Leave::Quit)]);
}

#[test]
fn replies_of_a_terminal_change_nothing() {
    let (state, _) = fold(&midway(Kind::Rrm, Machines::Gpu));
    for reply in
        ["\x1b]11;rgb:1a1a/2b2b/ffff\x1b\\", "\x1b]10;rgb:dada/e0e0/c5c5\x1b\\", "\x1b[B", "\x1b[?62;22c", "\x1b[>0;276;0c"]
    {
        for (view, focus) in View::ALL.iter().flat_map(|view| view.panes().iter().map(|pane| (*view, *pane))) {
            let (_, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
            screen.turn_to(view);
            screen.focus = focus;
            let effects = press(&mut screen, &state, reply);
            let sets = effects.iter().any(|e| match e {
                Effect::Ask(command, _) => match command {
                    Command::Set { .. }
                    | Command::Schedule(_)
                    | Command::Unschedule(_)
                    | Command::Stop(_)
                    | Command::Examine(_)
                    | Command::GiveUp => true,
                    Command::SaveCheckpoint | Command::Evaluate | Command::Exhibit { .. } => false,
                },
                Effect::Leave(_)
                | Effect::Pin(..)
                | Effect::Remove(_)
                | Effect::Fork(_)
                | Effect::Branch(..)
                | Effect::TakeLease => true,
                Effect::Repaint
                | Effect::Suspend
                | Effect::Faster
                | Effect::Slower
                | Effect::TogglePace
                | Effect::Seek(_)
                | Effect::Write(..)
                | Effect::LookAtRuns
                | Effect::OpenRun(_) => false,
            });
            assert!(!sets, "{reply:?} at {focus:?}: {effects:?}");
        }
    }
}

#[test]
fn markers_are_walked_and_explained() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    press(&mut screen, &state, "n");
    let shown = picture(120, 40, &state, &screen);
    assert!(shown.contains("λ 0.5 -> 0.25 by a person (lower before the drop)"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn any_size_and_any_keys_are_survived(width in 1u16..=250, height in 1u16..=80, keys in "[ -~\n\t\x1b]{0,60}", upto in 0u64..700) {
        let mut records = recording(Kind::Rrm, Machines::Gpu, upto);
        if upto % 3 > 0 {
            records = recording::examined(records, 0.3);
        }
        if upto % 3 > 1 {
            records = recording::examining(records);
        }
        let (state, mut screen) = fold(&records);
        screen.turn_to(View::ALL[upto as usize % View::ALL.len()]);
        for c in keys.chars() {
            press(&mut screen, &state, &c.to_string());
            screen.now_ms += 10;
        }
        picture(width, height, &state, &screen);
    }
}

/// Four frames a second of a run's own time, as over SSH; a fixed recording gives a fixed number of bytes.
fn bytes_per_second(view: View, width: u16, height: u16) -> usize {
    let records = recording(Kind::Rrm, Machines::Gpu, 600);
    let wire = FrameWriter::default();
    let area = Rect::new(0, 0, width, height);
    let backend = ScreenBackend::new(wire.clone(), area);
    let viewport = ratatui::Viewport::Fixed(area);
    let mut terminal = Terminal::with_options(backend, ratatui::TerminalOptions { viewport }).unwrap();
    let mut state = RunState::default();
    let mut screen = Screen::new(Palette::TrueColour, Glyphs::Braille, Access::Steer, "runs/demo".into());
    screen.turn_to(view);
    let (start, mut frame_at, mut first, mut all) = (records[0].at_ms, records[0].at_ms, None, 0);
    for record in &records {
        while record.at_ms >= frame_at + 250 {
            frame_at += 250;
            screen.now_ms = frame_at;
            screen.expire();
            terminal.draw(|frame| view::draw(frame, &state, &screen)).unwrap();
            // Bracketed by mode 2026, the dearer way.
            all += wire.take(true).map_or(0, |bytes| bytes.len());
            first.get_or_insert(all);
        }
        state.apply(record);
        screen.saw(record, &state);
    }
    let seconds = (frame_at - start) / 1000;
    (all - first.unwrap()) / seconds as usize
}

#[test]
fn the_screen_is_cheap_over_ssh() {
    for (width, height, budget) in [(80, 24, 1_000), (120, 40, 1_500), (200, 60, 2_000)] {
        for view in [View::Dash, View::Charts, View::Events, View::System] {
            // A dozen titles with a number each.
            let budget = if view == View::Charts { 2 * budget } else { budget };
            let rate = bytes_per_second(view, width, height);
            assert!(rate <= budget, "{view:?} {width}x{height}: {rate} B/s, allowed {budget}");
            assert!(rate > 50, "{view:?} {width}x{height}: {rate} B/s is no screen at all");
        }
    }
}

struct Shown {
    terminal: Terminal<TestBackend>,
    frames: crossbeam_channel::Sender<String>,
    /// Takes no frames while this is set, as a link that is stuck.
    stalled: Arc<AtomicBool>,
}

impl Surface for Shown {
    fn draw(&mut self, paint: &mut dyn FnMut(&mut Frame) -> Vec<Placement>) -> io::Result<Drawn> {
        if self.stalled.load(Ordering::Acquire) {
            return Ok(Drawn::Skipped);
        }
        self.terminal.draw(|frame| drop(paint(frame))).map_err(io::Error::other)?;
        self.frames.send(self.terminal.backend().to_string()).map_err(io::Error::other)?;
        Ok(Drawn::Shown)
    }
    fn repaint(&mut self) -> io::Result<()> {
        self.terminal.clear().map_err(io::Error::other)
    }
    fn link(&self) -> LinkSpeed {
        LinkSpeed::Fast
    }
    fn suspend(&mut self) -> io::Result<()> {
        self.frames.send("suspended".into()).map_err(io::Error::other)
    }
    fn resume(&mut self) -> io::Result<()> {
        self.frames.send("resumed".into()).map_err(io::Error::other)?;
        self.repaint()
    }
}

#[test]
fn the_loop_shows_asks_is_answered_and_leaves() {
    let (to_screen, records) = unbounded();
    let (to_worker, requests) = crossbeam_channel::bounded(16);
    let (keys, input) = unbounded();
    let (_signals, signals) = unbounded::<Signal>();
    let (frames, shown) = unbounded();
    let recorded = midway(Kind::Rrm, Machines::Gpu);
    let now = recorded.last().unwrap().at_ms;
    let stalled = Arc::new(AtomicBool::new(false));
    let stuck = stalled.clone();
    let trouble = Arc::new(Mutex::new(None));
    let told = trouble.clone();
    let clock = AtomicUsize::new(0);
    let now_ms = move || now + clock.fetch_add(300, Ordering::Relaxed) as u64;
    let screen = std::thread::spawn(move || {
        let mut surface = Shown { terminal: Terminal::new(TestBackend::new(80, 24)).unwrap(), frames, stalled: stuck };
        let options = Options {
            preparing: None,
            themes: Themes::built_in(Colour::Mono),
            glyphs: Glyphs::Braille,
            keymap: Keymap::default(),
            motion: Motion::Usual,
            album: None,
            graphics: Graphics::Cells,
            max_fps: 60,
            folder: "runs/demo".into(),
            pace: None,
            trouble: Some(Box::new(move || told.lock().unwrap().clone())),
            ahead_s: None,
            shelf: None,
            known: None,
            better: None,
        };
        app::run(Session::live(records, to_worker), &mut surface, &input, &signals, options, &now_ms).why
    });
    let wait_until = |there: &dyn Fn(&str) -> bool| {
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut last = String::new();
        while let Ok(frame) = shown.recv_deadline(deadline) {
            if there(&frame) {
                return;
            }
            last = frame;
        }
        panic!("never shown; the last frame was\n{last}");
    };
    let wait_for = |text: &str| wait_until(&|frame| frame.contains(text));
    for record in &recorded {
        to_screen.send(Arc::new(record.clone())).unwrap();
    }
    wait_for("ep 7/");
    for c in ['*', '\n'] {
        let code = if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) };
        keys.send(Input::Key(KeyEvent::new(code, KeyModifiers::NONE))).unwrap();
    }
    let request = requests.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(matches!(request.command, Command::Set { change: Change::Lambda(v), .. } if v == 0.5));
    wait_for("pending");
    let event = Event::Refused { by: request.id, reason: "the disk is full".into() };
    to_screen.send(Arc::new(Record { seq: 1 + recorded.last().unwrap().seq, at_ms: now, event })).unwrap();
    wait_for("refused: the disk is full");
    let press = |code, modifiers| keys.send(Input::Key(KeyEvent::new(code, modifiers))).unwrap();

    // What cannot be recorded is shown while it lasts.
    *trouble.lock().unwrap() = Some("training waits: no space left for runs/demo/events.jsonl".to_string());
    wait_for("! training waits: no space left");
    *trouble.lock().unwrap() = None;
    wait_until(&|frame| !frame.contains("training waits"));

    // A frame that the terminal did not take is drawn once it takes frames again, and the header says why it came late.
    stalled.store(true, Ordering::Release);
    press(KeyCode::Char('?'), KeyModifiers::NONE);
    std::thread::sleep(Duration::from_millis(100)); // as long as a stall; what is waited for comes below
    stalled.store(false, Ordering::Release);
    wait_until(&|frame| frame.contains("Keys") && frame.contains("link slow"));
    press(KeyCode::Esc, KeyModifiers::NONE);

    // An evaluation is asked for, runs, and is given up; the ask to give up waits for no answer of its own.
    let mut seq = 2 + recorded.last().unwrap().seq;
    let mut say = |event| {
        to_screen.send(Arc::new(Record { seq, at_ms: now, event })).unwrap();
        seq += 1;
    };
    press(KeyCode::Char('a'), KeyModifiers::NONE);
    wait_for("Evaluate these weights");
    press(KeyCode::Enter, KeyModifiers::NONE);
    let asked = requests.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(matches!(asked.command, Command::Examine(_)));
    let Event::Examining { step, progress, .. } = recording::examining(recorded.clone()).pop().unwrap().event else {
        panic!("it is being evaluated");
    };
    say(Event::Examining { step, by: Some(asked.id), progress });
    wait_for("EVALUATING");
    press(KeyCode::Char('a'), KeyModifiers::NONE);
    wait_for("Give the evaluation up?");
    press(KeyCode::Down, KeyModifiers::NONE);
    press(KeyCode::Enter, KeyModifiers::NONE);
    assert_eq!(requests.recv_timeout(Duration::from_secs(10)).unwrap().command, Command::GiveUp);
    say(Event::Refused { by: asked.id, reason: format!("the evaluation at step {step} was given up") });
    wait_until(&|frame| frame.contains("! the evaluation at step") && frame.contains("RUNNING"));
    press(KeyCode::Char('1'), KeyModifiers::NONE);
    wait_for("Controls");

    // Ctrl-Z asks first, and only what was chosen stops the process.
    press(KeyCode::Char('z'), KeyModifiers::CONTROL);
    wait_for("Training stops too while suspended");
    press(KeyCode::Enter, KeyModifiers::NONE);
    wait_for("suspended");
    wait_for("resumed");
    wait_until(&|frame| frame.contains("Controls") && !frame.contains("Suspend?"));
    keys.send(Input::HangUp).unwrap();
    assert_eq!(screen.join().unwrap(), Leave::HungUp);
}
