//! What an evaluation found, for people and as JSON.

use super::asked::Evaluation;
use rematch::config::AttackSpec;
use rematch::protocol::report::{AttackReport, interval};
use rematch::run::listing::clock;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;

/// Writes everything to standard output.
pub fn tell(done: &[Evaluation], json: bool) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    if json {
        let values: Vec<Value> = done.iter().map(object).collect();
        return match values.as_slice() {
            [one] => writeln!(out, "{one}"),
            several => writeln!(out, "{}", json!({ "evaluations": several })),
        };
    }
    for (i, evaluation) in done.iter().enumerate() {
        if i > 0 {
            writeln!(out)?;
        }
        out.write_all(text(evaluation).as_bytes())?;
    }
    Ok(())
}

/// The settings and the report as they are kept, and beside them the few keys that scripts want.
fn object(evaluation: &Evaluation) -> Value {
    let (report, settings) = (&evaluation.report, &evaluation.settings);
    let mut object = json!({
        "natural_accuracy": report.natural,
        "adversarial_accuracy": report.worst_case,
        "images": report.images,
        "split": report.split,
        "of": report.of,
        "seen_in_training": settings["seen_in_training"],
        "norm": settings["norm"],
        "eps": settings["eps"],
        "seed": settings["seed"],
        "data": settings["data"],
        "checkpoint": settings["model"],
        "device": settings["device"],
        "program": settings["program"],
        "seconds": report.seconds,
        "folder": evaluation.folder.display().to_string(),
        "report": report,
    });
    // One single attack: its settings where they are looked for first.
    if let [AttackReport { ensemble, .. }] = report.attacks.as_slice() {
        object["attack"] = json!(ensemble.name);
        if let [spec] = ensemble.members.as_slice() {
            object["attack"] = json!(spec.name);
            object["steps"] = json!(spec.steps);
            object["step_size"] = json!(spec.step_size);
            object["restarts"] = json!(spec.restarts);
            object["random_start"] = json!(spec.random_start);
        }
    }
    if let Some(stored) = &evaluation.stored {
        object["stored"] = stored.facts();
    }
    if let Some(everything) = &evaluation.everything {
        object["everything"] = everything.facts();
    }
    object
}

fn percent(share: f64) -> String {
    format!("{:6.2} %", 100.0 * share)
}

fn text(evaluation: &Evaluation) -> String {
    let (report, settings) = (&evaluation.report, &evaluation.settings);
    let mut text = String::new();
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), String::from);
    let seen = match settings["seen_in_training"].as_bool() {
        Some(true) => "seen in training",
        Some(false) if report.split == rematch::protocol::event::Split::Validation => "held out of training, used for choices",
        Some(false) => "not seen in training",
        None => "unknown whether seen in training",
    };
    let mut line = |name: &str, what: String| {
        let _ = writeln!(text, "{name:<12} {what}");
    };
    line("checkpoint", word(&settings["model"]));
    line("data", format!("{}, {}, {} images ({seen})", word(&settings["data"]), report.split.name(), report.images));
    line("threat", format!("{} eps {}, seed {}", word(&settings["norm"]), settings["eps"], settings["seed"]));
    line("natural", percent(report.natural));
    for attack in &report.attacks {
        let (low, high) = interval(attack.adversarial, report.images);
        let within = format!("95 % interval {:.1} to {:.1}", 100.0 * low, 100.0 * high);
        line(
            "adversarial",
            format!("{}   {}; {within}; {}", percent(attack.adversarial), attack.ensemble.name, clock(attack.seconds)),
        );
        for member in members(attack) {
            line("", member);
        }
    }
    if report.attacks.len() > 1 {
        line("worst case", format!("{}   an image counts when it stands every attack above", percent(report.worst_case)));
    }
    if let Some(curve) = &report.curve {
        let points: Vec<String> = curve.points.iter().map(|p| format!("{} {:.1}", p.eps, 100.0 * p.adversarial)).collect();
        line("curve", format!("{} on {} images, eps and %: {}", curve.attack.short(), curve.images, points.join(", ")));
    }
    for doubt in &report.doubts {
        line("! doubt", format!("{}: {}", doubt.suspicion.name(), doubt.saw));
        line("", format!("  {}", doubt.suggests));
    }
    if !report.looked_for.is_empty() {
        let names: Vec<&str> = report.looked_for.iter().map(|s| s.name()).collect();
        line(if report.doubts.is_empty() { "no doubts" } else { "" }, format!("looked for {}", names.join(", ")));
    }
    if let Some(stored) = &evaluation.stored {
        line(
            "stored",
            format!(
                "{} images in {}, read back: at most {:.7} from the originals",
                stored.images,
                stored.path.display(),
                stored.largest
            ),
        );
    }
    if let Some(everything) = &evaluation.everything {
        line(
            "all images",
            format!(
                "{} in {}; from its logits: natural {:.2} %, adversarial {:.2} %{}",
                everything.images,
                everything.path.display(),
                100.0 * everything.natural,
                100.0 * everything.adversarial,
                if everything.differing == 0 {
                    String::new()
                } else {
                    format!("; {} images are so near the edge that rounding decides", everything.differing)
                }
            ),
        );
    }
    line("time", format!("{:.1} s on {}", report.seconds, word(&settings["device"])));
    line("kept in", evaluation.folder.display().to_string());
    text
}

/// What each member of an ensemble met and fooled; how a single attack was set.
fn members(attack: &AttackReport) -> Vec<String> {
    let single = attack.ensemble.members.len() == 1;
    let of = |index: usize, spec: &AttackSpec| {
        let stages = || attack.stages.iter().filter(move |s| s.member == index);
        let met = stages().next().map_or(0, |s| s.attacked);
        let fooled: u64 = stages().map(|s| s.fooled).sum();
        let seconds: f64 = stages().map(|s| s.seconds).sum();
        format!("{} ({}): {fooled} of {met} fooled in {}", spec.name.name(), spec.how(), clock(seconds))
    };
    let lines = attack.ensemble.members.iter().enumerate().map(|(i, spec)| of(i, spec));
    if single { lines.take(1).collect() } else { lines.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_few_keys_and_everything() {
        let report = rematch::protocol::report::Report {
            format: 1,
            of: rematch::protocol::event::Whose::Student,
            split: rematch::protocol::event::Split::Test,
            images: 10,
            natural: 0.9,
            attacks: Vec::new(),
            worst_case: 0.4,
            classes: Vec::new(),
            confusion: Vec::new(),
            curve: None,
            doubts: Vec::new(),
            looked_for: Vec::new(),
            seconds: 1.0,
        };
        let evaluation = Evaluation {
            folder: "x".into(),
            settings: json!({"norm": "linf", "eps": 0.1}),
            report,
            stored: None,
            everything: None,
        };
        let value = object(&evaluation);
        assert_eq!((&value["adversarial_accuracy"], &value["norm"]), (&json!(0.4), &json!("linf")));
        assert!(text(&evaluation).contains("unknown whether seen"));
    }
}
