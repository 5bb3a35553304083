//! The one table of every key a config may hold: its type, range, default and meaning.
//!
//! Help texts, fault messages, the written-out config and the tests all read this table. It judges nothing itself.

/// One key of a config file.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Dotted, as `-s` takes it: `train.schedule.peak`.
    pub path: &'static str,
    pub kind: Kind,
    pub default: Fallback,
    /// Set where the key means something only under some choice made by another key.
    pub only: Option<Only>,
    /// One line for a person.
    pub meaning: &'static str,
}

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Whole {
        least: i64,
        most: i64,
    },
    Real {
        least: Bound,
        most: Bound,
    },
    /// A radius or step in the unit of `threat.norm`, from 0 to the norm's largest: a number, or text like `8/255`.
    Radius,
    Name(&'static [&'static str]),
    Switch,
    /// A file or folder; relative ones start from the config's own folder, or from the current one when given with `-s`.
    Path,
    /// Increasing epoch numbers within `train.epochs`.
    Epochs,
    /// Files; relative ones as for `Path`.
    Paths,
    /// Changes as [`crate::config::planned`] writes them.
    Changes,
}

/// An end of a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    Included(f64),
    Excluded(f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fallback {
    /// Wherever the key applies it must be given.
    Required,
    /// As it would be written in TOML.
    Is(&'static str),
    /// Worked out from other keys, in these words.
    From(&'static str),
}

/// The choice under which a key means something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Only {
    pub key: &'static str,
    /// Any of these.
    pub is: &'static [&'static str],
}

const fn only(key: &'static str, is: &'static [&'static str]) -> Only {
    Only { key, is }
}

const fn whole(least: i64, most: i64) -> Kind {
    Kind::Whole { least, most }
}

const fn real(least: Bound, most: Bound) -> Kind {
    Kind::Real { least, most }
}

const fn key(path: &'static str, kind: Kind, default: Fallback, only: Option<Only>, meaning: &'static str) -> Key {
    Key { path, kind, default, only, meaning }
}

use Bound::{Excluded, Included};
use Fallback::{From, Is, Required};

const SOURCES: &[&str] = &["fashion-mnist-10k", "idx", "cifar10", "cifar100", "folder", "restricted-imagenet"];
const ON_DISK: &[&str] = &["idx", "cifar10", "cifar100", "folder", "restricted-imagenet"];
const FILES: Option<Only> = Some(only("data.source", &["folder", "restricted-imagenet"]));
#[expect(clippy::unnecessary_wraps, reason = "it stands where a key says under which choice it means something")]
const fn methods(names: &'static [&'static str]) -> Option<Only> {
    Some(only("method.name", names))
}

/// Methods that match representations.
const MATCHING: &[&str] = &["rrm", "rrm-plus"];
/// Methods that learn from a teacher.
const TAUGHT: &[&str] = &["rrm", "rrm-plus", "kd", "rdt", "ard", "rslad"];
/// As in [`crate::config::Network`].
const NETWORKS: &[&str] = &[
    "fc2",
    "fc3",
    "fc5",
    "small",
    "dnn",
    "vgg11",
    "vgg16",
    "vgg19",
    "resnet18",
    "resnet50",
    "preact-resnet18",
    "wrn-28-10",
    "wrn-34-10",
    "imagenet-resnet18",
    "imagenet-resnet50",
    "imagenet-vgg16",
    "imagenet-alexnet",
];

/// Every key, in the order a config is written in.
pub const KEYS: &[Key] = &[
    key("seed", whole(0, i64::MAX), Is("0"), None, "root of all randomness of the run"),
    key("data.source", Kind::Name(SOURCES), Required, None, "where images come from"),
    key("data.path", Kind::Path, Required, Some(only("data.source", ON_DISK)), "folder of the data set's files"),
    key("data.validation", whole(1, 1_000_000), Is("1000"), None, "training images held out for probes; 1000 when embedded"),
    key(
        "data.validation_path",
        Kind::Path,
        From("none: training images are held out"),
        Some(only("data.source", &["folder"])),
        "folder of validation images, in class folders; nothing is then held out of training",
    ),
    key(
        "data.split",
        Kind::Name(crate::config::ValidationSplit::NAMES),
        Is("\"seeded\""),
        FILES,
        "how validation images are chosen; last-names: as earlier versions did",
    ),
    key("data.split_seed", whole(0, i64::MAX), Is("0"), FILES, "another number holds other images out; independent of seed"),
    key(
        "data.augment",
        Kind::Name(&["none", "crop-flip", "crop-flip-color", "imagenet"]),
        Is("\"none\""),
        None,
        "changes to training images",
    ),
    key("data.size", whole(8, 1024), Required, FILES, "side of the square images the network sees, in pixels"),
    key(
        "data.resize",
        whole(8, 2048),
        From("data.size up to 64, else data.size * 256 / 224"),
        FILES,
        "the shorter side is brought to this before the centre is cut out",
    ),
    key("data.faulty", Kind::Name(&["stop", "skip"]), Is("\"stop\""), FILES, "what becomes of images that cannot be read"),
    key(
        "data.storage",
        Kind::Name(&["auto", "memory", "stream"]),
        Is("\"auto\""),
        FILES,
        "images are decoded once, or while training; auto: once up to 4 GiB",
    ),
    key("student.network", Kind::Name(NETWORKS), Required, None, "network to train"),
    key("student.feature_width", whole(1, 65_536), From("the network's own"), None, "width of its features, by a linear layer"),
    key("teacher.checkpoint", Kind::Path, Required, methods(TAUGHT), ".safetensors file of the robust teacher"),
    key(
        "teacher.torchscript",
        Kind::Switch,
        Is("false"),
        methods(TAUGHT),
        "the teacher's file is a program (TorchScript), and it will be run",
    ),
    key("teacher.also", Kind::Paths, Is("[]"), methods(&["rrm-plus"]), "further teachers, .safetensors files"),
    key(
        "teacher.cache",
        Kind::Switch,
        Is("false"),
        methods(&["rrm", "rrm-plus", "kd", "ard", "rslad"]),
        "ask the teacher about each training image once and keep what it says; needs data.augment = none",
    ),
    key("method.name", Kind::Name(crate::config::Method::NAMES), Required, None, "training method"),
    key("method.lambda", real(Included(0.0), Included(1e6)), Required, methods(MATCHING), "weight of cross-entropy; steerable"),
    key(
        "method.distance",
        Kind::Name(&["cosine", "relative-l2"]),
        Is("\"cosine\""),
        methods(MATCHING),
        "how far apart two representations are",
    ),
    key("method.projector", Kind::Switch, Is("false"), methods(MATCHING), "a training-only linear layer to the teacher's width"),
    key(
        "method.matching",
        real(Included(0.0), Included(1e6)),
        Is("1.0"),
        methods(&["rrm-plus"]),
        "weight of the loss on representations; 0: they are not matched",
    ),
    key(
        "method.inputs",
        Kind::Name(&["clean", "noisy", "teacher-attacked", "carried"]),
        Is("\"clean\""),
        methods(&["rrm-plus"]),
        "what the student is shown while it is not attacked itself",
    ),
    key(
        "method.targets",
        Kind::Name(&["shown", "clean"]),
        Is("\"shown\""),
        methods(&["rrm-plus"]),
        "the teacher looks at what the student is shown, or at the clean image",
    ),
    key(
        "method.reach",
        real(Excluded(0.0), Included(10.0)),
        Is("1.0"),
        methods(&["rrm-plus"]),
        "radius that carried perturbations may have, in multiples of eps",
    ),
    key(
        "method.goal",
        Kind::Name(&["labels", "answers"]),
        Is("\"labels\""),
        methods(&["rrm-plus"]),
        "what attacks lead away from: the labels, or the teachers' answers to the clean image",
    ),
    key(
        "method.attack_from",
        real(Included(0.0), Included(1.0)),
        Is("1.0"),
        methods(&["rrm-plus"]),
        "share of training after which the student is attacked (N-FGSM); 0: always, 1: never",
    ),
    key(
        "method.replays",
        whole(1, 100),
        From("1; 8 for free-at"),
        methods(&["rrm", "rrm-plus", "free-at"]),
        "optimizer steps on each minibatch",
    ),
    key(
        "method.steps",
        whole(1, 1000),
        From("7 for sat, 1 for fast-at, else 10"),
        methods(&["sat", "fast-at", "trades", "ard", "rslad"]),
        "steps of each training attack; steerable",
    ),
    key(
        "method.step_size",
        Kind::Radius,
        From("2.5 eps / steps; 1.25 eps for fast-at with one step; eps for n-fgsm and rrm-plus"),
        methods(&["sat", "fast-at", "n-fgsm", "trades", "rrm-plus", "ard", "rslad"]),
        "length of one step, in the unit of the norm; steerable",
    ),
    key(
        "method.noise",
        real(Included(0.0), Included(100.0)),
        Is("2.0"),
        methods(&["n-fgsm", "rrm-plus"]),
        "half width of the noise before the step, in multiples of eps",
    ),
    key("method.random_start", Kind::Switch, Is("true"), methods(&["sat"]), "start the attack at a random point of the ball"),
    key(
        "method.batch_norm",
        Kind::Name(&["eval", "train"]),
        From("eval for sat, trades, rslad; train for fast-at, n-fgsm, ard, as their authors ran them, and rrm-plus"),
        methods(&["sat", "fast-at", "n-fgsm", "trades", "rrm-plus", "ard", "rslad"]),
        "batch-norm mode while the attack searches",
    ),
    key(
        "method.iterate",
        Kind::Name(&["last", "best"]),
        Is("\"last\""),
        methods(&["sat"]),
        "point of the attack's path to train on",
    ),
    key(
        "method.beta",
        real(Included(0.0), Included(1e6)),
        Is("6.0"),
        methods(&["trades"]),
        "weight of the divergence; steerable",
    ),
    key(
        "method.form",
        Kind::Name(&["textbook", "paper"]),
        Is("\"textbook\""),
        methods(&["kd"]),
        "distillation by the textbook, or as the RRM paper ran it",
    ),
    key(
        "method.temperature",
        real(Included(1e-3), Included(1e3)),
        From("4 for textbook kd, 1 for rrm-plus, else 30"),
        methods(&["rrm-plus", "kd", "ard"]),
        "softness of the teacher's answers; steerable",
    ),
    key(
        "method.alpha",
        real(Included(0.0), Included(1.0)),
        From("1; 5/6 for rslad; 0 for rrm-plus"),
        methods(&["rrm-plus", "kd", "ard", "rslad"]),
        "share of the teacher's term (rslad: of its term on attacked images); steerable",
    ),
    key(
        "method.reduction",
        Kind::Name(&["images", "images-and-classes"]),
        Is("\"images-and-classes\""),
        methods(&["ard", "rslad"]),
        "what the divergence is averaged over; the authors' code: both",
    ),
    key("method.inversion_steps", whole(1, 100_000), Is("1000"), methods(&["rdt"]), "gradient steps that make each robust image"),
    key(
        "method.inversion_step_size",
        real(Excluded(0.0), Included(100.0)),
        Is("0.1"),
        methods(&["rdt"]),
        "length of each of them, in L2",
    ),
    key("threat.norm", Kind::Name(&["linf", "l2"]), Is("\"linf\""), None, "norm of the adversary's ball"),
    key("threat.eps", Kind::Radius, Required, None, "radius of the ball, pixels being 0 to 1; 0.1 or \"8/255\""),
    key("train.epochs", whole(1, 100_000), Required, None, "passes over the training images"),
    key(
        "train.steps",
        whole(1, i64::MAX),
        From("all of the epochs'"),
        None,
        "optimizer steps, where training and its schedule end before the last epoch does",
    ),
    key("train.batch", whole(1, 65_536), Is("128"), None, "images a step"),
    key("train.lr", real(Excluded(0.0), Included(100.0)), Is("0.1"), None, "peak learning rate"),
    key("train.momentum", real(Included(0.0), Excluded(1.0)), Is("0.9"), None, "momentum of SGD"),
    key("train.nesterov", Kind::Switch, Is("false"), None, "Nesterov's form of momentum"),
    key("train.weight_decay", real(Included(0.0), Included(1.0)), Is("5e-4"), None, "weight decay, on all parameters"),
    key(
        "train.ema",
        real(Included(0.0), Excluded(1.0)),
        Is("0.0"),
        None,
        "decay of the mean of weights that is judged and saved; 0: none, 0.995 is usual",
    ),
    key("train.report_hz", real(Included(0.1), Included(10.0)), Is("2"), None, "reports of scalars a second"),
    key(
        "train.schedule.name",
        Kind::Name(&["cosine", "one-cycle", "multistep", "constant"]),
        Is("\"cosine\""),
        None,
        "learning rate over the steps",
    ),
    key(
        "train.schedule.final_lr",
        real(Included(0.0), Included(100.0)),
        From("1e-6, or train.lr where that is less"),
        Some(only("train.schedule.name", &["cosine"])),
        "learning rate at the end, at most train.lr",
    ),
    key(
        "train.schedule.peak",
        real(Excluded(0.0), Excluded(1.0)),
        Is("0.4"),
        Some(only("train.schedule.name", &["one-cycle"])),
        "fraction of the steps at which the learning rate peaks",
    ),
    key(
        "train.schedule.low_momentum",
        real(Included(0.0), Excluded(1.0)),
        From("train.momentum: it does not cycle"),
        Some(only("train.schedule.name", &["one-cycle"])),
        "momentum at the peak (PyTorch's CyclicLR: 0.8)",
    ),
    key(
        "train.schedule.epochs",
        Kind::Epochs,
        Required,
        Some(only("train.schedule.name", &["multistep"])),
        "epochs at which the learning rate is multiplied by gamma",
    ),
    key(
        "train.schedule.gamma",
        real(Excluded(0.0), Included(1.0)),
        Is("0.1"),
        Some(only("train.schedule.name", &["multistep"])),
        "factor on the learning rate",
    ),
    key("probe.per_epoch", whole(0, 1000), Is("1"), None, "probes an epoch, the last at its end; 0: none; steerable"),
    key(
        "probe.images",
        whole(1, 1_000_000),
        From("500, or data.validation where that is less"),
        None,
        "validation images a probe looks at",
    ),
    key("probe.steps", whole(1, 1000), Is("10"), None, "PGD steps of a probe"),
    key(
        "watch.overfitting",
        Kind::Name(&["off", "warn", "stop", "roll-back"]),
        From("warn for fast-at with one step, n-fgsm and free-at; else off"),
        None,
        "what is done when robustness on training images breaks down",
    ),
    key("watch.every", whole(1, 1_000_000), Is("200"), None, "steps between looks"),
    key("watch.images", whole(1, 100_000), Is("256"), None, "training images looked at, with PGD-5"),
    key("watch.drop", real(Excluded(0.0), Excluded(1.0)), Is("0.2"), None, "fall of adversarial accuracy that is a break-down"),
    key("insight.every", whole(0, 1_000_000), Is("200"), None, "steps between measurements of what each term pulls; 0: none"),
    key("insight.images", whole(2, 4096), Is("64"), None, "training images it is measured on"),
    key(
        "alerts.rules",
        Kind::Name(&["on", "off"]),
        Is("\"on\""),
        None,
        "tell of divergence, drift, vanishing terms, waiting, throttling, a full disk",
    ),
    key(
        "alerts.then",
        Kind::Name(&["tell", "pause"]),
        Is("\"tell\""),
        None,
        "whether the run pauses with an alert, when somebody is there",
    ),
    key(
        "alerts.adversarial_below",
        real(Excluded(0.0), Excluded(1.0)),
        From("no limit"),
        None,
        "tell when adversarial accuracy of probes falls below this fraction",
    ),
    key("evaluation.steps", whole(1, 10_000), Is("20"), None, "PGD steps of the final evaluation"),
    key("evaluation.restarts", whole(1, 1000), Is("1"), None, "random restarts of the final evaluation"),
    key(
        "evaluation.images",
        whole(0, 1_000_000_000),
        From("all test images"),
        None,
        "test images of the final evaluation; 0: none is done",
    ),
    key("checkpoint.every_epochs", whole(1, 100_000), Is("1"), None, "epochs between checkpoints"),
    key("checkpoint.keep_last", whole(1, 100_000), Is("2"), None, "newest of them that stay; the best by its probe always does"),
    key("checkpoint.keep_every", whole(0, 100_000), Is("0"), None, "epochs between those that stay for good; 0: none does"),
    key("steering.changes", Kind::Changes, Is("[]"), None, "dials that are turned by themselves, and when"),
];

impl Key {
    pub fn find(path: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.path == path)
    }

    /// `("train.schedule", "peak")`; the section of `seed` is the empty text.
    pub fn section_and_name(&self) -> (&'static str, &'static str) {
        self.path.rsplit_once('.').unwrap_or(("", self.path))
    }
}

