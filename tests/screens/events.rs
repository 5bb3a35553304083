//! The Log view.
