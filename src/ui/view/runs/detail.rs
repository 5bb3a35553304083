//! What there is to say of the chosen run: its numbers and how they were made, what its config has otherwise than this run's, what was
//! turned, and its probes.

use super::super::{Focused, Pen, lines_at};
use super::{framed, list};
use crate::config::{Config, check};
use crate::run::calendar::calendar;
use crate::run::listing::{clock, harmless};
use crate::run::shelf::Facts;
use crate::run::shelf::measure::Number;
use crate::ui::brush::{percent, wrap};
use crate::ui::screen::{Listed, Rank, Shown, state_word};
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Lines with the width that they are wrapped at.
struct Page<'a, 'b> {
    pen: &'a Pen<'b>,
    width: usize,
    lines: Vec<Line<'static>>,
}

impl Page<'_, '_> {
    fn say(&mut self, tone: Tone, text: &str) {
        let text = self.pen.screen.glyphs.words(harmless(text)).into_owned();
        for (i, line) in wrap(&text, self.width.saturating_sub(2).max(1)).into_iter().enumerate() {
            let indent = if i == 0 { "" } else { "  " };
            self.lines.push(Line::from(self.pen.span(tone, format!("{indent}{line}"))));
        }
    }

    fn row(&mut self, text: &str) {
        let text = self.pen.screen.glyphs.words(harmless(text)).into_owned();
        for (i, line) in wrap(&text, self.width.saturating_sub(4).max(1)).into_iter().enumerate() {
            let indent = if i == 0 { " " } else { "   " };
            self.lines.push(Line::from(self.pen.span(Tone::Text, format!("{indent}{line}"))));
        }
    }

    fn head(&mut self, text: &str) {
        self.lines.push(Line::from(self.pen.span(Tone::Title, text.to_string())));
    }
}

pub(super) fn draw(pen: &Pen, shown: &Shown, chosen: usize, area: Rect, buffer: &mut Buffer) {
    let Some(listed) = shown.rows.get(chosen) else {
        framed(pen, area, "Run", &[], Focused::No, buffer);
        return;
    };
    let inner = framed(pen, area, "Run", &[harmless(&listed.entry.id)], Focused::No, buffer);
    let mut page = Page { pen, width: usize::from(inner.width), lines: Vec::new() };
    match &listed.entry.found {
        Err(why) => {
            page.say(Tone::Error, &format!("! cannot be read: {why}"));
            page.say(
                Tone::Dim,
                "The other runs are not touched by this. Its checkpoints may still be whole: rematch eval takes one.",
            );
        }
        Ok(facts) => tell(&mut page, listed, facts, shown),
    }
    let room = usize::from(inner.height);
    let mut lines = page.lines;
    if lines.len() > room && room > 0 {
        lines.truncate(room - 1);
        lines.push(Line::from(pen.span(Tone::Dim, "…")));
    }
    lines_at(inner, &lines, buffer);
}

fn tell(page: &mut Page, listed: &Listed, facts: &Facts, shown: &Shown) {
    let s = &facts.summary;
    let ([year, month, day], [hour, minute, _]) = calendar(s.started_at_ms);
    let whose = if listed.own { "this run, " } else { "" };
    let state = state_word(&listed.entry);
    page.say(
        Tone::Text,
        &format!(
            "{whose}{state}, {}/{} epochs in {}, begun {year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC",
            s.epochs_done,
            s.epochs_planned,
            clock(s.train_seconds)
        ),
    );
    let lambda = s.lambda_shown().map_or_else(String::new, |lambda| format!(" λ {lambda}"));
    let teacher = s.teacher.as_ref().map_or_else(String::new, |teacher| format!(" from {teacher}"));
    page.say(Tone::Text, &format!("{}{lambda}, {}{teacher}, {}, {}", s.method, s.student, s.data, s.threat));
    if let Some(parent) = &s.parent {
        page.say(Tone::Text, &format!("branched off {} at step {}", parent.run, parent.step));
    }
    if s.message.is_some() || matches!(listed.rank, Rank::Best | Rank::Unlike(_)) {
        let (tone, text) = list::remark(listed, shown);
        page.say(tone, &text);
    }
    if let (Some(_), Rank::Unlike(why)) = (&s.message, &listed.rank) {
        page.say(Tone::Warn, &format!("~ not ranked: {why}"));
    }
    if let Some(letter) = page.pen.screen.runs.letter(&listed.entry.id) {
        page.say(Tone::Accent, &format!("{letter}: its curves lie behind the charts (key 2)"));
    }
    if let Some(number) = &facts.test {
        told(page, "Final test", number);
    }
    if let Some(number) = &facts.best {
        told(page, "Best probe, not a final number", number);
    }
    if let (false, Some(own)) = (listed.own, &page.pen.state.started) {
        let differences = differences(&own.config, &facts.started.config);
        if differences.is_empty() {
            page.head("Config as this run's");
        } else {
            page.head("Config: this run's -> its");
            for (key, ours, theirs) in differences {
                page.row(&format!("{key} {ours} -> {theirs}"));
            }
        }
    }
    if !facts.turned.is_empty() {
        page.head("Turned by hand");
        for marker in &facts.turned {
            let note = marker.note.as_ref().map_or_else(String::new, |note| format!(" ({note})"));
            page.row(&format!("{} @ step {}{note}", marker.text, marker.step));
        }
    }
    if !facts.probes.is_empty() {
        page.head("Probes, newest first");
        for probe in facts.probes.iter().rev() {
            let (natural, adversarial) = (percent(probe.natural), percent(probe.adversarial));
            page.row(&format!("step {} nat {natural} adv {adversarial} {}", probe.step, probe.attack.short()));
        }
    }
}

/// A number with everything that makes it one.
fn told(page: &mut Page, name: &str, number: &Number) {
    let m = &number.measure;
    page.head(&format!("{name} @ step {}", number.step));
    page.row(&format!(
        "natural {}, adversarial {} on {} {} images",
        percent(number.natural),
        percent(number.adversarial),
        m.images,
        m.split.name()
    ));
    page.row(&format!("{} {} {}: {}", m.attack.name.name(), m.attack.norm.name(), m.attack.eps, m.attack.how()));
}

/// Keys whose values differ, in the order of a config file: the key, ours, theirs. `-` where a config has no such key.
fn differences(ours: &Config, theirs: &Config) -> Vec<(String, String, String)> {
    let (ours, theirs) = (settings(ours), settings(theirs));
    let value = |of: &[(String, String)], key: &str| {
        of.iter().find(|(known, _)| known == key).map_or_else(|| "-".to_string(), |(_, value)| value.clone())
    };
    let only_theirs = theirs.iter().filter(|(key, _)| ours.iter().all(|(known, _)| known != key));
    ours.iter()
        .chain(only_theirs)
        .map(|(key, _)| (key.clone(), value(&ours, key), value(&theirs, key)))
        .filter(|(_, ours, theirs)| ours != theirs)
        .collect()
}

/// `train.lr`, `0.1` and so on.
fn settings(config: &Config) -> Vec<(String, String)> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in check::to_toml(config).lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((key, value)) = line.split_once(" = ") {
            found.push((format!("{section}{key}"), value.trim_matches('"').to_string()));
        }
    }
    found
}
