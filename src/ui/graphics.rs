//! Pictures in pixels, where the terminal takes them: the graphics protocol of kitty.
//!
//! Views say where pictures belong, as [`Placement`]s; a [`Stage`] turns what changed since the last frame into bytes. It writes
//! nothing itself. Each picture is sent once, by number, and placed as often as it is seen; every command asks for silence
//! (`q=2`), so that nothing comes back as input.

use super::raster::Raster;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ratatui::layout::Rect;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

/// How pictures are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Graphics {
    /// In half blocks or characters, as colours and glyphs allow.
    #[default]
    Cells,
    /// The same in 256 colours at most: half the bytes, for a distant terminal.
    FewColours,
    /// By the terminal itself; the cells below stay blank.
    Kitty,
}

/// A picture, and the cells that it covers.
#[derive(Clone, Debug)]
pub struct Placement {
    /// The same for the same picture, never 0.
    pub id: u32,
    pub area: Rect,
    pub picture: Arc<Raster>,
    pub cover: Cover,
}

/// What is drawn over a picture's cells. Pixels lie over letters, so a covered picture is taken away, but kept for afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    Open,
    Covered,
}

/// Base64 in one command.
const CHUNK: usize = 4_096;
/// Whether a picture of one pixel would be taken, and then what the terminal is (DA1), which all of them answer.
pub const QUESTION: &[u8] = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c";

/// What came of [`QUESTION`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Takes,
    TakesNot,
}

/// Looks for the answer in what was heard; `None` before the whole of it is there.
pub fn answer(heard: &[u8]) -> Option<Answer> {
    const TAKES: &[u8] = b"\x1b_Gi=31;OK\x1b\\";
    if heard.windows(TAKES.len()).any(|part| part == TAKES) {
        return Some(Answer::Takes);
    }
    // `ESC [ ? numbers c`; the pictures' answer would stand before it.
    let mut rest = heard;
    while let Some(at) = rest.windows(3).position(|part| part == b"\x1b[?") {
        rest = &rest[at + 3..];
        let end = rest.iter().position(|byte| !byte.is_ascii_digit() && *byte != b';');
        if end.is_some_and(|end| rest[end] == b'c') {
            return Some(Answer::TakesNot);
        }
    }
    None
}

/// What the terminal holds and shows.
#[derive(Debug, Default)]
pub struct Stage {
    sent: BTreeSet<u32>,
    placed: Vec<(u32, Rect, Cover)>,
}

impl Stage {
    /// What takes everything away when the terminal is given back; it begins with the end of a picture that may have been cut
    /// short.
    pub fn farewell(&self) -> Vec<u8> {
        let mut out = String::new();
        if !self.sent.is_empty() {
            out.push_str("\x1b\\");
        }
        for id in &self.sent {
            let _ = write!(out, "\x1b_Ga=d,d=I,i={id},q=2\x1b\\");
        }
        out.into_bytes()
    }

    /// Takes everything away, for a screen that is drawn anew.
    pub fn clear(&mut self) -> Vec<u8> {
        self.placed.clear();
        let mut out = String::new();
        for id in std::mem::take(&mut self.sent) {
            let _ = write!(out, "\x1b_Ga=d,d=I,i={id},q=2\x1b\\");
        }
        out.into_bytes()
    }

    /// What brings the terminal from what it shows to what is wanted; nothing where that is the same.
    pub fn show(&mut self, wanted: &[Placement]) -> Vec<u8> {
        let now: Vec<_> = wanted.iter().map(|placement| (placement.id, placement.area, placement.cover)).collect();
        if now == self.placed {
            return Vec::new();
        }
        let mut out = String::new();
        // All that was placed goes at once, and what stays is placed again: a few bytes each, since the pixels are there already.
        let kept: BTreeSet<u32> = wanted.iter().map(|placement| placement.id).collect();
        let (stay, go): (BTreeSet<u32>, BTreeSet<u32>) = self.sent.iter().partition(|id| kept.contains(id));
        for id in &go {
            let _ = write!(out, "\x1b_Ga=d,d=I,i={id},q=2\x1b\\");
        }
        for id in &stay {
            let _ = write!(out, "\x1b_Ga=d,d=i,i={id},q=2\x1b\\");
        }
        self.sent = stay;
        for (number, placement) in wanted.iter().enumerate() {
            if placement.cover == Cover::Covered {
                continue;
            }
            if self.sent.insert(placement.id) {
                transmit(placement, &mut out);
            }
            let Rect { x, y, width, height } = placement.area;
            let (id, place) = (placement.id, number + 1);
            let (row, column) = (y + 1, x + 1);
            // C=1: the cursor stays, so that the last row scrolls nothing.
            let _ = write!(out, "\x1b[{row};{column}H\x1b_Ga=p,i={id},p={place},c={width},r={height},C=1,U=0,q=2\x1b\\");
        }
        self.placed = now;
        out.into_bytes()
    }
}

