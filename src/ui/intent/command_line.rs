//! Keys while a command is typed, and what a command that was entered does.
//!
//! Enter is the confirmation: a command goes out as a key's own request would. What cannot be done stays in the line with its reason.

use super::steering::{schedule, set, steers, undo};
use super::{Effect, Place, ask, evaluate, perform};
use crate::protocol::{Change, Command, Flow};
use crate::run::RunState;
use crate::run::session::Access;
use crate::run::state::Phase;
use crate::ui::command_line::parse::{Spoken, parse};
use crate::ui::command_line::{CommandLine, Known, Typed, remember};
use crate::ui::keymap::Intent;
use crate::ui::layout::View;
use crate::ui::screen::{Asked, BranchWish, Branching, Dialog, Half, Pending, Screen, Search, Trains, WayOut, is_over, ways_out};
use crossterm::event::KeyEvent;

pub(super) fn key(screen: &mut Screen, state: &RunState, mut line: CommandLine, event: &KeyEvent) -> Vec<Effect> {
    let themes: Vec<&str> = screen.themes.names().collect();
    let known = Known { state, themes: &themes };
    match line.key(event, &screen.commands, known) {
        Typed::Leave => Vec::new(),
        Typed::Stay => {
            screen.dialog = Some(Dialog::Command(line));
            Vec::new()
        }
        Typed::Enter if line.text().trim().is_empty() => Vec::new(),
        Typed::Enter => {
            let done = parse(line.text(), known).and_then(|spoken| run(screen, state, spoken));
            done.inspect(|_| remember(&mut screen.commands, line.text())).unwrap_or_else(|fault| {
                line.fault = Some(fault);
                screen.dialog = Some(Dialog::Command(line));
                Vec::new()
            })
        }
    }
}

/// # Errors
/// Why not, at present.
fn run(screen: &mut Screen, state: &RunState, spoken: Spoken) -> Result<Vec<Effect>, String> {
    let replays = screen.pace.is_some();
    if !replays || !matches!(spoken, Spoken::Pause | Spoken::Resume) {
        match &spoken {
            Spoken::Set { .. }
            | Spoken::Unset(_)
            | Spoken::Pause
            | Spoken::Resume
            | Spoken::Save
            | Spoken::Probe
            | Spoken::Stop(_)
            | Spoken::Undo => steers(screen, state)?,
            Spoken::Evaluate
            | Spoken::View(_)
            | Spoken::Smooth(_)
            | Spoken::X(_)
            | Spoken::Find(_)
            | Spoken::Exhibit
            | Spoken::Log
            | Spoken::Theme(_)
            | Spoken::Glyphs(_)
            | Spoken::Write(_)
            | Spoken::Help(_)
            | Spoken::Checkpoints
            | Spoken::Branch(..)
            | Spoken::Detach
            | Spoken::Take
            | Spoken::Quit => {}
        }
    }
    match spoken {
        Spoken::Set { dial, to, when: Some(when), note } => return Ok(schedule(screen, state, (dial, to), when, note)),
        Spoken::Set { dial, to, when: None, note } => {
            if screen.pending.get(&dial).is_some_and(|p| p.sent.is_some()) {
                return Err(format!("{} is being changed: wait for the answer", dial.name()));
            }
            screen.pending.insert(dial, Pending { value: to, sent: None });
            return Ok(set(screen, state, dial, to, note));
        }
        Spoken::Unset(dial) => return Ok(ask(screen, state, Command::Unschedule(dial), Asked::Unschedule(dial))),
        Spoken::Pause | Spoken::Resume if replays => {
            let held = screen.pace.as_ref().is_some_and(|pace| pace.ends_with("paused"));
            return match (&spoken, held) {
                (Spoken::Pause, true) => Err("the replay is held already".into()),
                (Spoken::Resume, false) => Err("the replay plays already".into()),
                _ => Ok(vec![Effect::TogglePace]),
            };
        }
        Spoken::Pause if state.phase == Phase::Paused => return Err("it is paused already".into()),
        Spoken::Resume if state.phase != Phase::Paused => return Err("it is not paused".into()),
        Spoken::Pause => return Ok(flow(screen, state, Flow::Paused)),
        Spoken::Resume => return Ok(flow(screen, state, Flow::Running)),
        Spoken::Save => return Ok(ask(screen, state, Command::SaveCheckpoint, Asked::Save)),
        Spoken::Probe => return Ok(ask(screen, state, Command::Evaluate, Asked::Probe)),
        Spoken::Evaluate => evaluate(screen, state),
        Spoken::Stop(when) => {
            let choice = ways_out(screen).iter().position(|way| *way == WayOut::Stop(when)).unwrap_or_default();
            screen.dialog = Some(Dialog::Quit { choice });
        }
        Spoken::Undo => undo(screen, state),
        Spoken::View(view) => screen.turn_to(view),
        Spoken::Smooth(level) => screen.smoothing = level,
        Spoken::X(x) => {
            while screen.charts.x != x {
                screen.turn_x(state);
            }
        }
        Spoken::Find(text) => {
            screen.turn_to(View::Events);
            (screen.events.half, screen.events.line, screen.events.filter) = (Half::Log, None, text);
        }
        Spoken::Exhibit => {
            screen.turn_to(View::Gallery);
            return Ok(super::gallery::act(screen, state, Intent::Exhibit).unwrap_or_default());
        }
        Spoken::Log => return Ok(perform(screen, state, Intent::LogScale)),
        Spoken::Theme(name) => {
            if let Some(palette) = screen.themes.choose(&name) {
                screen.palette = palette;
            }
        }
        Spoken::Glyphs(glyphs) => screen.glyphs = glyphs,
        Spoken::Write(None) => screen.dialog = Some(Dialog::Write { choice: 0 }),
        Spoken::Write(Some((name, kind))) => return Ok(vec![Effect::Write(kind, Place::At(name))]),
        Spoken::Help(word) => {
            if word.is_empty() {
                return Ok(perform(screen, state, Intent::Help));
            }
            screen.dialog = Some(Dialog::Help { search: Search::Found(word), scroll: 0 });
        }
        Spoken::Checkpoints => return Ok(perform(screen, state, Intent::Checkpoints)),
        // Shown once more before it begins, with what it costs.
        Spoken::Branch(kind, BranchWish { step, sets }) => {
            screen.dialog = Some(Dialog::Branch(Branching { sets: sets.join(" "), ..Branching::new(step, kind) }));
        }
        Spoken::Detach => return Ok(perform(screen, state, Intent::Detach)),
        Spoken::Take if screen.access == Access::Steer => return Err("this screen steers already".into()),
        Spoken::Take if !screen.may_take && screen.trains == Trains::Elsewhere && !is_over(state) => {
            return Err("this screen only looks (--read-only); attach without that to steer".into());
        }
        Spoken::Take if !screen.may_take => return Err("this run is only watched: nothing can be changed".into()),
        Spoken::Take => return Ok(vec![Effect::TakeLease]),
        Spoken::Quit => return Ok(perform(screen, state, Intent::Quit)),
    }
    Ok(Vec::new())
}

fn flow(screen: &mut Screen, state: &RunState, flow: Flow) -> Vec<Effect> {
    ask(screen, state, Command::Set { change: Change::Flow(flow), note: None }, Asked::Flow(flow))
}
