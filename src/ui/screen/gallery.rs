//! What the Gallery remembers between frames.

#[derive(Clone, Debug, Default)]
pub struct Gallery {}
