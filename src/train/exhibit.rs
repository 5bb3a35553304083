//! Validation images under attack, to be looked at: those that were fooled, those that stand and once did not, and the hardest ones.
//!
//! As cheap as a probe and with its attack, images and start, so that what stands here is what the probe counts. It is a look and no
//! measurement; training stands still meanwhile and nothing of it changes.

use super::device::ManyShapes;
use super::ends::{Ends, RunError, tell};
use super::evaluate;
use super::trainer::{Trainer, round};
use crate::attacks::{Ball, Pgd, answers};
use crate::config::{AttackSpec, RandomStart, Threat};
use crate::methods::Batch;
use crate::nn::{Mode, Model, Network, host};
use crate::protocol::command::CommandId;
use crate::protocol::insight::{Group, Guess, Guesses, MOST_FOOLED, Piece};
use crate::protocol::{Event, Exhibit};
use crate::random::AttackKey;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::ops::ControlFlow;
use std::time::Instant;
use tch::{Kind, Tensor};

/// Images of each group that may be asked for.
const MOST: u64 = 8;
/// Bytes of pixels that one record may hold, as text. Readers of a log refuse lines of more than 16 MiB.
const BYTES: u64 = 4 << 20;
/// Larger images are shown smaller than they are: a log is no place for photographs.
const SIDE: i64 = 64;

/// Which images are asked for.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    /// Images of each group.
    pub each: u64,
    /// Images of the fooled group, where that is more.
    pub fooled: u64,
    /// Fooled images that are left out, those with the highest loss.
    pub from: u64,
}

/// Images of this size that one record has room for, each with its perturbation.
fn room(images: &[&Seen]) -> u64 {
    let side = |d: i64, longer: i64| if longer > SIDE { (d * SIDE / longer).max(1) } else { d };
    let bytes = images.first().and_then(|seen| seen.clean.size3().ok()).map_or(1, |(c, h, w)| {
        let longer = h.max(w);
        2 * (c * side(h, longer) * side(w, longer)).unsigned_abs() * 4 / 3
    });
    BYTES / bytes.max(1)
}

/// An image and what became of it.
struct Seen {
    place: i64,
    label: i64,
    standing: bool,
    /// Cross-entropy under the attack.
    loss: f32,
    /// `[C, H, W]`.
    clean: Tensor,
    attacked: Tensor,
    student: [Guess; 2],
}

impl Trainer {
    pub(super) fn exhibit(&mut self, ends: &mut Ends, by: CommandId, wanted: Wanted) -> Result<(), RunError> {
        let refuse = |ends: &mut Ends, reason: String| tell(ends, Event::Refused { by, reason });
        let Wanted { each, fooled: most_fooled, from } = wanted;
        if !(1..=MOST).contains(&each) {
            return refuse(ends, format!("{each} images of each group cannot be shown; allowed: 1 to {MOST}"));
        }
        if self.validation.is_empty() {
            return refuse(ends, "there are no validation images (data.validation)".into());
        }
        let begin = Instant::now();
        let _shapes = ManyShapes::begin();
        let threat = Threat { norm: self.controls.norm, eps: self.controls.eps };
        let attack = AttackSpec::pgd(threat, self.config.probe.steps, 1, 0);
        let places = evaluate::subset(self.validation.len(), self.config.probe.images);
        let mut all = Vec::new();
        let mut looked = 0;
        for places in places.chunks(evaluate::batch(&self.validation)) {
            if ends.inbox.stop_waits() || ends.inbox.give_up_waits() {
                return refuse(ends, "the look was given up".into());
            }
            let (batch, places) = self.validation.batch(places)?;
            looked += places.len() as u64;
            all.extend(look(self.judged(), &batch, &places, &attack));
        }
        let fooled = all.iter().filter(|seen| !seen.standing).count() as u64;
        let saved = all.iter().filter(|seen| seen.standing && self.once_fooled.contains(&seen.place)).count() as u64;
        let standing = all.len() as u64 - fooled;
        let mut pieces = Vec::new();
        for &group in Group::ALL {
            let mut members: Vec<&Seen> = all
                .iter()
                .filter(|seen| match group {
                    Group::Fooled => !seen.standing,
                    Group::Saved => seen.standing && self.once_fooled.contains(&seen.place),
                    Group::Hardest => seen.standing,
                })
                .collect();
            members.sort_by(|a, b| b.loss.total_cmp(&a.loss));
            let (skip, most) = match group {
                Group::Fooled => (from, most_fooled.clamp(each, MOST_FOOLED).min(room(&members)).max(each)),
                Group::Saved | Group::Hardest => (0, each),
            };
            pieces.extend(members.into_iter().skip(skip as usize).take(most as usize).map(|seen| (group, seen)));
        }
        let answers = self.teachers_guesses(&pieces);
        let pieces = pieces
            .into_iter()
            .enumerate()
            .map(|(i, (group, seen))| piece(group, seen, answers.as_ref().and_then(|all| all.get(i).copied())))
            .collect();
        self.once_fooled.extend(all.iter().filter(|seen| !seen.standing).map(|seen| seen.place));
        self.evaluation_time += begin.elapsed();
        let exhibit = Exhibit { step: self.step, by: Some(by), attack, looked, fooled, standing, saved, from, pieces };
        tell(ends, Event::Exhibited(Box::new(exhibit)))
    }

    /// What is judged and saved: the mean of weights where one is kept.
    fn judged(&self) -> &Model {
        self.ema.as_ref().map_or(&self.student, |ema| &ema.model)
    }

