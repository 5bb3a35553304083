//! What a run is asked to do: every setting, with its type, in the shape of the TOML file.
//!
//! These are plain values. [`check`] reads them from TOML and judges them; nothing here opens a file that a setting names.

pub mod attack;
pub mod check;
pub mod device;
pub mod dial;
pub mod method;
pub mod planned;
pub mod split;
pub mod units;

use serde::{Deserialize, Serialize};

pub use attack::{AttackName, AttackSpec, Ensemble, Overrides, Suite};
pub use device::DeviceChoice;
pub use dial::Dial;
pub use method::{
    Ard, BatchNormMode, Distance, FastAt, FreeAt, Goal, Inputs, Iterate, Kd, KdForm, Method, NFgsm, Projector, RandomStart, Rdt,
    Reduction, Rrm, RrmPlus, Rslad, Sat, Targets, Trades,
};
pub use planned::Planned;
pub use split::ValidationSplit;
pub use units::{Eps, Norm};

/// One resolved run: the file, the defaults and the command line's `-s key=value`, put together and checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Root of all randomness of the run; two runs of one config and one seed on a CPU end in the same weights.
    pub seed: u64,
    pub data: Data,
    pub student: Student,
    /// Present exactly when the method learns from a teacher.
    pub teacher: Option<Teacher>,
    pub method: Method,
    pub threat: Threat,
    pub train: Train,
    pub probe: Probe,
    #[serde(default)]
    pub watch: Watch,
    #[serde(default)]
    pub insight: Insight,
    #[serde(default)]
    pub alerts: Alerts,
    pub evaluation: Evaluation,
    pub checkpoint: Checkpoint,
    #[serde(default)]
    pub steering: Steering,
}

/// What is turned by itself while it trains.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Steering {
    /// In the order in which they are made.
    pub changes: Vec<Planned>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Data {
    pub source: Source,
    /// Folder of the files; only for sources that are not embedded. Absolute after checking.
    pub path: Option<String>,
    /// Training images held out and fixed: probes and every choice look at these, never at the test set. 0 where `files` names a
    /// folder of validation images.
    pub validation: usize,
    pub augment: Augment,
    /// Present exactly where images are files in folders.
    #[serde(default)]
    pub files: Option<ImageFiles>,
}

/// How images of any size become what a network sees, and where they are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFiles {
    /// Side of the square that the network sees, in pixels.
    pub size: usize,
    /// The shorter side is brought to this before the centre is cut out; at least `size`.
    pub resize: usize,
    pub faulty: Faulty,
    pub storage: Storage,
    #[serde(default)]
    pub split: ValidationSplit,
    /// Folder of the validation images; with it no training image is held out. Absolute after checking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_path: Option<String>,
}

/// What becomes of an image that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Faulty {
    /// The run does not start, or ends, and the file is named.
    Stop,
    /// It is left out, counted and told.
    Skip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// Memory, or stream where the decoded images are more than 4 GiB.
    Auto,
    /// Decoded once, kept on the device.
    Memory,
    /// Decoded again for each batch, ahead of training.
    Stream,
}

