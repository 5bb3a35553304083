//! The Runs view: a dozen made-up neighbours, one of them broken, one steered, one branched off.

use super::recording::{self, EPOCHS, Kind, Machines, PER_EPOCH, recording as tape};
use super::{fold, fold_with, midway, picture, press};
use crossbeam_channel::{Receiver, Sender, unbounded};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use rematch::config::Method;
use rematch::protocol::event::{Evaluated, Parent, Purpose, Split, Started};
use rematch::protocol::{Event, Outcome, Record};
use rematch::run::RunState;
use rematch::run::checkpoints::Pinned;
use rematch::run::session::{Access, Session};
use rematch::run::shelf::{Entry, Facts};
use rematch::run::store::Owner;
use rematch::ui::app::{self, Shelved};
use rematch::ui::capability::Colour;
use rematch::ui::event::{Input, Signal};
use rematch::ui::glyphs::Glyphs;
use rematch::ui::graphics::Graphics;
use rematch::ui::intent::{self, Effect, Leave};
use rematch::ui::keymap::Keymap;
use rematch::ui::layout::View;
use rematch::ui::screen::BranchWish;
use rematch::ui::screen::Motion;
use rematch::ui::screen::{Filter, Screen};
use rematch::ui::theme::Palette;
use rematch::ui::theme::Themes;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const DAY_MS: u64 = 86_400_000;

fn shows(name: &str, picture: &str) {
    insta::with_settings!({ snapshot_path => "../snapshots" }, { insta::assert_snapshot!(name, picture) });
}

/// A run like the one on the screen, changed.
struct Neighbour {
    id: &'static str,
    kind: Kind,
    days_ago: u64,
    upto: u64,
    steered: bool,
    natural: f64,
    adversarial: f64,
    owner: Owner,
    outcome: Option<Outcome>,
}

fn neighbour(id: &'static str, days_ago: u64) -> Neighbour {
    Neighbour {
        id,
        kind: Kind::Rrm,
        days_ago,
        upto: u64::MAX,
        steered: false,
        natural: 0.0,
        adversarial: 0.0,
        owner: Owner::Nobody,
        outcome: None,
    }
}

impl Neighbour {
    fn made(self, change: impl Fn(&mut Started)) -> Entry {
        let mut records: Vec<Record> = tape(self.kind, Machines::Gpu, self.upto);
        if let Some(outcome) = self.outcome {
            records = recording::ended(records, outcome);
        }
        records.retain(|record| self.steered || !matches!(record.event, Event::Controlled { .. }));
        for record in &mut records {
            record.at_ms -= self.days_ago * DAY_MS;
            match &mut record.event {
                Event::Started(started) => {
                    started.run = self.id.into();
                    change(started);
                }
                Event::Evaluated(e) => {
                    let e: &mut Evaluated = e;
                    (e.natural, e.adversarial) = (e.natural + self.natural, e.adversarial + self.adversarial);
                }
                _ => {}
            }
        }
        let mut state = RunState::default();
        for record in &records {
            state.apply(record);
        }
        let facts = Facts::of(self.id, &state, &self.owner).unwrap();
        Entry { id: self.id.into(), found: Ok(Arc::new(facts)) }
    }
}

fn lambda(value: f64, seed: u64) -> impl Fn(&mut Started) {
    move |started| {
        started.config.seed = seed;
        started.controls.lambda = value;
        if let Method::Rrm(rrm) = &mut started.config.method {
            rrm.lambda = value;
        }
    }
}

