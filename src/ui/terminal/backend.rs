//! ratatui's backend, made quiet: a frame is collected in memory, and a frame that changes nothing stays empty.
//! (crossterm's own backend resets every attribute on its own and hides the cursor in every frame, names row and column for each
//! move, and flushes in the middle: a fifth of all bytes.) A frame takes nothing for granted from the one before: whatever else was
//! written to the terminal meanwhile, a wall message for instance, must not colour all that follows.
//! It answers every question itself: a cursor position asked of the terminal would come back as input.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Rect, Size};
use ratatui::style::{Color, Modifier};

const SYNC_BEGIN: &[u8] = b"\x1b[?2026h";
const SYNC_END: &[u8] = b"\x1b[?2026l";
const SGR_RESET: &[u8] = b"\x1b[m";
const CLEAR: &[u8] = b"\x1b[0m\x1b[2J";

/// The frame being made. Clones share it; `flush` does nothing, because only the end of the frame is a good moment.
#[derive(Clone, Debug, Default)]
pub struct FrameWriter {
    frame: Rc<RefCell<Pending>>,
}

#[derive(Debug, Default)]
struct Pending {
    clear: bool,
    bytes: Vec<u8>,
}

impl FrameWriter {
    /// The frame will begin with a cleared screen. What was collected before is void.
    pub fn clear_screen(&self) {
        let mut frame = self.frame.borrow_mut();
        frame.clear = true;
        frame.bytes.clear();
    }

    /// The finished frame, ready for one write; `None` if there is nothing to send. A clear stays before the synchronized part:
    /// tmux 3.7a loses what is drawn after a clear inside it.
    pub fn take(&self, synchronized: bool) -> Option<Vec<u8>> {
        let Pending { clear, bytes } = std::mem::take(&mut *self.frame.borrow_mut());
        if bytes.is_empty() && !clear {
            return None;
        }
        let clear: &[u8] = if clear { CLEAR } else { b"" };
        let (begin, end): (&[u8], &[u8]) = if synchronized { (SYNC_BEGIN, SYNC_END) } else { (b"", b"") };
        Some([clear, begin, &bytes, end].concat())
    }
}

impl Write for FrameWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.frame.borrow_mut().bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
pub struct ScreenBackend {
    inner: CrosstermBackend<FrameWriter>,
    area: Rect,
    /// Where the cursor is known to be; drawing moves it.
    at: Option<Position>,
    visible: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pen {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

const RESET: Pen = Pen { fg: Color::Reset, bg: Color::Reset, modifier: Modifier::empty() };

/// What the views use, and the number that switches it on.
pub const MODIFIERS: [(Modifier, u8); 5] =
    [(Modifier::BOLD, 1), (Modifier::DIM, 2), (Modifier::ITALIC, 3), (Modifier::UNDERLINED, 4), (Modifier::REVERSED, 7)];

impl Pen {
    fn of(cell: &Cell) -> Self {
        Self { fg: cell.fg, bg: cell.bg, modifier: cell.modifier }
    }

    /// The shortest way from one to the other: one sequence.
    fn change(&mut self, to: Self, out: &mut Vec<u8>) {
        let mut from = std::mem::replace(self, to);
        if from == to {
            return;
        }
        let mut numbers = String::new();
        // Taking one attribute away takes all of them: terminals disagree about the numbers for single ones.
        if !to.modifier.contains(from.modifier) {
            numbers.push_str("0;");
            from = RESET;
        }
        for (modifier, number) in MODIFIERS {
            if to.modifier.contains(modifier) && !from.modifier.contains(modifier) {
                numbers.push_str(&number.to_string());
                numbers.push(';');
            }
        }
        if from.fg != to.fg {
            numbers.push_str(&colour(to.fg, 30));
        }
        if from.bg != to.bg {
            numbers.push_str(&colour(to.bg, 40));
        }
        let numbers = numbers.trim_end_matches(';');
        out.extend_from_slice(format!("\x1b[{}m", if numbers == "0" { "" } else { numbers }).as_bytes());
    }
}

/// What switches a colour on, each number followed by a semicolon; `base`: 30 for letters, 40 for the ground.
pub fn colour(colour: Color, base: u8) -> String {
    let named = |n: u8| format!("{};", base + n);
    let bright = |n: u8| format!("{};", base + 60 + n);
    match colour {
        Color::Reset => named(9),
        Color::Black => named(0),
        Color::Red => named(1),
        Color::Green => named(2),
        Color::Yellow => named(3),
        Color::Blue => named(4),
        Color::Magenta => named(5),
        Color::Cyan => named(6),
        Color::Gray => named(7),
        Color::DarkGray => bright(0),
        Color::LightRed => bright(1),
        Color::LightGreen => bright(2),
        Color::LightYellow => bright(3),
        Color::LightBlue => bright(4),
        Color::LightMagenta => bright(5),
        Color::LightCyan => bright(6),
        Color::White => bright(7),
        Color::Rgb(r, g, b) => format!("{};2;{r};{g};{b};", base + 8),
        Color::Indexed(i) => format!("{};5;{i};", base + 8),
    }
}

/// Where the cursor is while a frame is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Unknown,
    At(Position),
    /// As the last one, if the terminal gives each glyph as many cells as we do. Box drawing and Greek are "ambiguous", and two cells
    /// wide on some: next to it one writes on, but a leap starts from a place that is certain.
    Presumed(Position),
}

impl Place {
    fn go(self, to: Position, out: &mut Vec<u8>) {
        let text = match self {
            Self::At(from) | Self::Presumed(from) if from == to => return,
            Self::At(from) if from.y == to.y && to.x == from.x + 1 => "\x1b[C".to_string(),
            Self::At(from) if from.y == to.y && to.x > from.x => format!("\x1b[{}C", to.x - from.x),
            Self::At(_) | Self::Presumed(_) | Self::Unknown => format!("\x1b[{};{}H", to.y + 1, to.x + 1),
        };
        out.extend_from_slice(text.as_bytes());
    }

