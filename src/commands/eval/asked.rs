//! What the command line asks to be evaluated, checked, and carried out for one model.

use super::follow::{Follow, Following};
use super::{everything, stored};
use crate::cli::{Eval, Split};
use anyhow::{Context, bail};
use rematch::config::{AttackName, Config, Ensemble, Norm, Overrides, Suite, Threat};
use rematch::data::DataSet;
use rematch::protocol::event::{self, Whose};
use rematch::protocol::report::{CurvePlan, Doubts, EvaluationPlan, Report};
use rematch::run::evaluations;
use rematch::run::store::write_atomically;
use rematch::train::audit::journal::{Journal, Keep};
use rematch::train::examinee::{Examinee, Images};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::{Path, PathBuf};

pub struct Asked<'a> {
    args: &'a Eval,
    threat: Threat,
    split: event::Split,
    /// Whether the model saw these images in training; only known of the data it was trained on.
    seen: Option<bool>,
    pub remarks: Vec<String>,
    ensembles: Vec<Ensemble>,
}

/// One model's evaluation, finished.
pub struct Evaluation {
    pub folder: PathBuf,
    pub settings: Value,
    pub report: Report,
    pub stored: Option<stored::Stored>,
    pub everything: Option<everything::Everything>,
}

impl<'a> Asked<'a> {
    /// # Errors
    /// What cannot be asked for, with what can be.
    pub fn of(args: &'a Eval, config: &Config) -> anyhow::Result<Self> {
        let norm = match &args.norm {
            Some(name) => Norm::ALL.iter().copied().find(|n| n.name() == name).context("no such norm")?,
            None => config.threat.norm,
        };
        let eps = match args.eps {
            Some(eps) => eps,
            None if norm == config.threat.norm => config.threat.eps,
            None => bail!("--norm {} differs from the run's {}: say --eps too", norm.name(), config.threat.norm.name()),
        };
        for (option, value) in [("--eps", Some(eps)), ("--step-size", args.step_size)] {
            if let Some(value) = value.filter(|v| !(0.0..=norm.largest_eps()).contains(&v.0)) {
                let hint = if norm == Norm::Linf && value.0 > 1.0 && value.0.fract() == 0.0 && value.0 <= 255.0 {
                    format!("; pixels are in [0, 1]: did you mean {value}/255?")
                } else {
                    String::new()
                };
                bail!("{option} {value} is out of range; allowed for {norm}: 0 to {}{hint}", norm.largest_eps());
            }
        }
        let (split, seen) = match (args.split, &args.data) {
            (Split::Train, None) => (event::Split::Train, Some(true)),
            (Split::Validation, None) => (event::Split::Validation, Some(false)),
            (Split::Test, None) => (event::Split::Test, Some(false)),
            (Split::Train, Some(_)) => (event::Split::Train, None),
            (Split::Validation, Some(_)) => (event::Split::Validation, None),
            (Split::Test, Some(_)) => (event::Split::Test, None),
        };
        Ok(Self { args, threat: Threat { norm, eps }, split, seen, remarks: Vec::new(), ensembles: Vec::new() })
    }

    /// The attacks for this many classes. Options that no attack of the call has are refused; where only some have them, the
    /// others keep their own.
    pub fn attacks(&mut self, classes: usize) -> anyhow::Result<()> {
        let args = self.args;
        let all = Overrides { steps: args.steps, step_size: args.step_size, restarts: args.restarts, targets: args.targets };
        let several = args.attacks.len() > 1;
        if several {
            idle(&args.attacks, all)?;
        }
        for name in &args.attacks {
            let (ensemble, remarks) = if let Some(&suite) = Suite::ALL.iter().find(|s| s.name() == name) {
                if all != Overrides::default() && !several {
                    bail!(
                        "--attack {name} has fixed settings, as its number is compared with others': leave --steps, --step-size, --restarts and --targets away, or use a single attack"
                    );
                }
                Ensemble::suite(suite, self.threat, classes, args.seed)
            } else {
                let attack = AttackName::ALL.iter().copied().find(|a| a.name() == name).context("no such attack")?;
                let wanted = if several { fitting(attack, all) } else { all };
                Ensemble::single(attack, self.threat, classes, args.seed, wanted).map_err(anyhow::Error::msg)?
            };
            if self.ensembles.iter().any(|e| e.name == ensemble.name) {
                bail!("--attack {name} is given twice");
            }
            self.remarks.extend(remarks);
            self.ensembles.push(ensemble);
        }
        Ok(())
    }

