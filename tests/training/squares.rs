//! Images made up for tests: bright squares at ten places, with noise. A network learns to tell them apart in a few steps.

use rematch::data::Images;
use rematch::random::Stream;

/// `n` images of the ten classes in turn.
pub fn images(n: usize, seed: u64) -> Images {
    let mut stream = Stream::new(seed);
    let mut pixels = Vec::with_capacity(n * 784);
    let labels: Vec<u16> = (0..n).map(|i| (i % 10) as u16).collect();
    for &label in &labels {
        let (top, left) = (2 + 13 * (label as usize / 5), 1 + 5 * (label as usize % 5));
        for p in 0..784 {
            let inside = (top..top + 10).contains(&(p / 28)) && (left..left + 5).contains(&(p % 28));
            pixels.push(if inside { 150 + stream.below(100) as u8 } else { stream.below(60) as u8 });
        }
    }
    Images { pixels, labels, shape: [1, 28, 28] }
}
