//! Ten thousand streams of keys, sizes, records and a terminal's own answers, from a fixed seed: nothing panics, and what a terminal
//! says by itself changes nothing.

use super::recording::{self, Kind, Machines, recording as tape};
use super::{fold, picture};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use rematch::protocol::{Command, Record};
use rematch::run::RunState;
use rematch::ui::intent::{self, Effect};
use rematch::ui::layout::View;
use rematch::ui::screen::Screen;

const STREAMS: u64 = 10_000;
/// What terminals send without being asked by a person, whole; streams cut them anywhere.
const REPLIES: [&str; 9] = [
    "\x1b]11;rgb:1a1a/2b2b/ffff\x1b\\",
    "\x1b]10;rgb:dada/e0e0/c5c5\x07",
    "\x1b[?62;22c",
    "\x1b[>0;276;0c",
    "\x1b[?2026;2$y",
    "\x1bP>|tmux 3.3a\x1b\\",
    "\x1b_Gi=31;OK\x1b\\",
    "\x1b[24;80R",
    "\x1b[B\x1b[I\x1b[O",
];

/// SplitMix64: the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % below
    }
}

fn plain(c: char) -> KeyEvent {
    let code = match c {
        '\x1b' => KeyCode::Esc,
        '\x07' => return KeyEvent::new(KeyCode::Char('g'), KeyModifiers::CONTROL),
        c => KeyCode::Char(c),
    };
    KeyEvent::new(code, KeyModifiers::NONE)
}

fn any_key(dice: &mut Dice) -> KeyEvent {
    const NAMED: [KeyCode; 14] = [
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Tab,
        KeyCode::BackTab,
        KeyCode::Backspace,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::F(1),
    ];
    match dice.roll(10) {
        0..=2 => KeyEvent::new(NAMED[dice.roll(NAMED.len() as u64) as usize], KeyModifiers::NONE),
        3 => KeyEvent::new(KeyCode::Char((b'a' + dice.roll(26) as u8) as char), KeyModifiers::CONTROL),
        4 => plain(['λ', 'é', '字', '\u{301}'][dice.roll(4) as usize]),
        _ => plain((b' ' + dice.roll(95) as u8) as char),
    }
}

/// Runs in several states of life, to begin a stream with.
fn lives() -> Vec<(Vec<Record>, RunState)> {
    let mut all: Vec<Vec<Record>> = [0, 1, 300, 700].map(|upto| tape(Kind::Rrm, Machines::Gpu, upto)).to_vec();
    all.push(tape(Kind::Sat, Machines::Cpu, u64::MAX));
    all.push(recording::paused(tape(Kind::Rrm, Machines::Cpu, 470)));
    all.push(recording::examining(tape(Kind::Rrm, Machines::Cpu, 470)));
    let looked_at = recording::exhibited(recording::examined(tape(Kind::Rrm, Machines::Gpu, 470), 0.3), 4, 28, 1);
    all.push(looked_at);
    all.push(Vec::new());
    all.into_iter().map(|records| (records.clone(), fold(&records).0)).collect()
}

fn screen(records: &[Record], state: &RunState, dice: &mut Dice) -> Screen {
    let (_, mut screen) = fold(&records[records.len().saturating_sub(3)..]);
    screen.now_ms = state.last_at_ms;
    screen.turn_to(View::ALL[dice.roll(View::ALL.len() as u64) as usize]);
    screen
}

/// Whether carrying this out would steer or end the run.
fn steers(effect: &Effect) -> bool {
    match effect {
        Effect::Ask(command, _) => match command {
            // Pausing is harmless, and a blank in an answer may do it.
            Command::Set { change, .. } => change.dial().is_some(),
            Command::Schedule(_) | Command::Unschedule(_) | Command::Stop(_) | Command::Examine(_) | Command::GiveUp => true,
            Command::SaveCheckpoint | Command::Evaluate | Command::Exhibit { .. } => false,
        },
        Effect::Pin(..) | Effect::Remove(_) | Effect::Fork(_) | Effect::Branch(..) | Effect::TakeLease => true,
        Effect::Leave(_)
        | Effect::Repaint
        | Effect::Suspend
        | Effect::Write(..)
        | Effect::Faster
        | Effect::Slower
        | Effect::TogglePace
        | Effect::Seek(_)
        | Effect::LookAtRuns
        | Effect::OpenRun(_) => false,
    }
}

#[test]
fn ten_thousand_streams_of_anything_are_survived() {
    let (lives, mut dice) = (lives(), Dice(1));
    for _ in 0..STREAMS {
        let (records, state) = &lives[dice.roll(lives.len() as u64) as usize];
        let mut screen = screen(records, state, &mut dice);
        for _ in 0..dice.roll(24) {
            intent::key(&mut screen, state, &any_key(&mut dice));
            screen.now_ms += dice.roll(700);
            if let (0, Some(record)) = (dice.roll(8), records.last()) {
                screen.saw(record, state);
            }
        }
        picture(1 + dice.roll(200) as u16, 1 + dice.roll(70) as u16, state, &screen);
    }
}

#[test]
fn ten_thousand_streams_of_terminals_answers_change_nothing() {
    let (lives, mut dice) = (lives(), Dice(2));
    for _ in 0..STREAMS {
        let (records, state) = &lives[dice.roll(lives.len() as u64) as usize];
        let mut screen = screen(records, state, &mut dice);
        let mut stream = String::new();
        for _ in 0..=dice.roll(4) {
            let reply = REPLIES[dice.roll(REPLIES.len() as u64) as usize];
            let (from, to) = (dice.roll(reply.len() as u64) as usize, reply.len() - dice.roll(3) as usize);
            stream.push_str(reply.get(from..to.max(from)).unwrap_or(reply));
        }
        for c in stream.chars() {
            let effects = intent::key(&mut screen, state, &plain(c));
            assert!(!effects.iter().any(steers), "{stream:?} at {c:?}: {effects:?}");
            screen.now_ms += 1;
        }
    }
}