    /// Evaluates one model; `None` when it was interrupted, which was said.
    ///
    /// # Errors
    /// What cannot be evaluated, or what went wrong.
    pub fn evaluate(&self, path: &Path, of: Whose, data: &DataSet, follow: &Follow) -> anyhow::Result<Option<Evaluation>> {
        let images = match self.split {
            event::Split::Train => &data.train,
            event::Split::Validation => &data.validation,
            event::Split::Test => &data.test,
        };
        let split = self.split.name();
        if images.is_empty() {
            bail!("the {split} split of {} has no images; choose another --split", data.name);
        }
        let examinee = Examinee::load(path, &Images { images, classes: &data.classes }, self.args.device)?;
        let count = self.args.images.unwrap_or(examinee.len() as u64);
        if count > examinee.len() as u64 {
            bail!("--images {count} is more than the {} images of this split; allowed: 1 to {}", examinee.len(), examinee.len());
        }
        let plan = self.plan(of, count);
        let sha256 = format!("{:x}", Sha256::digest(std::fs::read(path)?));
        let settings = self.settings(path, &sha256, &plan, data, &examinee.device);
        let keep = if self.saves() { Keep::Images } else { Keep::Numbers };
        let names: Vec<&str> = self.ensembles.iter().map(|e| e.name.as_str()).collect();
        let folder = evaluations::folder_of(path, &sha256, &self.args.evaluations);
        let (folder, mut journal) = self.begin(&folder, &names.join("+"), &settings, keep)?;
        let mut err = std::io::stderr();
        if follow.talks() {
            let _ = writeln!(
                err,
                "evaluating {} on {count} {split} images ({}), into {}",
                path.display(),
                examinee.device,
                folder.display()
            );
        }
        let mut following = Following::new(follow);
        let found = examinee.audit(&plan, &data.classes, self.args.batch.map(|n| n as usize), &mut journal, &mut following);
        following.end();
        for remark in examinee.take_remarks() {
            let _ = writeln!(err, "rematch: {remark}");
        }
        let Some(report) = found.map_err(|error| crate::commands::Failed(error.to_string()))? else {
            let batches = journal.entries().len();
            let _ = writeln!(
                err,
                "rematch: interrupted; {batches} batches are kept in {}: the same command with --resume goes on",
                folder.display()
            );
            return Ok(None);
        };
        let stored = if self.saves() { Some(stored::gather(&folder, &journal, &plan, &examinee)?) } else { None };
        let batch = self.args.batch.map(|n| n as usize);
        let everything = match stored.as_ref().filter(|_| self.args.save_all) {
            Some(fooled) => Some(everything::gather(&folder, fooled, &plan, &report, &examinee, batch)?),
            None => None,
        };
        let mut kept = json!({ "settings": settings, "report": report });
        if let Some(stored) = &stored {
            kept["stored"] = stored.facts();
        }
        if let Some(everything) = &everything {
            kept["everything"] = everything.facts();
        }
        write_atomically(&folder.join(evaluations::REPORT), format!("{kept:#}\n").as_bytes())
            .with_context(|| format!("{}: cannot be written", folder.join(evaluations::REPORT).display()))?;
        Ok(Some(Evaluation { folder, settings, report, stored, everything }))
    }

    /// Whether adversarial images are kept.
    fn saves(&self) -> bool {
        self.args.save || self.args.save_all
    }

    fn plan(&self, of: Whose, images: u64) -> EvaluationPlan {
        let curve = self.args.curve.then(|| CurvePlan::around(self.threat, images, self.args.seed));
        let doubts = if self.args.no_doubts { Doubts::Skip } else { Doubts::Look };
        EvaluationPlan { of, ensembles: self.ensembles.clone(), split: self.split, images: Some(images), curve, doubts }
    }

