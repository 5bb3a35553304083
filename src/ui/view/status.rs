//! What stands in one or two lines: header, gauges, hints, toasts; and the pane of what was reached so far.

use super::{Brief, Named, Pen, charts, clock, line_at, machine, value};
use crate::protocol::event::Term;
use crate::protocol::report::EvaluationProgress;
use crate::protocol::{Outcome, StopWhen};
use crate::run::session::Access;
use crate::run::state::{Exactness, Phase};
use crate::ui::brush::{Side, wrap};
use crate::ui::glyphs::bar;
use crate::ui::intent::{focused_chart, markers_at, scopes};
use crate::ui::keymap::{Binding, Intent, Key, Scope, label};
use crate::ui::layout::View;
use crate::ui::plots::{self, Strand};
use crate::ui::screen::{Asked, Half, Mood, X, is_over};
use crate::ui::terminal::LinkSpeed;
use crate::ui::theme::Tone;
use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use std::fmt::Write as _;
use unicode_width::UnicodeWidthStr;

/// Wider lines are no easier to read.
const LONGEST_TOAST: usize = 76;
/// State of a run that probes its student between two steps.
const PROBING: &str = "RUNNING (probe)";
/// More would hide what it is about; the log has the rest.
const TOAST_LINES: usize = 3;

pub(super) fn word(pen: &Pen) -> &'static str {
    match &pen.state.phase {
        Phase::Preparing => "PREPARING",
        Phase::Running | Phase::Paused if under_evaluation(pen).is_some() => "EVALUATING",
        Phase::Running if pen.state.preparing.is_some() => "PREPARING",
        // The end of training is followed by the evaluation on the test images.
        Phase::Running if pen.state.evaluating() && pen.state.step == pen.state.plan_steps() => "EVALUATING",
        // A probe is part of training: the state stays, and only a word is added to it for a moment.
        Phase::Running if pen.state.evaluating() || pen.screen.waiting.iter().any(|(_, asked)| *asked == Asked::Probe) => PROBING,
        Phase::Running => "RUNNING",
        Phase::Paused => "PAUSED",
        Phase::Stopping(_) => "STOPPING",
        Phase::Finished(Outcome::Completed) => "COMPLETED",
        Phase::Finished(Outcome::Stopped) => "STOPPED",
        Phase::Finished(Outcome::Failed { .. }) => "FAILED",
    }
}

/// The evaluation that runs now: one that was asked for, or a long one of the plan.
fn under_evaluation<'a>(pen: &'a Pen) -> Option<&'a EvaluationProgress> {
    pen.state.examining.as_ref().or(pen.state.measuring.as_ref())
}

/// ` 1250/2000 images`, and where there is room which of several attacks and how much time is left.
fn how_far(progress: &EvaluationProgress, wide: bool) -> String {
    let mut text = format!(" {}/{}", progress.done, progress.total);
    if !wide {
        return text;
    }
    text.push_str(" images");
    if progress.stages > 1 {
        let stage = progress.stage.saturating_add(1).min(progress.stages);
        let _ = write!(text, ", attack {stage} of {}", progress.stages);
    }
    if let Some(ms) = progress.left_ms {
        let _ = write!(text, ", {} left", clock(ms / 1000));
    }
    text
}