impl Kind {
    /// What may be written, as it follows "allowed: ".
    pub fn allowed(self) -> String {
        match self {
            Self::Whole { least, most: i64::MAX } => format!("{least} or more"),
            Self::Whole { least, most } => format!("{least} to {most}"),
            Self::Real { least, most } => {
                let low = match least {
                    Included(v) => number(v),
                    Excluded(v) => format!("above {}", number(v)),
                };
                match most {
                    Included(v) => format!("{low} to {}", number(v)),
                    Excluded(v) => format!("{low} to below {}", number(v)),
                }
            }
            Self::Radius => "a number from 0, or text like \"8/255\"".into(),
            Self::Name(names) => names.join(", "),
            Self::Switch => "true, false".into(),
            Self::Path => "a path in quotes".into(),
            Self::Epochs => "a list of increasing epochs like [4, 8]".into(),
            Self::Paths => "a list of paths in quotes".into(),
            Self::Changes => "a list like [\"lambda 0.01 at 1200\", \"lr_scale 0.5 at 2000 over 300\"]".into(),
        }
    }

    /// What it is called in "must be ...".
    pub fn words(self) -> &'static str {
        match self {
            Self::Whole { .. } => "a whole number",
            Self::Real { .. } => "a number",
            Self::Radius => "a number or text like \"8/255\"",
            Self::Name(_) => "one of these names",
            Self::Switch => "true or false",
            Self::Path => "a path",
            Self::Epochs => "a list of whole numbers",
            Self::Paths => "a list of paths in quotes",
            Self::Changes => "a list of changes in quotes",
        }
    }
}

/// Short: `1e6` rather than `1000000`.
pub(crate) fn number(v: f64) -> String {
    if v != 0.0 && !(1e-3..1e5).contains(&v.abs()) { format!("{v:e}") } else { v.to_string() }
}
