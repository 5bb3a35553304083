//! The program that shows a recorded run, on a terminal that does what terminals over SSH do: it is resized, answers late, stops
//! reading, loses its focus, goes away.
//!
//! It needs no worker. No wait is for a fixed time unless the time itself is what is tested; each is for content, with a deadline.

#![expect(clippy::unwrap_used, reason = "a fault in a test is told by its panic, in helper functions as well")]

#[path = "pty/session.rs"]
mod session;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use session::{Seen, Session, text};
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_rematch-torch");
const PATIENCE: Duration = Duration::from_mins(1);
/// Replies that terminals send: to OSC 11, DECRQM, DA1, XTVERSION, DSR 6, and a report of a theme.
const REPLIES: [&[u8]; 6] = [
    b"\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\",
    b"\x1b[?2026;2$y",
    b"\x1b[?64;1;2;6;9;15;18;21;22c",
    b"\x1bP>|tmux 3.3a\x1b\\",
    b"\x1b[12;40R",
    b"\x1b[?997;1n",
];

fn replay(pace: &str, env: &[(&str, &str)]) -> Session {
    let env: Vec<(&str, &str)> = [("LANG", "C.UTF-8")].iter().chain(env).copied().collect();
    Session::start(Path::new(PROGRAM), &["replay", "assets/demo", "--pace", pace], &env, (80, 24))
}

/// The whole run is there and nothing moves any more, toasts included.
fn still(session: &Session) {
    session.until("the end of the recorded run", |seen| {
        let screen = text(seen);
        screen.contains("852/852") && !screen.contains("training completed")
    });
}

fn at_rest(env: &[(&str, &str)]) -> Session {
    let session = replay("max", env);
    still(&session);
    session
}

fn frames(seen: &Seen) -> usize {
    let begin = b"\x1b[?2026h";
    seen.raw.windows(begin.len()).filter(|bytes| bytes == begin).count()
}

fn cells(seen: &Seen) -> impl Iterator<Item = &vt100::Cell> {
    let (rows, columns) = seen.emulator.screen().size();
    let (rows, columns) = (rows.get(), columns.get());
    (0..rows).flat_map(move |row| (0..columns).filter_map(move |column| seen.emulator.screen().cell(row, column)))
}

#[test]
fn a_termination_and_three_interrupts_at_once_give_the_terminal_back() {
    for end in ["signal", "keys"] {
        let mut session = at_rest(&[]);
        session.assert_taken_over();
        if end == "signal" {
            session.send(rustix::process::Signal::TERM);
        } else {
            session.type_in(b"\x03\x03\x03");
        }
        session.exit_code();
        session.assert_given_back();
    }
}

#[test]
fn a_terminal_that_goes_away_ends_the_showing() {
    for last_words in [&b""[..], b"\x1b[?2026;2", b"\x1b]11;rgb:1e"] {
        let mut session = replay("1", &[]);
        session.says("RUN");
        session.hang_up(last_words);
        // It has nothing else to do; a loop that spins on a dead descriptor would run into the deadline here.
        session.exit_code();
    }
}

#[test]
fn late_replies_change_nothing_and_wedge_nothing() {
    let mut session = at_rest(&[]);
    // A blank that was drawn and one that was not look the same.
    let shown = |seen: &Seen| text(seen).lines().map(|line| line.trim_end().to_string()).collect::<Vec<_>>();
    let before = session.look(shown);
    for reply in REPLIES {
        session.type_in(reply);
        let (head, tail) = reply.split_at(reply.len() / 2);
        session.type_in(head);
        session.type_in(tail);
        // Whatever was made of the replies was made before the keys after them.
        session.type_in(b"?");
        session.says("Keys");
        session.type_in(b"\x1b");
        session.until("the screen as it was", |seen| shown(seen) == before);
    }
}

#[test]
fn nothing_is_asked_of_the_terminal_and_neither_mouse_nor_clipboard_is_taken() {
    let mut session = at_rest(&[]);
    session.type_in(b"?");
    session.says("Keys");
    session.look(|seen| {
        let sent = String::from_utf8_lossy(&seen.raw);
        // DECRQM, DA1, DSR, XTVERSION, colours, the keyboard protocol; reports of the mouse; OSC 52.
        for query in ["$p", "\x1b[c", "\x1b[0c", "\x1b[6n", "\x1b[?996n", "\x1b[>q", "\x1b[>0q", "\x1b]1", "\x1b[?u"] {
            assert!(!sent.contains(query), "{query:?} asks for an answer that may come when keys are read");
        }
        for taken in ["\x1b[?1000h", "\x1b[?1002h", "\x1b[?1003h", "\x1b[?1006h", "\x1b]52"] {
            assert!(!sent.contains(taken), "{taken:?}");
        }
    });
}