fn transmit(placement: &Placement, out: &mut String) {
    let picture = &placement.picture;
    let text = BASE64_STANDARD.encode(picture.rgb().collect::<Vec<u8>>());
    let mut head = format!("a=t,t=d,f=24,s={},v={},i={},q=2,", picture.width(), picture.height(), placement.id);
    let mut rest = text.as_str();
    loop {
        let (chunk, after) = rest.split_at(rest.len().min(CHUNK));
        let more = u8::from(!after.is_empty());
        let _ = write!(out, "\x1b_G{head}m={more};{chunk}\x1b\\");
        if more == 0 {
            return;
        }
        "q=2,".clone_into(&mut head);
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::insight::{Group, Guess, Guesses, Piece};
    use crate::ui::raster::Pictures;

    fn placement(id: u32, x: u16, side: usize) -> Placement {
        let guess = Guess { class: 0, confidence: 0.5 };
        let pixels = BASE64_STANDARD.encode(vec![128; side * side]);
        let piece = Piece {
            group: Group::Fooled,
            index: 0,
            label: 0,
            shape: [1, side as u64, side as u64],
            image: pixels.clone(),
            delta: pixels,
            scale: 0.1,
            student: Guesses { before: guess, after: guess },
            teacher: None,
        };
        let [picture, ..] = Pictures::of(&piece).unwrap().three;
        Placement { id, area: Rect::new(x, 1, 4, 2), picture, cover: Cover::Open }
    }

    fn shown(stage: &mut Stage, wanted: &[Placement]) -> Vec<String> {
        let text = String::from_utf8(stage.show(wanted)).unwrap();
        assert!(text.matches("\x1b_G").count() == text.matches("q=2").count(), "{text}: all ask for silence");
        text.split("\x1b\\").filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn pixels_are_sent_once_and_only_changes_cost_anything() {
        let mut stage = Stage::default();
        let (one, other) = (placement(1, 0, 1), placement(2, 10, 1));
        let both = [one.clone(), other.clone()];
        let first = shown(&mut stage, &both);
        let expected = [
            "\x1b_Ga=t,t=d,f=24,s=1,v=1,i=1,q=2,m=0;gICA",
            "\x1b[2;1H\x1b_Ga=p,i=1,p=1,c=4,r=2,C=1,U=0,q=2",
            "\x1b_Ga=t,t=d,f=24,s=1,v=1,i=2,q=2,m=0;gICA",
            "\x1b[2;11H\x1b_Ga=p,i=2,p=2,c=4,r=2,C=1,U=0,q=2",
        ];
        assert_eq!(first, expected);
        assert_eq!(shown(&mut stage, &both), [""; 0], "the same again is free");
        let covered = both.clone().map(|placement| Placement { cover: Cover::Covered, ..placement });
        assert_eq!(shown(&mut stage, &covered), ["\x1b_Ga=d,d=i,i=1,q=2", "\x1b_Ga=d,d=i,i=2,q=2"]);
        assert_eq!(stage.farewell(), b"\x1b\\\x1b_Ga=d,d=I,i=1,q=2\x1b\\\x1b_Ga=d,d=I,i=2,q=2\x1b\\");
        let open = shown(&mut stage, &both);
        assert!(
            open.len() == 4 && open.iter().all(|part| !part.contains("a=t")),
            "after a dialog no pixels are sent again: {open:?}"
        );
        let second = shown(&mut stage, &[other]);
        assert_eq!(
            second,
            ["\x1b_Ga=d,d=I,i=1,q=2", "\x1b_Ga=d,d=i,i=2,q=2", "\x1b[2;11H\x1b_Ga=p,i=2,p=1,c=4,r=2,C=1,U=0,q=2"],
            "what goes is freed, what stays is not sent again"
        );
        assert_eq!(shown(&mut stage, &[]), ["\x1b_Ga=d,d=I,i=2,q=2"], "the view was left");
        assert_eq!(stage.farewell(), b"");
        shown(&mut stage, std::slice::from_ref(&one));
        assert_eq!(stage.clear(), b"\x1b_Ga=d,d=I,i=1,q=2\x1b\\");
        assert_eq!(shown(&mut stage, &[one]).len(), 2, "after a clear it is all sent again");
    }

    #[test]
    fn long_pictures_go_in_pieces() {
        let parts = shown(&mut Stage::default(), &[placement(7, 0, 64)]);
        assert_eq!(parts.len(), 5, "12288 bytes are 16384 in base64, four pieces; and where they go");
        assert!(parts[0].starts_with("\x1b_Ga=t,t=d,f=24,s=64,v=64,i=7,q=2,m=1;"));
        assert!(parts[1].starts_with("\x1b_Gq=2,m=1;") && parts[3].starts_with("\x1b_Gq=2,m=0;"));
        assert!(parts[..4].iter().all(|part| part.rsplit(';').next().unwrap().len() == CHUNK));
    }

    #[test]
    fn answers_are_heard_whole_and_among_others() {
        let takes = b"j\x1b_Gi=31;OK\x1b\\\x1b[?62;52;c";
        assert_eq!(answer(takes), Some(Answer::Takes));
        assert_eq!(answer(b"\x1b[?1;2c"), Some(Answer::TakesNot));
        assert_eq!(answer(b"\x1b_Gi=31;EBADF:no\x1b\\\x1b[?62;c"), Some(Answer::TakesNot));
        for part in [&b""[..], b"\x1b[?62;", b"\x1b_Gi=31;OK", b"\x1b[?2026;2$y", b"\x1b[Ac"] {
            assert_eq!(answer(part), None, "{}", part.escape_ascii());
        }
    }
}
