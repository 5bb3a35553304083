//! What steering does before an accuracy can tell: how much each term of the objective pulls at the student's features, and how
//! well those match the teacher's. And what attacks do to single images, whose pixels come out of their text here. It draws nothing.

mod pixels;

use super::event::Term;
use super::scalar::Scalar;
use super::{CommandId, Step};
use crate::config::AttackSpec;
pub use pixels::{MAGNIFIED, Pixels};
use serde::{Deserialize, Serialize};

/// Two terms of the objective, by their gradients with respect to the student's features, on a few training images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pulls {
    pub step: Step,
    /// The weighted classification term and the one it is weighed against, in the order of `norms`.
    pub terms: [Term; 2],
    /// Mean over the images of the L2 norms of the two gradients.
    pub norms: [Scalar; 2],
    /// Mean cosine between the two gradients, -1 to 1: below 0 they pull against each other.
    pub cosine: Scalar,
    /// Mean cosine between student's and teacher's features of the same image; where there is a teacher of that width.
    pub matched: Option<Scalar>,
    /// The same between features of different images: what a match is worth is what it has above this.
    pub shuffled: Option<Scalar>,
    pub images: u64,
    /// What measuring it cost.
    pub ms: f64,
    /// Why nothing can be matched to the teacher's features, whatever the weights are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teacher: Option<TeacherFault>,
}

/// What is wrong with a teacher's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TeacherFault {
    Zero,
    /// The same for every image.
    Constant,
    NotFinite,
}

impl TeacherFault {
    /// As it follows "the features are".
    pub fn words(self) -> &'static str {
        match self {
            Self::Zero => "all zero",
            Self::Constant => "the same for every image",
            Self::NotFinite => "not all finite numbers (NaN or infinite)",
        }
    }
}

impl Pulls {
    /// Share of the first term in the pull of both, 0 to 1; NaN where nothing pulls.
    pub fn share(&self) -> f64 {
        let [first, second] = self.norms;
        first.0 / (first.0 + second.0)
    }
}

/// Most fooled images in one exhibit.
pub const MOST_FOOLED: u64 = 256;

/// Validation images under attack, chosen to be looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exhibit {
    pub step: Step,
    pub by: Option<CommandId>,
    pub attack: AttackSpec,
    /// Validation images that it was chosen from.
    pub looked: u64,
    /// Of those, classified correctly without the attack and not under it.
    pub fooled: u64,
    /// Classified correctly under it.
    pub standing: u64,
    /// Standing, and fooled at an earlier probe or look since the run began or was resumed.
    pub saved: u64,
    /// Fooled images with a higher loss that are not among the pieces: those on earlier pages.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub from: u64,
    pub pieces: Vec<Piece>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Why an image is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Right before the attack, wrong under it, and surest of the wrong.
    Fooled,
    /// Stands now and was fooled at an earlier probe or look.
    Saved,
    /// Stands, with the highest loss of those that do.
    Hardest,
}

impl Group {
    pub const ALL: &[Self] = &[Self::Fooled, Self::Saved, Self::Hardest];

    pub fn name(self) -> &'static str {
        match self {
            Self::Fooled => "fooled",
            Self::Saved => "saved",
            Self::Hardest => "hardest",
        }
    }
}

/// One image, and what is made of it before and after the attack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Piece {
    pub group: Group,
    /// Index among the validation images.
    pub index: u64,
    pub label: u64,
    /// Channels (1 or 3), height, width of what is shown: images larger than 64 pixels are shown smaller.
    pub shape: [u64; 3],
    /// Pixels 0-255, channel by channel, row by row, in base64.
    pub image: String,
    /// The perturbation, likewise: 128 + 127 * delta / scale.
    pub delta: String,
    /// Largest absolute value of the perturbation, pixels being 0 to 1.
    pub scale: f64,
    pub student: Guesses,
    pub teacher: Option<Guesses>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guesses {
    pub before: Guess,
    pub after: Guess,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guess {
    pub class: u64,
    /// Softmax probability, 0 to 1.
    pub confidence: f64,
}