fn neighbours() -> Vec<Entry> {
    let trade = |id, days, natural, adversarial| Neighbour { natural, adversarial, ..neighbour(id, days) };
    let fork = |started: &mut Started| {
        lambda(0.1, 1)(started);
        started.parent = Some(Parent { run: "quickstart-s1".into(), step: 284 });
    };
    let mut all = vec![
        trade("rrm-l0", 9, -0.12, 0.02).made(lambda(0.0, 1)),
        trade("rrm-l0.005-s1", 8, -0.08, 0.06).made(lambda(0.005, 1)),
        trade("rrm-l0.005-s2", 8, -0.09, 0.02).made(lambda(0.005, 2)),
        trade("rrm-l0.05", 7, -0.04, 0.01).made(lambda(0.05, 1)),
        trade("rrm-l0.5", 6, 0.02, -0.06).made(lambda(0.5, 1)),
        trade("rrm-l5", 6, 0.05, -0.21).made(lambda(5.0, 1)),
        Neighbour { steered: true, ..trade("by-hand", 5, 0.0, -0.02) }.made(lambda(0.5, 3)),
        Neighbour { kind: Kind::Sat, ..trade("sat-baseline", 4, 0.01, 0.09) }.made(|_| ()),
        Neighbour { upto: 300, outcome: Some(Outcome::Stopped), ..neighbour("lower-lr", 3) }.made(|started| {
            lambda(0.5, 1)(started);
            started.config.train.lr = 0.02;
            started.config.train.epochs = 30;
        }),
        Neighbour { upto: 400, owner: Owner::Process("411".into()), ..neighbour("quickstart-s1-fork", 0) }.made(fork),
        Neighbour { upto: 500, ..neighbour("killed-overnight", 2) }.made(lambda(0.5, 9)),
        Neighbour {
            upto: 71,
            outcome: Some(Outcome::Failed { message: "CUDA out of memory".into() }),
            ..neighbour("too-wide", 1)
        }
        .made(lambda(0.5, 1)),
    ];
    // Another attack: its numbers stand beside the others' and are not ranked with them.
    let Ok(weak) = Neighbour { adversarial: 0.2, ..neighbour("weak-probe", 1) }.made(lambda(0.5, 1)).found else {
        panic!("it is readable");
    };
    let mut weak: Facts = (*weak).clone();
    weak.best.as_mut().unwrap().measure.attack.steps = 3;
    all.push(Entry { id: "weak-probe".into(), found: Ok(Arc::new(weak)) });
    let why = "runs/old-format/events.jsonl, line 1: not a record: expected value at column 1; the log was changed or damaged";
    all.push(Entry { id: "old-format".into(), found: Err(why.into()) });
    all
}

fn with(records: &[Record], palette: Palette, glyphs: Glyphs) -> (RunState, Screen) {
    let (state, mut screen) = fold_with(records, palette, glyphs);
    screen.toasts.clear();
    screen.runs.asked(screen.now_ms);
    screen.runs.looked(Ok(neighbours()));
    press(&mut screen, &state, "5");
    assert_eq!(screen.view, View::Runs);
    (state, screen)
}

fn runs() -> (RunState, Screen) {
    with(&midway(Kind::Rrm, Machines::Gpu), Palette::TrueColour, Glyphs::Braille)
}

#[test]
fn the_runs_view_at_every_tier() {
    let (state, mut screen) = runs();
    for (width, height) in [(60, 16), (80, 24), (120, 40), (200, 60)] {
        shows(&format!("runs_{width}x{height}"), &picture(width, height, &state, &screen));
    }
    press(&mut screen, &state, "w");
    shows("runs_what_if_80x24", &picture(80, 24, &state, &screen));
}

#[test]
fn without_colours_and_braille_it_says_the_same_of_runs() {
    let (state, mut screen) = with(&midway(Kind::Rrm, Machines::Gpu), Palette::Mono, Glyphs::Ascii);
    shows("runs_ascii_120x40", &picture(120, 40, &state, &screen));
    shows("runs_ascii_80x24", &picture(80, 24, &state, &screen));
    for keys in ["", "jjj", "G", "w", "w/x", "\n"] {
        press(&mut screen, &state, keys);
        for (width, height) in [(60, 16), (80, 24), (120, 40), (200, 60)] {
            let shown = picture(width, height, &state, &screen);
            assert!(shown.is_ascii(), "{shown}");
        }
    }
}

