//! The terminal seen from its other side: a child on a pseudo-terminal, its screen kept by a terminal emulator, the modes it leaves.
//! The child is this same test binary, run again for the one ignored test below. It shows what reaches it and does what a few
//! keys say; it trains nothing. No test waits for a fixed time to see something: each waits for the content, with a deadline.

#![expect(clippy::format_push_string, reason = "a few bytes a key in a test")]
#![expect(clippy::unwrap_used, reason = "a fault in a test is told by its panic, in helper functions as well")]

#[path = "pty/session.rs"]
mod session;

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Rect;
use ratatui::style::Stylize;
use ratatui::text::Line;
use rematch::protocol::insight::{Group, Guess, Guesses, Piece};
use rematch::ui::capability::{self, Output};
use rematch::ui::event::{Input, Signal};
use rematch::ui::graphics::{Cover, Placement};
use rematch::ui::raster::Pictures;
use rematch::ui::terminal::{Drawn, Synchronized, Terminal, TerminalError, install_panic_hook};
use rematch::ui::{input, signals, stderr};
use session::{Seen, Session, text};

const CHILD: &str = "REMATCH_PTY_CHILD";
/// The child asks first whether its terminal takes pictures.
const PICTURES: &str = "REMATCH_PTY_PICTURES";
/// Where the child writes what it cannot show any more.
const NOTE: &str = "REMATCH_PTY_NOTE";

// ---- the child ----

#[test]
#[ignore = "the other end of the tests below, which start it on a pseudo-terminal"]
fn child() {
    if std::env::var_os(CHILD).is_some() {
        std::process::exit(run_child());
    }
}

enum News {
    Input(Input),
    Signal(Signal),
    Log(String),
}

fn run_child() -> i32 {
    let (to, news) = crossbeam_channel::unbounded();
    let log = to.clone();
    install_panic_hook(move |message| drop(log.send(News::Log(message.to_owned()))));

    let (signal_to, signals) = crossbeam_channel::unbounded();
    let _signals = signals::listen(signal_to, signals::OnSignals::default()).unwrap();
    let (input_to, inputs) = crossbeam_channel::unbounded();
    for pass in [
        std::thread::spawn({
            let to = to.clone();
            move || signals.iter().try_for_each(|signal| to.send(News::Signal(signal)).ok()).unwrap_or(())
        }),
        std::thread::spawn({
            let to = to.clone();
            move || inputs.iter().try_for_each(|input| to.send(News::Input(input)).ok()).unwrap_or(())
        }),
    ] {
        drop(pass);
    }

    let capabilities = capability::detect(&|name| std::env::var(name).ok(), Output::Terminal);
    let mut terminal = Terminal::enter(&capabilities, Synchronized::Auto).unwrap();
    let captured = stderr::capture(move |line| drop(to.send(News::Log(line.to_uppercase())))).unwrap();
    let (mut keys, mut log) = (String::new(), String::new());
    if std::env::var_os(PICTURES).is_some() {
        log = format!("pictures {}", terminal.takes_pictures(Duration::from_mins(1)).unwrap());
    }
    let keyboard = input::read_input(input_to, capabilities.escape_time()).unwrap();

    loop {
        match terminal.draw(|frame| draw(frame, &keys, &log)) {
            Ok(Drawn::Shown | Drawn::Partly | Drawn::Skipped) | Err(TerminalError::HungUp) => {}
            Err(error) => panic!("{error}"),
        }
        match news.recv().unwrap() {
            News::Log(line) => log = line,
            News::Signal(Signal::Terminate) => break,
            News::Signal(Signal::Interrupt | Signal::HangUp | Signal::Save | Signal::Continue) | News::Input(Input::Resize) => {}
            News::Input(Input::HangUp) => {
                note_cpu_without_a_terminal();
                return 3;
            }
            News::Input(Input::Focus(focus)) => keys.push_str(&format!("{focus:?} ")),
            News::Input(Input::Paste(text)) => keys.push_str(&format!("paste({text}) ")),
            News::Input(Input::Key(key)) => match key.code {
                KeyCode::Char('q') => break,
                KeyCode::Char('p') => panic!("boom on the screen's thread"),
                KeyCode::Char('w') => {
                    std::thread::Builder::new().name("worker".into()).spawn(|| panic!("boom in the worker")).unwrap();
                }
                KeyCode::Char('e') => {
                    io::stderr().write_all(b"noise on stderr\n").unwrap();
                }
                KeyCode::Char('o') => {
                    io::stdout().write_all(b"noise on stdout\n").unwrap();
                }
                KeyCode::Char('i') => {
                    let before = terminal.bytes_written();
                    for _ in 0..100 {
                        assert_eq!(terminal.draw(|frame| draw(frame, &keys, &log)).unwrap(), Drawn::Shown);
                    }
                    keys.push_str(&format!("idle={} ", terminal.bytes_written() - before));
                }
                KeyCode::Char('g') => {
                    let shown = terminal.draw_with(|frame| {
                        draw(frame, &keys, &log);
                        vec![placement()]
                    });
                    assert_eq!(shown.unwrap(), Drawn::Shown);
                    // The next frame takes it away; whoever ends before it leaves it to the restoring.
                    if matches!(news.recv().unwrap(), News::Input(Input::Key(key)) if key.code == KeyCode::Char('q')) {
                        break;
                    }
                }
                KeyCode::Char('z') => {
                    terminal.suspend().unwrap();
                    terminal.resume().unwrap();
                }
                _ => keys.push_str(&format!("{} ", name(key))),
            },
        }
    }
    drop(keyboard);
    terminal.leave();
    drop(captured);
    io::stdout().write_all(b"bye\n").unwrap();
    0
}

