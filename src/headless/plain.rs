//! The lines that a person reads of a run in a log file or a pipe: one where something happened, and a table at the end.
//!
//! No escape codes, no line that is written over, nothing that depends on the width of a terminal.

use crate::config::RandomStart;
use crate::protocol::controls::Flow;
use crate::protocol::event::{EpochFinished, Evaluated, Finished, Part, Split, Started, Term, Whose};
use crate::protocol::report::Report;
use crate::protocol::{Change, Dial, Event, Outcome, Step};
use crate::run::RunState;
use crate::run::advice::command;
use crate::run::listing::clock;
use crate::run::state::{Exactness, Hand, MarkerKind};
use std::fmt::Write;
use std::path::Path;

pub(super) struct Plain<'a> {
    folder: Option<&'a Path>,
}

/// The scheduled change that has just begun: whole, with its steps as announced and with who asked for it.
fn scheduled(state: &RunState, dial: Dial) -> Option<String> {
    let turn = state.turns.iter().rfind(|turn| turn.dial == dial)?;
    let steps = if turn.over > 0 {
        format!("over steps {} to {}", turn.step, turn.step + turn.over)
    } else {
        format!("from step {}", turn.step)
    };
    let note = turn.note.as_ref().map_or(String::new(), |note| format!("{note}; "));
    let who = if turn.hand == Hand::Person { turn.who() } else { "by schedule".into() };
    Some(format!("{} {} -> {} {steps} ({note}{who})\n", dial.name(), dial.show(turn.old), dial.show(turn.new)))
}

/// One line an attack, with what its number stands on.
fn examined(step: Step, report: &Report) -> String {
    let mut text = String::new();
    for attack in &report.attacks {
        let (name, of) = (&attack.ensemble.name, report.images);
        let (robust, split) = (100.0 * attack.adversarial, report.split.name());
        let _ = writeln!(text, "evaluated at step {step}: {name} {robust:.1} % of {of} {split} images");
    }
    for doubt in &report.doubts {
        let _ = writeln!(text, "doubt ({}): {}; {}", doubt.suspicion.name(), doubt.saw, doubt.suggests);
    }
    text
}

impl<'a> Plain<'a> {
    pub(super) fn new(folder: Option<&'a Path>) -> Self {
        Self { folder }
    }

    /// What is said of an event that was just folded: whole lines, or nothing.
    pub(super) fn text(&self, event: &Event, state: &RunState) -> String {
        match event {
            Event::Started(started) => self.started(started),
            Event::EpochFinished(epoch) => epoch_line(epoch, state),
            // Of a ramp the first and the last stair are told.
            Event::Controlled { stair: Some(stair), .. } if stair.number > 1 && !stair.is_last() => String::new(),
            Event::Controlled { step, change, previous, note, stair, .. } => {
                let note = note.as_ref().map_or(String::new(), |note| format!(" ({note})"));
                match (change, change.dial(), previous.dial()) {
                    (_, Some((dial, _)), _) if stair.is_some_and(|stair| stair.number == 1) => {
                        scheduled(state, dial).unwrap_or_default()
                    }
                    (_, Some((dial, new)), Some((_, old))) => {
                        format!("{} {} -> {} from step {step}{note}\n", dial.name(), dial.show(old), dial.show(new))
                    }
                    (Change::Flow(Flow::Paused), ..) => format!("paused before step {step}{note}\n"),
                    _ => format!("goes on from step {step}{note}\n"),
                }
            }
            Event::Scheduled { by, timed, .. } => format!(
                "scheduled{}: {} -> {} from step {}{}\n",
                if by.is_some() { " by hand" } else { "" },
                timed.dial.name(),
                timed.dial.show(timed.to),
                timed.at,
                if timed.over > 0 { format!(" to {}", timed.ends()) } else { String::new() }
            ),
            Event::Unscheduled { dial, reason, .. } => {
                let why = reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
                format!("no longer scheduled: {}{why}\n", dial.name())
            }
            Event::Refused { reason, .. } => format!("refused: {reason}\n"),
            Event::Stopping { step, .. } => format!("stopping at step {step}\n"),
            Event::Evaluated(evaluated) => match (evaluated.of, evaluated.split) {
                (Whose::Teacher, _) => format!("teacher {}\n", accuracies(evaluated)),
                (Whose::Student, Split::Test) => format!("student {}\n", accuracies(evaluated)),
                // The last probe of an epoch stands in the epoch's line.
                (Whose::Student, Split::Train | Split::Validation) => String::new(),
            },
            Event::Saved(saved) if saved.by.is_some() => format!("saved {} at step {}\n", self.path(&saved.path), saved.step),
            Event::Warned { step, message, .. } => {
                let place = step.map_or(String::new(), |step| format!(" at step {step}"));
                format!("warning{place}: {message}\n")
            }
            Event::Finished(finished) => self.finished(finished, state),
            Event::Preparing(p) => format!("{}: {} of {}\n", p.what, p.done, p.total),
            Event::Examined { step, report, .. } => examined(*step, report),
            Event::Pulled(_)
            | Event::Exhibited(_)
            | Event::Examining { .. }
            | Event::Saved(_)
            | Event::Progress(_)
            | Event::Machine(_)
            | Event::Said { .. } => String::new(),
        }
    }

