//! The numbers of the RRM paper (Vaishnavi, Eykholt, Rahmati, "Transferring Adversarial Robustness Through Robust Representation
//! Matching", USENIX Security 2022) that stand beside ours, each with where it can be read, and which of ours each belongs to.
//!
//! Only what the authors published in readable form: tables in pictures of their README and slides, and bars that were read off by
//! pixels, which are marked. What cannot be recovered is not made up.

use crate::config::{Network, Norm, Source, Threat};
use crate::sweep::PaperTable;

/// One line of a table of the paper. Accuracies in percent, as printed there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// As the paper calls it.
    pub name: &'static str,
    /// As [`crate::config::Method::name`] has it.
    pub method: &'static str,
    /// `None`: the table does not say, or it has none.
    pub teacher: Option<Network>,
    pub student: Network,
    pub epochs: Option<u64>,
    pub epoch_s: Option<f64>,
    /// Of training, the teacher's left out.
    pub minutes: Option<f64>,
    /// The teacher's own.
    pub teacher_minutes: Option<f64>,
    pub natural: Option<f64>,
    pub adversarial: Option<f64>,
}

/// A table of the paper, and what all its numbers have in common.
#[derive(Clone, Copy, Debug)]
pub struct Printed {
    pub name: &'static str,
    pub source: &'static str,
    pub data: Source,
    pub data_name: &'static str,
    pub norm: Norm,
    /// In units of [0, 1] for L-inf.
    pub eps: f64,
    pub eps_name: &'static str,
    /// What it was attacked with; `None` where it has no accuracies.
    pub attack: Option<&'static str>,
    pub lines: &'static [Line],
    /// What a reader must know of these numbers.
    pub remarks: &'static [&'static str],
}

const NOTHING: Line = Line {
    name: "",
    method: "",
    teacher: None,
    student: Network::Resnet50,
    epochs: None,
    epoch_s: None,
    minutes: None,
    teacher_minutes: None,
    natural: None,
    adversarial: None,
};

const fn first(
    name: &'static str,
    method: &'static str,
    epochs: u64,
    epoch_s: f64,
    minutes: f64,
    natural: f64,
    adversarial: f64,
) -> Line {
    Line {
        name,
        method,
        epochs: Some(epochs),
        epoch_s: Some(epoch_s),
        minutes: Some(minutes),
        natural: Some(natural),
        adversarial: Some(adversarial),
        ..NOTHING
    }
}

static TABLE1: Printed = Printed {
    name: "Table 1",
    source: "the table in the authors' README",
    data: Source::Cifar10,
    data_name: "CIFAR-10",
    norm: Norm::Linf,
    eps: 8.0 / 255.0,
    eps_name: "8/255",
    attack: Some("ART's AutoPGD on cross-entropy, 50 iterations, 10 restarts"),
    lines: &[
        first("SAT", "sat", 150, 496.01, 1240.03, 85.50, 49.60),
        first("Fast AT", "fast-at", 40, 289.16, 192.77, 83.73, 50.65),
        first("Free AT", "free-at", 96, 36.58, 58.44, 77.74, 45.82),
        first("Free AT", "free-at", 48, 36.58, 29.22, 71.28, 41.53),
        Line { teacher: Some(Network::Vgg11), ..first("RRM (VGG11)", "rrm", 48, 37.78, 30.22, 76.17, 49.32) },
        Line { teacher: Some(Network::Resnet18), ..first("RRM (ResNet18)", "rrm", 48, 39.78, 31.82, 80.32, 49.31) },
    ],
    remarks: &[
        "The time of SAT differs between the authors' sources: 1240 minutes in the README, 1808 in the slides, about 826 in Figure 2.",
        "What the paper calls Fast AT is PGD-7 with half precision and a cyclic learning rate, not one step.",
        "The teacher's time is left out of RRM's.",
    ],
};