#[test]
fn a_run_is_told_apart_from_this_one() {
    let (state, mut screen) = runs();
    press(&mut screen, &state, "/id:lower\n");
    shows("runs_detail_120x40", &picture(120, 40, &state, &screen));
    let shown = picture(120, 40, &state, &screen);
    assert!(shown.contains("train.lr 0.1 -> 0.02") && shown.contains("train.epochs 20 -> 30"), "{shown}");
    press(&mut screen, &state, "\x1b/weak\n");
    for (width, height) in [(80, 24), (120, 40)] {
        let shown = picture(width, height, &state, &screen);
        assert!(shown.contains("~ not ranked: attack pgd-3, not pgd-10"), "{shown}");
    }
    press(&mut screen, &state, "\x1b/old\n");
    for (width, height) in [(60, 16), (80, 24), (120, 40)] {
        let shown = picture(width, height, &state, &screen);
        assert!(shown.contains("broken") && shown.contains("line 1"), "{shown}");
    }
    press(&mut screen, &state, "\x1b/nothing-like-it\n");
    let shown = picture(80, 24, &state, &screen);
    assert!(shown.contains("None of 15 runs fits the filter"), "{shown}");
}

#[test]
fn the_filter_takes_all_keys_until_enter_or_esc() {
    let (state, mut screen) = runs();
    assert_eq!(press(&mut screen, &state, "/sat q1s"), []);
    assert_eq!((screen.runs.filter.text(), screen.view), ("sat q1s", View::Runs));
    press(&mut screen, &state, "\x1b");
    assert_eq!((&screen.runs.filter, screen.view), (&Filter::Off, View::Runs));
    press(&mut screen, &state, "/state:live\n");
    let shown = picture(80, 24, &state, &screen);
    assert!(shown.contains("2 of 15") && shown.contains("/state:live") && !shown.contains("sat-baseline"), "{shown}");
    intent::paste(&mut screen, "no text field is open");
    assert_eq!(screen.runs.filter.text(), "state:live");
    // Esc: first the filter, then the Dash.
    press(&mut screen, &state, "\x1b");
    assert_eq!((screen.view, &screen.runs.filter), (View::Runs, &Filter::Off));
    press(&mut screen, &state, "\x1b");
    assert_eq!(screen.view, View::Dash);
}

#[test]
fn four_runs_at_most_lie_behind_the_charts() {
    let (state, mut screen) = runs();
    let (other, _) = fold(&midway(Kind::Sat, Machines::Cpu));
    let other = Arc::new(other);
    // This run, and one that cannot be read, are refused.
    assert_eq!(press(&mut screen, &state, "o"), []);
    assert_eq!(press(&mut screen, &state, "Go"), []);
    for (n, id) in ["rrm-l0", "rrm-l0.005-s1", "rrm-l0.05", "by-hand"].into_iter().enumerate() {
        screen.runs.chosen = Some(id.into());
        assert_eq!(press(&mut screen, &state, "\n"), [Effect::OpenRun(id.into())]);
        screen.opened(id, Ok(other.clone()));
        assert_eq!((screen.runs.overlays.len(), screen.runs.letter(id)), (n + 1, Some(['a', 'b', 'c', 'd'][n])));
    }
    let shown = picture(120, 40, &state, &screen);
    assert!(shown.contains("d: by-hand lies behind the charts (key 2)"), "{shown}");
    screen.runs.chosen = Some("rrm-l5".into());
    assert_eq!(press(&mut screen, &state, "o"), []);
    // Asked again, all of them are read again and none is added.
    let effects = press(&mut screen, &state, "R");
    assert_eq!(effects.len(), 5);
    screen.opened("by-hand", Ok(other.clone()));
    assert_eq!(screen.runs.overlays.len(), 4);
    screen.runs.chosen = Some("rrm-l0.005-s1".into());
    press(&mut screen, &state, "o");
    assert_eq!(
        (screen.runs.overlays.len(), screen.runs.letter("by-hand"), screen.runs.letter("rrm-l0.005-s1")),
        (3, Some('c'), None)
    );
    // Taken back before it has come.
    assert_eq!(press(&mut screen, &state, "o").len(), 1);
    press(&mut screen, &state, "o");
    screen.opened("rrm-l0.005-s1", Ok(other));
    assert_eq!(screen.runs.overlays.len(), 3);
    screen.opened("rrm-l5", Err("its log is gone".into()));
    assert_eq!(screen.runs.overlays.len(), 3);
}

