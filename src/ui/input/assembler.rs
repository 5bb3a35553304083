//! From bytes and the times they came at to keys, pastes and focus changes. Pure: no clock, no descriptor.
//!
//! Three things make this more than a table of sequences:
//! * **The network cuts sequences.** An ESC alone may be the Escape key or the first third of an arrow; it waits `escape_time`.
//! * **Terminals answer.** Reports that nobody asked for, or that come late, are recognised by their form and dropped.
//! * **What is not typed is not typing.** More than [`BURST`] characters within [`BURST_TIME`] are no fingers: a paste without
//!   brackets, or the tail of a reply whose head was lost. They come out as one [`Input::Paste`], which nothing outside a text
//!   field acts on. The same character over and over is a held key whose repeats the network has bunched, and stays keys.
//!
//! It does not ask for the newer keyboard protocols, but reads their sequences where a terminal uses them unasked.

use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::event::{Focus, Input};

/// As many characters as can be typed, at most, within [`BURST_TIME`].
pub const BURST: usize = 8;
pub const BURST_TIME: Duration = Duration::from_millis(5);
/// A sequence whose rest does not come is dropped after this, and an unclosed paste is handed on: a lost byte must not cost
/// all keys from then on.
const INCOMPLETE: Duration = Duration::from_millis(500);
/// A reply, or one piece of a paste, is not longer than this.
const LONGEST: usize = 64 * 1024;

#[derive(Debug)]
pub struct Assembler {
    escape_time: Duration,
    state: State,
    /// When the last byte of an unfinished sequence came.
    since: Option<Instant>,
    burst: Vec<KeyEvent>,
    burst_began: Option<Instant>,
    burst_last: Option<Instant>,
}

/// What the bytes so far are the beginning of.
#[derive(Debug)]
enum State {
    Ground,
    Escape,
    /// `ESC O`
    Ss3,
    /// `ESC [` and what followed.
    Csi(Vec<u8>),
    /// `ESC [ [`: the Linux console's F1 to F5.
    Console,
    /// Bytes still to come of a mouse report in the oldest form, which is not delimited.
    Mouse(u8),
    /// A control string (OSC, DCS, APC, PM, SOS), by the character that began it and its length so far: replies, all of them.
    Text {
        began: u8,
        length: usize,
    },
    /// An ESC inside a control string, which may be the first half of its end.
    TextEscape,
    Utf8 {
        bytes: Vec<u8>,
        length: usize,
    },
    Paste(Vec<u8>),
}

impl Assembler {
    pub fn new(escape_time: Duration) -> Assembler {
        Assembler { escape_time, state: State::Ground, since: None, burst: Vec::new(), burst_began: None, burst_last: None }
    }

    /// Takes bytes that were read together at `now`.
    pub fn feed(&mut self, now: Instant, bytes: &[u8], out: &mut Vec<Input>) {
        self.expire(now, out);
        for &byte in bytes {
            self.step(now, byte, out);
            self.since = if matches!(self.state, State::Ground) { None } else { Some(now) };
        }
    }

    /// Decides what has waited long enough.
    pub fn expire(&mut self, now: Instant, out: &mut Vec<Input>) {
        if self.since.is_some_and(|since| now >= since + self.patience()) {
            self.since = None;
            match std::mem::replace(&mut self.state, State::Ground) {
                State::Escape => self.key(now, KeyCode::Esc, KeyModifiers::NONE, out),
                State::Ss3 => self.character(now, 'O', KeyModifiers::ALT, out),
                // No terminal's answer about pictures may ever be taken for a key, and Alt-_ is none of ours.
                State::Text { began: b'_', .. } => {}
                State::Text { began, length: 0 } => self.character(now, char::from(began), KeyModifiers::ALT, out),
                State::Paste(bytes) => self.paste(&bytes, out),
                State::Ground
                | State::Csi(_)
                | State::Console
                | State::Mouse(_)
                | State::Text { .. }
                | State::TextEscape
                | State::Utf8 { .. } => {}
            }
        }
        if self.burst_ends().is_some_and(|end| now >= end) {
            self.end_burst(out);
        }
    }

