//! The dialog that asks for an evaluation: what can be turned, what is fixed, and what it will cost.

use super::{Pen, clock, dialogs};
use crate::protocol::event::{Started, Whose};
use crate::protocol::report::EvaluationPlan;
use crate::ui::brush::wrap;
use crate::ui::evaluation::{Choice, Curve, DOUBTS, Images, Row, passes};
use crate::ui::radii::in_form;
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

const WIDTH: u16 = 62;

pub(super) fn draw(pen: &Pen, chosen: Row, choice: Choice, area: Rect, buffer: &mut Buffer) {
    let Some(started) = &pen.state.started else { return };
    let room = usize::from(WIDTH.min(area.width)).saturating_sub(4).max(1);
    let mut lines = Vec::new();
    for row in Row::of(started) {
        let (name, value, rest) = match row {
            Row::Attack => ("attack", choice.attack.name().to_string(), String::new()),
            Row::Images => match choice.images {
                Images::First(n) => ("images", n.to_string(), format!(" of {} for validation", started.data.validation)),
                Images::All => ("images", format!("all {}", started.data.validation), " for validation".into()),
            },
            Row::Whose => ("whose", choice.of.name().to_string(), whose(choice.of, started)),
            Row::Curve => match choice.curve {
                Curve::Measure => ("curve", "yes".to_string(), curve(started)),
                Curve::Skip => ("curve", "no".to_string(), String::new()),
            },
        };
        let (sign, tone) = if row == chosen { ("▸", Tone::Selected) } else { (" ", Tone::Text) };
        lines.push(Line::from(vec![
            pen.span(Tone::Text, format!("{sign} {name:<7} ")),
            pen.span(tone, format!(" {value} ")),
            pen.span(Tone::Dim, rest),
        ]));
    }
    lines.push(Line::default());
    let threat = started.config.threat;
    let mut said = vec![(
        Tone::Text,
        format!(
            "{} {} as in the config. Validation images: not the final number. Training stands still meanwhile.",
            threat.norm, threat.eps
        ),
    )];
    if let Some((plan, remarks)) = choice.plan(started) {
        said.push((Tone::Text, cost(pen, started, choice, &plan)));
        said.extend(remarks.into_iter().map(|remark| (Tone::Dim, remark)));
    } else {
        said.push((Tone::Error, "! no attack works with so few classes".into()));
    }
    for (tone, text) in said {
        lines.extend(wrap(&text, room).into_iter().map(|text| Line::from(pen.span(tone, text))));
    }
    // How to start and to cancel must stand there, whatever there is to be said.
    lines.truncate(usize::from(area.height).saturating_sub(4));
    lines.push(Line::default());
    lines.push(Line::from(pen.span(Tone::Dim, "Up Down choose  Left Right turn  Enter start  Esc cancel")));
    dialogs::window(pen, area, "Evaluate these weights", WIDTH, &lines, buffer);
}

fn whose(of: Whose, started: &Started) -> String {
    match (of, &started.teacher) {
        (Whose::Teacher, Some(teacher)) => format!(" {}", teacher.network.name),
        (Whose::Teacher | Whose::Student, _) => format!(" {}", started.student.name),
    }
}

fn curve(started: &Started) -> String {
    let eps = started.config.threat.eps;
    format!(" pgd-20 at 9 radii, 0 to {}", in_form(2.0 * eps.0, eps))
}

/// In passes, and at the pace of the last probe in time: an image that falls early costs less than either says.
fn cost(pen: &Pen, started: &Started, choice: Choice, plan: &EvaluationPlan) -> String {
    let each = passes(plan, started.data.classes.len());
    let pace = pen.state.probes().next_back().map(|probe| {
        let passes = f64::from(probe.attack.steps.saturating_add(1)) * f64::from(probe.attack.restarts.max(1));
        probe.seconds / (passes * probe.images.max(1) as f64)
    });
    let (count, (more, few)) = (choice.count(started), DOUBTS);
    let few = few.min(count);
    let all = each as f64 * count as f64 + (more * few) as f64;
    let time = match pace.map(|pace| pace * all) {
        Some(seconds) if seconds < 99.5 => format!(": up to {:.0} s at the pace of the last probe", seconds.max(1.0)),
        Some(seconds) if seconds.is_finite() => format!(": up to {} at the pace of the last probe", clock(seconds as u64)),
        Some(_) | None => String::new(),
    };
    format!("At worst about {each} forward passes an image, and {more} on {few} of them to look for doubts{time}.")
}
