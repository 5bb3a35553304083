//! What the Log view remembers between frames.

#[derive(Clone, Debug, Default)]
pub struct Events {}
