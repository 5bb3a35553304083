//! How long steps take: percentiles, a histogram with one bar a bin, and the parts of a step.

use super::super::Pen;
use super::super::machine::{BAR, gauge, part_labels};
use crate::protocol::event::Part;
use crate::protocol::step_times::from_ms;
use crate::run::step_times::Spread;
use crate::ui::glyphs::bar;
use crate::ui::screen::Span;
use crate::ui::theme::Tone;
use ratatui::text::{self, Line};

/// Two histograms beside each other need this much.
const BESIDE: usize = 84;
/// From here on how many steps there were stands beside their percentiles.
const COUNTS: usize = 50;
/// Fewer rows than this show no shape.
const SHAPE: usize = 5;
/// `   108ms `
const LABEL: usize = 9;
/// ` 108ms`
const TOOK: usize = 7;
/// `  62%`
const SHARE: usize = 6;

pub(super) fn lines(pen: &Pen, width: u16, height: u16) -> (String, Vec<Line<'static>>) {
    let mut title = "Step time".to_string();
    let Some(timing) = &pen.state.timing else {
        return (title, vec![Line::from(pen.span(Tone::Dim, "no step was timed yet"))]);
    };
    let (run, minute) = (&pen.state.step_times.since_start, pen.state.step_times.last_minute());
    let (width, mut room) = (usize::from(width), usize::from(height));
    let mut lines = Vec::new();
    if run.steps() == 0 {
        let text = format!("p50 {}  p99 {} last second", ms(timing.p50_ms), ms(timing.p99_ms));
        lines.push(Line::from(pen.span(Tone::Text, text)));
        lines.push(Line::from(pen.span(Tone::Dim, "this record keeps no histogram")));
    } else {
        lines.push(Line::from(pen.span(Tone::Dim, format!("{:8}{:>7}{:>7}{:>7}{:>7}", "", "p50", "p90", "p99", "max"))));
        if width < COUNTS {
            title = format!("{title}  {} steps", run.steps());
        }
        lines.push(percentiles(pen, "run", run));
        lines.push(percentiles(pen, "minute", &minute));
    }
    room = room.saturating_sub(lines.len());
    let mut parts = parts(pen, width);
    if run.steps() > 0 {
        // The parts stand in short beside the gauges too: where there is not room for all, the histogram goes first.
        if room < parts.len() + SHAPE + 3 {
            parts.clear();
        }
        let rows = room.saturating_sub(if parts.is_empty() { 1 } else { parts.len() + 2 });
        lines.extend(histogram(pen, run, &minute, width, rows));
    }
    if !parts.is_empty() {
        lines.push(Line::from(pen.span(Tone::Dim, "parts of a step, over the last second")));
        lines.extend(parts);
    }
    (title, lines)
}

fn percentiles(pen: &Pen, name: &str, spread: &Spread) -> Line<'static> {
    let at = |share| spread.percentile(share).map_or_else(|| "--".into(), ms);
    let max = if spread.steps() == 0 { "--".into() } else { ms(spread.longest_ms()) };
    let times = format!("{name:8}{:>7}{:>7}{:>7}{max:>7}", at(0.5), at(0.9), at(0.99));
    Line::from(vec![pen.span(Tone::Text, times), pen.span(Tone::Dim, format!("  {} steps", spread.steps()))])
}