/// Facts in the order of their worth: the line ends where the next would not fit whole.
pub(super) fn header(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let state = pen.state;
    let (sign, tone) = match &state.phase {
        Phase::Preparing => ("○", Tone::Dim),
        Phase::Running => ("●", Tone::Ok),
        Phase::Paused => ("‖", Tone::Warn),
        Phase::Stopping(_) => ("■", Tone::Warn),
        Phase::Finished(Outcome::Completed) => ("✓", Tone::Ok),
        Phase::Finished(Outcome::Stopped) => ("■", Tone::Text),
        Phase::Finished(Outcome::Failed { .. }) => ("!", Tone::Error),
    };
    let wide = area.width >= 110;
    // As wide as the longest that comes and goes, so that what follows stands still.
    let runs = state.phase == Phase::Running && state.preparing.is_none() && area.width >= 70;
    let (known, width) = match word(pen) {
        // Where there is no room for the addition, the state is said without it.
        PROBING if area.width < 80 => ("RUNNING", "EVALUATING".len()),
        word if area.width < 80 => (word, "EVALUATING".len()),
        word => (word, PROBING.len()),
    };
    let width = if runs { width } else { 0 };
    let mut word = format!("{sign} {known:<width$}");
    if let Phase::Stopping(stop) = &state.phase
        && stop.when == StopWhen::AfterEpoch
    {
        word.push_str(" after this epoch");
    }
    if let (Phase::Running | Phase::Paused, Some(progress)) = (&state.phase, under_evaluation(pen)) {
        word.truncate(word.trim_end().len());
        word.push_str(&how_far(progress, wide));
    }
    if let (Phase::Running, Some(p)) = (&state.phase, &state.preparing) {
        let _ = write!(word, " {} {}/{}", p.what, p.done, p.total);
    }
    let run = state.started.as_ref().map_or("", |s| s.run.as_str());
    let (epoch, _) = state.epoch();
    let epochs = state.started.as_ref().map_or(0, |s| s.plan.epochs);
    let all = state.plan_steps();
    let width = all.to_string().len();
    let rate = if state.step_seconds > 0.0 { 1.0 / state.step_seconds } else { 0.0 };
    let eta = state.eta().map_or_else(
        || "--".to_string(),
        |eta| {
            let about = if eta.exactness == Exactness::Rough { "~" } else { "" };
            format!("{about}{}", clock(eta.seconds.round() as u64))
        },
    );
    let elapsed = clock(pen.screen.elapsed_ms(state) / 1000);
    let (name, room) = if wide { ("rematch", 32) } else { ("", 16) };
    let run = pen.brush().shortened(run, room);
    let mut facts = vec![];
    if !name.is_empty() {
        facts.push((Tone::Title, name.to_string()));
    }
    facts.push((Tone::Title, run));
    facts.push((tone, word));
    if pen.screen.link == LinkSpeed::Slow {
        facts.push((Tone::Warn, "link slow".to_string()));
    }
    if let Some(pace) = &pen.screen.pace {
        let seeking = pen.screen.seeking.map(|step| step.min(all));
        facts.push((Tone::Accent, seeking.map_or_else(|| format!("replay {pace}"), |step| format!("replay → {step}"))));
    }
    let (ep, step) = if wide { ("epoch", "step ") } else { ("ep", "") };
    facts.push((Tone::Text, format!("{ep} {epoch}/{epochs}")));
    facts.push((Tone::Text, format!("{step}{:>width$}/{all}", state.step)));
    let end = (Tone::Text, if is_over(state) { format!("took {elapsed}") } else { format!("ETA {eta}") });
    // When it will be over comes before how fast it goes, where there is no room for both.
    facts.push(end);
    if rate > 0.0 && !is_over(state) {
        let pace = if rate >= 99.5 { format!("{rate:.0} it/s") } else { format!("{rate:.1} it/s") };
        facts.push(match (state.phase == Phase::Paused, wide) {
            // The pace of before is no pace now.
            (true, true) => (Tone::Warn, format!("paused, was {pace}")),
            (true, false) => (Tone::Warn, "paused".to_string()),
            (false, _) => (Tone::Text, pace),
        });
    }
    if wide && !is_over(state) {
        facts.push((Tone::Text, format!("elapsed {elapsed}")));
    }
    if wide && state.images_per_s > 0.0 && !is_over(state) && state.phase != Phase::Paused {
        facts.push((Tone::Dim, format!("{} img/s", two_digits(state.images_per_s))));
        facts.push((Tone::Dim, state.started.as_ref().map_or_else(String::new, |s| s.device.clone())));
    }
    let between = if wide { " │ " } else { "  " };
    let mut line = Line::from(" ");
    for (tone, fact) in facts {
        let gap = if line.width() == 1 { "" } else { between };
        if line.width() + gap.chars().count() + fact.chars().count() > usize::from(area.width) {
            break;
        }
        line.push_span(pen.span(Tone::Dim, gap));
        line.push_span(pen.span(tone, fact));
    }
    line_at(buffer, area.x, area.y, area.width, &line);
}

/// Two significant digits, so that the last ones do not flicker: `4800`.
fn two_digits(v: f64) -> String {
    let unit = 10f64.powf((v.max(1.0).log10().floor() - 1.0).max(0.0));
    format!("{:.0}", (v / unit).round() * unit)
}

