//! The one table of keys: what they do, where, and what the help and the hints row say of them.
//!
//! It names intents; [`super::intent`] carries them out. No key here changes training by itself except pause and save: a stray
//! reply of the terminal that arrives as key presses must do no harm.

mod naming;
mod rebind;

use super::layout::View;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::borrow::Cow;

/// A key with what is held down beside it.
pub type Key = (KeyCode, KeyModifiers);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Everywhere,
    /// In the view of that name, whatever has the focus.
    Dash,
    Controls,
    Chart,
    Log,
    /// In the view of that name, whatever has the focus.
    Robust,
    Charts,
    Gallery,
    Runs,
    Events,
    System,
    /// A recorded run is being played.
    Replay,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    Pause,
    Save,
    Evaluate,
    Probe,
    Show(View),
    Help,
    Quit,
    Interrupt,
    Suspend,
    Detach,
    Checkpoints,
    Repaint,
    NextPane,
    PreviousPane,
    Maximise,
    FullLog,
    Back,
    Undo,
    History,
    NextTheme,
    SaveFrame,
    NextMarker,
    PreviousMarker,
    LogScale,
    Smoothing,
    DialUp,
    DialDown,
    More,
    Less,
    Double,
    Halve,
    Edit,
    Apply,
    Left,
    Right,
    /// Ten times as far.
    FarLeft,
    FarRight,
    /// The chart beside the chosen one.
    ChartLeft,
    ChartRight,
    XAxis,
    Band,
    Overlays,
    ZoomIn,
    ZoomOut,
    WholeRun,
    LineUp,
    LineDown,
    PageUp,
    PageDown,
    First,
    Last,
    /// What is chosen, opened or looked at closely.
    Open,
    /// Type what the list shows.
    Filter,
    /// `:`
    CommandLine,
    /// Of the Runs view: read the folder again, the next order, the tree or a flat list, accuracies against lambda alone.
    Refresh,
    Sort,
    Tree,
    WhatIf,
    OlderReport,
    NewerReport,
    /// Stay with the newest.
    Follow,
    /// How bad a line must be to be shown.
    Level,
    /// Only what a person asked for.
    ByHand,
    /// Show what lies between the hits, or hide it.
    Context,
    /// Which steps the histogram counts.
    Span,
    Diagnostics,
    /// What the small pictures of the Gallery show.
    NextLook,
    /// New images under attack.
    Exhibit,
    Faster,
    Slower,
    /// Of a replay: a hundredth of the run back or on, a tenth, to its beginning, to its end.
    SeekBack,
    SeekForward,
    SeekFarBack,
    SeekFarForward,
    SeekStart,
    SeekEnd,
}

pub struct Binding {
    pub scope: Scope,
    /// Unless a person gave it others.
    pub keys: &'static [Key],
    pub intent: Intent,
    /// For the help.
    pub says: &'static str,
    /// For the hints row, where it is worth a place there.
    pub hint: Option<&'static str>,
}

const PLAIN: KeyModifiers = KeyModifiers::NONE;
const CTRL: KeyModifiers = KeyModifiers::CONTROL;

const fn key(c: char) -> Key {
    (KeyCode::Char(c), PLAIN)
}
const fn ctrl(c: char) -> Key {
    (KeyCode::Char(c), CTRL)
}
const fn named(code: KeyCode) -> Key {
    (code, PLAIN)
}

macro_rules! table {
    ($($scope:ident [$($key:expr),+] $intent:tt $says:literal $($hint:literal)?;)+) => {
        &[$(Binding {
            scope: Scope::$scope,
            keys: &[$($key),+],
            intent: table!(@intent $intent),
            says: $says,
            hint: table!(@hint $($hint)?),
        }),+]
    };
    (@intent (Show($view:expr))) => { Intent::Show($view) };
    (@intent $intent:ident) => { Intent::$intent };
    (@hint) => { None };
    (@hint $hint:literal) => { Some($hint) };
}

