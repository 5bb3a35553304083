//! The screen of a sweep over made-up boards: every figure, every stage, keys, the loop.

use super::Shown;
use crossbeam_channel::{Receiver, Sender, unbounded};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use rematch::run::RunState;
use rematch::sweep::board::{Board, Flow, Found, Pair, Row, Slot, Stage, Steps};
use rematch::sweep::plan::{Budget, Count};
use rematch::sweep::{Cell, Figure, Role};
use rematch::ui::brush::Brush;
use rematch::ui::capability::Colour;
use rematch::ui::event::{Input, Signal};
use rematch::ui::glyphs::Glyphs;
use rematch::ui::screen::Filter;
use rematch::ui::sweep::{self, Ask, Dialog, Effect, End, Leaving, Runner, Show, Stop, View, watch};
use rematch::ui::terminal::backend::{FrameWriter, ScreenBackend};
use rematch::ui::theme::{Palette, Themes};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SIZES: [(u16, u16); 4] = [(60, 16), (80, 24), (120, 40), (200, 60)];
const STEPS: u64 = 11_700;

fn shows(name: &str, picture: &str) {
    insta::with_settings!({ snapshot_path => "../snapshots" }, { insta::assert_snapshot!(name, picture) });
}

fn view() -> View {
    View::new(Brush { palette: Palette::TrueColour, glyphs: Glyphs::Braille }, Leaving::GoesOn)
}

fn plain_view() -> View {
    View::new(Brush { palette: Palette::Mono, glyphs: Glyphs::Ascii }, Leaving::Ends)
}

fn buffer(width: u16, height: u16, board: Option<&Board>, view: &mut View) -> Buffer {
    view.size = (width, height);
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    sweep::draw_into(area, &mut buffer, board, view);
    buffer
}

fn picture(width: u16, height: u16, board: &Board, view: &mut View) -> String {
    let buffer = buffer(width, height, Some(board), view);
    let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_string();
    (0..height).map(row).collect::<Vec<_>>().join("\n")
}

fn key(view: &mut View, board: &Board, code: KeyCode, modifiers: KeyModifiers) -> Option<Effect> {
    sweep::press(view, Some(board), &KeyEvent::new(code, modifiers))
}

fn press(view: &mut View, board: &Board, keys: &str) -> Vec<Effect> {
    let code = |c| match c {
        '\n' => KeyCode::Enter,
        '\x1b' => KeyCode::Esc,
        '\t' => KeyCode::Tab,
        '\x08' => KeyCode::Backspace,
        c => KeyCode::Char(c),
    };
    keys.chars().filter_map(|c| key(view, board, code(c), KeyModifiers::NONE)).collect()
}

fn ctrl_c(view: &mut View, board: &Board) -> Option<Effect> {
    key(view, board, KeyCode::Char('c'), KeyModifiers::CONTROL)
}

fn row(id: &str, label: &str, vary: &[(&str, &str)], seed: u64) -> Row {
    Row {
        cell: Cell {
            id: id.into(),
            role: Role::Student,
            row: label.to_lowercase(),
            label: label.into(),
            vary: vary.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            seed,
            teacher: None,
            other_teachers: Vec::new(),
            budget: None,
            config: format!(
                "seed = {seed}\n\n[student]\nnetwork = \"resnet18\"\n\n[train]\nepochs = 30\nbatch = 128\nlr = 0.1\n"
            ),
        },
        stage: Stage::Waiting,
        steps: None,
        probe: None,
        found: Vec::new(),
        train_s: 0.0,
        evaluate_s: 0.0,
        left_s: None,
    }
}

fn teacher(id: &str, label: &str) -> Row {
    let mut row = row(id, label, &[], 0);
    row.cell.role = Role::Teacher;
    row
}

trait Made: Sized {
    fn done(self, natural: f64, adversarial: f64, train_s: f64) -> Self;
    fn training(self, done: u64, probe: Option<(f64, f64)>, train_s: f64) -> Self;
    fn at(self, stage: Stage) -> Self;
    fn from(self, teacher: &str) -> Self;
    fn by(self, attack: &str, images: u64, natural: f64, adversarial: f64) -> Self;
    fn left(self, seconds: f64) -> Self;
}

impl Made for Row {
    fn done(mut self, natural: f64, adversarial: f64, train_s: f64) -> Self {
        (self.stage, self.train_s, self.evaluate_s) = (Stage::Done, train_s, 310.0);
        self.steps = Some(Steps { done: STEPS, of: STEPS });
        self.by("autoattack", 1000, natural, adversarial)
    }
    fn training(mut self, done: u64, probe: Option<(f64, f64)>, train_s: f64) -> Self {
        (self.stage, self.train_s) = (Stage::Training, train_s);
        self.steps = Some(Steps { done, of: STEPS });
        self.probe = probe.map(|(natural, adversarial)| Pair { natural, adversarial });
        self
    }
    fn at(mut self, stage: Stage) -> Self {
        self.stage = stage;
        self
    }
    fn from(mut self, teacher: &str) -> Self {
        self.cell.teacher = Some(teacher.into());
        self
    }
    fn by(mut self, attack: &str, images: u64, natural: f64, adversarial: f64) -> Self {
        self.found.push(Found { attack: attack.into(), images, pair: Pair { natural, adversarial } });
        self
    }
    fn left(mut self, seconds: f64) -> Self {
        self.left_s = Some(seconds);
        self
    }
}