    fn path(&self, within: &str) -> String {
        self.folder.map_or_else(|| within.to_string(), |folder| folder.join(within).display().to_string())
    }

    fn started(&self, started: &Started) -> String {
        let teacher = started.teacher.as_ref().map_or(String::new(), |t| format!(" from teacher {}", t.network.name));
        let dials: Vec<String> =
            started.dials.iter().map(|&dial| format!("{} {}", dial.name(), dial.show(started.controls.value(dial)))).collect();
        let place = self.folder.map_or_else(|| format!("run {}", started.run), |folder| folder.display().to_string());
        let resumed = match (&started.resumed, &started.parent) {
            (Some(resumed), _) => {
                let again = match resumed.again {
                    0 => "nothing was lost".into(),
                    1 => "1 step that was not saved is done again".into(),
                    n => format!("{n} steps that were not saved are done again"),
                };
                let remade = match resumed.remade {
                    0 => String::new(),
                    1 => ", with the change that was made in it by hand".into(),
                    n => format!(", with the {n} changes that were made in them by hand"),
                };
                format!("; resumed at step {}: {again}{remade}", started.from_step)
            }
            (None, Some(parent)) => format!("; branched off {} at step {}", parent.run, parent.step),
            (None, None) if started.from_step > 0 => format!("; resumed at step {}", started.from_step),
            (None, None) => String::new(),
        };
        format!(
            "{} trains {}{teacher} on {}, {} images, {}; {}; {}{resumed}\n",
            started.config.method.name(),
            started.student.name,
            started.data.name,
            started.data.train,
            started.device,
            dials.join(", "),
            place
        )
    }

    fn finished(&self, finished: &Finished, state: &RunState) -> String {
        let mut rows: Vec<(&str, String)> = Vec::new();
        let (outcome, message) = match &finished.outcome {
            Outcome::Completed => ("completed", None),
            Outcome::Stopped => ("stopped", None),
            Outcome::Failed { message } => ("failed", Some(message)),
        };
        rows.push(("outcome", format!("{outcome} at step {} of {}", finished.step, state.plan_steps())));
        if let Some(started) = &state.started {
            rows.push(("method", started.config.method.name().to_string()));
            rows.push(("data", started.data.name.clone()));
            rows.push(("seed", started.config.seed.to_string()));
            if let (Some(first), Some(controls)) = (started.config.method.lambda(), &state.controls) {
                let show = |value| Dial::Lambda.show(value);
                let changed = if controls.lambda == first { String::new() } else { format!(" -> {}", show(controls.lambda)) };
                rows.push(("lambda", show(first) + &changed));
            }
        }
        for marker in state.turned() {
            if let MarkerKind::Dial(dial) = marker.kind {
                let text = marker.with_steps();
                let values = text.strip_prefix(dial.symbol()).unwrap_or(&text);
                rows.push(("steered", format!("{}{values}", dial.name())));
            }
        }
        if let Some(last) = state.last_final() {
            rows.extend(evaluation_rows(last));
        } else {
            let command = self.folder.map_or_else(|| "rematch eval".into(), |folder| command("eval", folder, ""));
            rows.push(("accuracy", format!("not evaluated on the test images; to do that: {command}")));
        }
        rows.push(("train seconds", format!("{:.1}", finished.train_seconds)));
        rows.push(("evaluation seconds", format!("{:.1}", finished.evaluation_seconds)));
        if let Some(best) = &state.best {
            rows.push(("best probe", format!("step {}: {}", best.step, accuracies(best))));
        }
        if let Some((_, saved)) = &state.saved {
            rows.push(("checkpoint", self.path(&saved.path)));
        }
        let wide = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut text = String::new();
        for (name, value) in rows {
            let _ = writeln!(text, "{name:<wide$}  {value}");
        }
        if let Some(message) = message {
            let _ = writeln!(text, "error: {message}");
        }
        text
    }
}

