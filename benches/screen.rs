//! What the screen costs: bytes a second to the terminal, time and memory of a frame over a long run, and how soon a key is seen.
//!
//! `cargo bench --profile dev --no-default-features --bench screen`. For the last part it starts the program itself on a
//! pseudo-terminal: `target/debug/rematch` if it is there, playing a recorded run. With `REMATCH_TRAIN=BINARY` (a program with the
//! working half) it also asks one that trains by PGD, so that the worker is inside an attack nearly all the time; that starts
//! `configs/quickstart-teacher.toml` with one thread in a temporary folder.
//!
//! Bytes are exact and the same on every machine; times are of this one, and its load is printed beside them.
#![expect(clippy::print_stdout, reason = "a bench reports on its standard output")]
#![expect(clippy::unwrap_used, reason = "a bench ends where something does not work")]

#[path = "../tests/screens/recording.rs"]
#[expect(dead_code, clippy::wildcard_imports, reason = "written for the tests, which need more of it")]
mod recording;

use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use recording::{Kind, Machines, recording};
use rematch::protocol::event::{Progress, Term};
use rematch::protocol::{Event, Record, Scalar, Summary};
use rematch::run::RunState;
use rematch::run::recorder::line;
use rematch::run::session::Access;
use rematch::ui::glyphs::Glyphs;
use rematch::ui::layout::View;
use rematch::ui::screen::{Screen, X};
use rematch::ui::terminal::backend::{FrameWriter, ScreenBackend};
use rematch::ui::theme::Palette;
use rematch::ui::view;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];
/// `ESC [ ? 2026 h` and `ESC [ ? 2026 l`.
const SYNC_BYTES: usize = 16;
const POINTS: u64 = 1_000_000;
const PRESSES: usize = 50;

fn main() {
    println!("load average: {}", std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
    bytes();
    frames();
    let debug = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/debug/rematch");
    if debug.exists() {
        keys_in_a_replay(&debug);
    } else {
        println!("keys: {} is not there: run `cargo build` first", debug.display());
    }
    if let Some(program) = std::env::var_os("REMATCH_TRAIN") {
        keys_in_training(Path::new(&program));
    }
    println!("load average: {}", std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
}

fn new_screen() -> Screen {
    Screen::new(Palette::TrueColour, Glyphs::Braille, Access::Steer, "runs/demo".into())
}

// ---- bytes ----

fn bytes() {
    let records = recording(Kind::Rrm, Machines::Gpu, 1_000);
    for (width, height) in SIZES {
        let wire = FrameWriter::default();
        let area = Rect::new(0, 0, width, height);
        let (viewport, backend) = (Viewport::Fixed(area), ScreenBackend::new(wire.clone(), area));
        let mut terminal = Terminal::with_options(backend, TerminalOptions { viewport }).unwrap();
        let (mut state, mut screen) = (RunState::default(), new_screen());
        let start = records[0].at_ms;
        let (mut frame_at, mut sizes) = (start, Vec::new());
        let mut frame = |state: &RunState, screen: &Screen| {
            terminal.draw(|frame| view::draw(frame, state, screen)).unwrap();
            wire.take(false).map_or(0, |bytes| bytes.len())
        };
        for record in &records {
            while record.at_ms >= frame_at + 250 {
                frame_at += 250;
                screen.now_ms = frame_at;
                screen.expire();
                sizes.push(frame(&state, &screen));
            }
            state.apply(record);
            screen.saw(record, &state);
        }
        let first = sizes.remove(0);
        let seconds = (frame_at - start) as f64 / 1000.0;
        let all: usize = sizes.iter().sum();
        let sent = sizes.iter().filter(|n| **n > 0).count();
        sizes.sort_unstable();
        println!(
            "bytes {width}x{height} at 4 fps over {seconds:.0} s: {:.0} B/s, with synchronised output {:.0} B/s; \
             frames: first {first}, median {}, p99 {}, largest {}",
            all as f64 / seconds,
            (all + SYNC_BYTES * sent) as f64 / seconds,
            sizes[sizes.len() / 2],
            sizes[sizes.len() * 99 / 100],
            sizes[sizes.len() - 1],
        );
        // Nothing new, drawn again: what the loop would send if it drew while nothing happens, which it does not even do.
        frame(&state, &screen);
        let idle: usize = (0..40).map(|_| frame(&state, &screen)).sum();
        println!("bytes {width}x{height} idle: {idle} B in 40 frames");
    }
}

// ---- frames ----

fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).and_then(|l| l.split_whitespace().next());
    kib.and_then(|k| k.parse::<f64>().ok()).unwrap_or(0.0) * 1024.0 / 1e6
}

