//! The program on a terminal, as a person meets it: typed keys, what stands on the screen then, what the log says, how it is left.
//!
//! Trains on the embedded images with the shipped teacher. No wait is for a fixed time: each is for content, with a deadline.
#![cfg(feature = "torch")]
#![expect(clippy::unwrap_used, reason = "a test says best where it broke by breaking there")]

#[path = "pty/session.rs"]
mod session;

use rematch::config::Eps;
use rematch::protocol::command::SaveOnStop;
use rematch::protocol::event::{Record, Warning, Whose};
use rematch::protocol::{Change, Event, Flow, Outcome};
use rematch::run::replay::read_log;
use rustix::process::{Pid, Signal, kill_process};
use session::{Seen, Session, text};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const QUICKSTART: &str = "configs/quickstart.toml";
const SIZE: (u16, u16) = (80, 24);
/// Far more than anything here takes, on a machine that does other things as well.
const PATIENCE: Duration = Duration::from_mins(1);
/// Small probes, so that the steps come at once.
const QUICK: [&str; 5] = ["probe.per_epoch=1", "probe.images=50", "probe.steps=2", "evaluation.images=50", "evaluation.steps=2"];
/// Where the loss chart and the one under it stand at 80x24, in columns: they show the run and nothing of the machine or the clock.
const CHARTS: usize = 54;

/// A run on a terminal.
struct OnScreen {
    session: Session,
    runs: TempDir,
}

impl std::ops::Deref for OnScreen {
    type Target = Session;
    fn deref(&self) -> &Session {
        &self.session
    }
}

impl std::ops::DerefMut for OnScreen {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}

/// Starts the quickstart with these settings; the run is called `r`.
fn start(settings: &[&str], options: &[&str], env: &[(&str, &str)]) -> OnScreen {
    let runs = tempfile::tempdir().unwrap();
    let mut args = vec!["train", QUICKSTART, "--device", "cpu", "--threads", "1", "--name", "r", "--runs"];
    args.push(runs.path().to_str().unwrap());
    args.extend(options);
    for setting in QUICK.iter().chain(settings) {
        args.extend(["-s", setting]);
    }
    // Threads that wait by spinning would take the core from the screen.
    let env: Vec<(&str, &str)> = [("GOMP_SPINCOUNT", "0"), ("LANG", "C.UTF-8")].iter().chain(env).copied().collect();
    OnScreen { session: Session::start(Path::new(env!("CARGO_BIN_EXE_rematch-torch")), &args, &env, SIZE), runs }
}

/// As [`start`], once it trains and shows a loss.
fn running(settings: &[&str], options: &[&str], env: &[(&str, &str)]) -> OnScreen {
    let started = start(settings, options, env);
    started.until("the first loss", |seen| {
        let rows = rows(seen);
        // Before the first report there is a title without a number.
        rows[0].contains("RUNNING") && rows[1].contains("Loss") && rows[1].contains("total") && !rows[1].contains("total --")
    });
    started
}

impl OnScreen {
    fn run(&self) -> PathBuf {
        self.runs.path().join("r")
    }

    fn records(&self) -> Vec<Record> {
        // A log that is being written may end in the middle of a line, which is no record yet.
        read_log(&self.run().join("events.jsonl")).unwrap().map_while(Result::ok).collect()
    }