static TABLE2: Printed = Printed {
    name: "Table 2",
    source: "the table in the authors' slides, tied to its setting by their README",
    data: Source::Cifar10,
    data_name: "CIFAR-10",
    norm: Norm::L2,
    eps: 1.0,
    eps_name: "1.0",
    attack: Some("ART's AutoPGD"),
    lines: &[
        Line { name: "RDT", method: "rdt", natural: Some(80.0), adversarial: Some(1.0), ..NOTHING },
        Line { name: "KD", method: "kd", natural: Some(83.0), adversarial: Some(3.0), ..NOTHING },
        Line { name: "RRM", method: "rrm", natural: Some(81.0), adversarial: Some(46.0), ..NOTHING },
    ],
    remarks: &["Which teacher each row had, and the row of SAT, cannot be recovered; the slides round to whole percents."],
};

const fn third(
    student: Network,
    method: &'static str,
    epochs: u64,
    epoch_min: f64,
    hours: f64,
    natural: f64,
    adversarial: f64,
) -> Line {
    Line {
        student,
        ..first(if epochs == 150 { "SAT" } else { "RRM" }, method, epochs, 60.0 * epoch_min, 60.0 * hours, natural, adversarial)
    }
}

static TABLE3: Printed = Printed {
    name: "Table 3",
    source: "the table in the authors' README",
    data: Source::RestrictedImagenet,
    data_name: "Restricted ImageNet",
    norm: Norm::L2,
    eps: 3.0,
    eps_name: "3",
    attack: Some("ART's AutoPGD on cross-entropy, 20 iterations, 5 restarts"),
    lines: &[
        third(Network::ImagenetResnet50, "sat", 150, 101.49, 253.71, 95.47, 84.36),
        Line {
            teacher: Some(Network::ImagenetAlexnet),
            ..third(Network::ImagenetResnet50, "rrm", 60, 13.66, 13.66, 88.19, 67.90)
        },
        third(Network::ImagenetVgg16, "sat", 150, 160.01, 400.01, 92.40, 80.91),
        Line { teacher: Some(Network::ImagenetAlexnet), ..third(Network::ImagenetVgg16, "rrm", 60, 33.30, 33.30, 87.86, 73.30) },
    ],
    remarks: &[
        "ResNet50 and VGG16 were trained on different machines.",
        "RRM is 18.6 and 12.0 times faster there, the teacher's time left out, and 16.5 and 7.6 points less robust than SAT.",
    ],
};

const fn bar(name: &'static str, method: &'static str, minutes: f64) -> Line {
    Line { name, method, minutes: Some(minutes), ..NOTHING }
}

static FIGURE2: Printed = Printed {
    name: "Figure 2",
    source: "its bars, read off by pixels: about",
    data: Source::Cifar10,
    data_name: "CIFAR-10",
    norm: Norm::Linf,
    eps: 8.0 / 255.0,
    eps_name: "8/255",
    attack: None,
    lines: &[
        bar("SAT", "sat", 826.0),
        bar("Fast AT", "fast-at", 192.0),
        bar("Free AT", "free-at", 58.0),
        Line { teacher: Some(Network::Vgg11), teacher_minutes: Some(28.0), ..bar("RRM (VGG11)", "rrm", 31.0) },
        Line { teacher: Some(Network::Resnet18), teacher_minutes: Some(59.0), ..bar("RRM (ResNet18)", "rrm", 32.0) },
    ],
    remarks: &[
        "With its teacher's time RRM (VGG11) takes as long as Free AT (59 and 58 minutes), and RRM (ResNet18) longer (91).",
        "The time of SAT differs between the authors' sources: 1240 minutes in the README, 1808 in the slides, about 826 here.",
    ],
};

pub fn printed(table: PaperTable) -> &'static Printed {
    match table {
        PaperTable::Table1 => &TABLE1,
        PaperTable::Table2 => &TABLE2,
        PaperTable::Table3 => &TABLE3,
        PaperTable::Figure2 => &FIGURE2,
    }
}

/// One of our points, as far as the paper's lines tell theirs apart.
#[derive(Clone, Copy, Debug)]
pub struct Ours<'a> {
    pub method: &'a str,
    pub teacher: Option<&'a str>,
    pub student: &'a str,
    pub epochs: u64,
}