    /// When [`Assembler::expire`] will next have something to decide.
    pub fn deadline(&self) -> Option<Instant> {
        let unfinished = self.since.map(|since| since + self.patience());
        [unfinished, self.burst_ends()].into_iter().flatten().min()
    }

    fn patience(&self) -> Duration {
        match self.state {
            State::Text { began: b'_', .. } => INCOMPLETE,
            State::Escape | State::Ss3 | State::Text { length: 0, .. } => self.escape_time,
            State::Ground
            | State::Csi(_)
            | State::Console
            | State::Mouse(_)
            | State::Text { .. }
            | State::TextEscape
            | State::Utf8 { .. }
            | State::Paste(_) => INCOMPLETE,
        }
    }

    fn step(&mut self, now: Instant, byte: u8, out: &mut Vec<Input>) {
        match std::mem::replace(&mut self.state, State::Ground) {
            State::Ground => self.ground(now, byte, out),
            State::Escape => self.escape(now, byte, out),
            State::Ss3 => self.ss3(now, byte, out),
            State::Csi(bytes) => self.csi(now, bytes, byte, out),
            State::Console => {
                if (b'A'..=b'E').contains(&byte) {
                    self.key(now, KeyCode::F(byte - b'A' + 1), KeyModifiers::NONE, out);
                }
            }
            State::Mouse(left) => {
                if left > 1 {
                    self.state = State::Mouse(left - 1);
                }
            }
            State::Text { began, length } => match byte {
                0x07 => {}
                0x1b => self.state = State::TextEscape,
                // OSC begins with a number; anything else is Alt-] and a key after it.
                _ if began == b']' && length == 0 && !byte.is_ascii_digit() => {
                    self.character(now, ']', KeyModifiers::ALT, out);
                    self.step(now, byte, out);
                }
                _ if length >= LONGEST => {}
                _ => self.state = State::Text { began, length: length + 1 },
            },
            State::TextEscape => {
                if byte != b'\\' {
                    self.escape(now, byte, out); // not the end of the string: it was cut, and a sequence begins
                }
            }
            State::Utf8 { mut bytes, length } => {
                if byte & 0xc0 != 0x80 {
                    self.step(now, byte, out); // the rest of the character was lost
                    return;
                }
                bytes.push(byte);
                if bytes.len() < length {
                    self.state = State::Utf8 { bytes, length };
                } else if let Some(c) = std::str::from_utf8(&bytes).ok().and_then(|text| text.chars().next()) {
                    self.character(now, c, KeyModifiers::NONE, out);
                }
            }
            State::Paste(mut bytes) => {
                const END: &[u8] = b"\x1b[201~";
                bytes.push(byte);
                if bytes.ends_with(END) {
                    bytes.truncate(bytes.len() - END.len());
                    self.paste(&bytes, out);
                } else if bytes.len() >= LONGEST && byte != 0x1b && !bytes[bytes.len() - END.len()..].contains(&0x1b) {
                    self.paste(&bytes, out);
                    self.state = State::Paste(Vec::new());
                } else {
                    self.state = State::Paste(bytes);
                }
            }
        }
    }

    fn ground(&mut self, now: Instant, byte: u8, out: &mut Vec<Input>) {
        match byte {
            0x1b => self.state = State::Escape,
            0xc2..=0xdf => self.state = State::Utf8 { bytes: vec![byte], length: 2 },
            0xe0..=0xef => self.state = State::Utf8 { bytes: vec![byte], length: 3 },
            0xf0..=0xf4 => self.state = State::Utf8 { bytes: vec![byte], length: 4 },
            0x80..=0xc1 | 0xf5..=0xff => {} // no beginning of a character
            0..=0x7f => self.ascii(now, byte, KeyModifiers::NONE, out),
        }
    }