fn board(name: &str, title: &str, figure: Figure, rows: Vec<Row>) -> Board {
    let busy = |row: &Row| matches!(row.stage, Stage::Training | Stage::Evaluating);
    let running: Vec<usize> = rows.iter().enumerate().filter(|(_, row)| busy(row)).map(|(place, _)| place).collect();
    let slot = |n: usize| Slot { device: format!("cuda:{n}"), row: running.get(n).copied() };
    Board {
        name: name.into(),
        title: title.into(),
        figure,
        folder: format!("/home/me/sweeps/{name}").into(),
        rows,
        slots: vec![slot(0), slot(1)],
        flow: Flow::Running,
        elapsed_s: 9_843.0,
        left_s: Some(15_120.0),
        notes: vec![
            "10:02 rrm-l0.005-s1 done: 77.4 natural, 47.0 under autoattack".into(),
            "10:02 rrm-l0.5-s0 begins on cuda:0".into(),
            "10:31 rrm-l0.01-s1 failed: CUDA out of memory".into(),
        ],
    }
}

const LAMBDAS: [(&str, f64, f64); 6] = [
    ("0", 0.70, 0.484),
    ("0.0005", 0.73, 0.481),
    ("0.005", 0.773, 0.469),
    ("0.01", 0.79, 0.452),
    ("0.05", 0.853, 0.371),
    ("0.5", 0.921, 0.062),
];

/// Figure 3 half way: every stage that there is.
fn lambdas() -> Board {
    let mut rows = vec![teacher("teacher-s0", "Teacher (SAT)").done(0.841, 0.492, 5_412.0)];
    for seed in 0..3u64 {
        for (i, (lambda, natural, adversarial)) in LAMBDAS.iter().enumerate() {
            let wobble = 0.012 * (seed as f64 - 1.0) * if i % 2 == 0 { 1.0 } else { -1.0 };
            let id = format!("rrm-l{lambda}-s{seed}");
            let cell = row(&id, "RRM", &[("method.lambda", lambda)], seed).from("teacher-s0");
            rows.push(match (seed, i) {
                (0, 0..=4) | (1, 0..=2) => cell.done(natural + wobble, adversarial + wobble / 2.0, 3_204.0 + 40.0 * i as f64),
                (0, 5) => cell.training(3_978, Some((0.88, 0.12)), 1_090.0).left(2_210.0),
                (1, 3) => {
                    cell.training(5_000, None, 1_300.0).at(Stage::Failed("CUDA out of memory: tried to allocate 2.3 GiB".into()))
                }
                (1, 4) => {
                    let mut row = cell.training(STEPS, Some((0.86, 0.38)), 3_301.0).at(Stage::Evaluating).left(240.0);
                    row.evaluate_s = 70.0;
                    row
                }
                (1, 5) => cell.at(Stage::Elsewhere(48_113)).training_elsewhere(),
                (2, 0) => cell.training(2_000, Some((0.66, 0.44)), 600.0).at(Stage::Stopped),
                (2, 1) => cell.at(Stage::WaitsFor("rrm-l0.01-s1".into())),
                (2, 2) => cell.training(STEPS, None, 3_250.0).at(Stage::Done).by("pgd-10", 500, 0.77, 0.52),
                _ => cell.left(3_600.0),
            });
        }
    }
    board("lambda", "Natural and adversarial accuracy against lambda", Figure::Lambda, rows)
}

trait Elsewhere {
    fn training_elsewhere(self) -> Self;
}

impl Elsewhere for Row {
    fn training_elsewhere(mut self) -> Self {
        self.steps = Some(Steps { done: 9_000, of: STEPS });
        self
    }
}

fn grid() -> Board {
    let networks = ["fc3", "vgg11", "resnet18", "vgg19", "resnet50"];
    let mut rows: Vec<Row> = networks
        .iter()
        .enumerate()
        .map(|(i, network)| {
            let mut row = teacher(&format!("teacher-{network}"), "Teacher");
            row.cell.vary = vec![("student.network".into(), (*network).into())];
            if i < 4 {
                row.done(0.80 + 0.01 * i as f64, 0.44 + 0.01 * i as f64, 2_000.0 * (i + 1) as f64)
            } else {
                row.training(4_000, None, 900.0)
            }
        })
        .collect();
    for (s, student) in networks.iter().enumerate() {
        for (t, other) in networks.iter().enumerate() {
            let cell = row(&format!("{student}-from-{other}"), "RRM", &[("student.network", student), ("teacher", other)], 0)
                .from(&format!("teacher-{other}"));
            rows.push(match (s, t) {
                (_, 4) => cell.at(Stage::WaitsFor("teacher-resnet50".into())),
                (0, 3) => cell.at(Stage::Failed("the loss is not finite at step 412".into())),
                (0..=2, _) => cell.done(
                    0.5 + 0.12 * s as f64 - 0.01 * t as f64,
                    0.28 + 0.07 * s as f64 + 0.01 * t as f64,
                    700.0 * (s + 1) as f64,
                ),
                (3, 0) => cell.training(8_000, Some((0.7, 0.3)), 1_500.0),
                _ => cell,
            });
        }
    }
    board("students-teachers", "Which student learns from which teacher", Figure::Grid, rows)
}