pub(super) fn gauges(pen: &Pen, area: Rect, timing: Brief, buffer: &mut Buffer) {
    let (_, epoch) = pen.state.epoch();
    let run = pen.state.step as f64 / pen.state.plan_steps().max(1) as f64;
    let both = [("epoch", epoch, Tone::First), ("run  ", run, Tone::Ok)];
    let shown = if area.height >= 2 { &both[..] } else { &both[1..] };
    let beside = if timing == Brief::Yes { usize::from(area.width / 2) } else { 0 };
    let texts = match shown.len() {
        _ if timing == Brief::No => Vec::new(),
        2 => vec![machine::brief_step(pen, beside - 1), machine::brief_epochs(pen)],
        _ => vec![machine::brief_epochs(pen)],
    };
    for (i, ((name, share, tone), y)) in shown.iter().zip(area.y..area.bottom()).enumerate() {
        let room = usize::from(area.width).saturating_sub(14 + beside);
        let line = Line::from(vec![
            pen.span(Tone::Text, format!(" {name} ")),
            Span::styled(bar(*share, room), pen.style(*tone)),
            pen.span(Tone::Text, format!("  {:3.0}%  ", 100.0 * share)),
            pen.span(Tone::Dim, texts.get(i).cloned().unwrap_or_default()),
        ]);
        line_at(buffer, area.x, y, area.width, &line);
    }
}

/// Whether a key does anything at present: a hint for one that does not would only be in the way.
fn useful(pen: &Pen, binding: &Binding) -> bool {
    let steers = pen.screen.access == Access::Steer && !is_over(pen.state);
    match binding.intent {
        Intent::Save
        | Intent::Evaluate
        | Intent::Probe
        | Intent::Undo
        | Intent::More
        | Intent::Less
        | Intent::Edit
        | Intent::Apply
        | Intent::Exhibit => steers,
        Intent::Overlays => !pen.screen.runs.overlays.is_empty(),
        // Where nothing is steered it is the same as leaving.
        Intent::Detach => pen.screen.access == Access::Steer && !is_over(pen.state),
        Intent::SeekBack | Intent::SeekFarBack => pen.state.step > 0,
        // Of no use before there are images.
        Intent::NextLook | Intent::Open if pen.screen.view == View::Gallery => pen.state.exhibit.is_some(),
        // Nobody looks for the view that is there.
        Intent::Show(view) => pen.screen.view != view,
        Intent::OlderReport | Intent::NewerReport => pen.state.reports.len() > 1,
        // Its curves are on the charts already.
        Intent::Open if pen.screen.view == View::Runs => {
            let shown = pen.screen.runs.shown(pen.state, pen.screen.access);
            shown.rows.get(pen.screen.runs.at(&shown)).is_some_and(|listed| !listed.own)
        }
        Intent::Open if pen.screen.view == View::Events => pen.screen.events.half == Half::Marks,
        // A replay holds and goes on by the same key.
        Intent::Pause => steers || (pen.screen.pace.is_some() && !is_over(pen.state)),
        Intent::Faster | Intent::Slower | Intent::SeekForward | Intent::SeekFarForward | Intent::SeekEnd => !is_over(pen.state),
        _ => true,
    }
}

/// The views with their keys in as few cells as they need.
pub(super) fn views(pen: &Pen) -> Line<'static> {
    let mut line = Line::default();
    for &view in View::ALL {
        let key = pen.screen.keymap.key_of(Scope::Everywhere, Intent::Show(view));
        let tone = if view == pen.screen.view { Tone::Selected } else { Tone::Text };
        let gap = if line.width() == 0 { "" } else { " " };
        line.push_span(gap);
        line.push_span(pen.span(tone, format!("{key} {}", view.name()).trim_start().to_string()));
    }
    line
}

/// Tells whether the run, or the replay of one, is paused: the same key makes it go on.
fn stands_still(pen: &Pen) -> bool {
    match &pen.screen.pace {
        Some(pace) => pace.ends_with("paused"),
        None => pen.state.phase == Phase::Paused,
    }
}

/// The views with their keys, the present one marked.
pub(super) fn tabs(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let mut line = Line::from(" ");
    for &view in View::ALL {
        let key = pen.screen.keymap.key_of(Scope::Everywhere, Intent::Show(view));
        let tone = if view == pen.screen.view { Tone::Selected } else { Tone::Dim };
        line.push_span(pen.span(tone, format!(" {key} {} ", view.name())));
        line.push_span(pen.span(Tone::Dim, " "));
    }
    line_at(buffer, area.x, area.y, area.width, &line);
}