/// In the order of the help and, within a scope, of the hints.
pub const KEYMAP: &[Binding] = table! {
    Everywhere [key('q')] Quit "leave: asks how to stop" "quit";
    Everywhere [key('?'), named(KeyCode::F(1))] Help "this help; / searches it" "help";
    Everywhere [ctrl('c')] Interrupt "as q; twice: save and stop; thrice: at once; attached: leave";
    Everywhere [ctrl('z')] Suspend "suspend the program, as at a shell; training stops too";
    Everywhere [key(' ')] Pause "pause or go on, at the next step" "pause";
    Everywhere [key('s')] Save "write a checkpoint now" "save";
    Everywhere [key('a')] Evaluate "evaluate these weights: asks with what; or give it up" "eval";
    Everywhere [key('p')] Probe "probe the validation images now" "probe";
    Everywhere [key('d')] Detach "detach: training goes on without this screen; asks" "detach";
    Everywhere [key('c')] Checkpoints "checkpoints: go back to one, begin another run from it" "checkpoints";
    Everywhere [key(':')] CommandLine "type a command: set, pause, view, write, ..." "command";
    Everywhere [key('1')] (Show(View::Dash)) "the Dash: how training goes" "dash";
    Everywhere [key('2')] (Show(View::Charts)) "Charts: every curve there is" "charts";
    Everywhere [key('3')] (Show(View::Robust)) "the Robust view: what evaluations found" "robust";
    Everywhere [key('4'), key('v')] (Show(View::Gallery)) "the Gallery: single images under attack" "gallery";
    Everywhere [key('5')] (Show(View::Runs)) "Runs: this one and its neighbours" "runs";
    Everywhere [key('6')] (Show(View::Events)) "the log, and what happened when" "log";
    Everywhere [key('7')] (Show(View::System)) "System: machine, step times, this terminal" "system";
    Everywhere [named(KeyCode::Tab)] NextPane "next pane" "pane";
    Everywhere [named(KeyCode::BackTab)] PreviousPane "previous pane";
    Everywhere [key('z')] Maximise "maximise the pane, or put it back" "max";
    Everywhere [key('L')] FullLog "the log, full screen";
    Everywhere [key('D')] Diagnostics "bytes, time and frames of this screen, in its first line";
    Everywhere [key('P')] SaveFrame "save what the screen shows: text, ANSI or SVG";
    Everywhere [key('T')] NextTheme "the next theme";
    Everywhere [ctrl('l')] Repaint "draw everything again";
    Everywhere [named(KeyCode::Esc)] Back "one layer out, at last to the Dash";
    Dash [key('u')] Undo "propose the value before the last change";
    Dash [key('H')] History "what was changed and what is to come; Enter proposes it again";
    Dash [key('y')] LogScale "log or linear y of the focused chart, else of the loss" "log y";
    Dash [key('m')] Smoothing "smoothing of the curves: 0, .6, .9, .99" "smooth";
    Dash [key('x')] XAxis "x axis: step, epoch, time";
    Dash [key('b')] Band "show or hide what lies between least and greatest";
    Dash [key('o')] Overlays "show or hide the other runs behind this one";
    Dash [key('n')] NextMarker "next marker: what changed there";
    Dash [key('N')] PreviousMarker "previous marker";
    Controls [named(KeyCode::Up), key('k')] DialUp "the dial above";
    Controls [named(KeyCode::Down), key('j')] DialDown "the dial below";
    Controls [named(KeyCode::Home)] First "the first dial";
    Controls [named(KeyCode::End)] Last "the last dial";
    Controls [key('+'), named(KeyCode::Right), key('l')] More "propose 10 % more" "more";
    Controls [key('-'), named(KeyCode::Left), key('h')] Less "propose 10 % less" "less";
    Controls [key('*')] Double "propose twice the value";
    Controls [key('/')] Halve "propose half the value";
    Controls [key('e'), key('.')] Edit "type a value: 0.05, 8/255, 35%, *0.5, +10%" "edit";
    Controls [named(KeyCode::Enter)] Apply "apply the proposed value; without one, type it";
    Chart [named(KeyCode::Enter)] Open "the crosshair, at the newest value; once more: without it" "cross";
    Chart [named(KeyCode::Left), key('h')] Left "pan, or move the crosshair by a dot, left";
    Chart [named(KeyCode::Right), key('l')] Right "pan, or move the crosshair by a dot, right";
    Chart [key('H')] FarLeft "far left: half a view, or ten dots";
    Chart [key('L')] FarRight "far right";
    Chart [key('+')] ZoomIn "zoom in on the newest steps or the crosshair" "zoom";
    Chart [key('-')] ZoomOut "zoom out";
    Chart [key('0')] WholeRun "all data so far; once more in a young run: the whole plan";
    Chart [key('f')] Follow "follow what is newest, or stay" "follow";
    Log [named(KeyCode::Up), key('k')] LineUp "older";
    Log [named(KeyCode::Down), key('j')] LineDown "newer";
    Log [named(KeyCode::PageUp)] PageUp "much older";
    Log [named(KeyCode::PageDown)] PageDown "much newer";
    Log [named(KeyCode::Home)] First "the oldest";
    Log [named(KeyCode::End)] Last "the newest, and stay there";
    Charts [named(KeyCode::Tab)] NextPane "the next chart";
    Charts [named(KeyCode::BackTab)] PreviousPane "the chart before";
    Charts [named(KeyCode::Left)] ChartLeft "the chart to the left; in a large one as h";
    Charts [named(KeyCode::Right)] ChartRight "the chart to the right; in a large one as l";
    Charts [named(KeyCode::Up), key('k')] LineUp "the chart above";
    Charts [named(KeyCode::Down), key('j')] LineDown "the chart below";
    Charts [named(KeyCode::PageDown)] PageDown "the next page";
    Charts [named(KeyCode::PageUp)] PageUp "the page before";
    Charts [named(KeyCode::Home), key('g')] First "the first chart";
    Charts [named(KeyCode::End), key('G')] Last "the last chart";
    Charts [named(KeyCode::Enter)] Open "the chosen chart alone; there, the crosshair" "open";
    Charts [key('y')] LogScale "log or linear y of the chosen chart" "log y";
    Charts [key('x')] XAxis "x axis: step, epoch, time" "axis";
    Charts [key('m')] Smoothing "smoothing of the curves: 0, .6, .9, .99" "smooth";
    Charts [key('h')] Left "pan, or move the crosshair by a dot, left";
    Charts [key('l')] Right "pan, or move the crosshair by a dot, right";
    Charts [key('H')] FarLeft "far left: half a view, or ten dots";
    Charts [key('L')] FarRight "far right";
    Charts [key('+')] ZoomIn "zoom in on the newest steps or the crosshair" "zoom";
    Charts [key('-')] ZoomOut "zoom out";
    Charts [key('0')] WholeRun "all data so far; once more in a young run: the whole plan";
    Charts [key('f')] Follow "follow what is newest, or stay" "follow";
    Charts [key('b')] Band "show or hide what lies between least and greatest" "band";
    Charts [key('o')] Overlays "show or hide the other runs behind this one" "others";
    Charts [key('n')] NextMarker "next marker: what changed there" "marker";
    Charts [key('N')] PreviousMarker "previous marker";
    Robust [named(KeyCode::Left), key('h')] OlderReport "the report before" "older";
    Robust [named(KeyCode::Right), key('l')] NewerReport "the report after, at last the newest" "newer";
    Robust [named(KeyCode::Up), key('k')] LineUp "up, in the pane with the focus";
    Robust [named(KeyCode::Down), key('j')] LineDown "down, in the pane with the focus";
    Robust [named(KeyCode::PageUp)] PageUp "far up";
    Robust [named(KeyCode::PageDown)] PageDown "far down";
    Robust [named(KeyCode::Home), key('g')] First "to the top";
    Robust [named(KeyCode::End), key('G')] Last "to the end";
    Events [named(KeyCode::Up), key('k')] LineUp "older, in the half with the focus";
    Events [named(KeyCode::Down), key('j')] LineDown "newer";
    Events [named(KeyCode::PageUp)] PageUp "a page older";
    Events [named(KeyCode::PageDown)] PageDown "a page newer";
    Events [key('g'), named(KeyCode::Home)] First "the oldest";
    Events [key('G'), named(KeyCode::End)] Last "the newest, and stay there";
    Events [key('F')] Follow "follow what comes" "follow";
    Events [key('/')] Filter "only lines with a text in them; by:hand, level:warn, level:error" "filter";
    Events [key('h')] ByHand "only what a person did: changes, pauses, notes; or all lines again" "by hand";
    Events [key('n')] NextMarker "next line with the text, or next warning" "next";
    Events [key('N')] PreviousMarker "the one before";
    Events [key('c')] Context "show or hide the lines between those with the text";
    Events [key('l')] Level "all lines, warnings and worse, failures" "level";
    Events [named(KeyCode::Enter)] Open "the crosshair of the Dash where the chosen event happened" "go there";
    System [named(KeyCode::Up), key('k')] LineUp "up, in the part with the focus";
    System [named(KeyCode::Down), key('j')] LineDown "down, in the part with the focus";
    System [named(KeyCode::PageUp)] PageUp "far up";
    System [named(KeyCode::PageDown)] PageDown "far down";
    System [named(KeyCode::Home), key('g')] First "to the top";
    System [named(KeyCode::End), key('G')] Last "to the end";
    System [key('m')] Span "step times of the whole run, or of the last minute" "minute";
    Runs [named(KeyCode::Enter), key('o')] Open "curves of this run behind the charts, or no longer" "overlay";
    Runs [key('/')] Filter "show some: words, method:rrm lambda:0.005 state:live" "filter";
    Runs [key('S')] Sort "order: newest, natural, adversarial, lambda" "sort";
    Runs [key('w')] WhatIf "accuracies against lambda, large or below" "what if";
    Runs [key('t')] Tree "runs below those they branched off, or flat" "tree";
    Runs [key('R')] Refresh "read the folder and the curves again" "reread";
    Runs [named(KeyCode::Up), key('k')] LineUp "the run above";
    Runs [named(KeyCode::Down), key('j')] LineDown "the run below";
    Runs [named(KeyCode::PageUp)] PageUp "ten up";
    Runs [named(KeyCode::PageDown)] PageDown "ten down";
    Runs [key('g'), named(KeyCode::Home)] First "the first run";
    Runs [key('G'), named(KeyCode::End)] Last "the last run";
    Gallery [named(KeyCode::Left), key('h')] Left "the image before in its group";
    Gallery [named(KeyCode::Right), key('l')] Right "the next image of its group" "image";
    Gallery [named(KeyCode::Up), key('k')] LineUp "the group before: fooled, saved, hardest";
    Gallery [named(KeyCode::Down), key('j')] LineDown "the next group" "group";
    Gallery [named(KeyCode::PageUp)] PageUp "eight images back";
    Gallery [named(KeyCode::PageDown)] PageDown "eight images on";
    Gallery [named(KeyCode::Home), key('g')] First "the first image of the group";
    Gallery [named(KeyCode::End), key('G')] Last "the last image of the group";
    Gallery [key('t')] NextLook "what small pictures show: x, x+δ or 10·δ" "x/δ";
    Gallery [key('i'), named(KeyCode::Enter)] Open "one image large, or all again" "large";
    Gallery [key('R')] Exhibit "attack validation images and show some: about one probe" "new";
    Replay [named(KeyCode::Left), key(',')] SeekBack "back by 1 % of the run; , where Left has another use" "back";
    Replay [named(KeyCode::Right), key('.')] SeekForward "on by 1 % of the run; . where Right has another use" "on";
    Replay [named(KeyCode::PageUp), key('(')] SeekFarBack "back by 10 % of the run" "far back";
    Replay [named(KeyCode::PageDown), key(')')] SeekFarForward "on by 10 % of the run" "far on";
    Replay [named(KeyCode::Home)] SeekStart "to the beginning of the run";
    Replay [named(KeyCode::End)] SeekEnd "to the end of the run" "end";
    Replay [key('>')] Faster "play faster" "faster";
    Replay [key('<')] Slower "play slower" "slower";
};