    fn ascii(&mut self, now: Instant, byte: u8, with: KeyModifiers, out: &mut Vec<Input>) {
        match byte {
            b'\r' | b'\n' => self.key(now, KeyCode::Enter, with, out),
            b'\t' => self.key(now, KeyCode::Tab, with, out),
            // Ctrl-H is what the Backspace key sends on terminals set up the older way.
            0x7f | 0x08 => self.key(now, KeyCode::Backspace, with, out),
            0 => self.key(now, KeyCode::Char(' '), with | KeyModifiers::CONTROL, out),
            0x01..=0x1a => self.key(now, KeyCode::Char(char::from(byte - 1 + b'a')), with | KeyModifiers::CONTROL, out),
            // Ctrl-\ to Ctrl-_, named 4 to 7 as crossterm does.
            0x1c..=0x1f => self.key(now, KeyCode::Char(char::from(byte - 0x1c + b'4')), with | KeyModifiers::CONTROL, out),
            _ => self.character(now, char::from(byte), with, out),
        }
    }

    fn escape(&mut self, now: Instant, byte: u8, out: &mut Vec<Input>) {
        match byte {
            b'[' => self.state = State::Csi(Vec::new()),
            b'O' => self.state = State::Ss3,
            b']' | b'P' | b'X' | b'^' | b'_' => self.state = State::Text { began: byte, length: 0 },
            0x1b => {
                self.key(now, KeyCode::Esc, KeyModifiers::NONE, out);
                self.state = State::Escape;
            }
            0..=0x7f => self.ascii(now, byte, KeyModifiers::ALT, out),
            0x80..=0xff => {
                self.key(now, KeyCode::Esc, KeyModifiers::NONE, out);
                self.ground(now, byte, out);
            }
        }
    }

    fn ss3(&mut self, now: Instant, byte: u8, out: &mut Vec<Input>) {
        if let Some(code) = cursor_key(byte) {
            self.key(now, code, KeyModifiers::NONE, out);
        } else if byte == b'M' {
            self.key(now, KeyCode::Enter, KeyModifiers::NONE, out); // the keypad's, in application mode
        } else if byte == 0x1b {
            self.character(now, 'O', KeyModifiers::ALT, out);
            self.state = State::Escape;
        }
    }

    fn csi(&mut self, now: Instant, mut bytes: Vec<u8>, byte: u8, out: &mut Vec<Input>) {
        match byte {
            0x1b => self.state = State::Escape,
            b'[' if bytes.is_empty() => self.state = State::Console,
            b'M' if bytes.is_empty() => self.state = State::Mouse(3),
            0x20..=0x3f => {
                if bytes.len() < 64 {
                    bytes.push(byte); // longer ones are no key, and only their end matters
                }
                self.state = State::Csi(bytes);
            }
            0x40..=0x7e => self.sequence(now, &bytes, byte, out),
            _ => self.ground(now, byte, out), // no part of a sequence: it was cut, and this is a key
        }
    }

    fn sequence(&mut self, now: Instant, bytes: &[u8], last: u8, out: &mut Vec<Input>) {
        // A private mark (`? < = >`) or an intermediate byte (`$`, space): a report, never a key.
        let Some(Parameters { first, second, third, release }) = parameters(bytes) else { return };
        if release {
            return;
        }
        let with = modifiers(second);
        match (last, first) {
            (b'I', _) => self.other(Input::Focus(Focus::Gained), out),
            (b'O', _) => self.other(Input::Focus(Focus::Lost), out),
            (b'Z', _) => self.key(now, KeyCode::BackTab, KeyModifiers::SHIFT, out),
            (b'u', Some(code)) => self.code_point(now, code, with, out),
            (b'~', Some(200)) => {
                self.end_burst(out);
                self.state = State::Paste(Vec::new());
            }
            (b'~', Some(27)) => self.code_point(now, third.unwrap_or(0), with, out), // xterm's modifyOtherKeys
            (b'~', Some(number)) => {
                if let Some(code) = numbered_key(number) {
                    self.key(now, code, with, out);
                }
            }
            // `ESC [ row ; column R` is where the cursor is, unless it is F3 with a modifier.
            (b'R', Some(row)) if row != 1 || second.is_none_or(|modifier| modifier > 16) => {}
            _ => {
                if let Some(code) = cursor_key(last) {
                    self.key(now, code, with, out);
                }
            }
        }
    }