fn time() -> Board {
    let rows = vec![
        teacher("teacher-s0", "Teacher").done(0.84, 0.49, 5_400.0),
        teacher("teacher-s1", "Teacher").done(0.84, 0.49, 5_500.0),
        row("erm-s0", "ERM", &[], 0).done(0.953, 0.0, 1_020.0),
        row("sat-s0", "SAT", &[], 0).done(0.841, 0.492, 9_960.0),
        row("free-s0", "Free (m=8)", &[], 0).done(0.835, 0.448, 4_100.0),
        row("rrm-s0", "RRM", &[], 0).from("teacher-s0").done(0.79, 0.46, 3_300.0),
        row("rrm-s1", "RRM", &[], 1).from("teacher-s1").done(0.79, 0.46, 3_500.0),
        row("kd-s0", "KD", &[], 0).from("teacher-s0").training(6_000, Some((0.8, 0.3)), 1_500.0).left(1_700.0),
        row("rdt-s0", "Robust data set", &[], 0),
    ];
    board("time", "Training time with the teacher's share", Figure::Time, rows)
}

fn table(figure: Figure) -> Board {
    let mut rows = time().rows;
    for row in &mut rows {
        let pair = row.found.first().map(|found| found.pair);
        if let Some(pair) = pair {
            row.found.push(Found {
                attack: "pgd-20".into(),
                images: 1000,
                pair: Pair { natural: pair.natural, adversarial: pair.adversarial + 0.031 },
            });
        }
    }
    if figure == Figure::Budget {
        rows[4].cell.budget = Some(Budget { of: "rrm".into(), count: Count::WithTeacher });
    }
    board("table-1", "CIFAR-10, L-inf 8/255", figure, rows)
}

/// Everything that could be run was.
fn finished() -> Board {
    let mut all = lambdas();
    for (i, row) in all.rows.iter_mut().enumerate() {
        let (_, natural, adversarial) = LAMBDAS[(i + 5) % 6];
        if row.stage != Stage::Done && i != 10 {
            row.found.clear();
            *row = row.clone().done(natural, adversarial, 3_300.0);
        }
        row.left_s = None;
    }
    all.slots.iter_mut().for_each(|slot| slot.row = None);
    (all.flow, all.left_s, all.elapsed_s) = (Flow::Finished, None, 61_234.0);
    all.notes.push("18:40 everything that can be run was; 1 failed".into());
    all
}

#[test]
fn the_lambda_sweep_at_every_tier() {
    for (width, height) in SIZES {
        shows(&format!("sweep_lambda_{width}x{height}"), &picture(width, height, &lambdas(), &mut view()));
    }
    let mut view = view();
    press(&mut view, &lambdas(), "\t");
    shows("sweep_lambda_figure_60x16", &picture(60, 16, &lambdas(), &mut view));
}

#[test]
fn other_figures() {
    for (name, board) in [("grid", grid()), ("time", time()), ("budget", table(Figure::Budget)), ("table", table(Figure::Table))]
    {
        for (width, height) in [(80, 24), (120, 40)] {
            shows(&format!("sweep_{name}_{width}x{height}"), &picture(width, height, &board, &mut view()));
        }
        let mut view = view();
        view.show = Show::Figure;
        shows(&format!("sweep_{name}_60x16"), &picture(60, 16, &board, &mut view));
    }
    shows("sweep_grid_200x60", &picture(200, 60, &grid(), &mut view()));
    shows("sweep_table_200x60", &picture(200, 60, &table(Figure::Table), &mut view()));
}

#[test]
fn ascii_is_ascii_and_mono_has_no_colour() {
    for (name, board) in [("lambda", lambdas()), ("grid", grid()), ("time", time()), ("table", table(Figure::Table))] {
        shows(&format!("sweep_{name}_ascii_80x24"), &picture(80, 24, &board, &mut plain_view()));
        for keys in ["", "j\t", "j\n", "?", "q", "/rrm", "z"] {
            let mut view = plain_view();
            press(&mut view, &board, keys);
            for (width, height) in SIZES {
                let shown = picture(width, height, &board, &mut view);
                assert!(shown.is_ascii(), "{shown}");
            }
        }
        let plain = buffer(120, 40, Some(&board), &mut plain_view());
        let none = |colour| colour == ratatui::style::Color::Reset;
        assert!(plain.content.iter().all(|cell| none(cell.fg) && none(cell.bg)));
    }
}

