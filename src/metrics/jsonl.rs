//! Rows as JSON, one object a line, every key in each of them; what does not apply is null. What is not finite is a text, as in
//! `events.jsonl`: `"NaN"`, `"inf"`, `"-inf"`, because JSON has no such numbers.

use super::{Row, Table};
use crate::protocol::Scalar;
use serde::Serialize;
use std::io::{self, BufWriter, Write};

pub(super) struct Jsonl<W: Write> {
    out: BufWriter<W>,
    run: String,
}

/// The columns by name.
#[derive(Serialize)]
struct Line<'a> {
    run: &'a str,
    step: u64,
    epoch: Option<f64>,
    time_s: f64,
    name: &'a str,
    value: Scalar,
    split: Option<&'static str>,
    attack: Option<&'a str>,
    norm: Option<&'static str>,
    eps: Option<f64>,
    images: Option<u64>,
}

impl<W: Write> Jsonl<W> {
    pub(super) fn new(run: &str, out: W) -> Self {
        Self { out: BufWriter::with_capacity(1 << 16, out), run: run.to_string() }
    }
}

impl<W: Write> Table for Jsonl<W> {
    fn add(&mut self, row: &Row) -> io::Result<()> {
        let (measured, attack) = (row.measured.as_ref(), row.attack());
        let line = Line {
            run: &self.run,
            step: row.step,
            epoch: row.epoch,
            time_s: row.time_s,
            name: &row.name,
            value: Scalar(row.value),
            split: measured.map(|measured| measured.split.name()),
            attack: attack.map(|attack| &*attack.name),
            norm: attack.map(|attack| attack.norm.name()),
            eps: attack.map(|attack| attack.eps),
            images: measured.map(|measured| measured.images),
        };
        serde_json::to_writer(&mut self.out, &line)?;
        self.out.write_all(b"\n")
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}
