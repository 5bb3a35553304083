//! What the Runs view remembers between frames.

use crate::run::RunState;
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// Other runs whose curves are drawn behind this one's, oldest choice first.
    pub overlays: Vec<Arc<RunState>>,
}