/// Where images come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// The class-balanced Fashion-MNIST subset inside the program: 10,000 training and 2,000 test images, 28x28x1.
    #[serde(rename = "fashion-mnist-10k")]
    FashionMnist10k,
    /// IDX files (MNIST, Fashion-MNIST and whatever else is written so), plain or gzipped, in the folder `path`.
    #[serde(rename = "idx")]
    Idx,
    /// The official files of CIFAR-10, in their binary or their Python form, in the folder `path` or one below it.
    #[serde(rename = "cifar10")]
    Cifar10,
    /// As `cifar10`, with CIFAR-100's fine labels.
    #[serde(rename = "cifar100")]
    Cifar100,
    /// Image files in `train/<class>/` and `test/<class>/` (or `val/`) at any depth, of any sizes.
    #[serde(rename = "folder")]
    Folder,
    /// A folder of `ImageNet` (`train/<wnid>/`, `val/<wnid>/`), nine groups of whose classes are the classes.
    #[serde(rename = "restricted-imagenet")]
    RestrictedImagenet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Augment {
    #[serde(rename = "none")]
    None,
    /// Zero-pad, random crop back to size, random horizontal flip (the CIFAR recipe).
    #[serde(rename = "crop-flip")]
    CropFlip,
    /// Crop and flip, then brightness, contrast and saturation by up to a quarter and a turn by up to 2 degrees (MadryLab).
    #[serde(rename = "crop-flip-color")]
    CropFlipColor,
    /// A random part brought to size, flip, brightness, contrast and saturation by up to a tenth, lighting noise (MadryLab).
    #[serde(rename = "imagenet")]
    Imagenet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Student {
    pub network: Network,
    /// Width of the features that are matched, through a linear layer before the head; `None`: the network's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature_width: Option<usize>,
}

/// Every network that can be named in a config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// 28x28x1: two strided convolutions, then a 128-wide fully connected feature layer.
    #[serde(rename = "fc2")]
    Fc2,
    /// As `fc2` with a third convolution: a different architecture with the same feature width.
    #[serde(rename = "fc3")]
    Fc3,
    /// As `fc3` with two convolutions more.
    #[serde(rename = "fc5")]
    Fc5,
    /// Three convolutions 16-32-64 with max-pools and a global average: 64 features. The network of `rematch bench`.
    #[serde(rename = "small")]
    Small,
    /// The RRM paper's small CIFAR network, three times two convolutions: 512 features.
    #[serde(rename = "dnn")]
    Dnn,
    /// VGG with batch norm for 32x32 pixels and more: 512 features.
    #[serde(rename = "vgg11")]
    Vgg11,
    #[serde(rename = "vgg16")]
    Vgg16,
    #[serde(rename = "vgg19")]
    Vgg19,
    /// The CIFAR ResNet-18 (3x3 stem, no max-pool): 512 features. Takes 32x32x3 and 28x28x1.
    #[serde(rename = "resnet18")]
    Resnet18,
    /// As `resnet18` of bottlenecks: 2048 features.
    #[serde(rename = "resnet50")]
    Resnet50,
    /// Batch norm and ReLU before each convolution: 512 features.
    #[serde(rename = "preact-resnet18")]
    PreactResnet18,
    /// `WideResNet`, 28 layers, 10 times as wide: 640 features.
    #[serde(rename = "wrn-28-10")]
    Wrn2810,
    #[serde(rename = "wrn-34-10")]
    Wrn3410,
    /// For large images, as in torchvision: 512 features.
    #[serde(rename = "imagenet-resnet18")]
    ImagenetResnet18,
    /// For large images, as in torchvision: 2048 features.
    #[serde(rename = "imagenet-resnet50")]
    ImagenetResnet50,
    /// For large images, without batch norm, with dropout: 2048 features, as in the RRM paper.
    #[serde(rename = "imagenet-vgg16")]
    ImagenetVgg16,
    /// For large images, with dropout: 2048 features, as in the RRM paper.
    #[serde(rename = "imagenet-alexnet")]
    ImagenetAlexnet,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Teacher {
    /// A `.safetensors` file that names its network in its metadata. Absolute after checking.
    pub checkpoint: String,
    /// Whether the file may be a TorchScript program, which is run.
    #[serde(default)]
    pub torchscript: TorchScript,
    /// Further teachers, files as `checkpoint`: of features the distance to each counts alike, of answers their mean.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    #[serde(default)]
    pub cache: Cache,
}

/// Whether what the teachers say of the training images is asked once and kept, in memory and on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cache {
    #[default]
    No,
    /// Only where training images are not augmented: each is then always the same.
    Yes,
}

impl Teacher {
    pub fn new(checkpoint: String) -> Self {
        Self { checkpoint, torchscript: TorchScript::No, also: Vec::new(), cache: Cache::No }
    }
}

/// Whether a program may be run as a teacher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TorchScript {
    #[default]
    No,
    Yes,
}

/// What the adversary may do: the ball that SAT trains against and every probe and evaluation attacks in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Threat {
    pub norm: Norm,
    pub eps: Eps,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Train {
    pub epochs: u64,
    /// Where training ends before its last epoch does; schedules end there too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    pub batch: usize,
    pub lr: f64,
    pub momentum: f64,
    pub nesterov: Nesterov,
    /// On all parameters, as in every reference implementation of these papers.
    pub weight_decay: f64,
    pub schedule: Schedule,
    /// Decay of the running mean of the weights that is probed, evaluated and saved in their place; 0: none is kept.
    #[serde(default)]
    pub ema: f64,
    /// How often a second scalars come from the device to the host, at most 10.
    pub report_hz: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nesterov {
    Yes,
    No,
}

/// Learning rate as a pure function of the step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Schedule {
    #[serde(rename = "constant")]
    Constant,
    /// Half a cosine from `lr` to `final_lr`, per step.
    #[serde(rename = "cosine")]
    Cosine { final_lr: f64 },
    /// Linear from 0 to `lr` during the fraction `peak` of the steps, then linear to 0.
    #[serde(rename = "one-cycle")]
    OneCycle {
        peak: f64,
        /// Momentum where the learning rate peaks, linear between it and `train.momentum` (PyTorch's `CyclicLR`: 0.8).
        #[serde(default)]
        low_momentum: Option<f64>,
    },
    /// Multiplied by `gamma` at each of these epochs.
    #[serde(rename = "multistep")]
    Multistep { epochs: Vec<u64>, gamma: f64 },
}

/// The cheap attack on validation images while training runs. Never called the final number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Probes an epoch, evenly spaced, the last at its end.
    pub per_epoch: u32,
    pub images: usize,
    pub steps: u32,
}

