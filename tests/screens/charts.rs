//! The Charts view.
