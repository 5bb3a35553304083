//! The System view.