/// A head and at most `rows` bars. Both spans have the same bins, so that they compare.
fn histogram(pen: &Pen, run: &Spread, minute: &Spread, width: usize, rows: usize) -> Vec<Line<'static>> {
    let Some((low, high)) = run.range().filter(|_| rows > 0) else { return Vec::new() };
    let (first, last) = middle(run, (low, high), rows);
    let count = |spread: &Spread, bin: u16| match bin {
        _ if first == last => spread.steps(),
        bin if bin == first => (low..=first).map(|b| spread.count(b)).sum(),
        bin if bin == last => (last..=high).map(|b| spread.count(b)).sum(),
        bin => spread.count(bin),
    };
    let spreads: Vec<(&str, &Spread)> = match (width >= BESIDE, pen.screen.system.span) {
        (true, _) => vec![("run", run), ("last minute", minute)],
        (false, Span::Run) => vec![("run", run)],
        (false, Span::Minute) => vec![("last minute", minute)],
    };
    let each = (width.saturating_sub(LABEL) / spreads.len()).saturating_sub(1);
    let mut head = Line::from(pen.span(Tone::Dim, format!("{:>1$}", "from ", LABEL)));
    for (name, _) in &spreads {
        head.push_span(pen.span(Tone::Dim, format!("{:<each$} ", format!("steps of the {name}"))));
    }
    let mut lines = vec![head];
    for bin in first..=last {
        // The last one always holds everything above; the first one everything below, where there is any.
        let from = if bin == first && first > low { format!("<{}", ms(from_ms(bin + 1))) } else { ms(from_ms(bin)) };
        let mut line = Line::from(pen.span(Tone::Text, format!("{from:>0$} ", LABEL - 1)));
        for (_, spread) in &spreads {
            let most = (first..=last).map(|bin| count(spread, bin)).max().unwrap_or(0).max(1) as f64;
            let here = count(spread, bin);
            let room = each.saturating_sub(SHARE);
            // Whatever is there at all is to be seen.
            let least = if here > 0 { 1.0 / (8 * room.max(1)) as f64 } else { 0.0 };
            line.push_span(text::Span::styled(bar((here as f64 / most).max(least), room), pen.style(Tone::First)));
            line.push_span(pen.span(Tone::Text, format!("{:>SHARE$} ", percent(here, spread.steps()))));
        }
        lines.push(line);
    }
    lines
}

/// The bins that get rows of their own: what is given up at either end is where the fewest steps are.
fn middle(spread: &Spread, (mut low, mut high): (u16, u16), rows: usize) -> (u16, u16) {
    let (mut below, mut above) = (spread.count(low), spread.count(high));
    while usize::from(high - low) + 1 > rows.max(1) {
        if below < above {
            low += 1;
            below += spread.count(low);
        } else {
            high -= 1;
            above += spread.count(high);
        }
    }
    (low, high)
}

fn percent(part: u64, all: u64) -> String {
    let share = 100.0 * part as f64 / all.max(1) as f64;
    match part {
        0 => String::new(),
        _ if share < 0.5 => "<1%".into(),
        _ => format!("{share:.0}%"),
    }
}

fn parts(pen: &Pen, width: usize) -> Vec<Line<'static>> {
    let Some(timing) = &pen.state.timing else { return Vec::new() };
    let all: f64 = timing.parts.values().sum();
    let line = |(part, name): (&Part, String)| {
        let took = timing.parts.get(part).copied().unwrap_or(0.0);
        let share = took / all.max(f64::MIN_POSITIVE);
        gauge(pen, &name, share, &format!("{:>6} {:3.0}%", ms(took), 100.0 * share), width as u16)
    };
    let parts = &pen.state.parts;
    parts.iter().zip(part_labels(parts, width, BAR + TOOK)).map(line).collect()
}

/// `0.42ms`, `9.7ms`, `108ms`, `12.3s`: at most six cells.
fn ms(v: f64) -> String {
    match v {
        v if !v.is_finite() => "--".into(),
        v if v < 0.995 => format!("{v:.2}ms"),
        v if v < 9.95 => format!("{v:.1}ms"),
        v if v < 9_999.5 => format!("{v:.0}ms"),
        v if v < 999_950.0 => format!("{:.1}s", v / 1e3),
        v => format!("{:.0}s", v / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::event::Timing;
    use crate::protocol::step_times::{bin, counts};
    use crate::run::step_times::StepTimes;

    #[test]
    fn rows_are_where_the_steps_are() {
        let mut all = StepTimes::default();
        let mut times = vec![100.0; 50];
        times.extend([vec![120.0; 40], vec![3_000.0; 2], vec![5.0]].concat());
        let timing = Timing {
            parts: std::collections::BTreeMap::new(),
            p50_ms: 100.0,
            p99_ms: 3_000.0,
            max_ms: Some(3_000.0),
            counts: counts(&times),
        };
        all.push(0, &timing);
        let range = all.since_start.range().unwrap();
        assert_eq!(middle(&all.since_start, range, 200), range);
        assert_eq!(middle(&all.since_start, range, 2), (bin(100.0), bin(120.0)));
        assert_eq!(middle(&all.since_start, range, 0), (bin(100.0), bin(100.0)));
    }

    #[test]
    fn times_have_six_cells_at_most() {
        for (v, text) in
            [(0.004, "0.00ms"), (0.42, "0.42ms"), (9.72, "9.7ms"), (108.2, "108ms"), (12_345.0, "12.3s"), (f64::NAN, "--")]
        {
            assert_eq!(ms(v), text);
        }
    }
}
