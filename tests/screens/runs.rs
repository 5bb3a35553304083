//! The Runs view.
