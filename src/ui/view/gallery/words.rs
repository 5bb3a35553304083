//! What is said of an image and of the whole look at some. Records may hold any numbers and names.

use super::super::Pen;
use super::arrange::Form;
use crate::protocol::insight::{Exhibit, Group, Guess, Guesses, Piece};
use crate::ui::radii::in_form;
use crate::ui::screen::Look;
use crate::ui::theme::Tone;

/// A name is not longer than this.
const NAME: usize = 16;

/// Everything about a piece, what matters most first, for a column or lines of a width.
pub fn of(pen: &Pen, exhibit: &Exhibit, piece: &Piece, (form, width): (Form, u16), texts: &mut Vec<(Tone, String)>) {
    let change = |guesses: &Guesses| format!("{} → {}", guess(pen, guesses.before), guess(pen, guesses.after));
    let student = change(&piece.student);
    let teacher = piece.teacher.as_ref().map(change);
    let tone = if piece.student.after.class == piece.label { Tone::Ok } else { Tone::Warn };
    let attack = format!("{}: {}, {} {}", exhibit.attack.short(), exhibit.attack.how(), exhibit.attack.norm, exhibit.attack.eps);
    let largest = in_form(piece.scale, exhibit.attack.eps);
    match form {
        Form::Column => {
            texts.push((tone, verdict(pen, piece)));
            texts.push((Tone::Text, format!("true class: {}", class(pen, piece.label))));
            let mut told = |who: &str, guesses: &Guesses, change: String| {
                let line = format!("{who}: {change}");
                if pen.screen.glyphs.words(line.as_str()).chars().count() <= usize::from(width) {
                    texts.push((Tone::Text, line));
                } else {
                    texts.push((Tone::Text, format!("{who}: {}", guess(pen, guesses.before))));
                    texts.push((Tone::Text, format!("attacked: {}", guess(pen, guesses.after))));
                }
            };
            told("student", &piece.student, student);
            if let Some((guesses, change)) = piece.teacher.as_ref().zip(teacher) {
                told("teacher", guesses, change);
            }
            texts.push((Tone::Text, String::new()));
            texts.push((Tone::Text, format!("{attack}, weights of step {}", exhibit.step)));
            texts.push((Tone::Dim, format!("largest change {largest}")));
            texts.push((Tone::Dim, format!("validation image {}, seen in training: no", piece.index)));
            texts.extend(of_all(exhibit).map(|text| (Tone::Dim, text)));
        }
        Form::Lines => {
            texts.push((tone, verdict(pen, piece)));
            let teacher = teacher.map_or_else(String::new, |teacher| format!(", teacher {teacher}"));
            texts.push((Tone::Text, format!("student {student}{teacher}")));
            texts.push((Tone::Text, attack));
            let index = piece.index;
            texts.push((Tone::Dim, format!("validation image {index}, seen in training: no; largest change {largest}")));
            texts.extend(of_all(exhibit).map(|text| (Tone::Dim, text)));
        }
        Form::Brief => {
            texts.push((tone, format!("{}: student {student}", happened(piece))));
            texts.extend(teacher.map(|teacher| (Tone::Text, format!("teacher {teacher}"))));
            texts.push((Tone::Dim, format!("{attack}; seen in training: no")));
        }
    }
}

/// How many of all that were looked at are in which group.
pub fn of_all(exhibit: &Exhibit) -> impl Iterator<Item = String> {
    let Exhibit { looked, fooled, standing, saved, .. } = exhibit;
    let wrong = looked.saturating_sub(*fooled).saturating_sub(*standing);
    let text = format!("of {looked} images {fooled} fooled, {standing} stand ({saved} saved), {wrong} wrong unattacked");
    std::iter::once(text)
}

/// Above a large picture, in a room of so many cells.
pub fn caption(pen: &Pen, piece: &Piece, look: Look, room: u16) -> String {
    match look {
        Look::Image => format!("x: {}", class(pen, piece.label)),
        Look::Attacked => format!("x+δ: {}", class(pen, piece.student.after.class)),
        Look::Change if room > 24 => "10·δ, grey: no change".into(),
        Look::Change => "10·δ".into(),
    }
}

/// Above a small picture.
pub fn short(pen: &Pen, piece: &Piece) -> String {
    let (truth, after) = (class(pen, piece.label), class(pen, piece.student.after.class));
    if truth == after { truth } else { format!("{truth} → {after}") }
}

fn happened(piece: &Piece) -> &'static str {
    let right = |guess: Guess| guess.class == piece.label;
    match (right(piece.student.before), right(piece.student.after), piece.group) {
        (false, ..) => "wrong unattacked",
        (true, false, _) => "fooled",
        (true, true, Group::Saved) => "saved, once fooled",
        (true, true, Group::Fooled | Group::Hardest) => "stands",
    }
}

fn verdict(pen: &Pen, piece: &Piece) -> String {
    let right = |guess: Guess| guess.class == piece.label;
    let (truth, before) = (class(pen, piece.label), class(pen, piece.student.before.class));
    match (right(piece.student.before), right(piece.student.after), piece.group) {
        (false, ..) => format!("wrong without an attack: {truth} taken for {before}"),
        (true, false, _) => format!("fooled: {truth} → {}", class(pen, piece.student.after.class)),
        (true, true, Group::Saved) => format!("saved: {truth} stands now, fooled at an earlier probe or look"),
        (true, true, Group::Hardest) => format!("stands: {truth}, one of the hardest of those that do"),
        (true, true, Group::Fooled) => format!("stands: {truth}"),
    }
}

fn guess(pen: &Pen, guess: Guess) -> String {
    let share = if (0.0..=1.0).contains(&guess.confidence) { format!("{:.0}", 100.0 * guess.confidence) } else { "?".into() };
    format!("{} {share} %", class(pen, guess.class))
}

/// A class by its name.
fn class(pen: &Pen, class: u64) -> String {
    let classes = pen.state.started.as_ref().map_or(&[][..], |started| &started.data.classes);
    let name = usize::try_from(class).ok().and_then(|class| classes.get(class));
    let name: String = name.map_or("", String::as_str).chars().filter(|c| !c.is_control()).collect();
    if name.trim().is_empty() { format!("class {class}") } else { pen.brush().shortened(&name, NAME) }
}