/// Looks for catastrophic overfitting: robustness on training images that breaks down from one look to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    pub overfitting: Answer,
    /// Steps between looks.
    pub every: u64,
    /// Training images looked at, always the same ones.
    pub images: usize,
    /// A fall of adversarial accuracy by more than this, as a fraction, is a break-down.
    pub drop: f64,
}

/// How often it is measured what each term of the objective pulls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Insight {
    /// Steps between measurements; 0: none is made.
    pub every: u64,
    /// Training images it is measured on, always the same ones.
    pub images: usize,
}

/// What is told by itself, and what is done then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Alerts {
    /// What loss, probes and machine show.
    pub rules: Rules,
    /// Whether the run pauses with an alert; a loss that is not finite always does.
    pub then: AlertThen,
    /// Adversarial accuracy of probes below this fraction is told, once it was reached or half of the run is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adversarial_below: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rules {
    On,
    /// As older runs had it.
    #[default]
    Off,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertThen {
    #[default]
    Tell,
    Pause,
}

/// What is done about a break-down, besides saying it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Nobody looks.
    #[default]
    Off,
    Warn,
    /// Back to the weights of the last good look, and end there.
    Stop,
    /// Back to the weights of the last good look, and on from there with smaller attack steps.
    RollBack,
}

/// What is measured once on the test images when training ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    pub steps: u32,
    pub restarts: u32,
    /// `None`: all test images. 0 in the file: no final evaluation, `Some(0)` here.
    pub images: Option<usize>,
}

/// When the weights are saved by themselves, and which of those stay. The best by its probe always does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub every_epochs: u64,
    /// Of the newest periodic ones so many stay.
    #[serde(default = "usual_keep_last")]
    pub keep_last: usize,
    /// One every so many epochs stays for good; 0: none does.
    #[serde(default)]
    pub keep_every: u64,
}

fn usual_keep_last() -> usize {
    2
}

impl Default for Checkpoint {
    fn default() -> Self {
        Self { every_epochs: 1, keep_last: usual_keep_last(), keep_every: 0 }
    }
}

/// Names as they are written in configs, in the order help lists them.
macro_rules! named {
    ($($type:ty { $($variant:ident = $name:literal),+ $(,)? })+) => {$(
        impl $type {
            pub const ALL: &[Self] = &[$(Self::$variant),+];
                    pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    )+};
}

named! {
    Source {
        FashionMnist10k = "fashion-mnist-10k", Idx = "idx", Cifar10 = "cifar10", Cifar100 = "cifar100", Folder = "folder",
        RestrictedImagenet = "restricted-imagenet",
    }
    Augment { None = "none", CropFlip = "crop-flip", CropFlipColor = "crop-flip-color", Imagenet = "imagenet" }
    Faulty { Stop = "stop", Skip = "skip" }
    Storage { Auto = "auto", Memory = "memory", Stream = "stream" }
    Network {
        Fc2 = "fc2",
        Fc3 = "fc3",
        Fc5 = "fc5",
        Small = "small",
        Dnn = "dnn",
        Vgg11 = "vgg11",
        Vgg16 = "vgg16",
        Vgg19 = "vgg19",
        Resnet18 = "resnet18",
        Resnet50 = "resnet50",
        PreactResnet18 = "preact-resnet18",
        Wrn2810 = "wrn-28-10",
        Wrn3410 = "wrn-34-10",
        ImagenetResnet18 = "imagenet-resnet18",
        ImagenetResnet50 = "imagenet-resnet50",
        ImagenetVgg16 = "imagenet-vgg16",
        ImagenetAlexnet = "imagenet-alexnet",
    }
    AttackName {
        Fgsm = "fgsm",
        Pgd = "pgd",
        ApgdCe = "apgd-ce",
        ApgdDlr = "apgd-dlr",
        ApgdT = "apgd-t",
        Fab = "fab",
        FabT = "fab-t",
        Square = "square",
        ArtAutopgd = "art-autopgd",
    }
    Suite { AutoAttack = "autoattack", AutoAttackPlus = "autoattack-plus", Rand = "rand" }
    Iterate { Last = "last", Best = "best" }
    Inputs { Clean = "clean", Noisy = "noisy", TeacherAttacked = "teacher-attacked", Carried = "carried" }
    Goal { Labels = "labels", Answers = "answers" }
    Targets { Shown = "shown", Clean = "clean" }
    Distance { Cosine = "cosine", RelativeL2 = "relative-l2" }
    KdForm { Textbook = "textbook", Paper = "paper" }
    Reduction { Images = "images", ImagesAndClasses = "images-and-classes" }
    BatchNormMode { Eval = "eval", Train = "train" }
    Answer { Off = "off", Warn = "warn", Stop = "stop", RollBack = "roll-back" }
}

impl Data {
    /// The usual `data.resize`: none for small images, else the 256 to 224 of `ImageNet`'s recipe.
    pub fn usual_resize(size: usize) -> usize {
        if size <= 64 { size } else { (size * 256 + 112) / 224 }
    }
}