    /// The first record that is this, as soon as the log holds it.
    fn logged<T>(&self, what: &str, is: impl Fn(&Event) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = self.records().iter().find_map(|record| is(&record.event)) {
                return found;
            }
            assert!(Instant::now() < deadline, "{what} is not in the log; the screen says:\n{}", self.look(text));
            std::thread::sleep(Duration::from_millis(20)); // a file wakes nobody; the deadline decides
        }
    }

    fn outcome(&self) -> Outcome {
        let records = self.records();
        let Some(Event::Finished(finished)) = records.last().map(|record| &record.event) else { panic!("{:?}", records.last()) };
        finished.outcome.clone()
    }

    /// How many changes a person or the program has made.
    fn changes(&self) -> usize {
        self.records().iter().filter(|record| matches!(record.event, Event::Controlled { .. })).count()
    }

    fn assert_saved_at_its_end(&self) {
        let records = self.records();
        let Some(Event::Finished(finished)) = records.last().map(|record| &record.event) else { panic!("{:?}", records.last()) };
        assert_eq!(finished.outcome, Outcome::Stopped);
        let checkpoint = self.run().join(format!("checkpoints/step-{:08}", finished.step));
        for file in ["model.safetensors", "optimizer.safetensors", "state.json"] {
            assert!(checkpoint.join(file).is_file(), "{} has no {file}", checkpoint.display());
        }
    }

    /// Leaves by the quit dialog's first choice.
    fn quit(&mut self) {
        self.type_in(b"q");
        self.says("Leave?");
        self.type_in(b"\r");
        assert_eq!(self.exit_code(), 130);
        self.assert_given_back();
    }
}

fn rows(seen: &Seen) -> Vec<String> {
    let (_, width) = seen.emulator.screen().size();
    seen.emulator.screen().rows(0, width.into()).collect()
}

/// The two charts of an 80x24 screen.
fn charts(seen: &Seen) -> Vec<String> {
    rows(seen)[1..19].iter().map(|row| row.chars().take(CHARTS).collect()).collect()
}

/// The number after these words.
fn number_after(text: &str, words: &str) -> Option<u64> {
    let rest = &text[text.find(words)? + words.len()..];
    rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())].parse().ok()
}

#[test]
fn a_typed_lambda_is_proposed_then_in_force_then_marked_with_its_step() {
    let mut run = running(&["train.epochs=40"], &[], &[]);
    let has_marker = |seen: &Seen| charts(seen)[1].contains('λ');
    assert!(!run.look(has_marker), "{}", run.look(text));

    // A nudge proposes and changes nothing, however long it stands there.
    run.type_in(b"+");
    run.says("0.005→0.0055");
    run.says("! not set: Enter / Esc");
    let steps = |run: &OnScreen| {
        run.records()
            .iter()
            .filter_map(|r| if let Event::Progress(p) = &r.event { Some(p.step) } else { None })
            .max()
            .unwrap_or(0)
    };
    let then = steps(&run);
    run.logged("a step after the nudge", |event| matches!(event, Event::Progress(p) if p.step > then).then_some(()));
    assert_eq!(run.changes(), 0);
    run.type_in(b"\x1b");
    run.says("+ - nudge  e type");

    run.type_in(b"e");
    run.says("Set λ (recorded)");
    run.type_in(b"0.5");
    run.says("becomes 0.5 at the next step");
    assert_eq!(run.changes(), 0);
    run.type_in(b"\r");
    run.says("λ 0.005 -> 0.5 @ step ");
    let told = run.look(|seen| number_after(&text(seen), "λ 0.005 -> 0.5 @ step ")).unwrap();
    let (step, by, previous) = run.logged("the change", |event| match event {
        Event::Controlled { step, by, change: Change::Lambda(0.5), previous, .. } => Some((*step, *by, *previous)),
        _ => None,
    });
    assert_eq!((step, previous), (told, Change::Lambda(0.005)));
    assert!(by.is_some(), "a person made it");
    run.until("the marker", has_marker);
    run.type_in(b"L");
    run.until("the log's line", |seen| {
        rows(seen).iter().any(|row| row.contains("INFO") && row.contains("0.005 -> 0.5") && row.contains(&step.to_string()))
    });
    run.type_in(b"L");
    run.until("the charts again", |seen| rows(seen)[1].contains("Loss"));
    run.quit();
    assert_eq!(run.changes(), 1);
}

#[test]
fn a_change_stays_pending_until_the_worker_has_taken_it() {
    // The worker is inside one long attack when the value comes.
    let mut run = running(&["train.epochs=40", "probe.per_epoch=0", "probe.images=250", "probe.steps=60"], &[], &[]);
    run.type_in(b"p");
    run.type_in(b"e");
    run.says("Set λ (recorded)");
    run.type_in(b"0.25\r");
    run.says("… pending: asked, waits");
    assert_eq!(run.changes(), 0);
    run.says("λ 0.005 -> 0.25 @ step ");
    assert_eq!(run.changes(), 1);
    run.quit();
}