/// One grey pixel, four cells wide.
fn placement() -> Placement {
    let guess = Guess { class: 0, confidence: 0.5 };
    let guesses = Guesses { before: guess, after: guess };
    let piece = Piece {
        group: Group::Fooled,
        index: 0,
        label: 0,
        shape: [1, 1, 1],
        image: "gA==".into(),
        delta: "gA==".into(),
        scale: 0.0,
        student: guesses,
        teacher: None,
    };
    let [picture, ..] = Pictures::of(&piece).unwrap().three;
    Placement { id: 7, area: Rect::new(10, 10, 4, 2), picture, cover: Cover::Open }
}

fn draw(frame: &mut ratatui::Frame, keys: &str, log: &str) {
    let area = frame.area();
    let lines = [
        Line::from(format!("ready {}x{}", area.width, area.height)),
        Line::from(format!("keys: {keys}")),
        Line::from(format!("log: {log}")),
        Line::from("STRONG".red().bold().reversed()),
    ];
    for (line, row) in lines.iter().zip(area.rows()) {
        frame.render_widget(line, row);
    }
}

fn name(key: KeyEvent) -> String {
    if let KeyCode::Char(c) = key.code { c.to_string() } else { format!("{:?}", key.code) }
}

/// The process outlives its terminal, as training does, and says how much of a processor it uses meanwhile.
fn note_cpu_without_a_terminal() {
    let (_keep, never) = crossbeam_channel::bounded::<()>(0);
    let before = cpu_ticks();
    let began = Instant::now();
    let _ = never.recv_timeout(Duration::from_secs(1));
    let share = (cpu_ticks() - before) / 100.0 / began.elapsed().as_secs_f64();
    std::fs::write(std::env::var_os(NOTE).unwrap(), format!("{share}")).unwrap();
}

/// User and system time of this process, in hundredths of a second: Linux's `USER_HZ` is 100 everywhere we build for.
fn cpu_ticks() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()
}

// ---- the terminal ----

fn start(env: &[(&str, &str)]) -> Session {
    let args = ["child", "--exact", "--ignored", "--nocapture", "--test-threads=1"];
    let env: Vec<(&str, &str)> = [(CHILD, "1")].iter().chain(env).copied().collect();
    Session::start(&std::env::current_exe().unwrap(), &args, &env, (80, 24))
}

fn ready(env: &[(&str, &str)]) -> Session {
    let session = start(env);
    session.until("the first frame", |seen| text(seen).contains("ready 80x24"));
    session
}

