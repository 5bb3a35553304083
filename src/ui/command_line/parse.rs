//! What a command says: from a line of text to what is meant, or to why that is nothing.
//!
//! Pure, and tested by a table. Whether it may be done at present is asked where it is carried out.

use super::Known;
use super::when::When;
use crate::config::check::nearest;
use crate::protocol::{Dial, StopWhen};
use crate::run::RunState;
use crate::ui::glyphs::Glyphs;
use crate::ui::layout::View;
use crate::ui::screen::{self, BranchWish, SMOOTHING, X, change_of_config};

/// What is meant.
#[derive(Clone, Debug, PartialEq)]
pub enum Spoken {
    Set {
        dial: Dial,
        to: f64,
        /// `None`: at the next step.
        when: Option<When>,
        note: Option<String>,
    },
    Unset(Dial),
    Pause,
    Resume,
    Save,
    Probe,
    Evaluate,
    Stop(StopWhen),
    Undo,
    View(View),
    /// Index into [`SMOOTHING`].
    Smooth(usize),
    X(X),
    /// Lines of the log with this in them; all where it is empty.
    Find(String),
    /// New images under attack.
    Exhibit,
    Log,
    Theme(String),
    Glyphs(Glyphs),
    /// Where to, where that was said.
    Write(Option<(String, Kind)>),
    Help(String),
    Checkpoints,
    /// Go back to a checkpoint, or begin a run beside this one.
    Branch(screen::Kind, BranchWish),
    Detach,
    Take,
    Quit,
}

/// How a frame is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Ansi,
    Svg,
}

impl Kind {
    pub const ALL: &[Self] = &[Self::Text, Self::Ansi, Self::Svg];

    pub fn ending(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Ansi => "ans",
            Self::Svg => "svg",
        }
    }
}

/// A command's name, how it is written, and what it does.
pub struct Word {
    pub name: &'static str,
    pub usage: &'static str,
    pub says: &'static str,
}

const fn word(name: &'static str, usage: &'static str, says: &'static str) -> Word {
    Word { name, usage, says }
}

pub const WORDS: &[Word] = &[
    word(
        "set",
        "set DIAL VALUE [at-step N | at-epoch N] [ramp N | ramp Ne] [note TEXT]",
        "change a dial, now, later or bit by bit; VALUE is 0.05, 8/255, 35%, *0.5 or +10%",
    ),
    word("unset", "unset DIAL", "give up what is scheduled for a dial"),
    word("pause", "pause", "stand still before the next step"),
    word("resume", "resume", "go on"),
    word("go", "go", "go on"),
    word("save", "save", "write a checkpoint now"),
    word("probe", "probe", "probe the validation images now"),
    word("eval", "eval", "ask what to evaluate these weights with"),
    word("stop", "stop [now | epoch]", "ask whether to stop after this step or this epoch"),
    word("undo", "undo", "propose the value before the last change"),
    word("view", "view NAME", "show another view"),
    word("smooth", "smooth 0 | 0.6 | 0.9 | 0.99", "smooth the curves"),
    word("x", "x step | epoch | time", "what the charts count along"),
    word("find", "find [TEXT]", "the lines of the log with that in them; level:warn, level:error"),
    word("gallery", "gallery", "attack validation images and show some"),
    word("log", "log", "logarithmic or linear y of the loss"),
    word("theme", "theme NAME", "other colours"),
    word("glyphs", "glyphs braille | half | ascii", "what curves and borders are drawn with"),
    word("write", "write [FILE.txt | FILE.ans | FILE.svg]", "save what the screen shows"),
    word("checkpoints", "checkpoints", "list them: go back to one, begin another run from it, pin or delete it"),
    word("rewind", "rewind STEP [KEY=VALUE ...]", "save and stop, and go on in a new run from that checkpoint"),
    word("fork", "fork STEP [KEY=VALUE ...]", "begin a run from that checkpoint beside this one, without a screen"),
    word("detach", "detach", "leave; training goes on"),
    word("take", "take", "steer from here, whoever does so now"),
    word("help", "help [WORD]", "keys and commands, those with that word"),
    word("quit", "quit", "leave: asks how to stop"),
];

pub const AXES: &[(&str, X)] = &[("step", X::Step), ("epoch", X::Epoch), ("time", X::Wall)];

pub const GLYPHS: &[(&str, Glyphs)] = &[("braille", Glyphs::Braille), ("half", Glyphs::Half), ("ascii", Glyphs::Ascii)];