#[test]
fn pausing_saving_and_every_size_on_the_way() {
    let mut run = running(&["train.epochs=40"], &[], &[]);
    run.type_in(b" ");
    run.says("PAUSED");
    run.logged("the pause", |event| matches!(event, Event::Controlled { change: Change::Flow(Flow::Paused), .. }).then_some(()));
    run.type_in(b"s");
    run.says("saved checkpoints/step-");
    let saved = run.logged("the checkpoint", |event| match event {
        Event::Saved(saved) if saved.by.is_some() => Some(saved.clone()),
        _ => None,
    });
    assert!(run.run().join(&saved.path).join("state.json").is_file(), "{}", saved.path);

    // While it is paused the charts stand still, so that they must come back as they were.
    let before = run.look(charts);
    for (width, height) in [(120, 40), (60, 16), (20, 5), (200, 60), (80, 24)] {
        run.resize(width, height);
        run.until("the screen in its new size", |seen| {
            let rows = rows(seen);
            if (width, height) == (20, 5) {
                return text(seen).contains("need 60x16\n")
                    && text(seen).contains("have 20x5\n")
                    && text(seen).contains("PAUSED");
            }
            let last = usize::from(height) - 1;
            // Below the names of the views, where there is a line for them.
            let first = if height >= 30 { 2 } else { 1 };
            // What is drawn reaches all four edges.
            rows[0].contains("PAUSED")
                && rows[last].starts_with(" q quit")
                && rows[first].starts_with('┌')
                && rows[first].chars().count() == usize::from(width)
                && rows[first].ends_with(['┐', '┓'])
        });
    }
    run.until("the charts as they were", |seen| charts(seen) == before);
    let step = run.records().len();
    assert!(step > 0);
    run.type_in(b" ");
    run.says("RUNNING");
    run.logged("going on", |event| matches!(event, Event::Controlled { change: Change::Flow(Flow::Running), .. }).then_some(()));
    run.logged("a step after the pause", |event| matches!(event, Event::Progress(p) if p.step > saved.step).then_some(()));
    run.quit();
}

#[test]
fn leaving_saves_gives_the_terminal_back_and_says_what_became_of_the_run() {
    let mut run = running(&["train.epochs=40"], &[], &[]);
    run.assert_taken_over();
    run.type_in(b"q");
    run.says("Leave?");
    run.says("stop after this step and save");
    run.type_in(b"\x1b");
    run.until("no dialog", |seen| !text(seen).contains("Leave?"));
    run.quit();
    run.assert_saved_at_its_end();
    run.says("outcome");
    run.look(|seen| {
        let said = text(seen);
        assert!(said.contains("stopped at step ") && said.contains("checkpoint"), "{said}");
        assert!(!said.contains('┌'), "{said}");
    });
}

#[test]
fn ctrl_c_twice_stops_at_once_and_saves() {
    let mut run = running(&["train.epochs=40"], &[], &[]);
    run.type_in(b"\x03\x03");
    assert_eq!(run.exit_code(), 130);
    run.assert_given_back();
    run.assert_saved_at_its_end();
}