/// What this thread has computed so far: on a machine that others use, the time by the wall says more about them.
fn cpu_ms() -> f64 {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    spent.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e6
}

fn frames() {
    // With the learning rate and the images a second, which each report has too, a dozen series.
    const TERMS: [Term; 10] = [
        Term::Total,
        Term::CrossEntropy,
        Term::WeightedCrossEntropy,
        Term::Representation,
        Term::Cosine,
        Term::Distance,
        Term::Distillation,
        Term::CleanDistillation,
        Term::Divergence,
        Term::TrainAccuracy,
    ];
    let before = resident_mb();
    let (mut state, mut screen) = (RunState::default(), new_screen());
    let mut first = recording(Kind::Rrm, Machines::Gpu, 4);
    let Event::Started(started) = &mut first[0].event else { panic!("a run begins with its start") };
    (started.plan.epochs, started.plan.steps_per_epoch) = (1_000, POINTS / 1_000);
    let at_ms = first[0].at_ms;
    for record in &first {
        state.apply(record);
    }
    let noise = |n: u64, salt: u64| {
        let mixed = (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15 ^ salt.wrapping_mul(0xD1B5_4A32_D192_ED03));
        (mixed >> 11) as f64 / (1u64 << 53) as f64
    };
    for step in 5..=POINTS {
        let around = |mean: f64| Summary { min: mean - 0.1, mean, max: mean + 0.2 };
        let terms = TERMS.into_iter().zip(0..).map(|(term, salt)| (term, around(noise(step, salt)))).collect();
        let event = Event::Progress(Progress { step, steps: 1, lr: 0.05, images_per_s: Scalar(1e4), terms, timing: None });
        state.apply(&Record { seq: step, at_ms: at_ms + 10 * step, event });
    }
    let after = resident_mb();
    println!(
        "frames: {POINTS} points in each of {} series; resident {before:.0} MB before, {after:.0} MB after",
        TERMS.len() + 2
    );
    let bytes: usize = state.series.values().map(rematch::run::Series::heap_bytes).sum();
    println!("frames: {:.2} bytes a point of a term with three numbers", bytes as f64 / (TERMS.len() as u64 * POINTS) as f64);
    let ways = [(View::Dash, 0, X::Step), (View::Dash, 2, X::Step), (View::Charts, 0, X::Step), (View::Charts, 2, X::Wall)];
    for (width, height) in SIZES {
        for (view, smoothing, x) in ways {
            screen.turn_to(view);
            (screen.smoothing, screen.charts.x) = (smoothing, x);
            let how = format!("{}, over {}, smoothing {smoothing}", view.name(), x.name());
            let area = Rect::new(0, 0, width, height);
            let cpu = cpu_ms();
            let mut times: Vec<f64> = (0..200)
                .map(|_| {
                    let mut buffer = Buffer::empty(area);
                    let start = Instant::now();
                    view::draw_into(area, &mut buffer, &state, &screen);
                    start.elapsed().as_secs_f64() * 1e3
                })
                .collect();
            let cpu = (cpu_ms() - cpu) / times.len() as f64;
            times.sort_by(f64::total_cmp);
            println!(
                "frame {width}x{height} of {how}: {cpu:.2} ms of a processor; median {:.2} ms, max {:.2} ms of {}",
                times[100],
                times[199],
                times.len()
            );
        }
    }
}

// ---- keys ----

struct Seen {
    emulator: vt100::Parser,
    bytes: usize,
}

struct Session {
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
}

