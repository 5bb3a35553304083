//! What steering does before an accuracy can tell: how much each term of the objective pulls at the student's features, and how
//! well those match the teacher's. And what attacks do to single images, whose pixels come out of their text here. It draws nothing.

use super::event::Term;
use super::scalar::Scalar;
use super::{CommandId, Step};
use crate::config::AttackSpec;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

/// A longer side than this is no picture for a record.
const LONGEST_SIDE: u64 = 1_024;

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
}

impl Pulls {
    /// Share of the first term in the pull of both, 0 to 1; NaN where nothing pulls.
    pub fn share(&self) -> f64 {
        let [first, second] = self.norms;
        first.0 / (first.0 + second.0)
    }
}

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
    pub pieces: Vec<Piece>,
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

/// The pixels of a piece, channel by channel, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels {
    /// 1 or 3.
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    /// 0 to 255.
    pub image: Vec<u8>,
    /// The perturbation, pixels being 0 to 1.
    pub change: Vec<f64>,
}

impl Piece {
    /// Takes the pixels out of the text, which may be damaged in any way.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn pixels(&self) -> Result<Pixels, String> {
        let [channels, height, width] = self.shape;
        let in_range = |side: u64| (1..=LONGEST_SIDE).contains(&side);
        if !(channels == 1 || channels == 3) || !in_range(height) || !in_range(width) {
            return Err(format!("its shape is {channels}x{height}x{width}"));
        }
        let (channels, height, width) = (channels as usize, height as usize, width as usize);
        let image = bytes(&self.image, channels * height * width, "image")?;
        let delta = bytes(&self.delta, channels * height * width, "perturbation")?;
        if !self.scale.is_finite() {
            return Err("the size of its perturbation is lost".into());
        }
        let change = delta.into_iter().map(|byte| self.scale * (f64::from(byte) - 128.0) / 127.0).collect();
        Ok(Pixels { channels, height, width, image, change })
    }
}

impl Pixels {
    /// The image under attack, 0 to 255.
    pub fn attacked(&self) -> Vec<u8> {
        let both = self.image.iter().zip(&self.change);
        both.map(|(&pixel, change)| (255.0 * (f64::from(pixel) / 255.0 + change).clamp(0.0, 1.0)).round() as u8).collect()
    }
}

fn bytes(text: &str, expected: usize, what: &str) -> Result<Vec<u8>, String> {
    // Before it is decoded: a text of any length could stand there.
    if text.len() > expected.div_ceil(3) * 4 {
        return Err(format!("its {what} is longer than {expected} bytes"));
    }
    let bytes = BASE64_STANDARD.decode(text).map_err(|_| format!("the base64 of its {what} is damaged"))?;
    if bytes.len() == expected { Ok(bytes) } else { Err(format!("its {what} has {} bytes where {expected} belong", bytes.len())) }
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