/// What keys do, or what is under the crosshair.
pub(super) fn hints(pen: &Pen, area: Rect, named: Named, buffer: &mut Buffer) {
    let mut line = Line::from(" ");
    if let (Some(step), View::Dash | View::Charts) = (pen.screen.cursor, pen.screen.view) {
        crosshair(pen, step, area, buffer);
        return;
    }
    if named == Named::No && pen.screen.names_views() {
        line.spans.extend(views(pen).spans);
        line_at(buffer, area.x, area.y, area.width, &line);
        return;
    }
    let scopes = scopes(pen.screen);
    let wanted = |s: Scope| scopes.contains(&s) && (s != Scope::Controls || pen.screen.access == Access::Steer);
    let told = |b: &Binding| named == Named::Yes && matches!(b.intent, Intent::Show(_));
    let shown = |b: &Binding| wanted(b.scope) && b.hint.is_some() && useful(pen, b) && !told(b);
    let all = pen.screen.keymap.bindings().filter(|b| !b.keys.is_empty() && shown(b.binding));
    let (here, others): (Vec<_>, Vec<_>) = all.partition(|b| !matches!(b.binding.scope, Scope::Everywhere | Scope::Dash));
    let (everywhere, dash): (Vec<_>, Vec<_>) = others.into_iter().partition(|b| b.binding.scope == Scope::Everywhere);
    // First how to leave, get help, pause and save; then what the focused pane adds.
    let first = everywhere.len().min(4);
    for binding in everywhere[..first].iter().chain(&here).chain(&everywhere[first..]).chain(&dash) {
        let Some(hint) = binding.binding.hint else { continue };
        let hint = if binding.binding.intent == Intent::Pause && stands_still(pen) { "resume" } else { hint };
        // A key may mean something nearer here.
        let means = |&&(code, modifiers): &&Key| {
            pen.screen.keymap.find(&scopes, &KeyEvent::new(code, modifiers)) == Some(binding.binding.intent)
        };
        let Some(&(code, modifiers)) = binding.keys.iter().find(means) else { continue };
        let key = label(code, modifiers);
        if line.width() + key.len() + hint.len() + 3 > usize::from(area.width) {
            continue;
        }
        line.push_span(pen.span(Tone::Accent, key));
        line.push_span(pen.span(Tone::Dim, format!(" {hint}  ")));
    }
    line_at(buffer, area.x, area.y, area.width, &line);
}

/// Draws the line of the crosshair: its place, what was changed there, and the key that removes it, which is always seen. Between
/// these stand, as far as there is room, the values of the chosen chart, those of the runs behind, and of the other terms.
fn crosshair(pen: &Pen, step: u64, area: Rect, buffer: &mut Buffer) {
    let way_out = format!("{} back ", pen.screen.keymap.key_of(Scope::Everywhere, Intent::Back));
    let room = usize::from(area.width).saturating_sub(way_out.width() + 2);
    let mut line = Line::from(" ");
    let per = pen.state.started.as_ref().map_or(1, |s| s.plan.steps_per_epoch.max(1));
    let mut place = format!("step {step} ep {:.1}", step as f64 / per as f64);
    if let (X::Wall, Some(ms)) = (pen.screen.charts.x, pen.state.clock.ms_at(step)) {
        let _ = write!(place, " after {}", clock(ms / 1000));
    }
    line.push_span(pen.span(Tone::Title, place));
    for marker in markers_at(pen.state, step) {
        let who = marker.who();
        let note = marker.note.as_ref().map_or_else(String::new, |n| format!(" ({n})"));
        let text = pen.screen.glyphs.words(format!("  {} {who}{note}", marker.text)).into_owned();
        let left = room.saturating_sub(line.width());
        let text = if text.width() > left { pen.brush().fitted(&text, left, Side::Left) } else { text };
        line.push_span(pen.span(Tone::Warn, text));
    }
    // The fullest of several texts that has room, or none of them.
    let mut add = |tone: Tone, texts: &[String]| {
        let mut spans = texts.iter().map(|text| pen.span(tone, text.clone()));
        if let Some(span) = spans.find(|span| line.width() + span.width() <= room) {
            line.push_span(span);
        }
    };
    let plot = focused_chart(pen.screen, pen.state);
    let strands = plot.strands(pen.state);
    let own = |strand: &Strand| {
        let now = charts::reading(pen, strand)?;
        Some([format!("  {} {}", strand.name, charts::number(plot, strand, Some(now)))])
    };
    let others = charts::others(pen, plot);
    // The titles have the values of this run too: beside others its leading one is enough.
    let leads = |strand: &&Strand| others.is_empty() || plot.lead().is_none_or(|lead| lead == strand.key);
    strands.iter().filter(leads).filter_map(own).for_each(|text| add(Tone::Text, &text));
    // All of them in the same form.
    let told_of = |form: usize| -> String {
        let one = |other: &charts::Other| {
            let (letter, name) = (other.letter, &other.name);
            let values: String = other.values.iter().fold(String::new(), |text, (name, value)| format!("{text} {name} {value}"));
            let (what, value) = other.lead.as_ref().map_or(("", "--"), |(what, value)| (what, value));
            match form {
                0 => format!("  {letter} {name}:{values}"),
                1 => format!("  {letter} {name}: {what} {value}"),
                2 => format!("  {letter}: {what} {value}"),
                _ => format!("  {letter} {value}"),
            }
        };
        others.iter().map(one).collect()
    };
    add(Tone::Accent, &[0, 1, 2, 3].map(told_of));
    strands.iter().filter(|strand| !leads(strand)).filter_map(own).for_each(|text| add(Tone::Text, &text));
    let told = |term: Term| strands.iter().any(|strand| strand.key == plots::Key::Term(term));
    for (&term, series) in pen.state.series.iter().filter(|(term, _)| **term != Term::WeightedCrossEntropy && !told(**term)) {
        if let Some(point) = series.as_of(step + 1) {
            add(Tone::Text, &[format!("  {} {}", term.name(), value(f64::from(point.mean)))]);
        }
    }
    line_at(buffer, area.x, area.y, area.width, &line);
    let x = area.right().saturating_sub(way_out.width() as u16);
    line_at(buffer, x.max(area.x), area.y, way_out.width() as u16, &Line::from(pen.span(Tone::Accent, way_out)));
}

