//! The Gallery.
