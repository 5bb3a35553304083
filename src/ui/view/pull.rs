//! How much each term of the objective pulls at the student's features, and what another weight would make of it.
//!
//! The pull of a weighted term is its weight times what it would be without, so that the share another lambda would have is worked
//! out and not guessed; what training makes of it is another matter.

use super::{Pen, lines_at, value};
use crate::protocol::event::Term;
use crate::protocol::{Dial, Pulls};
use crate::ui::glyphs::bar;
use crate::ui::layout::Pane;
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Two gradients whose cosine is below this in size are as good as at right angles.
const ASIDE: f64 = 0.1;

/// `pull λ·ce ███····· 31%`: one line for the Controls pane; `None` before the first measurement.
pub(super) fn one_line(pen: &Pen, width: u16) -> Option<Line<'static>> {
    let pulls = pen.state.pulls.as_ref()?;
    let name = pen.screen.glyphs.words(pulls.terms[0].name()).into_owned();
    let percent = percent(pulls.share());
    let room = usize::from(width).saturating_sub(name.chars().count() + percent.len() + 7);
    if room < 3 {
        return None;
    }
    Some(Line::from(vec![
        pen.span(Tone::Text, format!("pull {name} ")),
        Span::styled(bar(pulls.share(), room), pen.style(tone(pulls.terms[0]))),
        pen.span(Tone::Text, format!(" {percent}")),
    ]))
}

/// Tone of a term's bar: that of its curve in the Loss.
fn tone(term: Term) -> Tone {
    match term {
        Term::WeightedCrossEntropy => Tone::Fourth,
        Term::CrossEntropy => Tone::Second,
        _ => Tone::First,
    }
}

pub(super) fn draw(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let inner = pen.frame(area, pen.title(Pane::Pull, "Pull of the terms"), pen.focused(Pane::Pull), buffer);
    let Some(pulls) = &pen.state.pulls else {
        lines_at(inner, &[Line::from(pen.span(Tone::Dim, why_none(pen)))], buffer);
        return;
    };
    let width = usize::from(inner.width);
    let mut lines = Vec::with_capacity(8);
    let names = pulls.terms.map(|term| pen.screen.glyphs.words(term.name()).into_owned());
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let share = pulls.share();
    for (i, term) in pulls.terms.into_iter().enumerate() {
        let share = if i == 0 { share } else { 1.0 - share };
        let room = width.saturating_sub(longest + 15);
        lines.push(Line::from(vec![
            pen.span(Tone::Text, format!("{:<longest$} {:<8} ", names[i], value(pulls.norms[i].0))),
            Span::styled(bar(share, room), pen.style(tone(term))),
            pen.span(Tone::Text, format!(" {}", percent(share))),
        ]));
    }
    let fitting = |long: String, short: String| if long.chars().count() <= width { long } else { short };
    let [long, short] = towards(pulls.cosine.0);
    let text = fitting(format!("their cos {:+.2}: {long}", pulls.cosine.0), format!("cos {:+.2}, {short}", pulls.cosine.0));
    lines.push(Line::from(pen.span(Tone::Text, text)));
    if let (Some(matched), Some(shuffled)) = (pulls.matched, pulls.shuffled) {
        let (matched, shuffled) = (matched.0, shuffled.0);
        let text = fitting(
            format!("match {matched:.2}, by chance {shuffled:.2}, gain {:.2}", matched - shuffled),
            format!("match {matched:.2}, chance {shuffled:.2}"),
        );
        lines.push(Line::from(pen.span(Tone::Text, text)));
    }
    if let Some(text) = other_weights(pen, pulls, width) {
        lines.push(Line::from(pen.span(Tone::Text, text)));
    }
    let on = format!("{} images @ step {}", pulls.images, pulls.step);
    lines.push(Line::from(pen.span(Tone::Dim, fitting(format!("{on}{}", cost(pen, pulls)), on))));
    lines_at(inner, &lines, buffer);
}

fn why_none(pen: &Pen) -> &'static str {
    match &pen.state.started {
        None => "waiting for the run",
        Some(started) if started.config.insight.every == 0 => "not measured (insight.every = 0)",
        Some(started) if started.config.method.lambda().is_none() && started.teacher.is_none() => "one term: nothing to weigh",
        Some(_) => "not measured yet",
    }
}

fn percent(share: f64) -> String {
    if !share.is_finite() {
        return "  --".into();
    }
    let percent = 100.0 * share;
    // 0 and 100 are said of nothing that is not quite that.
    if (percent > 0.0 && percent < 1.0) || (percent > 99.0 && percent < 100.0) {
        return if percent < 1.0 { " <1%".into() } else { ">99%".into() };
    }
    format!("{percent:3.0}%")
}

fn towards(cosine: f64) -> [&'static str; 2] {
    if !cosine.is_finite() {
        ["nothing pulls"; 2]
    } else if cosine < -ASIDE {
        ["against each other", "opposed"]
    } else if cosine > ASIDE {
        ["the same way", "same way"]
    } else {
        ["at right angles", "right angles"]
    }
}

/// The share that other values of lambda would have with these weights: `λ ×10: 82%  ÷10: 4%`.
fn other_weights(pen: &Pen, pulls: &Pulls, width: usize) -> Option<String> {
    let lambda = pen.state.controls.map(|c| c.value(Dial::Lambda)).filter(|lambda| *lambda > 0.0)?;
    pen.state.started.as_ref().filter(|s| s.dials.contains(&Dial::Lambda))?;
    let [first, second] = pulls.norms.map(|norm| norm.0);
    let with = |factor: f64| percent(factor * first / (factor * first + second)).trim().to_string();
    let show = |factor: f64| Dial::Lambda.show(lambda * factor);
    let long = format!("λ {}: {}   λ {}: {}", show(10.0), with(10.0), show(0.1), with(0.1));
    let short = format!("λ×10: {}  λ/10: {}", with(10.0), with(0.1));
    Some(if long.chars().count() <= width { long } else { short })
}

/// `, 12 ms (0.4 % of the time)`.
fn cost(pen: &Pen, pulls: &Pulls) -> String {
    let every = pen.state.started.as_ref().map_or(0, |s| s.config.insight.every);
    let between = every as f64 * pen.state.timing.as_ref().map_or(0.0, |t| t.p50_ms);
    if between > 0.0 {
        format!(", {:.0} ms ({:.1} % of the time)", pulls.ms, 100.0 * pulls.ms / (between + pulls.ms))
    } else {
        format!(", {:.0} ms", pulls.ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_share_is_not_called_nothing() {
        assert_eq!([0.0, 0.002, 0.31, 0.996, 1.0, f64::NAN].map(percent), ["  0%", " <1%", " 31%", ">99%", "100%", "  --"]);
    }
}
