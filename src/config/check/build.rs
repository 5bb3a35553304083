//! From judged values to the [`Config`] they mean. Judges nothing: it is asked only where there are no faults.

use super::judge::{Judge, Typed, as_whole, default_of};
use super::keys::Key;
use crate::config::{
    AlertThen, Alerts, Answer, Ard, Augment, BatchNormMode, Cache, Checkpoint, Config, Data, Distance, Eps, Evaluation, FastAt,
    Faulty, FreeAt, Goal, ImageFiles, Inputs, Insight, Iterate, Kd, KdForm, Method, NFgsm, Nesterov, Network, Norm, Planned,
    Probe, Projector, RandomStart, Rdt, Reduction, Rrm, RrmPlus, Rslad, Rules, Sat, Schedule, Source, Steering, Storage, Student,
    Targets, Teacher, Threat, TorchScript, Trades, Train, ValidationSplit, Watch,
};

impl Judge<'_> {
    /// What was given, else the default; `None` where it was given wrongly or has no fixed default.
    pub(super) fn get(&self, path: &str) -> Option<Typed> {
        match self.given.get(path) {
            Some(given) => given.value.clone(),
            None => Key::find(path).and_then(default_of),
        }
    }

    pub(super) fn whole(&self, path: &str) -> Option<i64> {
        self.get(path).as_ref().and_then(as_whole)
    }

    fn count(&self, path: &str) -> Option<u32> {
        self.whole(path).and_then(|v| u32::try_from(v).ok())
    }

    fn size(&self, path: &str) -> Option<usize> {
        self.whole(path).and_then(|v| usize::try_from(v).ok())
    }

    fn long(&self, path: &str) -> Option<u64> {
        self.whole(path).and_then(|v| u64::try_from(v).ok())
    }

    pub(super) fn real(&self, path: &str) -> Option<f64> {
        match self.get(path)? {
            Typed::Real(v) => Some(v),
            Typed::Whole(_) | Typed::Text(_) | Typed::Switch(_) | Typed::Epochs(_) | Typed::Lines(_) => None,
        }
    }

    pub(super) fn text(&self, path: &str) -> Option<String> {
        match self.get(path)? {
            Typed::Text(text) => Some(text),
            Typed::Whole(_) | Typed::Real(_) | Typed::Switch(_) | Typed::Epochs(_) | Typed::Lines(_) => None,
        }
    }

    fn on<T>(&self, path: &str, yes: T, no: T) -> Option<T> {
        match self.get(path)? {
            Typed::Switch(on) => Some(if on { yes } else { no }),
            Typed::Whole(_) | Typed::Real(_) | Typed::Text(_) | Typed::Epochs(_) | Typed::Lines(_) => None,
        }
    }

    pub(super) fn norm(&self) -> Option<Norm> {
        let name = self.text("threat.norm")?;
        Norm::ALL.iter().copied().find(|norm| norm.name() == name)
    }

    fn image_files(&self, source: &str) -> Option<ImageFiles> {
        if !(source == Source::Folder.name() || source == Source::RestrictedImagenet.name()) {
            return None;
        }
        let size = self.size("data.size")?;
        let (faulty, storage) = (self.text("data.faulty")?, self.text("data.storage")?);
        Some(ImageFiles {
            size,
            resize: self.size("data.resize").unwrap_or(Data::usual_resize(size)),
            faulty: Faulty::ALL.iter().copied().find(|f| f.name() == faulty)?,
            storage: Storage::ALL.iter().copied().find(|s| s.name() == storage)?,
            split: ValidationSplit::of(&self.text("data.split")?, self.long("data.split_seed")?)?,
            validation_path: self.text("data.validation_path"),
        })
    }

    pub(super) fn build(&self) -> Option<Config> {
        let named = |path: &str| self.text(path);
        let source = named("data.source")?;
        let augment = named("data.augment")?;
        let network = named("student.network")?;
        let threat = Threat { norm: self.norm()?, eps: Eps(self.real("threat.eps")?) };
        // A folder of validation images takes the place of held-out ones.
        let held_out = self.get("data.validation_path").is_none();
        let validation = if held_out { self.size("data.validation")? } else { 0 };
        let lr = self.real("train.lr")?;
        let method = self.method(threat)?;
        let schedule = match named("train.schedule.name")?.as_str() {
            "constant" => Schedule::Constant,
            "cosine" => Schedule::Cosine { final_lr: self.real("train.schedule.final_lr").unwrap_or(lr.min(1e-6)) },
            "one-cycle" => Schedule::OneCycle {
                peak: self.real("train.schedule.peak")?,
                low_momentum: self.real("train.schedule.low_momentum"),
            },
            "multistep" => match self.get("train.schedule.epochs")? {
                Typed::Epochs(epochs) => Schedule::Multistep {
                    epochs: epochs.into_iter().map(|epoch| u64::try_from(epoch).ok()).collect::<Option<_>>()?,
                    gamma: self.real("train.schedule.gamma")?,
                },
                Typed::Whole(_) | Typed::Real(_) | Typed::Text(_) | Typed::Switch(_) | Typed::Lines(_) => return None,
            },
            _ => return None,
        };
        Some(Config {
            seed: self.long("seed")?,
            data: Data {
                source: Source::ALL.iter().copied().find(|s| s.name() == source)?,
                path: named("data.path"),
                validation,
                augment: Augment::ALL.iter().copied().find(|a| a.name() == augment)?,
                files: self.image_files(&source),
            },
            student: Student {
                network: Network::ALL.iter().copied().find(|n| n.name() == network)?,
                feature_width: self.size("student.feature_width"),
            },
            teacher: named("teacher.checkpoint").map(|checkpoint| Teacher {
                checkpoint,
                torchscript: self.on("teacher.torchscript", TorchScript::Yes, TorchScript::No).unwrap_or_default(),
                also: match self.get("teacher.also") {
                    Some(Typed::Lines(paths)) => paths,
                    Some(Typed::Whole(_) | Typed::Real(_) | Typed::Text(_) | Typed::Switch(_) | Typed::Epochs(_)) | None => {
                        Vec::new()
                    }
                },
                cache: self.on("teacher.cache", Cache::Yes, Cache::No).unwrap_or_default(),
            }),
            method,
            threat,
            train: Train {
                epochs: self.long("train.epochs")?,
                steps: self.long("train.steps"),
                batch: self.size("train.batch")?,
                lr,
                momentum: self.real("train.momentum")?,
                nesterov: self.on("train.nesterov", Nesterov::Yes, Nesterov::No)?,
                weight_decay: self.real("train.weight_decay")?,
                schedule,
                ema: self.real("train.ema")?,
                report_hz: self.real("train.report_hz")?,
            },
            probe: Probe {
                per_epoch: self.count("probe.per_epoch")?,
                images: self.size("probe.images").unwrap_or(if held_out { validation.min(500) } else { 500 }),
                steps: self.count("probe.steps")?,
            },
            watch: Watch {
                overfitting: match named("watch.overfitting") {
                    Some(name) => Answer::ALL.iter().copied().find(|a| a.name() == name)?,
                    None if method.single_step() => Answer::Warn,
                    None => Answer::Off,
                },
                every: self.long("watch.every")?,
                images: self.size("watch.images")?,
                drop: self.real("watch.drop")?,
            },
            insight: Insight { every: self.long("insight.every")?, images: self.size("insight.images")? },
            alerts: Alerts {
                rules: if named("alerts.rules")? == "on" { Rules::On } else { Rules::Off },
                then: if named("alerts.then")? == "pause" { AlertThen::Pause } else { AlertThen::Tell },
                adversarial_below: self.real("alerts.adversarial_below"),
            },
            evaluation: Evaluation {
                steps: self.count("evaluation.steps")?,
                restarts: self.count("evaluation.restarts")?,
                images: self.size("evaluation.images"),
            },
            checkpoint: Checkpoint {
                every_epochs: self.long("checkpoint.every_epochs")?,
                keep_last: self.size("checkpoint.keep_last")?,
                keep_every: self.long("checkpoint.keep_every")?,
            },
            steering: Steering {
                changes: match self.get("steering.changes")? {
                    Typed::Lines(lines) => {
                        lines.iter().map(|line| Planned::parse(line, threat.norm).ok()).collect::<Option<_>>()?
                    }
                    Typed::Whole(_) | Typed::Real(_) | Typed::Text(_) | Typed::Switch(_) | Typed::Epochs(_) => return None,
                },
            },
        })
    }

    fn method(&self, threat: Threat) -> Option<Method> {
        let name = self.text("method.name")?;
        let steps = |usual: u32| self.count("method.steps").unwrap_or(usual);
        let step_size = |usual: f64| Eps(self.real("method.step_size").unwrap_or(usual.min(threat.norm.largest_eps())));
        let pgd_step = |steps: u32| step_size(2.5 * threat.eps.0 / f64::from(steps));
        let batch_norm = |usual: BatchNormMode| match self.text("method.batch_norm") {
            Some(name) => BatchNormMode::ALL.iter().copied().find(|b| b.name() == name),
            None => Some(usual),
        };
        let replays = |usual: u32| self.count("method.replays").unwrap_or(usual);
        let temperature = |usual: f64| self.real("method.temperature").unwrap_or(usual);
        let alpha = |usual: f64| self.real("method.alpha").unwrap_or(usual);
        let reduction = || {
            let name = self.text("method.reduction")?;
            Reduction::ALL.iter().copied().find(|r| r.name() == name)
        };
        Some(match name.as_str() {
            "erm" => Method::Erm,
            "sat" => {
                let iterate = self.text("method.iterate")?;
                Method::Sat(Sat {
                    steps: steps(7),
                    step_size: pgd_step(steps(7)),
                    random_start: self.on("method.random_start", RandomStart::Yes, RandomStart::No)?,
                    batch_norm: batch_norm(BatchNormMode::Eval)?,
                    iterate: Iterate::ALL.iter().copied().find(|i| i.name() == iterate)?,
                })
            }
            "fast-at" => {
                let steps = steps(1);
                let step_size = if steps == 1 { step_size(1.25 * threat.eps.0) } else { pgd_step(steps) };
                Method::FastAt(FastAt { steps, step_size, batch_norm: batch_norm(BatchNormMode::Train)? })
            }
            "n-fgsm" => Method::NFgsm(NFgsm {
                step_size: step_size(threat.eps.0),
                noise: self.real("method.noise")?,
                batch_norm: batch_norm(BatchNormMode::Train)?,
            }),
            "free-at" => Method::FreeAt(FreeAt { replays: replays(8) }),
            "trades" => Method::Trades(Trades {
                beta: self.real("method.beta")?,
                steps: steps(10),
                step_size: pgd_step(steps(10)),
                batch_norm: batch_norm(BatchNormMode::Eval)?,
            }),
            "rrm" => {
                let distance = self.text("method.distance")?;
                Method::Rrm(Rrm {
                    lambda: self.real("method.lambda")?,
                    distance: Distance::ALL.iter().copied().find(|d| d.name() == distance)?,
                    replays: replays(1),
                    projector: self.on("method.projector", Projector::Yes, Projector::No)?,
                })
            }
            "rrm-plus" => {
                let (distance, goal) = (self.text("method.distance")?, self.text("method.goal")?);
                let (inputs, targets) = (self.text("method.inputs")?, self.text("method.targets")?);
                Method::RrmPlus(RrmPlus {
                    lambda: self.real("method.lambda")?,
                    matching: self.real("method.matching")?,
                    distance: Distance::ALL.iter().copied().find(|d| d.name() == distance)?,
                    projector: self.on("method.projector", Projector::Yes, Projector::No)?,
                    inputs: Inputs::ALL.iter().copied().find(|i| i.name() == inputs)?,
                    targets: Targets::ALL.iter().copied().find(|t| t.name() == targets)?,
                    alpha: alpha(0.0),
                    temperature: temperature(1.0),
                    goal: Goal::ALL.iter().copied().find(|g| g.name() == goal)?,
                    attack_from: self.real("method.attack_from")?,
                    noise: self.real("method.noise")?,
                    reach: self.real("method.reach")?,
                    step_size: step_size(threat.eps.0),
                    batch_norm: batch_norm(BatchNormMode::Train)?,
                    replays: replays(1),
                })
            }
            "kd" => {
                let form = self.text("method.form")?;
                let form = KdForm::ALL.iter().copied().find(|f| f.name() == form)?;
                let usual = if form == KdForm::Textbook { 4.0 } else { 30.0 };
                Method::Kd(Kd { form, temperature: temperature(usual), alpha: alpha(1.0) })
            }
            "rdt" => Method::Rdt(Rdt {
                inversion_steps: self.count("method.inversion_steps")?,
                inversion_step_size: self.real("method.inversion_step_size")?,
            }),
            "ard" => Method::Ard(Ard {
                temperature: temperature(30.0),
                alpha: alpha(1.0),
                steps: steps(10),
                step_size: pgd_step(steps(10)),
                batch_norm: batch_norm(BatchNormMode::Train)?,
                reduction: reduction()?,
            }),
            "rslad" => Method::Rslad(Rslad {
                alpha: alpha(5.0 / 6.0),
                steps: steps(10),
                step_size: pgd_step(steps(10)),
                batch_norm: batch_norm(BatchNormMode::Eval)?,
                reduction: reduction()?,
            }),
            _ => return None,
        })
    }
}
