//! What each term pulls, scheduled changes.
