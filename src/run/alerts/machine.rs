//! A machine that holds training up: steps that wait for images, a GPU that is too hot, a disk that fills.

use super::{Alert, Episode, Look, Patience, Say, number, percent};
use crate::protocol::event::{Gpu, Machine, Part, Started, Timing, Warning};

/// Steps wait for images when they do so for more than this share of their time ...
const WAITING: f64 = 0.3;
/// ... while the GPU is busy for less than this, where one trains: a busy one is not helped by faster images ...
const IDLE_PERCENT: f64 = 40.0;
/// ... on average over this long: the first batches of an epoch always wait.
const STRETCH_MS: u64 = 60_000;
/// Timings further apart than this have a pause or an evaluation between them, which is no training.
const GAP_MS: u64 = 10_000;
/// NVIDIA's cards slow down between 83 and 90 degrees, depending on the card.
const HOT_C: f64 = 87.0;
/// A GPU that is held back for this long is not just starting a fan.
const HELD_MS: u64 = 30_000;
/// Checkpoints that must still fit: one is written before an older one is given up, and the last of the run comes besides.
const CHECKPOINTS: u64 = 3;
/// Whatever a checkpoint takes: logs and other programs write too.
const LEAST_FREE: u64 = 1 << 30;

const INPUT: Patience = Patience { well: 5, worse: 2.0 };
/// The machine is looked at about once a second.
const HEAT: Patience = Patience { well: 120, worse: 1.1 };
const DISK: Patience = Patience { well: 60, worse: 2.0 };

#[derive(Clone, Debug, Default)]
pub(super) struct Machines {
    /// Index of the GPU that trains; `None` on a CPU.
    gpu: Option<u64>,
    stretch: Stretch,
    input: Episode,
    held_since_ms: Option<u64>,
    seen_ms: u64,
    heat: Episode,
    checkpoint: u64,
    disk: Episode,
}

/// Sums over a minute or so.
#[derive(Clone, Copy, Debug, Default)]
struct Stretch {
    last_ms: Option<u64>,
    covered_ms: u64,
    data: f64,
    all: f64,
    busy: f64,
    looks: u32,
}

impl Machines {
    pub(super) fn start(&mut self, started: &Started) {
        self.gpu = started.device.strip_prefix("cuda").map(|rest| rest.trim_start_matches(':').parse().unwrap_or(0));
    }

    pub(super) fn saved(&mut self, bytes: u64) {
        self.checkpoint = bytes;
    }

    pub(super) fn timed(&mut self, at_ms: u64, timing: &Timing) -> Option<Alert> {
        let all: f64 = timing.parts.values().sum();
        let data = timing.parts.get(&Part::Data).copied().unwrap_or(0.0);
        if !all.is_finite() || !data.is_finite() || all <= 0.0 || data < 0.0 {
            return None;
        }
        let stretch = &mut self.stretch;
        let since = stretch.last_ms.map_or(0, |last| at_ms.saturating_sub(last));
        if since > GAP_MS {
            *stretch = Stretch::default();
        } else {
            stretch.covered_ms += since;
        }
        stretch.last_ms = Some(at_ms);
        stretch.data += data;
        stretch.all += all;
        if stretch.covered_ms < STRETCH_MS {
            return None;
        }
        let Stretch { covered_ms, data, all, busy, looks, .. } = std::mem::take(stretch);
        self.stretch.last_ms = Some(at_ms);
        let (share, busy) = (data / all, (looks > 0).then(|| busy / f64::from(looks)));
        let bad = share > WAITING && busy.is_none_or(|busy| busy < IDLE_PERCENT);
        let look = if bad { Look::Bad(share) } else { Look::Well };
        if self.input.judge(look, INPUT) == Say::Nothing {
            return None;
        }
        let while_busy = busy.map_or_else(String::new, |busy| format!(", the GPU busy {busy:.0} %"));
        let message = format!(
            "steps wait for images: {} of their time over the last {} s{while_busy}. Try data on a faster disk or in memory, smaller images, data.augment = \"none\", or fewer other programs on the processor",
            percent(share),
            covered_ms / 1000,
        );
        Some(Alert { kind: Warning::InputBound, step: None, message })
    }

