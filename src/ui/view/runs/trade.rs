//! What other values of lambda gave: the frame and the legend around the chart, or what is missing for it.

use super::super::{Focused, Pen, line_at, lines_at};
use super::framed;
use crate::protocol::Dial;
use crate::run::listing::harmless;
use crate::run::shelf::whatif::WhatIf;
use crate::ui::brush::wrap;
use crate::ui::theme::Tone;
use crate::ui::trade::TradeChart;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

pub(super) fn draw(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let found = pen.screen.runs.what_if(pen.state, pen.screen.access);
    let what = match &found {
        Err(missing) => {
            let inner = framed(pen, area, "What if: accuracies against λ", &[], Focused::No, buffer);
            let text = pen.screen.glyphs.words(missing.as_str()).into_owned();
            let wrapped = wrap(&text, usize::from(inner.width).max(1));
            let lines: Vec<_> = wrapped.into_iter().map(|text| Line::from(pen.span(Tone::Text, text))).collect();
            lines_at(inner, &lines, buffer);
            return;
        }
        Ok(what) => what,
    };
    let inner = framed(pen, area, "What if λ:", &titles(what), Focused::No, buffer);
    let steers = pen.state.started.as_ref().is_some_and(|s| s.config.method.lambda().is_some());
    let present = pen.state.controls.filter(|_| steers).map(|controls| controls.lambda);
    let legend = legend(pen, what, present, usize::from(inner.width));
    line_at(buffer, inner.x, inner.y, inner.width, &legend);
    let chart = TradeChart { points: &what.points, steered: &what.steered, present };
    let below = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    chart.render(below, buffer, pen.screen.palette, pen.screen.glyphs);
}

/// The number first: without it the chart says nothing.
fn titles(what: &WhatIf) -> Vec<String> {
    let runs: usize = what.points.iter().map(|point| point.runs).sum::<usize>() + what.steered.len();
    let (source, words) = (what.source.name(), harmless(&what.measure.words()));
    let out = match what.left_out {
        0 => String::new(),
        n => format!(", {n} without such a number left out"),
    };
    vec![
        format!("{source}, {words} of {}, {runs} finished runs of this config{out}", harmless(&what.measure.data)),
        format!("{source}, {words}, {runs} finished runs{out}"),
        format!("{source}, {words}, {runs} runs"),
        format!("{source}, {words}"),
        format!("{source}, {}", what.measure.attack.short()),
        source.to_string(),
    ]
}

fn legend(pen: &Pen, what: &WhatIf, present: Option<f64>, width: usize) -> Line<'static> {
    let mut parts = vec![(Tone::First, "N natural".to_string()), (Tone::Second, "A adversarial".to_string())];
    if let Some(lambda) = present {
        parts.push((Tone::Accent, format!("┊ this run's λ {}", Dial::Lambda.show(lambda))));
    }
    if !what.steered.is_empty() {
        parts.push((Tone::Text, "n a steered or branched off, at their last λ".to_string()));
    }
    if what.points.iter().any(|point| point.runs > 1) {
        parts.push((Tone::Text, "seeds: mean, │ from least to greatest".to_string()));
    }
    let mut line = Line::default();
    for (tone, text) in parts {
        let span = pen.span(tone, format!("{text}  "));
        if line.width() + span.width() <= width + 2 {
            line.push_span(span);
        }
    }
    line
}
