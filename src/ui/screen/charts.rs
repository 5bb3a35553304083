//! What the Charts view remembers between frames.

#[derive(Clone, Debug, Default)]
pub struct Charts {}
