//! Rows as a Parquet file: one typed column each, compressed with Snappy, in groups of rows that fit into memory. NaN and infinities
//! are numbers there. It reads nothing.

use super::{Row, Table};
use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::io::{self, Write};
use std::sync::Arc;

/// As [`super::COLUMNS`], in that order.
const SCHEMA: &str = "message metrics {
    REQUIRED BYTE_ARRAY run (STRING);
    REQUIRED INT64 step;
    OPTIONAL DOUBLE epoch;
    REQUIRED DOUBLE time_s;
    REQUIRED BYTE_ARRAY name (STRING);
    REQUIRED DOUBLE value;
    OPTIONAL BYTE_ARRAY split (STRING);
    OPTIONAL BYTE_ARRAY attack (STRING);
    OPTIONAL BYTE_ARRAY norm (STRING);
    OPTIONAL DOUBLE eps;
    OPTIONAL INT64 images;
}";

/// Some tens of megabytes of rows.
const GROUP: usize = 1 << 17;

pub(super) struct Parquet<W: Write + Send> {
    out: SerializedFileWriter<W>,
    run: ByteArray,
    rows: Vec<Row>,
}

impl<W: Write + Send> Parquet<W> {
    pub(super) fn new(run: &str, out: W) -> io::Result<Self> {
        let schema = Arc::new(parse_message_type(SCHEMA).map_err(io::Error::other)?);
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let out = SerializedFileWriter::new(out, schema, Arc::new(properties)).map_err(plain)?;
        Ok(Self { out, run: run.into(), rows: Vec::new() })
    }

    fn group(&mut self) -> Result<(), ParquetError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.rows);
        let mut group = self.out.next_row_group()?;
        let mut column = 0;
        while let Some(mut writer) = group.next_column()? {
            write(writer.untyped(), column, &self.run, &rows)?;
            writer.close()?;
            column += 1;
        }
        group.close()?;
        Ok(())
    }
}

impl<W: Write + Send> Table for Parquet<W> {
    fn add(&mut self, row: &Row) -> io::Result<()> {
        self.rows.push(row.clone());
        if self.rows.len() < GROUP { Ok(()) } else { self.group().map_err(plain) }
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.group().map_err(plain)?;
        self.out.close().map(drop).map_err(plain)
    }
}

fn write(to: &mut ColumnWriter, column: usize, run: &ByteArray, rows: &[Row]) -> Result<(), ParquetError> {
    let text = |text: &str| ByteArray::from(text);
    let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    match to {
        ColumnWriter::Int64ColumnWriter(to) => {
            let (values, levels) = match column {
                1 => required(rows, |row| whole(row.step)),
                _ => optional(rows, |row| row.measured.as_ref().map(|measured| whole(measured.images))),
            };
            to.write_batch(&values, levels.as_deref(), None)?;
        }
        ColumnWriter::DoubleColumnWriter(to) => {
            let (values, levels) = match column {
                2 => optional(rows, |row| row.epoch),
                3 => required(rows, |row| row.time_s),
                5 => required(rows, |row| row.value),
                _ => optional(rows, |row| row.attack().map(|attack| attack.eps)),
            };
            to.write_batch(&values, levels.as_deref(), None)?;
        }
        ColumnWriter::ByteArrayColumnWriter(to) => {
            let (values, levels) = match column {
                0 => required(rows, |_| run.clone()),
                4 => required(rows, |row| text(&row.name)),
                6 => optional(rows, |row| row.measured.as_ref().map(|measured| text(measured.split.name()))),
                7 => optional(rows, |row| row.attack().map(|attack| text(&attack.name))),
                _ => optional(rows, |row| row.attack().map(|attack| text(attack.norm.name()))),
            };
            to.write_batch(&values, levels.as_deref(), None)?;
        }
        _ => return Err(ParquetError::General("a column of a type that the schema does not have".into())),
    }
    Ok(())
}

fn required<T>(rows: &[Row], value: impl Fn(&Row) -> T) -> (Vec<T>, Option<Vec<i16>>) {
    (rows.iter().map(value).collect(), None)
}

/// Values that are there, and for every row whether its one is.
fn optional<T>(rows: &[Row], value: impl Fn(&Row) -> Option<T>) -> (Vec<T>, Option<Vec<i16>>) {
    let values: Vec<Option<T>> = rows.iter().map(value).collect();
    let levels = values.iter().map(|value| i16::from(value.is_some())).collect();
    (values.into_iter().flatten().collect(), Some(levels))
}

/// What the disk said, where that was it.
fn plain(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(inner) => *inner,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}