#[test]
fn a_cut_arrow_moves_a_dial_and_an_escape_does_not() {
    let mut session = at_rest(&[]);
    let marked = |seen: &Seen| text(seen).lines().find(|line| line.contains('▸')).map(str::to_string).unwrap_or_default();
    let first = session.look(marked);
    session.type_in(b"\x1b");
    std::thread::sleep(Duration::from_millis(30)); // the cut itself
    session.type_in(b"[B");
    session.until("the next dial", |seen| !marked(seen).is_empty() && marked(seen) != first);
}

#[test]
fn without_colour_there_are_still_bold_and_reverse() {
    let mut session = at_rest(&[("NO_COLOR", "1")]);
    session.type_in(b"?");
    session.says("Keys");
    session.look(|seen| {
        assert!(cells(seen).any(|cell| cell.bold() || cell.inverse()), "nothing is set off");
        let coloured =
            cells(seen).find(|cell| cell.fgcolor() != vt100::Color::Default || cell.bgcolor() != vt100::Color::Default);
        assert!(coloured.is_none(), "{coloured:?} has a colour");
    });
}

#[test]
fn any_size_and_a_storm_of_sizes_are_survived() {
    let mut session = at_rest(&[]);
    session.resize(20, 3);
    session.says("need 60x16");
    session.resize(1, 1);
    session.resize(80, 24);
    still(&session);
    for i in 0..100u16 {
        session.resize(20 + 2 * i, 5 + i % 50);
    }
    session.resize(120, 40);
    session.until("the last size", |seen| text(seen).lines().count() == 40 && text(seen).contains("852/852"));
    session.type_in(b"q");
    assert_eq!(session.exit_code(), 0);
    session.assert_given_back();
}

#[test]
fn a_terminal_without_a_size_gets_80_by_24() {
    let command = format!("stty rows 0 cols 0 && exec {PROGRAM} replay assets/demo --pace max");
    let mut session = Session::start(Path::new("/bin/sh"), &["-c", &command], &[("LANG", "C.UTF-8")], (80, 24));
    still(&session);
    session.look(|seen| assert!(text(seen).lines().next().unwrap().contains("demo")));
    session.type_in(b"q");
    assert_eq!(session.exit_code(), 0);
}

#[test]
fn a_terminal_that_nobody_looks_at_gets_one_frame_a_second() {
    let mut session = replay("1", &[]);
    session.says("RUN");
    session.type_in(b"\x1b[O");
    let after = |more: usize| {
        let now = session.look(frames);
        session.until("more frames", |seen| frames(seen) >= now + more);
    };
    // The first two may have been on their way.
    after(2);
    let began = Instant::now();
    after(4);
    assert!(began.elapsed() > Duration::from_millis(2_800), "four frames in {:?}", began.elapsed());
}

#[test]
fn a_terminal_that_does_not_read_holds_nothing_up() {
    let size = PtySize { rows: 60, cols: 200, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(PROGRAM);
    command.args(["replay", "assets/demo", "--pace", "4"]);
    command.cwd(std::env::current_dir().unwrap());
    command.env("TERM", "xterm-256color");
    command.env("LANG", "C.UTF-8");
    let mut child = pair.slave.spawn_command(command).unwrap();
    let (mut from, mut to) = (pair.master.try_clone_reader().unwrap(), pair.master.take_writer().unwrap());
    // Until it has begun; then nobody reads for three seconds, and frames of everything are asked for.
    let mut byte = [0; 1];
    from.read_exact(&mut byte).unwrap();
    let stalled = Instant::now();
    while stalled.elapsed() < Duration::from_secs(3) {
        to.write_all(b"\x0c").unwrap();
        std::thread::sleep(Duration::from_millis(50)); // the stall itself
    }
    assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
    to.write_all(b"q").unwrap();
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it waits for a terminal that does not read");
        }
        std::thread::sleep(Duration::from_millis(5)); // there is nothing to be woken by; the deadline decides
    }
}