#[test]
fn an_evaluation_is_asked_for_shown_and_given_up() {
    let mut run = running(&["train.epochs=40"], &[], &[]);
    // Of weights that have learned nothing no image stands, and the longest evaluation is over before anybody sees it.
    run.logged("weights that withstand something", |event| match event {
        Event::Evaluated(found) if found.of == Whose::Student => (found.adversarial > 0.2).then_some(()),
        _ => None,
    });
    run.type_in(b"a");
    run.says("Evaluate these weights");
    run.says("pgd-50x10");
    // One to the left: pgd-20. Nothing is asked before Enter.
    run.type_in(b"\x1b[D");
    run.says("pgd-20");
    assert!(!run.records().iter().any(|record| matches!(record.event, Event::Examining { .. })));
    run.type_in(b"\r");
    run.says("validation: not the final number");
    run.says("largest L-inf distance");
    let examined = |record: &Record| matches!(&record.event, Event::Examined { report, .. } if report.curve.is_some());
    assert!(run.records().iter().any(examined));
    // A long one, given up.
    run.type_in(b"a");
    run.says("Evaluate these weights");
    run.type_in(b"\x1b[D\x1b[D\x1b[D\r"); // around the end: autoattack-plus
    run.says("EVALUATING");
    run.type_in(b"a");
    run.says("Give the evaluation up?");
    run.type_in(b"\x1b[B\r");
    run.says("was given up");
    run.type_in(b"1");
    run.until("the charts again", |seen| rows(seen)[1].contains("Loss"));
    run.quit();
}

#[test]
fn a_termination_saves_and_gives_the_terminal_back() {
    let mut run = running(&["train.epochs=40"], &[], &[]);
    run.send(Signal::TERM);
    assert_eq!(run.exit_code(), 130);
    run.assert_given_back();
    run.assert_saved_at_its_end();
}

#[test]
fn a_third_ctrl_c_does_not_wait_for_a_busy_worker() {
    let mut run = running(&["train.epochs=40", "probe.per_epoch=0", "probe.images=250", "probe.steps=1000"], &[], &[]);
    run.type_in(b"p");
    run.type_in(b"\x03\x03\x03");
    assert_eq!(run.exit_code(), 130);
    run.assert_given_back();
    run.says("left at once");
    assert!(!run.records().iter().any(|record| matches!(record.event, Event::Finished(_))));
}

#[test]
fn leaving_after_the_epoch_ends_with_the_epoch() {
    let mut run = running(&["train.epochs=40"], &[], &[]);
    run.type_in(b"qj\r");
    run.says("STOPPING");
    assert_eq!(run.exit_code(), 130);
    run.assert_given_back();
    run.assert_saved_at_its_end();
    let Some(Event::Finished(finished)) = run.records().last().map(|record| record.event.clone()) else { unreachable!() };
    assert!(finished.step > 0 && finished.step % 71 == 0, "{}", finished.step);
}

#[test]
fn leaving_without_saving_needs_a_second_yes() {
    let mut run = running(&["train.epochs=40"], &[], &[]);
    run.type_in(b"qjj\r");
    run.says("Stop without saving?");
    run.type_in(b"\r"); // the safe choice comes first
    run.until("no dialog", |seen| !text(seen).contains("Stop without saving?"));
    run.type_in(b"qjj\r");
    run.says("Stop without saving?");
    run.type_in(b"j\r");
    assert_eq!(run.exit_code(), 130);
    run.assert_given_back();
    assert_eq!(run.outcome(), Outcome::Stopped);
    let asked =
        run.records().iter().any(|r| matches!(&r.event, Event::Stopping { stop, .. } if stop.save == SaveOnStop::Discard));
    assert!(asked);
}

#[test]
fn a_worker_that_breaks_becomes_a_dialog() {
    let mut run = start(&["train.epochs=2"], &[], &[("REMATCH_FAULT", "panic@10")]);
    run.says("Training failed");
    run.says("REMATCH_FAULT=panic@10");
    assert!(run.look(|seen| seen.emulator.screen().alternate_screen()));
    run.type_in(b"q");
    assert_eq!(run.exit_code(), 1);
    run.assert_given_back();
    let Outcome::Failed { message } = run.outcome() else { panic!("{:?}", run.outcome()) };
    assert!(message.contains("REMATCH_FAULT=panic@10 (src/train/worker.rs:"), "{message}");
    run.says("failed at step 10");
}