#[test]
fn a_failure_says_why_and_can_be_run_once_more() {
    let (board, mut view) = (lambdas(), view());
    press(&mut view, &board, "n");
    assert_eq!(view.chosen, Some(10));
    shows("sweep_failed_80x24", &picture(80, 24, &board, &mut view));
    for (width, height) in SIZES {
        let shown = picture(width, height, &board, &mut view);
        assert!(shown.contains("! CUDA out of memory: tried"), "{shown}");
    }
    assert_eq!(press(&mut view, &board, "r"), []);
    shows("sweep_retry_80x24", &picture(80, 24, &board, &mut view));
    assert_eq!(press(&mut view, &board, "j\n"), []);
    assert_eq!(press(&mut view, &board, "r\n"), [Effect::Ask(Ask::Retry(10))]);
    // What waits is given up, after it has been asked; what runs is not.
    press(&mut view, &board, "G");
    assert_eq!(press(&mut view, &board, "x\n"), []);
    assert_eq!(press(&mut view, &board, "xj\n"), [Effect::Ask(Ask::Skip(18))]);
    press(&mut view, &board, "g");
    assert_eq!(press(&mut view, &board, "xj\nr\n\x1b"), []);
    // Nobody is there to run it.
    view.runner = Runner::Gone;
    press(&mut view, &board, "nr");
    assert!(picture(120, 40, &board, &mut view).contains("! nobody listens any more"));
}

#[test]
fn the_details_are_all_there_is() {
    let (board, mut view) = (lambdas(), view());
    press(&mut view, &board, "n\n");
    shows("sweep_details_80x24", &picture(80, 24, &board, &mut view));
    press(&mut view, &board, &"j".repeat(200));
    let shown = picture(80, 24, &board, &mut view);
    assert!(shown.contains("lr = 0.1"), "{shown}");
    let Some(Dialog::Details { scroll, .. }) = view.dialog else { panic!("it is open") };
    assert!(scroll < 20, "a person would have to walk back through nothing: {scroll}");
    press(&mut view, &board, "q");
    assert_eq!(view.dialog, None);
    shows("sweep_help_80x24", &{
        press(&mut view, &board, "?");
        picture(80, 24, &board, &mut view)
    });
}

#[test]
fn leaving_asks_while_something_goes_on() {
    let (mut board, mut view) = (lambdas(), view());
    press(&mut view, &board, "q");
    shows("sweep_leave_80x24", &picture(80, 24, &board, &mut view));
    assert_eq!(press(&mut view, &board, "\x1b"), []);
    assert_eq!(press(&mut view, &board, "qd"), [Effect::Leave(End::Left)]);
    assert_eq!(press(&mut view, &board, "qj\n"), [Effect::Leave(End::Left)]);
    assert_eq!(press(&mut view, &board, "qk\n"), []);
    assert_eq!(press(&mut view, &board, "qs"), [Effect::Ask(Ask::Stop)]);
    assert_eq!(view.stop, Stop::Asked);
    // It takes its time; who is in a hurry need not look on.
    board.flow = Flow::Stopping;
    press(&mut view, &board, "q");
    shows("sweep_stopping_60x16", &picture(60, 16, &board, &mut view));
    assert_eq!(press(&mut view, &board, "\n"), []);
    assert_eq!(press(&mut view, &board, "qj\n"), [Effect::Leave(End::Stopped)]);
    board.flow = Flow::Stopped;
    assert_eq!(press(&mut view, &board, "q"), [Effect::Leave(End::Stopped)]);
    assert_eq!(press(&mut view, &finished(), "q"), [Effect::Leave(End::Finished)]);
}

#[test]
fn where_the_sweep_ends_with_the_screen_leaving_is_stopping() {
    let (board, mut view) = (lambdas(), plain_view());
    press(&mut view, &board, "q");
    let shown = picture(80, 24, &board, &mut view);
    assert!(!shown.contains("goes on") && shown.contains("save what runs"), "{shown}");
    assert_eq!(press(&mut view, &board, "d"), []);
    assert_eq!(press(&mut view, &board, "\n"), [Effect::Ask(Ask::Stop)]);
}

#[test]
fn an_interrupt_asks_then_stops_then_leaves() {
    let (board, mut view) = (lambdas(), view());
    assert_eq!(ctrl_c(&mut view, &board), None);
    assert_eq!(ctrl_c(&mut view, &board), Some(Effect::Ask(Ask::Stop)));
    assert_eq!(ctrl_c(&mut view, &board), Some(Effect::Leave(End::Stopped)));
    assert_eq!(ctrl_c(&mut self::view(), &finished()), Some(Effect::Leave(End::Finished)));
    // While a filter is typed too.
    let mut view = self::view();
    press(&mut view, &board, "/rrm");
    ctrl_c(&mut view, &board);
    assert_eq!(ctrl_c(&mut view, &board), Some(Effect::Ask(Ask::Stop)));
}

