//! What the System view remembers between frames.

#[derive(Clone, Debug, Default)]
pub struct System {}
