//! ratatui's backend, made quiet: a frame is collected in memory, and a frame that changes nothing stays empty.
//! (crossterm's own backend resets attributes and hides the cursor in every frame, 25 bytes for nothing, and flushes in the middle.)
//! It answers every question itself: a cursor position asked of the terminal would come back as input.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Rect, Size};

const SYNC_BEGIN: &[u8] = b"\x1b[?2026h";
const SYNC_END: &[u8] = b"\x1b[?2026l";
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

impl ScreenBackend {
    /// For a screen whose cursor is hidden, as it is after entering. A new backend begins with a cleared screen, and hides the
    /// cursor that its predecessor may have shown.
    pub fn new(frame: FrameWriter, area: Rect) -> ScreenBackend {
        ScreenBackend { inner: CrosstermBackend::new(frame), area, at: None, visible: true }
    }
}

impl Backend for ScreenBackend {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut content = content.peekable();
        if content.peek().is_none() {
            return Ok(());
        }
        self.at = None;
        self.inner.draw(content)
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