#[test]
fn the_end_is_told() {
    for (width, height) in [(80, 24), (120, 40)] {
        shows(&format!("sweep_finished_{width}x{height}"), &picture(width, height, &finished(), &mut view()));
    }
    let mut view = view();
    view.runner = Runner::Gone;
    let shown = picture(80, 24, &lambdas(), &mut view);
    assert!(shown.contains("! GONE") && shown.contains("ended without a last word"), "{shown}");
}

#[test]
fn before_there_is_anything_it_says_so() {
    let mut all = lambdas();
    for row in &mut all.rows {
        *row = Row { stage: Stage::Waiting, ..self::row(&row.cell.id, &row.cell.label, &[], 0) };
        if row.cell.id != "teacher-s0" {
            row.cell.vary =
                vec![("method.lambda".into(), row.cell.id.trim_start_matches("rrm-l").split('-').next().unwrap().into())];
        }
    }
    (all.elapsed_s, all.left_s) = (0.0, None);
    (all.slots, all.notes) = (vec![Slot { device: "cpu".into(), row: None }], Vec::new());
    shows("sweep_begun_80x24", &picture(80, 24, &all, &mut view()));
    for figure in [Figure::Table, Figure::Budget, Figure::Time, Figure::Grid, Figure::Lambda] {
        let mut empty = board("none", "Nothing", figure, Vec::new());
        empty.notes.clear();
        let shown = picture(80, 24, &empty, &mut view());
        assert!(shown.contains("There are no runs") && !shown.contains("0.0"), "{shown}");
        assert_eq!(press(&mut view(), &empty, "jGn\nrx"), []);
    }
    let nothing = buffer(80, 24, None, &mut view());
    let text: String = nothing.content.iter().map(ratatui::buffer::Cell::symbol).collect();
    assert!(text.contains("Reading how the sweep stands"));
    shows("sweep_small_40x10", &picture(40, 10, &lambdas(), &mut view()));
}

#[test]
fn what_is_missing_is_never_zero() {
    let mut all = lambdas();
    all.rows.truncate(3);
    all.rows[1].found.clear();
    all.rows[2].found[0].pair.natural = f64::NAN;
    let shown = picture(120, 40, &all, &mut view());
    assert!(!shown.contains(" 0.0"), "{shown}");
}

#[test]
fn the_choice_follows_what_trains_until_somebody_chooses() {
    let (mut board, mut view) = (lambdas(), view());
    assert_eq!(view.place(&board), Some(6));
    board.rows[6] = board.rows[6].clone().done(0.9, 0.1, 3_000.0);
    assert_eq!(view.place(&board), Some(11), "what is evaluated, where nothing trains");
    press(&mut view, &board, "k");
    assert_eq!(view.chosen, Some(10));
    press(&mut view, &board, "jjj");
    assert_eq!(view.chosen, Some(13));
    picture(80, 24, &board, &mut view);
    key(&mut view, &board, KeyCode::PageUp, KeyModifiers::NONE);
    assert_eq!(view.chosen, Some(6));
    key(&mut view, &board, KeyCode::PageUp, KeyModifiers::NONE);
    key(&mut view, &board, KeyCode::PageUp, KeyModifiers::NONE);
    assert_eq!(view.chosen, Some(0));
    key(&mut view, &board, KeyCode::End, KeyModifiers::NONE);
    assert_eq!(view.chosen, Some(18));
    press(&mut view, &board, "f");
    assert_eq!((view.chosen, view.place(&board)), (None, Some(11)));
}

#[test]
fn the_filter_takes_all_keys_until_enter_or_esc() {
    let (board, mut view) = (lambdas(), view());
    assert_eq!(press(&mut view, &board, "/s1 qdx"), []);
    assert_eq!(view.filter.text(), "s1 qdx");
    sweep::paste(&mut view, " more\x1b[31m");
    assert_eq!(view.filter.text(), "s1 qdx more[31m");
    press(&mut view, &board, "\x1b/LAMBDA=0.5 seed=1\n");
    assert_eq!(view.shown(&board), [12]);
    let shown = picture(80, 24, &board, &mut view);
    assert!(shown.contains("1 of 19") && !shown.contains("rrm-l0.5-s2"), "{shown}");
    press(&mut view, &board, "\x1b");
    assert_eq!(view.filter, Filter::Off);
    press(&mut view, &board, "/nothing like it");
    let shown = picture(80, 24, &board, &mut view);
    assert!(shown.contains("None of 19 runs fits"), "{shown}");
    assert_eq!(press(&mut view, &board, "\njkG\nrx"), []);
    press(&mut view, &board, "\x1b\x1b/failed\n");
    assert_eq!(view.place(&board), Some(10));
}

#[test]
fn attacks_are_walked_and_never_mixed() {
    let (board, mut view) = (table(Figure::Table), view());
    let shown = picture(120, 40, &board, &mut view);
    assert!(shown.contains("autoattack on 1000 images") && shown.contains("49.2"), "{shown}");
    press(&mut view, &board, "a");
    let shown = picture(120, 40, &board, &mut view);
    assert!(shown.contains("pgd-20 on 1000 images") && shown.contains("52.3") && !shown.contains("49.2"), "{shown}");
    press(&mut view, &board, "a");
    assert!(picture(120, 40, &board, &mut view).contains("autoattack on 1000 images"));
}