/// The table with the keys that a person gave: what is in force. Bindings stay in the table's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keymap {
    keys: Vec<Vec<Key>>,
}

impl Default for Keymap {
    fn default() -> Self {
        Self { keys: KEYMAP.iter().map(|binding| binding.keys.to_vec()).collect() }
    }
}

/// A line of the table with the keys in force.
#[derive(Clone, Copy)]
pub struct Bound<'a> {
    pub binding: &'static Binding,
    pub keys: &'a [Key],
}

impl Keymap {
    pub fn bindings(&self) -> impl Iterator<Item = Bound<'_>> {
        KEYMAP.iter().zip(&self.keys).map(|(binding, keys)| Bound { binding, keys })
    }

    /// What a key means where `scopes` hold, the first of them winning.
    pub fn find(&self, scopes: &[Scope], event: &KeyEvent) -> Option<Intent> {
        // Shift is part of the character already; terminals differ in whether they also report it.
        let pressed = (event.code, event.modifiers & (CTRL | KeyModifiers::ALT));
        scopes.iter().find_map(|&scope| {
            let bound = self.bindings().find(|b| b.binding.scope == scope && b.keys.contains(&pressed))?;
            Some(bound.binding.intent)
        })
    }

    /// The first key of an intent, as people read it; empty where it has none.
    pub fn key_of(&self, scope: Scope, intent: Intent) -> String {
        let bound = self.bindings().find(|b| b.binding.scope == scope && b.binding.intent == intent);
        bound.map_or_else(String::new, |b| b.first())
    }
}