fn contains(bytes: &[u8], part: &str) -> bool {
    bytes.windows(part.len()).any(|window| window == part.as_bytes())
}

// ---- the tests ----

#[test]
fn a_normal_end_gives_the_terminal_back() {
    let mut session = ready(&[]);
    session.look(|seen| {
        let screen = seen.emulator.screen();
        assert!(screen.alternate_screen() && screen.hide_cursor() && screen.bracketed_paste());
        assert!(!text(seen).contains("running 1 test"), "the alternate screen shows the ordinary one");
    });
    session.assert_taken_over();
    session.type_in(b"q");
    assert_eq!(session.exit_code(), 0);
    session.says("bye");
    session.assert_given_back();
    assert!(session.look(text).contains("running 1 test"), "what stood on the screen before is there again");
}

#[test]
fn pictures_are_asked_about_once_shown_and_taken_away_at_the_end() {
    let mut session = start(&[(PICTURES, "1")]);
    session.until("the question", |seen| contains(&seen.raw, "a=q") && contains(&seen.raw, "\x1b[c"));
    session.type_in(b"\x1b_Gi=31;OK\x1b\\\x1b[?62;52;c");
    session.says("log: pictures true");
    // The same answer once more, late and in two: no key comes of it.
    session.type_in(b"\x1b_Gi=3");
    session.type_in(b"1;OK\x1b\\j");
    session.says("keys: j");
    session.type_in(b"g");
    session.until("the picture", |seen| {
        contains(&seen.raw, "i=7,q=2,m=0;gICA\x1b\\") && contains(&seen.raw, "\x1b[11;11H\x1b_Ga=p,i=7")
    });
    session.type_in(b"q");
    assert_eq!(session.exit_code(), 0);
    session.says("bye");
    session.assert_given_back();
    session.look(|seen| {
        let last = |part: &str| seen.raw.windows(part.len()).rposition(|window| window == part.as_bytes());
        assert!(last("a=d,d=I,i=7").unwrap() < last("\x1b[?1049l").unwrap());
        assert_eq!(text(seen).matches("OK").count(), 0);
    });
}

#[test]
fn a_terminal_that_takes_no_pictures_is_not_waited_for() {
    let mut session = start(&[(PICTURES, "1")]);
    session.until("the question", |seen| contains(&seen.raw, "\x1b[c"));
    session.type_in(b"\x1b[?1;2c");
    session.says("log: pictures false");
    session.type_in(b"jq");
    assert_eq!(session.exit_code(), 0);
}

#[test]
fn a_panic_of_the_screens_thread_gives_the_terminal_back_and_says_why() {
    let mut session = ready(&[]);
    session.type_in(b"p");
    assert_ne!(session.exit_code(), 0);
    session.says("boom on the screen's thread");
    session.assert_given_back();
}

#[test]
fn sigterm_gives_the_terminal_back() {
    let mut session = ready(&[]);
    session.send(rustix::process::Signal::TERM);
    assert_eq!(session.exit_code(), 0);
    session.says("bye");
    session.assert_given_back();
}

#[test]
fn a_panic_of_another_thread_is_told_and_leaves_the_screen_alone() {
    let mut session = ready(&[]);
    session.type_in(b"w");
    session.says("log: thread 'worker' panicked at");
    assert!(session.look(|seen| seen.emulator.screen().alternate_screen() && text(seen).starts_with("ready 80x24\n")));
    session.type_in(b"j");
    session.says("keys: j");
    session.type_in(b"q");
    assert_eq!(session.exit_code(), 0);
    session.assert_given_back();
}

#[test]
fn what_is_printed_meanwhile_becomes_lines_and_not_dirt() {
    let mut session = ready(&[]);
    session.type_in(b"e");
    session.says("log: NOISE ON STDERR");
    session.type_in(b"o");
    session.says("log: NOISE ON STDOUT");
    session.type_in(b"q");
    assert_eq!(session.exit_code(), 0);
    session.says("bye"); // printed to standard output, which leads to the terminal again
    assert!(!session.look(|seen| contains(&seen.raw, "noise on")), "as printed it reached the terminal");
}