#[test]
fn the_list_stays_where_it_is_while_runs_come_and_go() {
    let (state, mut screen) = runs();
    press(&mut screen, &state, "jj");
    let chosen = screen.runs.chosen.clone();
    let mut more = neighbours();
    more.push(neighbour("brand-new", 0).made(lambda(0.7, 1)));
    screen.runs.looked(Ok(more));
    press(&mut screen, &state, "");
    assert_eq!(screen.runs.chosen, chosen);
    let seen = |screen: &Screen| {
        let shown = screen.runs.shown(&state, screen.access);
        shown.rows[screen.runs.at(&shown)].entry.id.clone()
    };
    assert_eq!(Some(seen(&screen)), chosen);
    screen.runs.looked(Ok(Vec::new()));
    assert_eq!(seen(&screen), "quickstart-s1");
    screen.runs.looked(Err("cannot list runs: permission denied".into()));
    assert!(picture(80, 24, &state, &screen).contains("! cannot list runs"));
}

#[test]
fn before_the_folder_is_read_this_run_stands_alone() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    screen.toasts.clear();
    screen.runs.asked(0);
    press(&mut screen, &state, "5");
    let shown = picture(80, 24, &state, &screen);
    assert!(shown.contains("quickstart-s1") && shown.contains("reading the folder"), "{shown}");
    assert!(shown.contains("no finished run of this config yet"), "{shown}");
    let (nothing, _) = fold(&[]);
    picture(80, 24, &nothing, &screen);
}

#[test]
fn a_replay_shows_what_became_of_its_run() {
    let (state, mut screen) = runs();
    screen.access = Access::ReadOnly;
    let finished = neighbour("quickstart-s1", 0).made(|_| ());
    let mut all = neighbours();
    all.push(finished);
    screen.runs.looked(Ok(all));
    press(&mut screen, &state, "/id:quickstart-s1\n");
    let shown = picture(120, 40, &state, &screen);
    assert!(shown.contains(&format!("{EPOCHS}/{EPOCHS}")) && shown.contains("completed"), "{shown}");
    let best = screen.runs.shown(&state, screen.access);
    assert_eq!(best.measure.as_ref().map(|m| (m.split, m.images)), Some((Split::Validation, 256)));
}

#[test]
fn probes_of_a_thousand_runs_do_not_hurt() {
    let (state, mut screen) = runs();
    let base = neighbours();
    let many: Vec<Entry> =
        (0..1_000).map(|i| Entry { id: format!("run-{i:04}"), found: base[i % base.len()].found.clone() }).collect();
    screen.runs.looked(Ok(many));
    let begun = std::time::Instant::now();
    for _ in 0..20 {
        press(&mut screen, &state, "j");
        picture(200, 60, &state, &screen);
    }
    // A debug build on a busy machine; a frame that takes a second is what this is to find.
    assert!(begun.elapsed().as_millis() / 20 < 300, "{:?}", begun.elapsed() / 20);
    let probe = |facts: &Facts| facts.probes.iter().all(|e| e.purpose == Purpose::Probe && e.step <= PER_EPOCH * EPOCHS);
    assert!(base.iter().filter_map(|entry| entry.found.as_deref().ok()).all(probe));
}

/// A shelf whose reader is the test.
struct Told {
    asked: Sender<String>,
    answers: Receiver<Shelved>,
}

impl app::Shelf for Told {
    fn look(&self) {
        self.asked.send("look".into()).unwrap();
    }
    fn open(&self, id: &str) {
        self.asked.send(id.into()).unwrap();
    }
    fn checkpoints(&self, folder: &str) {
        self.asked.send(format!("checkpoints of {folder}")).unwrap();
    }
    fn pin(&self, checkpoint: &Path, pinned: Pinned) {
        self.asked.send(format!("pin {} {pinned:?}", checkpoint.display())).unwrap();
    }
    fn remove(&self, checkpoint: &Path) {
        self.asked.send(format!("remove {}", checkpoint.display())).unwrap();
    }
    fn fork(&self, folder: &str, wish: &BranchWish) {
        self.asked.send(format!("fork {folder} at {}", wish.step)).unwrap();
    }
    fn answers(&self) -> Receiver<Shelved> {
        self.answers.clone()
    }
}