impl Bound<'_> {
    /// `Tab`, `Ctrl-L`, `+ Right l`.
    pub fn label(&self) -> String {
        if self.keys.is_empty() {
            return "no key".into();
        }
        self.keys.iter().map(|&(code, modifiers)| label(code, modifiers)).collect::<Vec<_>>().join(" ")
    }

    /// The first key only.
    pub fn first(&self) -> String {
        self.keys.first().map_or_else(String::new, |&(code, modifiers)| label(code, modifiers))
    }
}

pub(super) fn label(code: KeyCode, modifiers: KeyModifiers) -> String {
    let name: Cow<str> = match code {
        KeyCode::Char(' ') => "Space".into(),
        KeyCode::Char(c) if modifiers.contains(CTRL) => return format!("Ctrl-{}", c.to_ascii_uppercase()),
        KeyCode::Char(c) if modifiers.contains(KeyModifiers::ALT) => return format!("Alt-{c}"),
        KeyCode::Char(c) => c.to_string().into(),
        KeyCode::BackTab => "S-Tab".into(),
        KeyCode::PageUp => "PgUp".into(),
        KeyCode::PageDown => "PgDn".into(),
        other => other.to_string().into(),
    };
    name.into_owned()
}

impl Scope {
    pub const ALL: &[Self] = &[
        Self::Everywhere,
        Self::Dash,
        Self::Controls,
        Self::Chart,
        Self::Log,
        Self::Charts,
        Self::Robust,
        Self::Gallery,
        Self::Runs,
        Self::Events,
        Self::System,
        Self::Replay,
    ];