    /// A key by its Unicode number, as the newer keyboard protocols say it.
    fn code_point(&mut self, now: Instant, code: u32, with: KeyModifiers, out: &mut Vec<Input>) {
        match code {
            9 if with.contains(KeyModifiers::SHIFT) => self.key(now, KeyCode::BackTab, with, out),
            9 => self.key(now, KeyCode::Tab, with, out),
            13 => self.key(now, KeyCode::Enter, with, out),
            27 => self.key(now, KeyCode::Esc, with, out),
            8 | 127 => self.key(now, KeyCode::Backspace, with, out),
            // The private-use area holds keys without a character (keypad, media, bare modifiers).
            0xe000..=0xf8ff => {}
            _ => match char::from_u32(code).filter(|c| !c.is_control()) {
                Some(c) if with.contains(KeyModifiers::SHIFT) && c.is_ascii_lowercase() => {
                    self.character(now, c.to_ascii_uppercase(), with, out);
                }
                Some(c) => self.character(now, c, with, out),
                None => {}
            },
        }
    }

    fn character(&mut self, now: Instant, c: char, with: KeyModifiers, out: &mut Vec<Input>) {
        // As crossterm has it: a capital comes with Shift, which a legacy terminal does not tell.
        let with = if c.is_uppercase() { with | KeyModifiers::SHIFT } else { with };
        self.key(now, KeyCode::Char(c), with, out);
    }

    fn key(&mut self, now: Instant, code: KeyCode, with: KeyModifiers, out: &mut Vec<Input>) {
        let key = KeyEvent::new(code, with);
        if as_text(&key).is_some() {
            if self.burst_ends().is_some_and(|end| now >= end) {
                self.end_burst(out);
            }
            self.burst_began.get_or_insert(now);
            self.burst_last = Some(now);
            self.burst.push(key);
        } else {
            self.other(Input::Key(key), out);
        }
    }

    fn other(&mut self, input: Input, out: &mut Vec<Input>) {
        self.end_burst(out);
        out.push(input);
    }

    fn paste(&mut self, bytes: &[u8], out: &mut Vec<Input>) {
        let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
        if !text.is_empty() {
            self.other(Input::Paste(text), out);
        }
    }

    /// A few characters wait for company from the first on; a burst lasts as long as it goes on.
    fn burst_ends(&self) -> Option<Instant> {
        let counted_from = if self.burst.len() > BURST { self.burst_last } else { self.burst_began };
        counted_from.map(|at| at + BURST_TIME)
    }

    fn end_burst(&mut self, out: &mut Vec<Input>) {
        let keys = std::mem::take(&mut self.burst);
        (self.burst_began, self.burst_last) = (None, None);
        let held = keys.windows(2).all(|pair| pair[0] == pair[1]);
        if keys.len() > BURST && !held {
            out.push(Input::Paste(keys.iter().filter_map(as_text).collect()));
        } else {
            out.extend(keys.into_iter().map(Input::Key));
        }
    }
}