    fn after(self, symbol: &str, at: Position, edge: u16) -> Self {
        let next = Position { x: at.x + 1, y: at.y };
        // In the last column terminals differ in where the cursor stands.
        if next.x >= edge || unicode_width::UnicodeWidthStr::width(symbol) != 1 {
            return Self::Unknown;
        }
        let certain = symbol.chars().all(|c| c.is_ascii() || ('\u{2800}'..='\u{28ff}').contains(&c));
        match self {
            // Presumed until the next absolute move.
            Self::Presumed(before) if before == at => Self::Presumed(next),
            Self::At(_) | Self::Presumed(_) | Self::Unknown if certain => Self::At(next),
            Self::At(_) | Self::Presumed(_) | Self::Unknown => Self::Presumed(next),
        }
    }
}

impl ScreenBackend {
    /// For a screen whose cursor is hidden, as it is after entering. A new backend begins with a cleared screen, and hides the
    /// cursor that its predecessor may have shown.
    pub fn new(frame: FrameWriter, area: Rect) -> ScreenBackend {
        ScreenBackend { inner: CrosstermBackend::new(frame), area, at: None, visible: true }
    }
}

/// Cells up to which it is tried what order is the shorter one.
const FEW: usize = 800;

impl ScreenBackend {
    /// What draws these cells in this order.
    fn written(&self, cells: &[(u16, u16, &Cell)]) -> Vec<u8> {
        let mut bytes = SGR_RESET.to_vec();
        let (mut pen, mut at) = (RESET, Place::Unknown);
        for &(x, y, cell) in cells {
            at.go(Position { x, y }, &mut bytes);
            pen.change(Pen::of(cell), &mut bytes);
            bytes.extend_from_slice(cell.symbol().as_bytes());
            at = at.after(cell.symbol(), Position { x, y }, self.area.right());
        }
        bytes
    }
}

impl Backend for ScreenBackend {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut cells: Vec<_> = content.collect();
        if cells.is_empty() {
            return Ok(());
        }
        self.at = None;
        let mut bytes = self.written(&cells);
        if cells.len() <= FEW {
            // In a frame that changes little most bytes are colours: by pen each is named once, for a few leaps more.
            let mut pens = Vec::with_capacity(8);
            cells.sort_by_cached_key(|(_, _, cell)| {
                let pen = Pen::of(cell);
                pens.iter().position(|known| *known == pen).unwrap_or_else(|| {
                    pens.push(pen);
                    pens.len() - 1
                })
            });
            let by_pen = self.written(&cells);
            if by_pen.len() < bytes.len() {
                bytes = by_pen;
            }
        }
        self.inner.write_all(&bytes)
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.visible, false) { self.inner.hide_cursor() } else { Ok(()) }
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.visible, true) { Ok(()) } else { self.inner.show_cursor() }
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(self.at.unwrap_or(Position::ORIGIN))
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let position = position.into();
        if self.at.replace(position) == Some(position) { Ok(()) } else { self.inner.set_cursor_position(position) }
    }

    fn clear(&mut self) -> io::Result<()> {
        self.at = None;
        self.inner.clear()
    }

    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        self.at = None;
        self.inner.clear_region(region)
    }

    fn size(&self) -> io::Result<Size> {
        Ok(self.area.as_size())
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.area.as_size(), pixels: Size::ZERO })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::buffer::Buffer;
    use ratatui::style::Style;

    fn written(draw: impl Fn(&mut Buffer)) -> String {
        let area = Rect::new(0, 0, 20, 3);
        let mut buffer = Buffer::empty(area);
        draw(&mut buffer);
        let frame = FrameWriter::default();
        let mut backend = ScreenBackend::new(frame.clone(), area);
        let blank = Buffer::empty(area);
        backend.draw(blank.diff(&buffer).into_iter()).unwrap();
        String::from_utf8(frame.take(false).unwrap_or_default()).unwrap()
    }

    #[test]
    fn a_frame_says_each_thing_once() {
        let red = Style::new().fg(Color::Red);
        let shown = written(|b| {
            b.set_string(2, 1, "ab", red.add_modifier(Modifier::BOLD));
            b.set_string(5, 1, "c", red.add_modifier(Modifier::BOLD));
            b.set_string(8, 1, "d", red);
            b.set_string(0, 2, "e", Style::new().fg(Color::Rgb(1, 2, 3)));
        });
        assert_eq!(shown, "\x1b[m\x1b[2;3H\x1b[1;31mab\x1b[Cc\x1b[2C\x1b[0;31md\x1b[3;1H\x1b[38;2;1;2;3me");
    }

    #[test]
    fn no_leap_starts_where_the_cursor_may_not_be() {
        assert_eq!(written(|b| _ = b.set_stringn(0, 0, "──", 2, Style::new())), "\x1b[m\x1b[1;1H──");
        let shown = written(|b| {
            b.set_string(0, 0, "─a", Style::new());
            b.set_string(4, 0, "b", Style::new());
        });
        assert_eq!(shown, "\x1b[m\x1b[1;1H─a\x1b[1;5Hb");
    }
}