/// `12.3` of a fraction.
fn percent(fraction: f64) -> String {
    format!("{:.1}", 100.0 * fraction)
}

fn accuracies(e: &Evaluated) -> String {
    format!(
        "natural {} %, {} {} eps {} {} % on {} {}",
        percent(e.natural),
        e.attack.short(),
        e.attack.norm,
        e.attack.eps,
        percent(e.adversarial),
        e.images,
        images_of(e.split)
    )
}

fn images_of(split: Split) -> &'static str {
    match split {
        Split::Train => "training images",
        Split::Validation => "validation images",
        Split::Test => "test images",
    }
}

fn evaluation_rows(e: &Evaluated) -> Vec<(&'static str, String)> {
    let seen = match e.split {
        Split::Train => "train, seen in training",
        Split::Validation => "validation, not seen in training",
        Split::Test => "test, not seen in training",
    };
    let start = match e.attack.random_start {
        RandomStart::Yes => "yes",
        RandomStart::No => "no",
    };
    vec![
        ("natural", format!("{} %", percent(e.natural))),
        ("adversarial", format!("{} % ({})", percent(e.adversarial), e.attack.short())),
        ("attack", e.attack.name.name().to_string()),
        ("steps", e.attack.steps.to_string()),
        ("step size", e.attack.step_size.to_string()),
        ("random start", start.to_string()),
        ("attack seed", e.attack.seed.to_string()),
        ("restarts", e.attack.restarts.to_string()),
        ("norm", e.attack.norm.to_string()),
        ("eps", e.attack.eps.to_string()),
        ("images", e.images.to_string()),
        ("split", seen.to_string()),
    ]
}

/// Percent of a step that goes into getting its images, by the newest timing.
fn data_share(state: &RunState) -> Option<f64> {
    let parts = &state.timing.as_ref()?.parts;
    let all: f64 = parts.values().sum();
    parts.get(&Part::Data).map(|data| 100.0 * data / all.max(f64::MIN_POSITIVE))
}

fn epoch_line(epoch: &EpochFinished, state: &RunState) -> String {
    let planned = state.started.as_ref().map_or(epoch.epoch, |s| s.plan.epochs);
    let wide = planned.to_string().len();
    let mut line = format!("epoch {:>wide$}/{planned}  step {}", epoch.epoch, epoch.step);
    // Of this epoch: an older one would look like news.
    if let Some(probe) = state.probe_of(epoch) {
        let _ = write!(line, "  nat {}  {} {}", percent(probe.natural), probe.attack.short(), percent(probe.adversarial));
    }
    for &term in
        state.series.keys().filter(|term| !matches!(term, Term::WeightedCrossEntropy | Term::Cosine | Term::TrainAccuracy))
    {
        let name = if term == Term::Total { "loss" } else { term.name() };
        let _ = write!(line, "  {name} {:.3}", state.latest(term).0);
    }
    let _ = write!(line, "  {:.1} s", epoch.train_seconds);
    if let Some(share) = data_share(state) {
        let _ = write!(line, " (data {share:.1} %)");
    }
    if let Some(eta) = state.eta().filter(|_| epoch.epoch < planned) {
        let about = if eta.exactness == Exactness::Rough { "~" } else { "" };
        let _ = write!(line, "  ETA {about}{}", clock(eta.seconds));
    }
    line.push('\n');
    line
}
