//! The pictures of a [`Piece`], taken out of its text. What comes in may be damaged in any way, and then there is an error instead.

use super::Piece;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// A longer side than this is no picture to look at beside others.
const LONGEST_SIDE: u64 = 1_024;
/// How much the perturbation is magnified where it is shown alone.
pub const MAGNIFIED: f64 = 10.0;

/// Pixels row by row; grey ones have three equal parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pixels {
    pub width: usize,
    pub height: usize,
    pub rgb: Vec<[u8; 3]>,
}

impl Piece {
    /// x, x + delta, and 0.5 + 10 delta, in which grey is no change.
    ///
    /// # Errors
    /// What is wrong with the record.
    pub fn pixels(&self) -> Result<[Pixels; 3], String> {
        let [channels, height, width] = self.shape;
        let in_range = |side: u64| (1..=LONGEST_SIDE).contains(&side);
        if !(channels == 1 || channels == 3) || !in_range(height) || !in_range(width) {
            return Err(format!("its shape is {channels}x{height}x{width}"));
        }
        let (channels, height, width) = (channels as usize, height as usize, width as usize);
        let image = bytes(&self.image, channels * height * width, "image")?;
        let delta = bytes(&self.delta, channels * height * width, "perturbation")?;
        let scale = if self.scale.is_finite() { self.scale } else { return Err("the size of its perturbation is lost".into()) };
        let change = |at: usize| scale * (f64::from(delta[at]) - 128.0) / 127.0;
        let byte = |share: f64| (255.0 * share.clamp(0.0, 1.0)).round() as u8;
        let pixels = |value: &dyn Fn(usize) -> u8| {
            let area = height * width;
            let channel = |c: usize| if channels == 3 { c * area } else { 0 };
            let rgb = (0..area).map(|at| [0, 1, 2].map(|c| value(channel(c) + at))).collect();
            Pixels { width, height, rgb }
        };
        Ok([
            pixels(&|at| image[at]),
            pixels(&|at| byte(f64::from(image[at]) / 255.0 + change(at))),
            pixels(&|at| byte(0.5 + MAGNIFIED * change(at))),
        ])
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
