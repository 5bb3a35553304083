//! Abbreviations and signs that stand on the screen, with what they mean: for the help, and for the test that none is missing.

/// Short forms and signs, in the order of their places on the Dash, with their meanings in at most 60 cells.
pub const ABBREVIATIONS: &[(&str, &str)] = &[
    ("ep", "epoch: once through all training images"),
    ("it/s", "iterations, which are training steps, a second"),
    ("img/s", "training images a second"),
    ("ETA", "estimated time until the run is over"),
    ("probe", "short evaluation on validation images while training goes on"),
    ("ce", "cross-entropy of the student's outputs, without its weight"),
    ("λ·ce", "cross-entropy times its weight λ, as it counts in the total"),
    ("rep", "representation term: how far student's features are off"),
    ("total", "what is minimised: the sum of the weighted terms"),
    ("drawn +1", "rep and total are below 0: drawn 1 higher, to share an axis"),
    ("cos", "cosine of student's and teacher's features, at most 1"),
    ("chance", "the same cosine with features of other images"),
    ("kd", "distillation term: outputs of the teacher"),
    ("kl", "Kullback-Leibler divergence of clean and attacked outputs"),
    ("acc", "accuracy: share of the batch that is classified correctly"),
    ("nat", "natural accuracy: on images as they are"),
    ("adv", "adversarial accuracy: on attacked images"),
    ("pgd-10", "accuracy under projected gradient descent of 10 steps"),
    ("gap", "natural minus adversarial accuracy, in points"),
    ("val", "validation images, which training does not see"),
    ("╌", "the teacher's accuracies, natural and adversarial"),
    ("λ", "weight of the cross-entropy beside the representation term"),
    ("lr", "learning rate; lr scale: the factor on its schedule"),
    ("ε", "radius of the attack"),
    ("K", "steps of the attack in training"),
    ("η", "size of one step of the attack"),
    ("T", "temperature of the distillation"),
    ("α", "share of one of two terms, as the method has it"),
    ("β", "weight of the divergence"),
    ("P", "probes per epoch"),
    ("L-inf, L2", "norm that ε is measured in"),
    ("pull", "gradient of a term on the features: share of the first one"),
    ("match", "cosine with the teacher's features of the same image"),
    ("p50, p99", "half of the steps, 99 of 100 of them, take at most this"),
    ("fwd+bwd", "forward and backward pass of the student"),
    ("util, mem", "share of the time that the GPU works; memory in use"),
    ("^ v", "beyond the axis: above or below; the number says how far"),
    ("▾λ", "λ was changed here; so were L: lr scale, ε, K, η, T, α, β, P"),
    ("▾S ▾R ▾F", "checkpoint by hand; resumed; begun from another run"),
    ("▾!", "warning; the log has it"),
    ("▾..+", "more than there is room for; n and N walk through them"),
    ("!", "at the bottom of a chart: a value that is not a number"),
    ("a b c", "runs behind this one, as their letters along the curves"),
    ("log, ~0.9", "logarithmic y axis; smoothed, with the weight of the past"),
    ("…", "there is more than there is room for"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Dial;
    use crate::protocol::event::Term;
    use crate::run::state::MarkerKind;
    use unicode_width::UnicodeWidthStr;

    fn explained(short: &str) -> bool {
        ABBREVIATIONS.iter().any(|(known, means)| known.split([',', ' ']).any(|part| part == short) || means.contains(short))
    }

    #[test]
    fn every_symbol_and_every_term_is_explained() {
        for dial in Dial::ALL {
            assert!(explained(dial.symbol()), "{}", dial.symbol());
            let letter = MarkerKind::Dial(*dial).letter().to_string();
            assert!(
                ABBREVIATIONS
                    .iter()
                    .any(|(known, means)| known.contains('▾') && (known.contains(&letter) || means.contains(&letter))),
                "{letter}"
            );
        }
        let terms = [
            Term::Total,
            Term::CrossEntropy,
            Term::WeightedCrossEntropy,
            Term::Representation,
            Term::Cosine,
            Term::Distillation,
            Term::Divergence,
            Term::TrainAccuracy,
        ];
        for term in terms {
            assert!(explained(term.name()), "{}", term.name());
        }
        for kind in [MarkerKind::Saved, MarkerKind::Warning, MarkerKind::Resumed, MarkerKind::Branched] {
            assert!(ABBREVIATIONS.iter().any(|(known, _)| known.contains(&format!("▾{}", kind.letter()))), "{kind:?}");
        }
    }

    #[test]
    fn meanings_fit_their_line() {
        for (short, means) in ABBREVIATIONS {
            assert!(short.width() <= 11 && means.width() <= 60, "{short}: {}", means.width());
        }
    }
}