    pub(super) fn see(&mut self, at_ms: u64, machine: &Machine) -> Vec<Alert> {
        let free = machine.disk.map(|disk| disk.free);
        let mut told: Vec<Alert> = free.and_then(|free| self.room(free)).into_iter().collect();
        let Some(index) = self.gpu else { return told };
        let Some(gpu) = machine.gpus.iter().find(|gpu| gpu.index == index).or(machine.gpus.first()) else { return told };
        if let Some(busy) = gpu.utilisation_percent.filter(|busy| busy.is_finite()) {
            self.stretch.busy += busy;
            self.stretch.looks += 1;
        }
        told.extend(self.heat(at_ms, gpu));
        told
    }

    fn heat(&mut self, at_ms: u64, gpu: &Gpu) -> Option<Alert> {
        let missed = at_ms.saturating_sub(self.seen_ms) > GAP_MS;
        self.seen_ms = at_ms;
        let Some(Held { how, saw, advice }) = held_back(gpu) else {
            self.held_since_ms = None;
            self.heat.judge(Look::Well, HEAT);
            return None;
        };
        let since = self.held_since_ms.filter(|_| !missed).unwrap_or(at_ms);
        self.held_since_ms = Some(since);
        let lasted = at_ms.saturating_sub(since);
        if lasted < HELD_MS || self.heat.judge(Look::Bad(how), HEAT) == Say::Nothing {
            return None;
        }
        let message = format!("GPU {} is held back: {saw} for {} s. {advice}", gpu.index, lasted / 1000);
        Some(Alert { kind: Warning::Throttled, step: None, message })
    }

    pub(super) fn room(&mut self, free: u64) -> Option<Alert> {
        let message = disk(free, self.checkpoint);
        let look = if message.is_some() { Look::Bad(1.0 / free.max(1) as f64) } else { Look::Well };
        let say = self.disk.judge(look, DISK);
        message.filter(|_| say == Say::It).map(|message| Alert { kind: Warning::Disk, step: None, message })
    }
}

/// Why a GPU runs slower than it could.
struct Held {
    /// The more, the worse.
    how: f64,
    saw: String,
    advice: &'static str,
}

/// Everything that a GPU says of itself about being held back, here alone: reasons that drivers give belong here too.
fn held_back(gpu: &Gpu) -> Option<Held> {
    let celsius = gpu.temperature_c.filter(|c| c.is_finite());
    // A driver that says so is believed at any temperature. A power cap alone is how a card runs at full load.
    let told = gpu.throttled.as_ref().is_some_and(|why| why.contains("heat"));
    let hot = celsius.filter(|c| *c >= HOT_C || told).or(told.then_some(HOT_C))?;
    let power = match (gpu.power_w, gpu.power_limit_w) {
        (Some(power), Some(limit)) => format!(" ({} of {} W)", number(power), number(limit)),
        _ => String::new(),
    };
    Some(Held {
        how: hot,
        saw: format!("{hot:.0} °C{power}"),
        advice: "Steps get slower, the results stay the same: look at its fans and the room, or lower its power limit",
    })
}

/// What to say about a disk with this much free, where the last checkpoint took so much (0: none yet); nothing while there is room.
pub fn disk(free: u64, checkpoint_bytes: u64) -> Option<String> {
    let fit = (checkpoint_bytes > 0).then(|| free / checkpoint_bytes);
    if free >= LEAST_FREE && fit.is_none_or(|fit| fit >= CHECKPOINTS) {
        return None;
    }
    let size = |bytes: u64| {
        let mib = bytes as f64 / 1_048_576.0;
        if mib >= 1024.0 { format!("{:.1} GiB", mib / 1024.0) } else { format!("{mib:.0} MiB") }
    };
    let room = match fit {
        None => String::new(),
        Some(fit) => {
            let plural = if fit == 1 { "" } else { "s" };
            format!(", room for {fit} checkpoint{plural} of {}", size(checkpoint_bytes))
        }
    };
    Some(format!(
        "the disk fills: {} free{room}. Delete old runs or checkpoints, or set checkpoint.every_epochs higher: a checkpoint that finds no room is not written",
        size(free),
    ))
}
