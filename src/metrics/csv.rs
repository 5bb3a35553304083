//! Rows as comma-separated values (RFC 4180): a header, then a row a line. Numbers are written to the last digit that tells them
//! apart; what is not finite as `NaN`, `inf` and `-inf`. What a row means is [`super::rows`]' business.

use super::{COLUMNS, Row, Table};
use std::io::{self, Write};

pub(super) struct Csv<W: Write> {
    out: csv::Writer<W>,
    run: String,
}

impl<W: Write> Csv<W> {
    pub(super) fn new(run: &str, out: W) -> io::Result<Self> {
        let mut out = csv::Writer::from_writer(out);
        out.write_record(COLUMNS).map_err(plain)?;
        Ok(Self { out, run: run.to_string() })
    }
}

impl<W: Write> Table for Csv<W> {
    fn add(&mut self, row: &Row) -> io::Result<()> {
        let attack = row.attack();
        let empty = String::new;
        let written = self.out.write_record([
            self.run.as_str(),
            row.step.to_string().as_str(),
            row.epoch.map_or_else(empty, number).as_str(),
            number(row.time_s).as_str(),
            &row.name,
            number(row.value).as_str(),
            row.measured.as_ref().map_or("", |measured| measured.split.name()),
            attack.map_or("", |attack| &attack.name),
            attack.map_or("", |attack| attack.norm.name()),
            attack.map_or_else(empty, |attack| number(attack.eps)).as_str(),
            row.measured.as_ref().map_or_else(empty, |measured| measured.images.to_string()).as_str(),
        ]);
        written.map_err(plain)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}

/// What the writer said: a pipe that is closed must be known for one.
fn plain(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(inner) => inner,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// The shortest digits that read back to the same number.
fn number(value: f64) -> String {
    // Debug takes an exponent where Display would write three hundred zeros.
    format!("{value:?}")
}