/// # Errors
/// What was typed, and what is allowed there.
pub fn parse(text: &str, known: Known) -> Result<Spoken, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let Some((&name, rest)) = words.split_first() else {
        return Err("type a command; Tab shows which there are".into());
    };
    let names: Vec<&'static str> = WORDS.iter().map(|word| word.name).collect();
    let Some(word) = find(name) else {
        let meant = nearest(name, &names).map_or_else(String::new, |near| format!("; did you mean {near}?"));
        return Err(format!("'{name}' is no command{meant} (allowed: {})", names.join(", ")));
    };
    let usage = || format!("write it as: {}", word.usage);
    let alone = |spoken| match rest {
        [] => Ok(spoken),
        [extra, ..] => Err(format!("'{extra}' is too much; {}", usage())),
    };
    match word.name {
        "set" => set(text, rest, known.state),
        "unset" => match rest {
            [dial] => {
                let dial = self::dial(dial, known.state)?;
                if known.state.scheduled.iter().any(|timed| timed.dial == dial) {
                    Ok(Spoken::Unset(dial))
                } else {
                    Err(format!("nothing is scheduled for {}", dial.name()))
                }
            }
            _ => Err(usage()),
        },
        "pause" => alone(Spoken::Pause),
        "resume" | "go" => alone(Spoken::Resume),
        "save" => alone(Spoken::Save),
        "probe" => alone(Spoken::Probe),
        "eval" => alone(Spoken::Evaluate),
        "stop" => match rest {
            [] | ["now"] => Ok(Spoken::Stop(StopWhen::AfterStep)),
            ["epoch"] => Ok(Spoken::Stop(StopWhen::AfterEpoch)),
            [other, ..] => Err(format!("'{other}' is no time to stop; allowed: now, epoch")),
        },
        "undo" => alone(Spoken::Undo),
        "view" => {
            let names: Vec<String> = View::ALL.iter().map(|view| view.name().to_lowercase()).collect();
            let number = |text: &&str| text.parse::<usize>().ok().and_then(|n| View::ALL.get(n.checked_sub(1)?)).copied();
            if let [only] = rest
                && let Some(view) = number(only)
            {
                return Ok(Spoken::View(view));
            }
            one_of("view", rest, &names).map(|at| Spoken::View(View::ALL[at]))
        }
        "smooth" => {
            let levels: Vec<String> = SMOOTHING.iter().map(f64::to_string).collect();
            let number = |text: &str| text.parse::<f64>().map_or_else(|_| text.into(), |n| n.to_string());
            let rest: Vec<String> = rest.iter().map(|text| number(text)).collect();
            one_of("smoothing", &rest.iter().map(String::as_str).collect::<Vec<_>>(), &levels).map(Spoken::Smooth)
        }
        "x" => {
            let names: Vec<String> = AXES.iter().map(|(name, _)| (*name).to_string()).collect();
            one_of("x axis", rest, &names).map(|at| Spoken::X(AXES[at].1))
        }
        "find" => Ok(Spoken::Find(after(text, 1).to_string())),
        "gallery" => alone(Spoken::Exhibit),
        "log" => alone(Spoken::Log),
        "theme" => {
            let names: Vec<String> = known.themes.iter().map(|name| (*name).to_string()).collect();
            one_of("theme", rest, &names).map(|at| Spoken::Theme(names[at].clone()))
        }
        "glyphs" => {
            let names: Vec<String> = GLYPHS.iter().map(|(name, _)| (*name).to_string()).collect();
            one_of("set of glyphs", rest, &names).map(|at| Spoken::Glyphs(GLYPHS[at].1))
        }
        "write" => write(after(text, 1)),
        "checkpoints" => alone(Spoken::Checkpoints),
        "rewind" => branch(rest, usage()).map(|wish| Spoken::Branch(screen::Kind::Rewind, wish)),
        "fork" => branch(rest, usage()).map(|wish| Spoken::Branch(screen::Kind::Beside, wish)),
        "detach" => alone(Spoken::Detach),
        "take" => alone(Spoken::Take),
        "help" => Ok(Spoken::Help(rest.join(" "))),
        _ => alone(Spoken::Quit),
    }
}

fn branch(rest: &[&str], usage: String) -> Result<BranchWish, String> {
    let [step, sets @ ..] = rest else { return Err(usage) };
    let step = step.parse().map_err(|_| format!("'{step}' is no step; {usage}"))?;
    sets.iter().try_for_each(|set| change_of_config(set))?;
    Ok(BranchWish { step, sets: sets.iter().map(|set| (*set).to_string()).collect() })
}