#[test]
fn a_loss_that_is_not_finite_pauses_with_a_warning() {
    // With this much weight decay a high learning rate multiplies the weights at every step.
    let settings = ["train.epochs=40", "train.lr=0.05", "train.weight_decay=1", "train.schedule.name=constant"];
    let mut run = running(&settings, &[], &[]);
    run.type_in(b"j");
    run.type_in(b"e");
    run.says("Set lr (recorded)");
    run.type_in(b"1000\r");
    run.says("PAUSED");
    run.says("became NaN or infinite at step ");
    let step = run.logged("the warning", |event| match event {
        Event::Warned { step, kind: Warning::NonFinite, .. } => *step,
        _ => None,
    });
    let changed = run.logged("the change", |event| match event {
        Event::Controlled { step, change: Change::LrScale(1000.0), .. } => Some(*step),
        _ => None,
    });
    assert!(step >= changed);
    run.logged("the pause", |event| {
        matches!(event, Event::Controlled { by: None, change: Change::Flow(Flow::Paused), .. }).then_some(())
    });
    // What helps is offered: the checkpoints from before.
    run.says("w go back to it");
    run.type_in(b"\x1b");
    run.until("the list gone", |seen| !text(seen).contains("w go back to it"));
    run.quit();
}

#[test]
fn a_terminal_that_goes_away_leaves_training_to_its_end() {
    let mut run = running(&["train.epochs=2"], &[], &[]);
    run.hang_up(b"");
    assert_eq!(run.exit_code(), 0, "whoever waited for it is let go");
    let ended = run.logged("the end", |event| if let Event::Finished(f) = event { Some(f.outcome.clone()) } else { None });
    assert_eq!(ended, Outcome::Completed);
}

#[test]
fn a_completed_run_whose_terminal_goes_away_ends_too() {
    let mut run = start(&["train.epochs=1"], &[], &[]);
    run.says("COMPLETED");
    run.hang_up(b"");
    assert_eq!(run.exit_code(), 0);
}

#[test]
fn a_paused_run_whose_terminal_goes_away_waits_and_can_be_told_to_stop() {
    let mut run = running(&["train.epochs=40"], &[], &[]);
    run.type_in(b" ");
    run.says("PAUSED");
    run.hang_up(b"");
    assert_eq!(run.exit_code(), 0);
    let pid: i32 = fs::read_to_string(run.run().join("lock")).unwrap().trim().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    run.logged("the end", |event| matches!(event, Event::Finished(_)).then_some(()));
    run.assert_saved_at_its_end();
}

#[test]
fn whoever_wants_a_lost_terminal_to_stop_the_run_gets_that() {
    let mut run = running(&["train.epochs=40"], &["--on-hangup", "save-and-stop"], &[]);
    run.hang_up(b"");
    run.exit_code();
    run.logged("the end", |event| matches!(event, Event::Finished(_)).then_some(()));
    run.assert_saved_at_its_end();
}

#[test]
fn a_terminal_that_can_nothing_gets_plain_lines() {
    let mut run = start(&["train.epochs=1"], &[], &[("TERM", "dumb")]);
    assert_eq!(run.exit_code(), 0);
    run.says("completed at step 71 of 71");
    assert!(run.look(|seen| !seen.raw.contains(&0x1b)));
}

#[test]
fn a_completed_run_stays_until_it_is_left_and_its_replay_looks_the_same() {
    let mut run = start(&["train.epochs=1"], &[], &[]);
    run.says("COMPLETED");
    run.until("the result", |seen| rows(seen)[1].contains("Loss") && !text(seen).contains("training completed"));
    let (end, header) = run.look(|seen| (charts(seen), rows(seen)[0].clone()));
    assert!(header.contains("ep 1/1") && header.contains("71/71"), "{header}");
    run.type_in(b"q");
    assert_eq!(run.exit_code(), 0);
    run.assert_given_back();
    run.says("completed at step 71 of 71");
    assert_eq!(run.outcome(), Outcome::Completed);

    let folder = run.run();
    let args = ["replay", folder.to_str().unwrap(), "--pace", "max"];
    let mut replay = Session::start(Path::new(env!("CARGO_BIN_EXE_rematch-torch")), &args, &[("LANG", "C.UTF-8")], SIZE);
    replay.says("COMPLETED");
    replay.until("the charts of the run", |seen| charts(seen) == end);
    replay.type_in(b"+"); // nothing can be changed, and it says so
    replay.says("only watched");
    replay.type_in(b"q");
    assert_eq!(replay.exit_code(), 0);
    replay.assert_given_back();
}