#[test]
fn a_dialog_about_what_is_no_longer_so_closes() {
    let (mut board, mut view) = (lambdas(), view());
    press(&mut view, &board, "nr");
    board.rows[10].stage = Stage::Training;
    sweep::saw(&mut view, &board);
    assert_eq!(view.dialog, None);
    press(&mut view, &board, "q");
    sweep::saw(&mut view, &board);
    assert!(view.dialog.is_some());
    sweep::saw(&mut view, &finished());
    assert_eq!(view.dialog, None);
}

#[test]
fn words_from_files_do_not_steer_the_terminal() {
    let mut all = lambdas();
    all.name = "na\x1b[31mme".into();
    all.title = "ti\ttle\x07".into();
    all.notes.push("no\x1b]0;te".into());
    for row in &mut all.rows {
        row.cell.id = format!("\x1b[2J{}\u{4e2d}\u{6587}", row.cell.id);
        row.cell.label.push('\x1b');
        row.cell.config.push_str("x = \"\x1b[31m\"\n");
        row.stage = Stage::Failed("wh\x1b[5my\nand more".into());
    }
    all.slots[0].device = "cu\x1bda".into();
    for keys in ["", "\n", "\t", "z", "q"] {
        let mut view = view();
        press(&mut view, &all, keys);
        for (width, height) in SIZES {
            let drawn = buffer(width, height, Some(&all), &mut view);
            assert!(drawn.content.iter().all(|cell| !cell.symbol().chars().any(char::is_control)));
        }
    }
}

/// Four frames a second while two runs go on and nothing else happens.
fn bytes_per_second(width: u16, height: u16) -> usize {
    let (mut all, view) = (lambdas(), view());
    let wire = FrameWriter::default();
    let area = Rect::new(0, 0, width, height);
    let viewport = ratatui::Viewport::Fixed(area);
    let backend = ScreenBackend::new(wire.clone(), area);
    let mut terminal = Terminal::with_options(backend, ratatui::TerminalOptions { viewport }).unwrap();
    let (mut first, mut sent) = (None, 0);
    for frame in 0..240 {
        if frame % 4 == 0 {
            all.elapsed_s += 1.0;
            all.left_s = all.left_s.map(|left| left - 1.0);
            all.rows[6].train_s += 1.0;
            all.rows[6].left_s = all.rows[6].left_s.map(|left| left - 1.0);
        }
        all.rows[6].steps = all.rows[6].steps.map(|steps| Steps { done: steps.done + 2, ..steps });
        terminal.draw(|frame| sweep::draw(frame, Some(&all), &view)).unwrap();
        // Bracketed by mode 2026, the dearer way.
        sent += wire.take(true).map_or(0, |bytes| bytes.len());
        first.get_or_insert(sent);
    }
    (sent - first.unwrap()) / 60
}

#[test]
fn the_screen_is_cheap_over_ssh() {
    for (width, height, budget) in [(60, 16, 500), (80, 24, 1_000), (120, 40, 1_500), (200, 60, 2_000)] {
        let rate = bytes_per_second(width, height);
        assert!((20..=budget).contains(&rate), "{width}x{height}: {rate} B/s, allowed {budget}");
    }
}

/// The curves of the run with this id, as the screen is handed them.
fn curves(id: &str) -> (String, Result<Arc<RunState>, String>) {
    (id.into(), Ok(Arc::new(super::fold(&super::midway(super::Kind::Rrm, super::Machines::Gpu)).0)))
}

