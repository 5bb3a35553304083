//! Events of records: the fold behind TensorBoard's views, live and from a log.
//!
//! One event a record that holds numbers, with the record's own time and step. A resumed run begins with the word that makes
//! TensorBoard forget what was told of later steps, so that steps that are done again are not shown twice. It writes nothing.

use super::hparams;
use super::wire::{
    Dim, Event, Held, Image, Metadata, PluginData, START, STRING, SessionLog, Shape, Summary, Tensor, Value, What,
};
use crate::config::check;
use crate::metrics::rows::{Row, Rows};
use crate::protocol::event::Started;
use crate::protocol::insight::{Group, Guess, Piece, Pixels};
use crate::protocol::{Exhibit, Record};
use image::ExtendedColorType;
use image::ImageEncoder as _;
use image::codecs::png::PngEncoder;
use std::collections::HashSet;

/// Images of a group that are drawn: a look at a run may hold hundreds.
const EACH: usize = 8;

#[derive(Default)]
pub struct Board {
    rows: Rows,
    classes: Vec<String>,
    begun: bool,
    /// Tags whose first value came with a description; TensorBoard keeps only that of the first.
    described: HashSet<String>,
}

impl Board {
    /// What this record adds.
    pub fn events(&mut self, record: &Record) -> Vec<Event> {
        use crate::protocol::Event as Told;
        let at = record.at_ms as f64 / 1000.0;
        let mut events = Vec::new();
        let event =
            |step: u64, what: What| Event { wall_time: at, step: i64::try_from(step).unwrap_or(i64::MAX), what: Some(what) };
        let rows = self.rows.of(record);
        let mut values = Vec::new();
        let mut at_step = rows.first().map_or(0, |row| row.step);
        match &record.event {
            Told::Started(started) => {
                at_step = started.from_step;
                // What was measured at the very step that it goes on from stays. TensorBoard takes the first such word for the
                // beginning and only later ones for a return, so it must be there from the beginning.
                let goes_on = self.begun || started.resumed.is_some();
                let void = if goes_on { started.from_step.saturating_add(1) } else { started.from_step };
                events.push(event(void, What::SessionLog(SessionLog { status: START })));
                if !self.begun {
                    values.extend(self.begin(started, at));
                }
                self.begun = true;
            }
            Told::Exhibited(exhibit) => {
                at_step = exhibit.step;
                values.extend(self.pictures(exhibit));
            }
            Told::Finished(finished) => values.extend(hparams::ended(&finished.outcome, at)),
            Told::Progress(_)
            | Told::Controlled { .. }
            | Told::Scheduled { .. }
            | Told::Unscheduled { .. }
            | Told::Pulled(_)
            | Told::Refused { .. }
            | Told::Stopping { .. }
            | Told::Evaluated(_)
            | Told::Examining { .. }
            | Told::Examined { .. }
            | Told::EpochFinished(_)
            | Told::Saved(_)
            | Told::Preparing(_)
            | Told::Machine(_)
            | Told::Warned { .. }
            | Told::Said { .. } => {}
        }
        values.extend(rows.iter().map(|row| self.scalar(row)));
        if !values.is_empty() {
            events.push(event(at_step, What::Summary(Summary { value: values })));
        }
        events
    }

    fn begin(&mut self, started: &Started, at: f64) -> Vec<Value> {
        self.classes.clone_from(&started.data.classes);
        let mut values = hparams::begun(&started.config, at).to_vec();
        values.push(text("config", &format!("```\n{}\n```", check::to_toml(&started.config).trim())));
        values
    }

    fn scalar(&mut self, row: &Row) -> Value {
        let tag = row.own_name().into_owned();
        let metadata = row.measured.as_ref().filter(|_| self.described.insert(tag.clone())).map(|measured| Metadata {
            plugin_data: plugin("scalars"),
            description: match &measured.attack {
                // A radius may be turned later, and this text stays.
                Some(attack) => format!(
                    "at first under {}, {} eps {}, on {} {} images",
                    attack.name,
                    attack.norm.name(),
                    attack.eps,
                    measured.images,
                    measured.split.name()
                ),
                None => format!("on {} {} images", measured.images, measured.split.name()),
            },
        });
        Value { tag, metadata, held: Some(Held::Simple(row.value as f32)) }
    }

    /// Before and under attack; a piece that is damaged is left out.
    fn pictures(&self, exhibit: &Exhibit) -> Vec<Value> {
        let mut values = Vec::new();
        for &group in Group::ALL {
            let pieces = exhibit.pieces.iter().filter(|piece| piece.group == group).take(EACH);
            for (number, piece) in pieces.enumerate() {
                let Ok([natural, attacked, _]) = piece.pixels() else { continue };
                let label = self.class(piece.label);
                let under = format!("{} {} eps {}", exhibit.attack.short(), exhibit.attack.norm.name(), exhibit.attack.eps);
                for (what, pixels, guess, how) in [
                    ("natural", natural, piece.student.before, String::new()),
                    ("under attack", attacked, piece.student.after, format!(" under {under}")),
                ] {
                    let channels = if piece.shape[0] == 3 { Channels::Rgb } else { Channels::Grey };
                    let Some(encoded) = png(&pixels, channels) else { continue };
                    let tag = format!("gallery/{}/{}/{what}", group.name(), number + 1);
                    values.push(Value {
                        tag,
                        metadata: Some(Metadata {
                            plugin_data: plugin("images"),
                            description: self.caption(piece, &label, guess, &how),
                        }),
                        held: Some(Held::Image(Image {
                            height: pixels.height as i32,
                            width: pixels.width as i32,
                            colorspace: channels as i32,
                            encoded,
                        })),
                    });
                }
            }
        }
        values
    }

    fn caption(&self, piece: &Piece, label: &str, guess: Guess, how: &str) -> String {
        let confidence = 100.0 * guess.confidence;
        format!("validation image {}, {label}: taken for {} ({confidence:.1} %){how}", piece.index, self.class(guess.class))
    }

    fn class(&self, number: u64) -> String {
        usize::try_from(number).ok().and_then(|number| self.classes.get(number)).cloned().unwrap_or_else(|| number.to_string())
    }
}

/// The view that shows it.
#[expect(clippy::unnecessary_wraps, reason = "protobuf may leave a message out, and it stands where one may be")]
fn plugin(name: &str) -> Option<PluginData> {
    Some(PluginData { plugin_name: name.into(), content: Vec::new() })
}

/// A text of one line of a table, in Markdown.
fn text(tag: &str, markdown: &str) -> Value {
    Value {
        tag: format!("{tag}/text_summary"),
        metadata: Some(Metadata { plugin_data: plugin("text"), description: String::new() }),
        held: Some(Held::Tensor(Tensor {
            dtype: STRING,
            shape: Some(Shape { dim: vec![Dim { size: 1 }] }),
            strings: vec![markdown.as_bytes().to_vec()],
        })),
    }
}

/// As TensorBoard counts them.
#[derive(Clone, Copy)]
enum Channels {
    Grey = 1,
    Rgb = 3,
}

fn png(pixels: &Pixels, channels: Channels) -> Option<Vec<u8>> {
    let (bytes, colour): (Vec<u8>, _) = match channels {
        Channels::Rgb => (pixels.rgb.concat(), ExtendedColorType::Rgb8),
        Channels::Grey => (pixels.rgb.iter().map(|[grey, ..]| *grey).collect(), ExtendedColorType::L8),
    };
    let mut out = Vec::new();
    PngEncoder::new(&mut out).write_image(&bytes, pixels.width as u32, pixels.height as u32, colour).ok()?;
    Some(out)
}