#[test]
fn the_folder_is_looked_at_when_its_view_is_turned_to_and_now_and_then() {
    let wait = Duration::from_secs(10);
    let (to_screen, records) = unbounded();
    let (keys, input) = unbounded();
    let (_signals, signals) = unbounded::<Signal>();
    let (frames, shown) = unbounded();
    let (asked, questions) = unbounded();
    let (answer, answers) = unbounded();
    let recorded = midway(Kind::Rrm, Machines::Gpu);
    let clock = Arc::new(AtomicU64::new(recorded.last().unwrap().at_ms));
    let now = clock.clone();
    let screen = std::thread::spawn(move || {
        let terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        let mut surface = super::Shown { terminal, frames, stalled: Arc::default() };
        let options = app::Options {
            ahead_s: None,
            preparing: None,
            themes: Themes::built_in(Colour::Mono),
            keymap: Keymap::default(),
            motion: Motion::Usual,
            album: None,
            graphics: Graphics::Cells,
            glyphs: Glyphs::Braille,
            max_fps: 60,
            folder: "runs/demo".into(),
            pace: None,
            trouble: None,
            shelf: Some(Box::new(Told { asked, answers })),
            known: None,
            better: None,
        };
        let now_ms = move || now.load(Ordering::Relaxed);
        app::run(Session::replay(records), &mut surface, &input, &signals, options, &now_ms).why
    });
    for record in &recorded {
        to_screen.send(Arc::new(record.clone())).unwrap();
    }
    let wait_for = |text: &str| {
        while let Ok(frame) = shown.recv_timeout(wait) {
            if frame.contains(text) {
                return;
            }
        }
        panic!("never shown: {text}");
    };
    let press = |c| keys.send(Input::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE))).unwrap();
    wait_for("ep 7/");
    assert!(questions.is_empty(), "nobody looks before the view is there");
    press('5');
    assert_eq!(questions.recv_timeout(wait).unwrap(), "look");
    wait_for("reading the folder");
    answer.send(Shelved::Looked(Ok(neighbours()))).unwrap();
    wait_for("too-wide");
    for c in ['j', 'j', 'o'] {
        press(c);
    }
    let id = questions.recv_timeout(wait).unwrap();
    answer.send(Shelved::Opened { id, found: Err("its log is gone".into()) }).unwrap();
    wait_for("its log is gone");
    clock.fetch_add(10_000, Ordering::Relaxed);
    press('j');
    assert_eq!(questions.recv_timeout(wait).unwrap(), "look");
    press('R');
    assert_eq!(questions.recv_timeout(wait).unwrap(), "look");
    press('1');
    wait_for("Controls");
    assert!(questions.is_empty());
    // The reader may be gone; the screen is not.
    drop(answer);
    press('5');
    wait_for("too-wide");
    keys.send(Input::HangUp).unwrap();
    assert_eq!(screen.join().unwrap(), Leave::HungUp);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn any_size_and_any_keys_are_survived_among_runs(width in 1u16..=250, height in 1u16..=80, keys in "[ -~\n\t\x1b]{0,40}", odd in 0usize..3) {
        let (state, mut screen) = runs();
        if odd > 0 {
            let mut all = neighbours();
            for entry in &mut all {
                if let Ok(facts) = &mut entry.found {
                    let mut facts: Facts = (**facts).clone();
                    for number in facts.best.iter_mut().chain(facts.test.iter_mut()) {
                        (number.natural, number.adversarial) = if odd > 1 { (f64::NAN, -3.0) } else { (7e9, f64::INFINITY) };
                    }
                    facts.summary.lambda_now = facts.summary.lambda_now.map(|_| if odd > 1 { f64::NAN } else { -1.0 });
                    entry.found = Ok(Arc::new(facts));
                }
                entry.id = format!("\u{1b}[31m{}\u{4e2d}\u{6587}", entry.id);
            }
            screen.runs.looked(Ok(all));
        }
        for c in keys.chars() {
            press(&mut screen, &state, &c.to_string());
            screen.now_ms += 10;
        }
        picture(width, height, &state, &screen);
    }
}