/// A command by its name or the only one that begins so.
pub fn find(name: &str) -> Option<&'static Word> {
    if let Some(word) = WORDS.iter().find(|word| word.name == name) {
        return Some(word);
    }
    let mut begin = WORDS.iter().filter(|word| word.name.starts_with(name));
    begin.next().filter(|_| begin.next().is_none())
}

/// What stands after the first words, spaces and all.
fn after(text: &str, words: usize) -> &str {
    let mut rest = text.trim_start();
    for _ in 0..words {
        rest = rest.find(char::is_whitespace).map_or("", |at| rest[at..].trim_start());
    }
    rest.trim_end()
}

fn set(text: &str, rest: &[&str], state: &RunState) -> Result<Spoken, String> {
    let (name, value, times) = match rest {
        [name, value, times @ ..] => (*name, *value, times),
        [name] => {
            let (dial, controls) = (dial(name, state)?, state.controls.ok_or(NOT_STARTED)?);
            let (low, high) = dial.range(controls.norm);
            return Err(format!(
                "{} is {}: to what? allowed: {} to {}, or *0.5, +10%",
                dial.name(),
                dial.show(controls.value(dial)),
                dial.show(low),
                dial.show(high)
            ));
        }
        [] => return Err(format!("set what? its dials: {}", names(state))),
    };
    let dial = dial(name, state)?;
    let controls = state.controls.ok_or(NOT_STARTED)?;
    let to = value_of(dial, value, state)?;
    let (times, note) = match times.iter().position(|word| *word == "note") {
        None => (times, None),
        Some(at) => {
            let note = after(text, 3 + at + 1);
            if note.is_empty() {
                return Err("note needs a text after it".into());
            }
            (&times[..at], Some(note.to_string()))
        }
    };
    let when = When::parse(times, state)?;
    if when.is_none() && controls.value(dial) == to {
        return Err(format!("{} is {} already", dial.name(), dial.show(to)));
    }
    Ok(Spoken::Set { dial, to, when, note })
}

const NOT_STARTED: &str = "the run has not started yet";

/// A value as it was typed; what it may be instead, where it is none.
pub fn value_of(dial: Dial, text: &str, state: &RunState) -> Result<f64, String> {
    let controls = state.controls.ok_or(NOT_STARTED)?;
    dial.parse(text, controls.value(dial), controls.norm).map_err(|message| {
        let (low, high) = dial.range(controls.norm);
        if message.contains("allowed") {
            message
        } else {
            // The forms are in the message already, except those that are about the present value.
            format!("{message}, *0.5 or +10%; allowed: {} to {}", dial.show(low), dial.show(high))
        }
    })
}

fn names(state: &RunState) -> String {
    state.started.as_ref().map_or(&[][..], |s| &s.dials).iter().map(|dial| dial.name()).collect::<Vec<_>>().join(", ")
}

/// A dial of this run by its name, its symbol, or what only one name begins with.
fn dial(text: &str, state: &RunState) -> Result<Dial, String> {
    let dials = state.started.as_ref().map(|s| s.dials.as_slice()).ok_or(NOT_STARTED)?;
    if let Some(dial) = dials.iter().find(|dial| dial.name() == text || dial.symbol() == text) {
        return Ok(*dial);
    }
    let begin: Vec<Dial> = dials.iter().copied().filter(|dial| dial.name().starts_with(text)).collect();
    match begin.as_slice() {
        [one] => Ok(*one),
        [] if Dial::ALL.iter().any(|dial| dial.name() == text) => {
            Err(format!("this run has no use for {text}; its dials: {}", names(state)))
        }
        [] => Err(format!("'{text}' is no dial of this run; its dials: {}", names(state))),
        several => {
            let names: Vec<&str> = several.iter().map(|dial| dial.name()).collect();
            Err(format!("'{text}' may be {}", names.join(" or ")))
        }
    }
}

fn one_of(what: &str, rest: &[&str], names: &[String]) -> Result<usize, String> {
    let allowed = names.join(", ");
    let [name] = rest else { return Err(format!("one {what}, please; allowed: {allowed}")) };
    let name = name.to_lowercase();
    if let Some(at) = names.iter().position(|known| *known == name) {
        return Ok(at);
    }
    let mut begin = names.iter().enumerate().filter(|(_, known)| known.starts_with(&name));
    match (begin.next(), begin.next()) {
        (Some((at, _)), None) => Ok(at),
        _ => Err(format!("'{name}' is no {what}; allowed: {allowed}")),
    }
}

