//! What the System view remembers between frames.

use crate::ui::cost::Cost;

#[derive(Clone, Debug, Default)]
pub struct System {
    pub section: Section,
    /// Lines that the section with the focus is scrolled down.
    pub down: usize,
    pub span: Span,
    pub overlay: Overlay,
    /// What this screen costs, as of about a second ago; `None` where nobody counts.
    pub cost: Option<Cost>,
    /// Frames a second at most.
    pub max_fps: u32,
}

/// A part of the view; on a small screen it is the only one there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Section {
    #[default]
    Gpus,
    Host,
    Steps,
    Terminal,
}

impl Section {
    pub const ALL: [Self; 4] = [Self::Gpus, Self::Host, Self::Steps, Self::Terminal];
}

/// Which steps the histogram counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Span {
    #[default]
    Run,
    Minute,
}

/// Whether the first line ends with what the screen costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlay {
    #[default]
    Off,
    On,
}