/// The numbers of each `CSI ... m`.
fn styles(raw: &[u8]) -> Vec<Vec<u16>> {
    let mut all = Vec::new();
    for part in raw.split(|&byte| byte == 0x1b).skip(1) {
        let Some(body) = part.strip_prefix(b"[") else { continue };
        let end = body.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b';' | b':'));
        if let Some(end) = end.filter(|&end| body[end] == b'm') {
            let numbers = std::str::from_utf8(&body[..end]).unwrap();
            all.push(numbers.split([';', ':']).map(|number| number.parse().unwrap_or(0)).collect());
        }
    }
    all
}

#[test]
fn no_color_shows_what_matters_without_any() {
    let mut run = running(&["train.epochs=40"], &[], &[("NO_COLOR", "1")]);
    run.type_in(b"q");
    run.says("Leave?");
    run.look(|seen| {
        let all = styles(&seen.raw);
        for style in &all {
            // Back to the terminal's own colours (39, 49) is not a colour.
            let coloured = style.iter().any(|n| matches!(n, 30..=38 | 40..=48 | 90..=97 | 100..=107));
            assert!(!coloured, "{style:?}");
        }
        assert!(all.iter().any(|style| style.contains(&1)), "nothing is bold");
        // The choice that Enter would take.
        let (height, width) = seen.emulator.screen().size();
        let cells = (0..height.get()).flat_map(|y| (0..width.get()).map(move |x| (y, x)));
        let reversed: String = cells
            .filter_map(|(y, x)| seen.emulator.screen().cell(y, x))
            .filter(|cell| cell.inverse())
            .map(vt100::Cell::contents)
            .collect();
        assert!(reversed.contains("stop after this step and save"), "{reversed}");
    });
    run.type_in(b"\r");
    assert_eq!(run.exit_code(), 130);
}

#[test]
fn ascii_is_all_there_is_where_that_was_asked_for() {
    let mut run = running(&["train.epochs=40"], &["--glyphs", "ascii"], &[]);
    let plain = |run: &OnScreen, what: &str| {
        run.says(what);
        run.look(|seen| {
            let said = text(seen);
            let strange: String = said.chars().filter(|c| !c.is_ascii()).collect();
            assert!(strange.is_empty(), "{strange} in\n{said}");
            // Of our own words nothing is unknown to the plain set; only the help's key is a question mark.
            assert!(!said.replace("? help", "").replace("Leave?", "").replace("? F1", "").contains('?'), "{said}");
        });
    };
    plain(&run, "RUNNING");
    run.type_in(b"e");
    plain(&run, "(recorded)");
    run.type_in(b"0.5\r");
    plain(&run, "@ step ");
    run.type_in(b"q");
    plain(&run, "Leave?");
    run.type_in(b"\x1b");
    run.until("no dialog", |seen| !text(seen).contains("Leave?"));
    run.type_in(b" ");
    plain(&run, "PAUSED");
    run.quit();
}

#[test]
fn epsilon_is_turned_where_the_method_attacks() {
    let mut run = running(&["train.epochs=40", "method.name=sat", "method.steps=1"], &[], &[]);
    run.type_in(b"j");
    run.type_in(b"e");
    run.says("Set ε (recorded)");
    run.type_in(b"8/255\r");
    let (step, previous) = run.logged("the change", |event| match event {
        Event::Controlled { step, change: Change::Eps(eps), previous, .. } if (eps.0 - 8.0 / 255.0).abs() < 1e-6 => {
            Some((*step, *previous))
        }
        _ => None,
    });
    assert_eq!(previous, Change::Eps(Eps(0.1)));
    run.says(&format!("@ step {step}"));
    let file = fs::read_to_string(run.run().join("config.toml")).unwrap();
    assert!(file.contains("name = \"sat\""), "{file}");
    run.quit();
}