    fn teachers_guesses(&self, pieces: &[(Group, &Seen)]) -> Option<Vec<Guesses>> {
        let teacher = self.teacher.as_ref().filter(|_| !pieces.is_empty())?;
        let stacked = |of: fn(&Seen) -> &Tensor| {
            let all: Vec<&Tensor> = pieces.iter().map(|(_, seen)| of(seen)).collect();
            guesses(teacher, &crate::nn::channels_last(&Tensor::stack(&all, 0)))
        };
        let (before, after) = (stacked(|seen| &seen.clean), stacked(|seen| &seen.attacked));
        Some(before.into_iter().zip(after).map(|(before, after)| Guesses { before, after }).collect())
    }
}

/// What a model makes of images `[N, C, H, W]`.
fn guesses(model: &Model, images: &Tensor) -> Vec<Guess> {
    let _guard = tch::no_grad_guard();
    sure_of(&model.forward(images, Mode::Eval).logits)
}

fn sure_of(logits: &Tensor) -> Vec<Guess> {
    let (confidence, class) = logits.softmax(1, Kind::Float).max_dim(1, false);
    let rounded = |c: f32| round(f64::from(c), 4);
    let classes = host::integers(&class);
    host::floats(&confidence).into_iter().zip(classes).map(|(c, k)| Guess { class: k as u64, confidence: rounded(c) }).collect()
}

/// The images of a batch that are classified correctly as they are, each at the first point of the attack's path where it is not, or
/// at the last one.
fn look(model: &Model, batch: &Batch, places: &[i64], attack: &AttackSpec) -> Vec<Seen> {
    if places.is_empty() {
        return Vec::new();
    }
    let network = model.folded();
    let forward = |x: &Tensor| {
        let _guard = tch::no_grad_guard();
        network.forward(x, Mode::Eval).logits
    };
    let (x, labels) = (&batch.images, &batch.labels);
    let natural = forward(x);
    let right = host::flags(&answers(&natural, labels));
    let ball = Ball::new(attack.norm, attack.eps);
    let pgd = Pgd { ball, steps: attack.steps, step_size: attack.step_size.0 };
    // The draws of a probe.
    let key = AttackKey::new(attack.seed, attack.name.name(), 0, 0);
    let start = match attack.random_start {
        RandomStart::No => x.shallow_clone(),
        RandomStart::Yes => ball.keyed_start(x, |i| key.stream(places[i], 0)),
    };
    let mut shown = x.shallow_clone();
    let mut fooled = answers(&natural, labels).zeros_like();
    let mut note = |at: &Tensor, logits: &Tensor| {
        let _guard = tch::no_grad_guard();
        let wrong = answers(logits, labels).logical_not();
        let newly = wrong.logical_and(&fooled.logical_not()).view([-1, 1, 1, 1]);
        shown = at.where_self(&newly, &shown);
        fooled = fooled.logical_or(&wrong);
    };
    let last = pgd.climb(&network, Mode::Eval, x, labels, start, |at, logits| {
        note(at, logits);
        ControlFlow::Continue(())
    });
    note(&last, &forward(&last));
    let _guard = tch::no_grad_guard();
    let attacked = shown.where_self(&fooled.view([-1, 1, 1, 1]), &last);
    let logits = forward(&attacked);
    let loss = host::floats(&logits.cross_entropy_loss::<Tensor>(labels, None, tch::Reduction::None, -100, 0.0));
    let (before, after) = (sure_of(&natural), sure_of(&logits));
    let (fooled, labels) = (host::flags(&fooled), host::integers(labels));
    (0..places.len())
        .filter(|&i| right[i])
        .map(|i| Seen {
            place: places[i],
            label: labels[i],
            standing: !fooled[i],
            loss: loss[i],
            clean: x.get(i as i64),
            attacked: attacked.get(i as i64),
            student: [before[i], after[i]],
        })
        .collect()
}

fn piece(group: Group, seen: &Seen, teacher: Option<Guesses>) -> Piece {
    let _guard = tch::no_grad_guard();
    let delta = &seen.attacked - &seen.clean;
    let (clean, delta) = (shrunk(&seen.clean), shrunk(&delta));
    let scale = f64::from(host::floats(&delta.abs().max()).first().copied().unwrap_or(0.0));
    let whole = |x: Tensor| BASE64_STANDARD.encode(host::bytes(&x.round().clamp(0.0, 255.0).contiguous()));
    let [before, after] = seen.student;
    Piece {
        group,
        index: seen.place as u64,
        label: seen.label as u64,
        shape: clean.size3().map_or([0; 3], |(c, h, w)| [c, h, w].map(|d| d as u64)),
        image: whole(&clean * 255.0),
        delta: whole(&delta * (127.0 / scale.max(1e-12)) + 128.0),
        scale: round(scale, 6),
        student: Guesses { before, after },
        teacher,
    }
}

/// `[C, H, W]`, its longer side at most [`SIDE`].
fn shrunk(image: &Tensor) -> Tensor {
    let Ok((_, h, w)) = image.size3() else { return image.shallow_clone() };
    let longer = h.max(w);
    if longer <= SIDE {
        return image.contiguous();
    }
    let to = |d: i64| (d * SIDE / longer).max(1);
    image.contiguous().unsqueeze(0).adaptive_avg_pool2d([to(h), to(w)]).squeeze_dim(0)
}