/// What holds the run up, over the whole width above the hints, for as long as it does. Says where toasts may begin.
fn trouble(pen: &Pen, hints: Rect, buffer: &mut Buffer) -> Rect {
    let Some(message) = &pen.screen.trouble else { return hints };
    let width = usize::from(hints.width);
    let lines = wrap(&format!("! {message}"), width.saturating_sub(2).max(1));
    let height = (lines.len() as u16).min(3).min(hints.y);
    let top = Rect { y: hints.y - height, ..hints };
    let style = pen.style(Tone::Error).add_modifier(ratatui::style::Modifier::REVERSED);
    for (text, y) in lines.iter().zip(top.y..hints.y) {
        let text = pen.screen.glyphs.words(format!(" {text:<0$}", width - 1)).into_owned();
        buffer.set_stringn(hints.x, y, text, width, style);
    }
    top
}

/// At the right end of the lines above the hints, newest lowest; a long one takes a few lines.
pub(super) fn toasts(pen: &Pen, hints: Rect, log: Option<Rect>, buffer: &mut Buffer) {
    let hints = trouble(pen, hints, buffer);
    let room = usize::from(hints.width.saturating_sub(2)).clamp(1, LONGEST_TOAST);
    let mut y = hints.y;
    for toast in pen.screen.toasts.iter().rev() {
        let style = match toast.mood {
            Mood::Good => pen.style(Tone::Selected),
            Mood::Bad => pen.style(Tone::Error).add_modifier(ratatui::style::Modifier::REVERSED),
        };
        let text = pen.screen.glyphs.words(toast.text.clone()).into_owned();
        let mut lines = wrap(&text, room);
        if lines.len() > TOAST_LINES {
            // That something is missing must be seen.
            lines = wrap(&text, room.saturating_sub(2).max(1));
            lines.truncate(TOAST_LINES);
            if let Some(last) = lines.last_mut() {
                last.push_str(" …");
            }
        }
        let widest = lines.iter().map(|line| line.width()).max().unwrap_or(0);
        let width = (widest as u16 + 2).min(hints.width);
        for line in lines.iter().rev() {
            let Some(above) = y.checked_sub(1) else { return };
            y = above;
            if log.is_some_and(|log| (log.y..log.bottom()).contains(&y)) {
                // What is left of a line of the log would read like nonsense.
                buffer.set_stringn(
                    hints.x,
                    y,
                    " ".repeat(usize::from(hints.width)),
                    usize::from(hints.width),
                    pen.style(Tone::Text),
                );
            }
            let fill = " ".repeat(widest - line.width());
            buffer.set_stringn(hints.right() - width, y, format!(" {line}{fill} "), usize::from(width), style);
        }
    }
}