#[test]
fn enter_shows_the_curves_of_a_run_and_how_to_attach_to_it() {
    let (board, mut view) = (lambdas(), view());
    let training = board.rows.iter().position(|row| row.stage == Stage::Training).unwrap();
    let id = board.rows[training].cell.id.clone();
    press(&mut view, &board, "\n");
    assert_eq!(view.looks_at(Some(&board)), Some(id.as_str()));
    assert!(picture(80, 24, &board, &mut view).contains("Reading the run's log"));
    view.curves = Some(curves(&id));
    for (width, height) in SIZES {
        let shown = picture(width, height, &board, &mut view);
        let joined: String = shown.chars().filter(|c| !c.is_whitespace()).collect();
        assert!(joined.contains(&format!("rematchattach/home/me/sweeps/lambda/runs/{id}")), "{shown}");
        assert!(shown.contains("Loss") && shown.contains("c config") && shown.contains(&id), "{shown}");
        if height >= 24 {
            assert!(shown.contains("nat ") && shown.contains("pgd-10 "), "{shown}");
        }
    }
    shows("sweep_curves_80x24", &picture(80, 24, &board, &mut view));
    // Where there is room for one chart, Tab shows the other.
    assert!(picture(60, 16, &board, &mut view).contains("Tab other chart"));
    press(&mut view, &board, "\t");
    let shown = picture(60, 16, &board, &mut view);
    assert!(shown.contains("Acc") && !shown.contains("Loss"), "{shown}");
    // The config is a key away, and the curves one back.
    press(&mut view, &board, "c");
    assert!(picture(80, 24, &board, &mut view).contains("learns from") || matches!(view.dialog, Some(Dialog::Details { .. })));
    press(&mut view, &board, "v");
    assert!(matches!(view.dialog, Some(Dialog::Curves { .. })));
    // Another run: its curves are not this one's.
    press(&mut view, &board, "k");
    assert_ne!(view.looks_at(Some(&board)), Some(id.as_str()));
    assert!(picture(80, 24, &board, &mut view).contains("Reading the run's log"));
    press(&mut view, &board, "\x1b");
    assert_eq!(view.looks_at(Some(&board)), None);
    // Of what has not begun there are none: why is said instead.
    press(&mut view, &board, "G\n");
    assert!(matches!(view.dialog, Some(Dialog::Details { .. })), "{:?}", view.dialog);
    let other = board.rows[0].cell.id.clone();
    press(&mut view, &board, "\x1bg\n");
    view.curves = Some((other, Err("its log does not say what was started".into())));
    assert!(picture(80, 24, &board, &mut view).contains("! its log does not say"));
}

#[test]
fn names_that_share_a_beginning_stay_different_at_every_size() {
    let mut board = lambdas();
    for (n, row) in board.rows.iter_mut().enumerate() {
        row.cell.id = format!("resnet18-cifar10-robust-representation-matching-lambda0.005-seed{n}");
    }
    let mut view = view();
    view.show = Show::Table;
    for (width, height) in SIZES {
        let shown = picture(width, height, &board, &mut view);
        let seeds = (0..9).filter(|n| shown.contains(&format!("seed{n} "))).count();
        assert!(seeds >= 5, "{width}x{height}: {shown}");
    }
    press(&mut view, &board, "nr");
    let shown = picture(60, 16, &board, &mut view);
    let joined: String = shown.chars().filter(char::is_ascii_graphic).collect();
    assert!(joined.contains("seed10"), "{shown}");
}

/// Answers with curves what it is asked for.
struct Reader {
    asked: Sender<Option<String>>,
    found: Receiver<(String, Result<Arc<RunState>, String>)>,
}

impl sweep::Curves for Reader {
    fn follow(&self, id: Option<&str>) {
        self.asked.send(id.map(String::from)).unwrap();
    }
    fn read(&self) -> Receiver<(String, Result<Arc<RunState>, String>)> {
        self.found.clone()
    }
}

#[test]
fn the_loop_asks_for_the_curves_that_are_looked_at() {
    let (asked, wanted) = unbounded();
    let (to, found) = unbounded();
    let run = begun_with(Leaving::Ends, Some(Box::new(Reader { asked, found })));
    run.boards.send(lambdas()).unwrap();
    run.wait_for("10/19 done");
    run.press('\n');
    let id = wanted.recv_timeout(Duration::from_secs(10)).unwrap().unwrap();
    run.wait_for("Reading the run's log");
    // What comes too late for another run is not shown.
    to.send(curves("another")).unwrap();
    to.send(curves(&id)).unwrap();
    run.wait_for("Loss");
    run.press('\n');
    assert_eq!(wanted.recv_timeout(Duration::from_secs(10)), Ok(None));
    run.signals.send(Signal::Terminate).unwrap();
    assert_eq!(run.end.join().unwrap(), End::Terminated);
}

struct Loop {
    boards: Sender<Board>,
    asks: Receiver<Ask>,
    keys: Sender<Input>,
    signals: Sender<Signal>,
    printed: Sender<String>,
    frames: Receiver<String>,
    end: std::thread::JoinHandle<End>,
}

fn begun(leaving: Leaving) -> Loop {
    begun_with(leaving, None)
}

fn begun_with(leaving: Leaving, curves: Option<Box<dyn sweep::Curves + Send>>) -> Loop {
    let (to_screen, boards) = unbounded();
    let (to_runner, asks) = unbounded();
    let (keys, input) = unbounded();
    let (signals, heard) = unbounded();
    let (printed, prints) = unbounded();
    let (frames, shown) = unbounded();
    let end = std::thread::spawn(move || {
        let mut surface = Shown { terminal: Terminal::new(TestBackend::new(80, 24)).unwrap(), frames, stalled: Arc::default() };
        let options = sweep::WatchOptions {
            themes: Themes::built_in(Colour::Mono),
            glyphs: Glyphs::Braille,
            max_fps: 60,
            leaving,
            curves: curves.map(|curves| curves as Box<dyn sweep::Curves>),
        };
        watch(&boards, &to_runner, &mut surface, &input, &heard, &prints, options)
    });
    Loop { boards: to_screen, asks, keys, signals, printed, frames: shown, end }
}

