//! # Rematch
//!
//! Trains image classifiers to be robust against adversarial examples, by Robust Representation Matching and the methods it is
//! compared with, on a worker thread, while a terminal screen shows what happens and lets a person steer.
//!
//! The modules stand in reading order, which is the dependency order: each uses only those above it.
//!
//! ```text
//!  configs/*.toml -> Config --+
//!                             v
//!    data -> Batch -> Method.objective(student, attack, teacher) -> loss -> backward -> Sgd      worker thread
//!                             ^                          |                                        (owns every tensor)
//!      Steering -> Controls --+                          +-> Meter -> Event
//!          ^                                                            |
//!          | Request                                                    v
//!    +-----+------- Session { records, requests } <---- Recorder: seq, time, append ---- runs/<id>/
//!    |                        ^            ^                  ^
//!    |                      replay   attach: run::server      telemetry thread (1 Hz); lookout thread (alerts, from the records)
//!    v
//!  RunState.apply(&Record)  ->  ui: keys -> intents; draw(&RunState, &Screen)
//!                           ->  headless lines or JSON, exit code  ->  tables of runs, reports  ->  tests
//! ```
//!
//! **Invariant: one protocol.** The worker speaks in owned, serialisable events and listens to requests; everything else reads
//! the same stream of records through the same fold, [`run::RunState::apply`]. Nothing downstream can tell live from replayed.
//!
//! **Invariant: a command is a request, only an event is a fact.** Every `Set` is answered by exactly one `Controlled` or
//! `Refused` with its id; `Controlled.step` is the first optimizer step under the new value. The screen shows *pending* until then.
//! `Schedule`, `Unschedule` and `Exhibit` are answered likewise, by `Scheduled`, `Unscheduled`, `Exhibited` or `Refused`.
//!
//! **Invariant: log first, then viewers.** The recorder numbers and times each event, appends it to `events.jsonl`, and only then
//! hands it on. What changes training is on disk before it acts. The worker never waits for a viewer.
//!
//! **Invariant: one thread owns every tensor.** The worker is given a config and channels and builds everything inside its
//! thread. No tensor type appears in `protocol`, `run`, `telemetry`, `ui`, `headless` or `report`. An evaluation on a CPU hands whole batches to
//! threads of its own, each with a network that it made itself, and takes them back with what was found (`train::crew`): a tensor
//! goes from one owner to the next and is never shared.
//!
//! **Invariant: host reads of the device happen in one place**, `nn::host`; training goes there through `train::meter`, at most
//! `report_hz` times a second.
//!
//! **Invariant: the viewing half needs no libtorch.** The cargo feature `torch` (default) gates `nn`, `attacks`, `methods`
//! and `train`; everything else builds without it.
//!
//! **Invariant: a run is reproducible.** Randomness is a function of (seed, step, purpose), so resuming needs no generator state. What a
//! person asked for is in the log with its step (`run::script`): a resumed run does it again where it was lost, a repeated one from the
//! start. A checkpoint says which record is the first that it knows nothing of.
//!
//! **Invariant: one process writes a run, at most one screen steers it.** The lock of the folder (`run::store`) and the lease
//! (`run::lease`). The training process serves others over a socket of the run's folder (`run::server`, `run::link`); nothing from a socket or
//! a folder is executed, and no client can hold training up. `commands::launch::shim` is how a terminal is let go while training goes on.
//!
//! **Invariant: no half-written file ever has a final name.** Write beside, sync, rename; `Saved` is said after the rename. Checkpoints are copied to the
//! host by the worker and written by a thread of their own (`train::saver`), one at a time.
//!
//! **Invariant: schedules are pure functions of the step**, multiplied by the live scale, never mutated state.
//!
//! **Invariant: drawing is pure.** It changes nothing and reads no clock.
//!
//! # Starting up
//!
//! Two programs of these sources. `rematch-torch` does everything and is linked to libtorch's CPU libraries, whose initialisers take
//! about half a second before `main`; the CUDA half costs as much again and is opened only when training or evaluating may use it
//! ([`train::device`]). `rematch` (the package in `light/`) is the viewing half alone, compiled without the feature; for what needs
//! libtorch it becomes the other program (`commands::elsewhere`). Two programs of one package would both be linked to libtorch: the
//! static initialisers of its C++ wrapper come along with any part of this library. A library loaded on demand would put every
//! call through a table of functions for the same effect. The rest of the program enters the working half through `train::prepare`
//! alone, so that this stays a local decision.

#![cfg_attr(all(test, feature = "torch"), expect(clippy::disallowed_methods, reason = "tests may wait for the device"))]

// Words that everything speaks: no tensors, no I/O, no clock.
pub mod config;
pub mod protocol;
// Where every random draw comes from.
pub mod random;

// What the operating system lets a process do.
pub mod disk;
pub mod limits;

// Files of Python's making, read as data and never run.
pub mod pickle;
pub mod pytorch;

// Images and labels as bytes on the host.
pub mod data;

// A run: disk, memory, transport.
pub mod run;

// Many runs as one experiment.
pub mod sweep;

// The working half, on one thread.
#[cfg(feature = "torch")]
pub mod nn;
#[cfg(feature = "torch")]
pub mod attacks;
#[cfg(feature = "torch")]
pub mod methods;
#[cfg(feature = "torch")]
pub mod train;

// The machine it runs on.
pub mod telemetry;

// What other programs read.
pub mod metrics;

// What a person sees.
pub mod headless;
pub mod report;
pub mod ui;