impl Printed {
    /// The lines of the same method and, where a line has a teacher, of a teacher of that network. Where several are left, those of the
    /// same student, and of those the ones with as many epochs.
    pub fn matching(&self, ours: Ours) -> Vec<&'static Line> {
        let mut found: Vec<&'static Line> = self
            .lines
            .iter()
            .filter(|line| line.method == ours.method)
            .filter(|line| line.teacher.is_none_or(|teacher| Some(teacher.name()) == ours.teacher))
            .collect();
        let narrowings: [&dyn Fn(&Line) -> bool; 2] =
            [&|line| line.student.name() == ours.student, &|line| line.epochs == Some(ours.epochs)];
        for narrower in narrowings {
            if found.len() > 1 && found.iter().any(|line| narrower(line)) {
                found.retain(|line| narrower(line));
            }
        }
        found
    }

    /// In what ours differs, in words; empty where data, norm, epsilon and student are the paper's.
    pub fn differences(&self, data: Source, data_name: &str, threat: Threat, students: &[&str]) -> Vec<String> {
        let mut differences = Vec::new();
        if data != self.data {
            differences.push(format!("the data are {data_name} and not {}", self.data_name));
        }
        if threat.norm != self.norm || (threat.eps.0 - self.eps).abs() > 1e-9 {
            differences
                .push(format!("the threat is {} eps {} and not {} eps {}", threat.norm, threat.eps, self.norm, self.eps_name));
        }
        let paper = |name: &&str| self.lines.iter().any(|line| line.student.name() == *name);
        let others: Vec<&str> = students.iter().filter(|name| !paper(name)).copied().collect();
        if !others.is_empty() {
            let mut theirs: Vec<&str> = self.lines.iter().map(|line| line.student.name()).collect();
            theirs.dedup();
            differences.push(format!("the students are {} and not {}", others.join(", "), theirs.join(", ")));
        }
        differences
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Eps;

    fn ours(method: &str, teacher: Option<&'static str>, student: &'static str, epochs: u64) -> Vec<f64> {
        let lines = TABLE1.matching(Ours { method, teacher, student, epochs });
        lines.iter().filter_map(|line| line.natural).collect()
    }

    #[test]
    fn a_line_is_found_by_method_and_teacher() {
        assert_eq!(ours("rrm", Some("vgg11"), "resnet50", 48), [76.17]);
        assert_eq!(ours("rrm", Some("resnet18"), "fc3", 12), [80.32]);
        // Another teacher than the paper's has no number of the paper.
        assert!(ours("rrm", Some("fc2"), "resnet50", 48).is_empty());
        assert_eq!(ours("sat", None, "resnet50", 150), [85.50]);
        assert_eq!(ours("free-at", None, "resnet50", 48), [71.28]);
        assert_eq!(ours("free-at", None, "resnet50", 7), [77.74, 71.28]);
        assert!(ours("trades", None, "resnet50", 48).is_empty());
    }

    #[test]
    fn restricted_imagenet_is_told_apart_by_student() {
        let find = |method, teacher, student| {
            let lines = TABLE3.matching(Ours { method, teacher, student, epochs: 60 });
            lines.iter().filter_map(|line| line.adversarial).collect::<Vec<_>>()
        };
        assert_eq!(find("rrm", Some("imagenet-alexnet"), "imagenet-vgg16"), [73.30]);
        assert_eq!(find("sat", None, "imagenet-resnet50"), [84.36]);
    }

    #[test]
    fn speed_is_what_the_table_says() {
        for line in TABLE1.lines.iter().chain(TABLE3.lines) {
            let minutes = line.epochs.unwrap() as f64 * line.epoch_s.unwrap() / 60.0;
            // Free AT's minutes are its authors' own rounding off by 0.15 %.
            assert!((minutes / line.minutes.unwrap() - 1.0).abs() < 0.002, "{line:?}: {minutes}");
        }
    }

    #[test]
    fn what_differs_is_said_and_nothing_else() {
        let paper = Threat { norm: Norm::Linf, eps: Eps(8.0 / 255.0) };
        assert!(TABLE1.differences(Source::Cifar10, "cifar10", paper, &["resnet50"]).is_empty());
        let threat = Threat { norm: Norm::Linf, eps: Eps(0.1) };
        let said = TABLE1.differences(Source::FashionMnist10k, "fashion-mnist-10k", threat, &["fc3", "resnet50"]).join("; ");
        let expected = "the data are fashion-mnist-10k and not CIFAR-10; the threat is L-inf eps 0.1 and not L-inf eps 8/255; \
                        the students are fc3 and not resnet50";
        assert_eq!(said, expected);
    }
}