fn write(file: &str) -> Result<Spoken, String> {
    if file.is_empty() {
        return Ok(Spoken::Write(None));
    }
    let ends = |kind: &&Kind| file.rsplit_once('.').is_some_and(|(name, end)| !name.is_empty() && end == kind.ending());
    match Kind::ALL.iter().find(ends) {
        Some(kind) => Ok(Spoken::Write(Some((file.to_string(), *kind)))),
        None => Err(format!("'{file}' does not say what to write; allowed: names that end in .txt, .ans or .svg")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::command_line::complete::complete;
    use crate::ui::command_line::example::run;

    const THEMES: &[&str] = &["default", "light"];

    fn spoken(text: &str) -> Result<Spoken, String> {
        let state = run();
        parse(text, Known { state: &state, themes: THEMES })
    }

    fn set(dial: Dial, to: f64, when: Option<(u64, u64)>, note: Option<&str>) -> Spoken {
        Spoken::Set { dial, to, when: when.map(|(at, over)| When { at, over }), note: note.map(String::from) }
    }

    /// 100 steps an epoch, 10 epochs, step 250, lambda 0.5, the learning rate as scheduled, eps 8/255; lambda has a change to come.
    #[test]
    fn what_is_meant() {
        for (text, meant) in [
            ("set lambda 0.05", set(Dial::Lambda, 0.05, None, None)),
            ("  set   lam  *0.5 ", set(Dial::Lambda, 0.25, None, None)),
            ("set λ 35%", set(Dial::Lambda, 0.35, None, None)),
            ("set lr +10%", set(Dial::LrScale, 1.1, None, None)),
            ("set eps 4/255", set(Dial::Eps, 4.0 / 255.0, None, None)),
            ("set ε /2", set(Dial::Eps, 4.0 / 255.0, None, None)),
            ("set lambda 0.05 at-step 300", set(Dial::Lambda, 0.05, Some((300, 0)), None)),
            ("set lambda 0.05 at-epoch 5", set(Dial::Lambda, 0.05, Some((500, 0)), None)),
            ("set lambda 0.05 at-epoch 2.5", set(Dial::Lambda, 0.05, Some((250, 0)), None)),
            ("set lambda 0.05 ramp 500", set(Dial::Lambda, 0.05, Some((251, 500)), None)),
            ("set lambda 0.05 ramp 2e", set(Dial::Lambda, 0.05, Some((251, 200)), None)),
            ("set lambda 0.05 ramp 1.5e at-epoch 4", set(Dial::Lambda, 0.05, Some((400, 150)), None)),
            // What it is already may well be wanted later.
            ("set lambda 0.5 at-step 300", set(Dial::Lambda, 0.5, Some((300, 0)), None)),
            (
                "set lambda 1 at-step 300 note lower  it, ramp 3",
                set(Dial::Lambda, 1.0, Some((300, 0)), Some("lower  it, ramp 3")),
            ),
            ("set lambda 1 note a note", set(Dial::Lambda, 1.0, None, Some("a note"))),
            ("unset lambda", Spoken::Unset(Dial::Lambda)),
            ("pause", Spoken::Pause),
            ("resume", Spoken::Resume),
            ("go", Spoken::Resume),
            ("sa", Spoken::Save),
            ("probe", Spoken::Probe),
            ("eval", Spoken::Evaluate),
            ("stop", Spoken::Stop(StopWhen::AfterStep)),
            ("stop now", Spoken::Stop(StopWhen::AfterStep)),
            ("stop epoch", Spoken::Stop(StopWhen::AfterEpoch)),
            ("undo", Spoken::Undo),
            ("view charts", Spoken::View(View::Charts)),
            ("view Rob", Spoken::View(View::Robust)),
            ("view log", Spoken::View(View::Events)),
            ("smooth 0.9", Spoken::Smooth(2)),
            ("smooth .6", Spoken::Smooth(1)),
            ("smooth 0", Spoken::Smooth(0)),
            ("log", Spoken::Log),
            ("theme li", Spoken::Theme("light".into())),
            ("glyphs half", Spoken::Glyphs(Glyphs::Half)),
            ("write", Spoken::Write(None)),
            ("write a b.svg", Spoken::Write(Some(("a b.svg".into(), Kind::Svg)))),
            ("write x/y.ans", Spoken::Write(Some(("x/y.ans".into(), Kind::Ansi)))),
            ("help", Spoken::Help(String::new())),
            ("help smooth", Spoken::Help("smooth".into())),
            ("quit", Spoken::Quit),
        ] {
            assert_eq!(spoken(text), Ok(meant), "{text}");
        }
    }

    #[test]
    fn what_means_nothing_says_what_would() {
        for (text, says) in [
            ("", "type a command"),
            ("paus me", "'me' is too much; write it as: pause"),
            ("sett lambda 1", "'sett' is no command; did you mean set? (allowed: set, unset, "),
            ("p", "'p' is no command"),
            ("set", "set what? its dials: lambda, lr_scale, eps"),
            ("set lambda", "lambda is 0.5: to what? allowed: 0 to 1e6, or *0.5, +10%"),
            ("set beta 1", "this run has no use for beta; its dials: lambda, lr_scale, eps"),
            ("set gamma 1", "'gamma' is no dial of this run; its dials: lambda, lr_scale, eps"),
            ("set l 1", "'l' may be lambda or lr_scale"),
            ("set lambda -1", "lambda = -1 is out of range; allowed: 0 to 1e6"),
            ("set lambda soon", "'soon' is not a number; write it like 0.1, 1e-3, 8/255 or 35%, *0.5 or +10%; allowed: 0 to 1e6"),
            ("set eps 2", "eps = 2 is out of range; allowed: 0 to 1"),
            ("set lambda 0.5", "lambda is 0.5 already"),
            ("set lambda 1 at-step", "at-step needs a step"),
            ("set lambda 1 at-step x", "'x' is no whole number of steps"),
            ("set lambda 1 at-step 200", "step 200 is over; allowed: 251 to 999"),
            ("set lambda 1 at-epoch 2", "step 200 is over"),
            ("set lambda 1 at-epoch 10", "step 1000 is beyond the run; allowed: 251 to 999"),
            ("set lambda 1 at-epoch ten", "'ten' is no number of epochs"),
            ("set lambda 1 at-step 300 at-epoch 4", "it can begin only once"),
            ("set lambda 1 ramp 0", "ramp 0 takes no time"),
            ("set lambda 1 ramp 800", "a ramp of 800 from step 251 ends beyond the run; allowed: 1 to 749 steps"),
            ("set lambda 1 ramp 1e9e", "ends beyond the run"),
            ("set lambda 1 ramp 18446744073709551615", "ends beyond the run"),
            (
                "set lambda 1 tomorrow 3",
                "'tomorrow' is no time; allowed: at-step N, at-epoch N, ramp N (steps), ramp Ne (epochs)",
            ),
            ("set lambda 1 note", "note needs a text"),
            ("unset", "write it as: unset DIAL"),
            ("unset eps", "nothing is scheduled for eps"),
            ("stop later", "'later' is no time to stop; allowed: now, epoch"),
            ("view", "one view, please; allowed: dash, charts, "),
            ("view r", "'r' is no view; allowed: dash, charts, "),
            ("smooth 0.5", "'0.5' is no smoothing; allowed: 0, 0.6, 0.9, 0.99"),
            ("theme dark", "'dark' is no theme; allowed: default, light"),
            ("glyphs sixel", "'sixel' is no set of glyphs; allowed: braille, half, ascii"),
            ("write x.png", "'x.png' does not say what to write; allowed: names that end in .txt, .ans or .svg"),
            ("write .svg", "does not say what to write"),
        ] {
            let message = spoken(text).unwrap_err();
            assert!(message.contains(says), "{text}\n{message}");
        }
        let nothing = RunState::default();
        for text in ["set lambda 1", "unset lambda"] {
            let message = parse(text, Known { state: &nothing, themes: THEMES }).unwrap_err();
            assert_eq!(message, "the run has not started yet", "{text}");
        }
    }

    #[test]
    fn what_tab_offers() {
        let state = run();
        let known = Known { state: &state, themes: THEMES };
        for (before, words) in [
            ("s", vec!["set", "save", "stop", "smooth"]),
            ("set ", vec!["lambda", "lr_scale", "eps", "probes"]),
            ("set l", vec!["lambda", "lr_scale"]),
            ("set lambda ", vec![]),
            ("set lambda 1 ", vec!["at-step", "at-epoch", "ramp", "note"]),
            ("set lambda 1 at-step ", vec![]),
            ("set lambda 1 at-step 300 ", vec!["ramp", "note"]),
            ("set lambda 1 ramp 2e a", vec!["at-step", "at-epoch"]),
            ("set lambda 1 note r", vec![]),
            ("unset ", vec!["lambda"]),
            ("view c", vec!["charts"]),
            ("theme ", vec!["default", "light"]),
            ("nothing ", vec![]),
            ("pause ", vec![]),
        ] {
            let completion = complete(before, known);
            assert_eq!(completion.words, words, "{before}");
            assert!(before.is_char_boundary(completion.start), "{before}");
        }
    }
}
