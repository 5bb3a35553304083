//! The ways out of a run that goes on: which of them the quit dialog offers, and in which order.

use super::{Screen, Trains};
use crate::protocol::StopWhen;
use crate::run::RunState;
use crate::run::session::Access;
use crate::run::state::Phase;

/// One choice of the quit dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayOut {
    /// Save and stop the run.
    Stop(StopWhen),
    /// Stop the run without saving, once that was asked for again.
    Discard,
    /// Leave the screen of a run that another process trains.
    Leave,
    /// Leave the screen of this process, which trains on.
    Detach,
    Stay,
}

/// The first is the one that a hasty Enter takes: where another process trains, the run is left as it is.
pub fn ways_out(screen: &Screen) -> [WayOut; 5] {
    let (step, epoch) = (WayOut::Stop(StopWhen::AfterStep), WayOut::Stop(StopWhen::AfterEpoch));
    match screen.trains {
        Trains::Here => [step, epoch, WayOut::Discard, WayOut::Detach, WayOut::Stay],
        Trains::Elsewhere => [WayOut::Leave, step, epoch, WayOut::Discard, WayOut::Stay],
    }
}

impl WayOut {
    /// Its line in the dialog.
    pub fn words(self, trains: Trains, phase: &Phase) -> &'static str {
        let paused = *phase == Phase::Paused;
        match self {
            Self::Stop(StopWhen::AfterStep) => "stop after this step and save",
            Self::Stop(StopWhen::AfterEpoch) => "stop after this epoch and save",
            Self::Discard => "stop without saving ...",
            Self::Leave if paused => "leave this screen: the run stays paused",
            Self::Leave => "leave this screen: training goes on",
            Self::Detach if paused => "detach: the run stays paused",
            Self::Detach => "detach: training goes on without this screen",
            Self::Stay if paused || trains == Trains::Elsewhere => "stay",
            Self::Stay => "go on training",
        }
    }
}

/// Whether this process trains and another screen steers: leaving must neither stop the run nor wait for its end.
pub fn only_hosts(screen: &Screen, state: &RunState) -> bool {
    screen.access == Access::ReadOnly && screen.trains == Trains::Here && screen.may_take && state.started.is_some()
}