/// The character that this key would put into a text; `None` for keys that no pasted text contains.
fn as_text(key: &KeyEvent) -> Option<char> {
    if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SUPER) {
        return None;
    }
    match key.code {
        KeyCode::Char(c) => Some(c),
        KeyCode::Enter => Some('\n'),
        KeyCode::Tab => Some('\t'),
        _ => None,
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Parameters {
    first: Option<u32>,
    second: Option<u32>,
    third: Option<u32>,
    /// The newer protocols tell of releases as well; they are not ours.
    release: bool,
}

fn parameters(bytes: &[u8]) -> Option<Parameters> {
    if !bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b';' || *byte == b':') {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let mut parts = text.split(';').map(|part| part.split(':').map(|number| number.parse::<u32>().ok()));
    let mut number = |release: &mut bool| {
        let mut part = parts.next()?;
        let main = part.next()?;
        *release |= part.next().flatten() == Some(3);
        main
    };
    let (mut in_first, mut release) = (false, false);
    let first = number(&mut in_first); // a sub-parameter here is the key's other names
    let second = number(&mut release);
    let third = number(&mut in_first);
    Some(Parameters { first, second, third, release })
}

/// xterm's number is one more than the sum of Shift 1, Alt 2, Ctrl 4, Super 8.
fn modifiers(number: Option<u32>) -> KeyModifiers {
    let bits = number.unwrap_or(1).saturating_sub(1);
    let pairs = [(1, KeyModifiers::SHIFT), (2, KeyModifiers::ALT), (4, KeyModifiers::CONTROL), (8, KeyModifiers::SUPER)];
    pairs.into_iter().filter(|(bit, _)| bits & bit != 0).map(|(_, with)| with).collect()
}

fn cursor_key(last: u8) -> Option<KeyCode> {
    Some(match last {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'H' => KeyCode::Home,
        b'F' => KeyCode::End,
        b'P'..=b'S' => KeyCode::F(last - b'P' + 1),
        _ => return None,
    })
}

fn numbered_key(number: u32) -> Option<KeyCode> {
    Some(match number {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        11..=15 => KeyCode::F((number - 10) as u8),
        17..=21 => KeyCode::F((number - 11) as u8),
        23..=24 => KeyCode::F((number - 12) as u8),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ESCAPE_TIME: Duration = Duration::from_millis(60);

    /// Feeds each piece at its time in ms, with the deadlines in between kept as the thread keeps them, and lets everything end.
    fn assemble(pieces: &[(u64, &[u8])]) -> Vec<Input> {
        let start = Instant::now();
        let mut assembler = Assembler::new(ESCAPE_TIME);
        let mut out = Vec::new();
        for (at, bytes) in pieces {
            let now = start + Duration::from_millis(*at);
            while let Some(deadline) = assembler.deadline().filter(|deadline| *deadline <= now) {
                assembler.expire(deadline, &mut out);
            }
            assembler.feed(now, bytes, &mut out);
        }
        while let Some(deadline) = assembler.deadline() {
            assembler.expire(deadline, &mut out);
        }
        out
    }

    fn key(code: KeyCode) -> Input {
        Input::Key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn with(code: KeyCode, modifiers: KeyModifiers) -> Input {
        Input::Key(KeyEvent::new(code, modifiers))
    }

    fn keys(text: &str) -> Vec<Input> {
        text.chars().map(|c| key(KeyCode::Char(c))).collect()
    }

    #[test]
    fn an_arrow_cut_anywhere_is_an_arrow() {
        let down = vec![key(KeyCode::Down)];
        assert_eq!(assemble(&[(0, b"\x1b[B")]), down);
        assert_eq!(assemble(&[(0, b"\x1b"), (50, b"[B")]), down);
        assert_eq!(assemble(&[(0, b"\x1b"), (30, b"["), (300, b"B")]), down);
        assert_eq!(assemble(&[(0, b"\x1b["), (400, b"B")]), down);
        assert_eq!(assemble(&[(0, b"\x1b"), (20, b"O"), (40, b"B")]), down);
        assert_eq!(assemble(&[(0, b"\x1b[1;"), (200, b"5C")]), [with(KeyCode::Right, KeyModifiers::CONTROL)]);
    }

    #[test]
    fn escape_alone_is_escape_once_its_time_is_over() {
        assert_eq!(assemble(&[(0, b"\x1b")]), [key(KeyCode::Esc)]);
        assert_eq!(assemble(&[(0, b"\x1b"), (70, b"q")]), [key(KeyCode::Esc), key(KeyCode::Char('q'))]);
        assert_eq!(assemble(&[(0, b"\x1b\x1b")]), [key(KeyCode::Esc), key(KeyCode::Esc)]);
        assert_eq!(assemble(&[(0, b"\x1b\x1b[A")]), [key(KeyCode::Esc), key(KeyCode::Up)]);
        let mut assembler = Assembler::new(ESCAPE_TIME);
        let (start, mut out) = (Instant::now(), Vec::new());
        assembler.feed(start, b"\x1b", &mut out);
        assert_eq!(assembler.deadline(), Some(start + ESCAPE_TIME));
        assembler.expire(start + ESCAPE_TIME.mul_f32(0.9), &mut out);
        assert_eq!(out, [], "too early to say");
        assembler.expire(start + ESCAPE_TIME, &mut out);
        assert_eq!(out, [key(KeyCode::Esc)]);
    }

    #[test]
    fn a_sequence_that_never_ends_costs_half_a_second_and_no_more() {
        for begun in [&b"\x1b[12"[..], b"\x1bPxy", b"\x1b]11;rgb", b"\xe2\x82", b"\x1b[[", b"\x1b[M!"] {
            assert_eq!(assemble(&[(0, begun), (600, b"q")]), keys("q"), "{begun:?}");
        }
    }

    #[test]
    fn replies_are_not_keys() {
        for reply in [
            &b"\x1b[?2026;2$y"[..],
            b"\x1b[?62;4c",
            b"\x1b[>41;330;0c",
            b"\x1b[0n",
            b"\x1b[12;40R",
            b"\x1b[?1u",
            b"\x1b]11;rgb:1e1e/1e1e/1e1e\x1b\\",
            b"\x1b]11;rgb:1e1e/1e1e/1e1e\x07",
            b"\x1bP>|XTerm(388)\x1b\\",
            b"\x1b_Gi=1;OK\x1b\\",
            b"\x1b[<35;10;5M",
            b"\x1b[M !!",
        ] {
            assert_eq!(assemble(&[(0, reply), (0, b"j")]), keys("j"), "{}", reply.escape_ascii());
            let bytewise: Vec<(u64, &[u8])> = reply.chunks(1).zip((0..).step_by(20)).map(|(piece, at)| (at, piece)).collect();
            assert_eq!(assemble(&bytewise), [], "{} in pieces", reply.escape_ascii());
        }
    }

    /// What kitty answers about pictures, late and cut anywhere by a slow network.
    #[test]
    fn an_answer_about_pictures_is_never_a_key() {
        for reply in [&b"\x1b_Gi=31;OK\x1b\\"[..], b"\x1b_Gi=31;ENOENT:no such image\x1b\\", b"\x1b_Gi=1,p=2;EINVAL:q\x1b\\"] {
            for cut in 2..reply.len() {
                for wait in [0, 30, 100, 400] {
                    let seen = assemble(&[(0, &reply[..cut]), (wait, &reply[cut..]), (wait + 1, b"j")]);
                    assert_eq!(seen, keys("j"), "{} after {cut} bytes, {wait} ms", reply.escape_ascii());
                }
            }
            // Between ESC and the rest it is an Escape once the patience is over, and the rest comes at once: no typing.
            let seen = assemble(&[(0, &reply[..1]), (50, &reply[1..])]);
            assert_eq!(seen, []);
        }
        assert_eq!(assemble(&[(0, b"\x1b_"), (2_000, b"q")]), keys("q"), "and what never ends takes no key away");
    }

    #[test]
    fn a_burst_is_a_paste_and_typing_is_not() {
        assert_eq!(assemble(&[(0, b"]11;rgb:1e1e")]), [Input::Paste("]11;rgb:1e1e".into())]);
        assert_eq!(assemble(&[(0, b"12345678")]), keys("12345678"));
        assert_eq!(assemble(&[(0, b"12345678"), (4, b"9")]), [Input::Paste("123456789".into())]);
        assert_eq!(assemble(&[(0, b"12345678"), (6, b"9")]), keys("123456789"));
        assert_eq!(assemble(&[(0, b"123456789"), (4, b"a"), (8, b"b")]), [Input::Paste("123456789ab".into())]);
        assert_eq!(assemble(&[(0, b"lr 1\rlr 2\r")]), [Input::Paste("lr 1\nlr 2\n".into())]);
        assert_eq!(assemble(&[(0, b"jjjjjjjjjjjj")]), keys("jjjjjjjjjjjj"), "a held key");
        assert_eq!(assemble(&[(0, b"0.05\r")]), [keys("0.05"), vec![key(KeyCode::Enter)]].concat());
    }

    #[test]
    fn order_is_kept_between_characters_and_other_keys() {
        let seen = assemble(&[(0, b"a\x1b[Ab\x03")]);
        let expected =
            [key(KeyCode::Char('a')), key(KeyCode::Up), key(KeyCode::Char('b')), with(KeyCode::Char('c'), KeyModifiers::CONTROL)];
        assert_eq!(seen, expected);
    }

    #[test]
    fn bracketed_pastes_are_whole() {
        assert_eq!(assemble(&[(0, b"\x1b[200~q\r\nx\x1b[201~j")]), [Input::Paste("q\nx".into()), key(KeyCode::Char('j'))]);
        assert_eq!(assemble(&[(0, b"\x1b[200~ab"), (100, b"c\x1b[20"), (150, b"1~")]), [Input::Paste("abc".into())]);
        assert_eq!(
            assemble(&[(0, b"\x1b[200~lost end"), (600, b"j")]),
            [Input::Paste("lost end".into()), key(KeyCode::Char('j'))]
        );
        assert_eq!(assemble(&[(0, b"\x1b[200~\x1b[201~")]), [], "an empty paste is nothing");
        let long = [b"\x1b[200~".to_vec(), vec![b'x'; 3 * LONGEST + 5], b"\x1b[201~".to_vec()].concat();
        let pasted: usize = assemble(&[(0, &long)])
            .into_iter()
            .map(|input| match input {
                Input::Paste(text) => text.len(),
                other => panic!("{other:?} in a paste"),
            })
            .sum();
        assert_eq!(pasted, 3 * LONGEST + 5);
    }

    #[test]
    fn the_usual_keys() {
        use KeyModifiers as M;
        let cases: &[(&[u8], Input)] = &[
            (b"\r", key(KeyCode::Enter)),
            (b"\t", key(KeyCode::Tab)),
            (b"\x1b[Z", with(KeyCode::BackTab, M::SHIFT)),
            (b"\x7f", key(KeyCode::Backspace)),
            (b"\x08", key(KeyCode::Backspace)),
            (b"\x0c", with(KeyCode::Char('l'), M::CONTROL)),
            (b"\x00", with(KeyCode::Char(' '), M::CONTROL)),
            (b"\x1c", with(KeyCode::Char('4'), M::CONTROL)),
            (b"G", with(KeyCode::Char('G'), M::SHIFT)),
            ("\u{3bb}".as_bytes(), key(KeyCode::Char('\u{3bb}'))),
            ("\u{1f600}".as_bytes(), key(KeyCode::Char('\u{1f600}'))),
            (b"\x1bx", with(KeyCode::Char('x'), M::ALT)),
            (b"\x1b]", with(KeyCode::Char(']'), M::ALT)),
            (b"\x1bO", with(KeyCode::Char('O'), M::ALT | M::SHIFT)),
            (b"\x1bOP", key(KeyCode::F(1))),
            (b"\x1b[[C", key(KeyCode::F(3))),
            (b"\x1b[1;2R", with(KeyCode::F(3), M::SHIFT)),
            (b"\x1b[15~", key(KeyCode::F(5))),
            (b"\x1b[24~", key(KeyCode::F(12))),
            (b"\x1b[5~", key(KeyCode::PageUp)),
            (b"\x1b[3;5~", with(KeyCode::Delete, M::CONTROL)),
            (b"\x1b[H", key(KeyCode::Home)),
            (b"\x1b[4~", key(KeyCode::End)),
            (b"\x1b[97;5u", with(KeyCode::Char('a'), M::CONTROL)),
            (b"\x1b[27;2;97~", with(KeyCode::Char('A'), M::SHIFT)),
            (b"\x1b[I", Input::Focus(Focus::Gained)),
            (b"\x1b[O", Input::Focus(Focus::Lost)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(assemble(&[(0, bytes)]), std::slice::from_ref(expected), "{}", bytes.escape_ascii());
        }
        assert_eq!(assemble(&[(0, b"\x1b[97;1:3u")]), [], "a key released");
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

        /// Whatever noise came before, a second later the keyboard works.
        #[test]
        fn no_noise_takes_the_keyboard_away(noise in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let seen = assemble(&[(0, &noise), (1200, b"\x1b[B")]);
            proptest::prop_assert_eq!(seen.last(), Some(&key(KeyCode::Down)));
        }
    }
}