#[test]
fn no_color_leaves_bold_and_reverse() {
    let session = ready(&[("NO_COLOR", "1")]);
    session.says("STRONG");
    session.look(|seen| {
        let cell = seen.emulator.screen().cell(3, 0).unwrap();
        assert_eq!(cell.contents(), "S");
        assert!(cell.bold() && cell.inverse(), "bold {}, reverse {}", cell.bold(), cell.inverse());
    });
}

#[test]
fn an_arrow_cut_by_the_network_is_an_arrow() {
    let mut session = ready(&[]);
    session.type_in(b"\x1b");
    std::thread::sleep(Duration::from_millis(30)); // the cut itself
    session.type_in(b"[B");
    session.says("keys: Down");
    session.type_in(b"\x1b");
    session.says("keys: Down Esc");
}

#[test]
fn a_mode_report_does_not_swallow_the_keys_after_it() {
    let mut session = ready(&[]);
    session.type_in(b"\x1b[?2026;2$yj");
    session.says("keys: j");
    session.type_in(b"k");
    session.says("keys: j k");
}

#[test]
fn pastes_bursts_and_focus_are_told_apart_from_keys() {
    let mut session = ready(&[]);
    session.type_in(b"\x1b[200~quit p\x1b[201~");
    session.says("paste(quit p)");
    session.type_in(b"]11;rgb:1e1e/1e1e");
    session.says("paste(]11;rgb:1e1e/1e1e)");
    session.type_in(b"\x1b[O");
    session.says("Lost");
}

#[test]
fn a_resize_is_seen_and_drawn() {
    let session = ready(&[]);
    session.resize(100, 30);
    session.says("ready 100x30");
}

#[test]
fn an_unchanged_frame_costs_no_byte() {
    let mut session = ready(&[]);
    session.type_in(b"i");
    session.says("keys: idle=0");
}

#[test]
fn a_suspended_screen_comes_back_whole() {
    // Alone in its session the child has no shell to continue it, so the kernel does not stop it; all else happens.
    let mut session = ready(&[]);
    let count = |seen: &Seen, what: &str| String::from_utf8_lossy(&seen.raw).matches(what).count();
    session.type_in(b"z");
    session.until("a second way in", |seen| count(seen, "\x1b[?1049h") == 2 && count(seen, "ready") == 2);
    session.look(|seen| {
        assert_eq!(count(seen, "\x1b[?1049l"), 1);
        assert!(seen.emulator.screen().alternate_screen() && seen.emulator.screen().hide_cursor());
    });
    session.type_in(b"q");
    assert_eq!(session.exit_code(), 0);
    session.assert_given_back();
}

#[test]
fn frames_are_bracketed_except_in_a_multiplexer_that_gets_it_wrong() {
    let bracketed = |env: &[(&str, &str)]| ready(env).look(|seen| contains(&seen.raw, "\x1b[?2026h"));
    assert!(bracketed(&[]));
    assert!(!bracketed(&[("TMUX", "/tmp/tmux,1,0"), ("TERM_PROGRAM", "tmux"), ("TERM_PROGRAM_VERSION", "3.7b")]));
}

#[test]
fn a_closed_line_ends_the_reading_and_costs_no_processor() {
    ends_quietly(b"");
}

#[test]
fn a_line_closed_in_the_middle_of_a_sequence_costs_no_processor_either() {
    ends_quietly(b"\x1b[?2026;2");
}

fn ends_quietly(last_words: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let note = folder.path().join("cpu");
    let mut session = ready(&[(NOTE, note.to_str().unwrap())]);
    session.hang_up(last_words);
    let closed = Instant::now();
    assert_eq!(session.exit_code(), 3, "it ended for another reason than the hang-up");
    let took = closed.elapsed();
    assert!(took < Duration::from_secs(3), "one second of it measured, yet it took {took:?} to end");
    assert_cpu_below(&note, 0.05);
}

fn assert_cpu_below(note: &Path, limit: f64) {
    let share: f64 = std::fs::read_to_string(note).unwrap().parse().unwrap();
    assert!(share < limit, "{:.0} % of a processor without a terminal", share * 100.0);
}