impl Session {
    fn start(program: &Path, args: &[&str]) -> Self {
        let pair = native_pty_system().openpty(PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 }).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.cwd(env!("CARGO_MANIFEST_DIR"));
        for inherited in ["TMUX", "STY", "TERM_PROGRAM", "NO_COLOR"] {
            command.env_remove(inherited);
        }
        for (name, value) in [("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("LANG", "C.UTF-8")] {
            command.env(name, value);
        }
        // As over SSH: four frames a second for data, keys at once.
        command.env("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22");
        command.env("GOMP_SPINCOUNT", "0");
        let child = pair.slave.spawn_command(command).unwrap();
        let mut from = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let emulator = vt100::Parser::new(40.try_into().unwrap(), 120.try_into().unwrap(), 0);
        let seen = Arc::new((Mutex::new(Seen { emulator, bytes: 0 }), Condvar::new()));
        std::thread::spawn({
            let seen = Arc::clone(&seen);
            move || {
                let _keep = (pair.master, pair.slave);
                let mut bytes = vec![0; 1 << 16];
                while let Ok(count @ 1..) = from.read(&mut bytes) {
                    let mut to = seen.0.lock().unwrap();
                    to.emulator.process(&bytes[..count]);
                    to.bytes += count;
                    seen.1.notify_all();
                }
            }
        });
        Self { writer, child, seen }
    }

    fn press(&mut self, keys: &[u8]) {
        self.writer.write_all(keys).unwrap();
        self.writer.flush().unwrap();
    }

    fn until(&self, what: &str, patience: Duration, there: impl Fn(&str) -> bool) -> Instant {
        let deadline = Instant::now() + patience;
        let mut seen = self.seen.0.lock().unwrap();
        loop {
            let text = seen.emulator.screen().contents();
            if there(&text) {
                return Instant::now();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what} did not come; the screen says:\n{text}");
            seen = self.seen.1.wait_timeout(seen, left).unwrap().0;
        }
    }

    /// Turns the y axis back and forth and waits each time until the title says so.
    fn latencies(&mut self) -> Vec<f64> {
        (0..PRESSES)
            .map(|n| {
                std::thread::sleep(Duration::from_millis(60 + (n as u64 * 37) % 170)); // anywhere between two frames
                let log = n % 2 == 0;
                let pressed = Instant::now();
                self.press(b"y");
                let seen = self.until("the other axis", Duration::from_secs(20), |text| title(text).contains(" log") == log);
                seen.duration_since(pressed).as_secs_f64() * 1e3
            })
            .collect()
    }

    fn bytes(&self) -> usize {
        self.seen.0.lock().unwrap().bytes
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn title(text: &str) -> &str {
    text.lines().nth(2).unwrap_or_default()
}

fn report(what: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let worst = times[times.len() - 1];
    println!("key to screen, {what}: median {:.1} ms, worst {worst:.1} ms of {}", times[times.len() / 2], times.len());
}

fn keys_in_a_replay(program: &Path) {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    std::fs::create_dir(&run).unwrap();
    let mut log = std::fs::File::create(run.join("events.jsonl")).unwrap();
    for record in recording(Kind::Rrm, Machines::Gpu, u64::MAX) {
        log.write_all(&line(&record).unwrap()).unwrap();
    }
    let patience = Duration::from_secs(20);
    let mut session = Session::start(program, &["replay", run.to_str().unwrap(), "--pace", "1x"]);
    session.until("the run", patience, |text| text.contains("RUNNING"));
    report("replay at 1x, 120x40", session.latencies());
    drop(session);

    let session = Session::start(program, &["replay", run.to_str().unwrap(), "--pace", "max"]);
    session.until("the end", patience, |text| text.contains("COMPLETED"));
    std::thread::sleep(Duration::from_secs(5)); // the toast goes after four
    let before = session.bytes();
    std::thread::sleep(Duration::from_secs(5));
    println!("bytes through a pty, 5 s after the end: {}", session.bytes() - before);
}

fn keys_in_training(program: &Path) {
    let home = tempfile::tempdir().unwrap();
    let runs = home.path().to_str().unwrap();
    let config = "configs/quickstart-teacher.toml";
    let mut session = Session::start(program, &["train", config, "--threads", "1", "--runs", runs, "--name", "keys"]);
    let patience = Duration::from_mins(2);
    session.until("training", patience, |text| text.contains("RUNNING") && text.contains("attack"));
    report("sat training inside its attack, 120x40", session.latencies());
    session.press(b"qjj\r");
    session.press(b"j\r");
    std::thread::sleep(Duration::from_secs(2)); // to stop by itself; the drop ends it otherwise
}