    fn settings(&self, path: &Path, sha256: &str, plan: &EvaluationPlan, data: &DataSet, device: &str) -> Value {
        json!({
            "model": path.display().to_string(),
            "model_sha256": sha256,
            "data": data.name,
            "split": plan.split,
            "images": plan.images,
            "seen_in_training": self.seen,
            "attacks": plan.ensembles.iter().map(|e| &e.name).collect::<Vec<_>>(),
            "members": plan.ensembles.iter().map(|e| &e.members).collect::<Vec<_>>(),
            "norm": self.threat.norm,
            "eps": self.threat.eps,
            "seed": self.args.seed,
            "curve": self.args.curve,
            "doubts": plan.doubts,
            "batch": self.args.batch,
            "saves_images": self.saves(),
            "device": device,
            "program": concat!("rematch ", env!("CARGO_PKG_VERSION")),
        })
    }

    /// A new journal, or the one of an interrupted evaluation with the same settings.
    fn begin(&self, all: &Path, names: &str, settings: &Value, keep: Keep) -> anyhow::Result<(PathBuf, Journal)> {
        let mut unfinished = evaluations::unfinished(all);
        // One that another process makes now is not interrupted.
        unfinished.retain(|(folder, _)| !evaluations::busy(folder));
        let same = unfinished.iter().rposition(|(_, there)| {
            evaluations::differences(there, settings).is_empty() && there["saves_images"] == settings["saves_images"]
        });
        if self.args.resume {
            let Some(at) = same else {
                let Some((folder, there)) = unfinished.pop() else {
                    bail!(
                        "--resume: no evaluation of this model was interrupted ({} has none); leave --resume away",
                        all.display()
                    );
                };
                let mut differing = evaluations::differences(&there, settings);
                if there["saves_images"] != settings["saves_images"] {
                    differing.push(format!("--save: {} there, {} here", there["saves_images"], settings["saves_images"]));
                }
                bail!(
                    "--resume: no evaluation with these settings was interrupted; the newest that was, {}, has other settings: {}; give the same ones, or leave --resume away (to forget it, remove its folder)",
                    folder.display(),
                    differing.join("; ")
                );
            };
            let folder = unfinished.swap_remove(at).0;
            let journal = Journal::open(&folder, keep)?;
            return Ok((folder, journal));
        }
        if let Some(at) = same {
            let mut err = std::io::stderr();
            let _ = writeln!(
                err,
                "rematch: an evaluation with these settings was interrupted ({}); --resume would go on with it",
                unfinished[at].0.display()
            );
        }
        // Long lists of attacks make long names.
        let short: String = names.chars().take(60).collect();
        let folder = evaluations::fresh(all, &short);
        let journal = Journal::begin(&folder, settings, keep)?;
        Ok((folder, journal))
    }
}

/// Options that no attack of the call has are refused.
fn idle(attacks: &[String], all: Overrides) -> anyhow::Result<()> {
    let had: Vec<Overrides> = AttackName::ALL
        .iter()
        .filter(|attack| attacks.iter().any(|name| name == attack.name()))
        .map(|&attack| fitting(attack, all))
        .collect();
    for (option, asked, found) in [
        ("--steps", all.steps.is_some(), had.iter().any(|o| o.steps.is_some())),
        ("--step-size", all.step_size.is_some(), had.iter().any(|o| o.step_size.is_some())),
        ("--restarts", all.restarts.is_some(), had.iter().any(|o| o.restarts.is_some())),
        ("--targets", all.targets.is_some(), had.iter().any(|o| o.targets.is_some())),
    ] {
        if asked && !found {
            bail!("{option}: none of {} can be told it; leave it away", attacks.join(", "));
        }
    }
    Ok(())
}

/// What of the options this attack has. Square's queries are told where it is the only one: its steps are not those of the others.
fn fitting(attack: AttackName, all: Overrides) -> Overrides {
    let iterates = attack != AttackName::Fgsm;
    Overrides {
        steps: all.steps.filter(|_| iterates && !attack.black_box()),
        step_size: all.step_size.filter(|_| attack == AttackName::Pgd),
        restarts: all.restarts.filter(|_| iterates),
        targets: all.targets.filter(|_| attack.targeted()),
    }
}