    /// The place that a view is.
    pub fn of(view: View) -> Self {
        match view {
            View::Dash => Self::Dash,
            View::Charts => Self::Charts,
            View::Robust => Self::Robust,
            View::Gallery => Self::Gallery,
            View::Runs => Self::Runs,
            View::Events => Self::Events,
            View::System => Self::System,
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "Everywhere",
            Self::Dash => "Dash",
            Self::Controls => "Controls (focused)",
            Self::Chart => "Chart (focused)",
            Self::Log => "Log (focused or full screen)",
            Self::Robust => "Robust",
            Self::Charts => "Charts",
            Self::Gallery => "Gallery",
            Self::Runs => "Runs",
            Self::Events => "Log view",
            Self::System => "System",
            Self::Replay => "Replay",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_scope() {
        for scope in Scope::ALL {
            let mut keys: Vec<_> = KEYMAP.iter().filter(|b| b.scope == *scope).flat_map(|b| b.keys).collect();
            let all = keys.len();
            keys.sort_by_key(|k| format!("{k:?}"));
            keys.dedup();
            assert_eq!(keys.len(), all, "{scope:?}");
        }
    }

    #[test]
    fn shifted_characters_are_found_however_they_are_reported() {
        for modifiers in [KeyModifiers::NONE, KeyModifiers::SHIFT] {
            assert_eq!(
                Keymap::default().find(&[Scope::Dash], &KeyEvent::new(KeyCode::Char('N'), modifiers)),
                Some(Intent::PreviousMarker)
            );
        }
        assert_eq!(Keymap::default().find(&[Scope::Everywhere], &KeyEvent::new(KeyCode::Char('s'), KeyModifiers::CONTROL)), None);
    }
}
