//! The numbers of a run for other programs: tables (CSV, JSON lines, Parquet) and TensorBoard's event files.
//!
//! Everything is made of the run's records, in their order, by folds that cannot tell live from recorded: what TensorBoard is given
//! while a run trains is what an export of its log gives. Nothing here is read back by Rematch, and nothing that a run needs depends
//! on it. It opens no log for writing and asks the worker for nothing.

pub mod course;
mod csv;
mod jsonl;
mod parquet;
pub mod rows;
pub mod tensorboard;

pub use course::Course;
pub use rows::{Row, Rows};

use std::io::{self, Write};

/// A table that takes rows in order.
pub trait Table {
    /// # Errors
    /// What the writer says.
    fn add(&mut self, row: &Row) -> io::Result<()>;

    /// Writes what is still held. Without it the table is not whole.
    ///
    /// # Errors
    /// What the writer says.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// How a table is written. All have the columns [`COLUMNS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Csv,
    Jsonl,
    Parquet,
}

impl Format {
    /// An empty table of the run of this name.
    ///
    /// # Errors
    /// What the writer says.
    pub fn table<'a>(self, run: &str, out: impl Write + Send + 'a) -> io::Result<Box<dyn Table + 'a>> {
        Ok(match self {
            Self::Csv => Box::new(csv::Csv::new(run, out)?),
            Self::Jsonl => Box::new(jsonl::Jsonl::new(run, out)),
            Self::Parquet => Box::new(parquet::Parquet::new(run, out)?),
        })
    }
}

/// In the order in which they stand. What does not apply to a value is missing: an empty field, or null.
pub const COLUMNS: [&str; 11] = ["run", "step", "epoch", "time_s", "name", "value", "split", "attack", "norm", "eps", "images"];

#[cfg(test)]
mod tests;