impl Loop {
    fn wait_for(&self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut last = String::new();
        while let Ok(frame) = self.frames.recv_deadline(deadline) {
            if frame.contains(text) {
                return;
            }
            last = frame;
        }
        panic!("never shown: {text}; the last frame was\n{last}");
    }

    fn press(&self, c: char) {
        let (code, modifiers) = match c {
            '\x03' => (KeyCode::Char('c'), KeyModifiers::CONTROL),
            '\x1a' => (KeyCode::Char('z'), KeyModifiers::CONTROL),
            '\n' => (KeyCode::Enter, KeyModifiers::NONE),
            c => (KeyCode::Char(c), KeyModifiers::NONE),
        };
        self.keys.send(Input::Key(KeyEvent::new(code, modifiers))).unwrap();
    }
}

#[test]
fn the_loop_shows_the_newest_board_asks_and_leaves_when_it_has_stopped() {
    let run = begun(Leaving::GoesOn);
    run.wait_for("Reading how the sweep stands");
    run.boards.send(lambdas()).unwrap();
    run.wait_for("10/19 done");
    run.printed.send("a library warns".into()).unwrap();
    run.wait_for("a library warns");
    run.press('\x1a');
    run.wait_for("suspended");
    run.wait_for("resumed");
    run.press('q');
    run.wait_for("Leave?");
    run.press('s');
    assert_eq!(run.asks.recv_timeout(Duration::from_secs(10)), Ok(Ask::Stop));
    run.wait_for("STOPPING");
    let mut stopped = lambdas();
    stopped.flow = Flow::Stopped;
    run.boards.send(stopped).unwrap();
    assert_eq!(run.end.join().unwrap(), End::Stopped);
}

#[test]
fn boards_that_look_the_same_need_no_frame() {
    let run = begun(Leaving::Ends);
    run.boards.send(lambdas()).unwrap();
    run.wait_for("10/19 done");
    let mut same = lambdas();
    same.elapsed_s += 0.7;
    same.rows[6].train_s += 0.3;
    run.boards.send(same).unwrap();
    let mut other = lambdas();
    other.elapsed_s += 2.0;
    other.name = "another".into();
    run.boards.send(other).unwrap();
    let next = run.frames.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(next.contains("another"), "{next}");
    run.signals.send(Signal::Terminate).unwrap();
    assert_eq!(run.end.join().unwrap(), End::Terminated);
    assert_eq!(run.asks.try_recv(), Ok(Ask::Stop));
}

#[test]
fn a_runner_that_is_gone_is_told_and_left() {
    let run = begun(Leaving::Ends);
    run.boards.send(lambdas()).unwrap();
    drop(run.boards);
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Ok(frame) = run.frames.recv_deadline(deadline) {
        if frame.contains("! GONE") {
            break;
        }
    }
    run.keys.send(Input::Key(KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE))).unwrap();
    assert_eq!(run.end.join().unwrap(), End::Stopped);
    // A terminal that hangs up asks for nothing.
    let run = begun(Leaving::GoesOn);
    run.boards.send(lambdas()).unwrap();
    run.wait_for("10/19 done");
    run.keys.send(Input::HangUp).unwrap();
    assert_eq!(run.end.join().unwrap(), End::HungUp);
    assert!(run.asks.try_recv().is_err());
}

#[test]
fn what_nobody_typed_does_nothing() {
    let run = begun(Leaving::GoesOn);
    run.boards.send(lambdas()).unwrap();
    run.wait_for("10/19 done");
    for c in "]11;rgb:1a1a/qsqdqs".chars() {
        run.press(c);
    }
    run.press('\x03');
    run.wait_for("Leave?");
    assert!(run.asks.try_recv().is_err());
    run.press('\x03');
    assert_eq!(run.asks.recv_timeout(Duration::from_secs(10)), Ok(Ask::Stop));
    run.press('\x03');
    assert_eq!(run.end.join().unwrap(), End::Stopped);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn any_size_and_any_keys_are_survived(width in 1u16..=250, height in 1u16..=80, keys in "[ -~\n\t\x1b]{0,40}", which in 0usize..8) {
        let mut all = [lambdas(), grid(), time(), table(Figure::Table), table(Figure::Budget), finished()][which % 6].clone();
        if which > 5 {
            for row in &mut all.rows {
                for found in &mut row.found {
                    found.pair = Pair { natural: f64::INFINITY, adversarial: -7.0 };
                }
                (row.train_s, row.left_s) = (f64::NAN, Some(f64::INFINITY));
                row.cell.vary.push(("method.lambda".into(), "1e308".into()));
                row.steps = Some(Steps { done: 9, of: 0 });
                row.cell.id.push_str("\u{4e2d}\u{6587}");
            }
        }
        let mut view = view();
        for c in keys.chars() {
            press(&mut view, &all, &c.to_string());
        }
        buffer(width, height, Some(&all), &mut view);
        all.rows.truncate(1);
        sweep::saw(&mut view, &all);
        buffer(width, height, Some(&all), &mut view);
    }
}
