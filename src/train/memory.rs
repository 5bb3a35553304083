//! A data set on the device: 8-bit images in memory once, batches made from them by index.
//!
//! Augmentation is one gather for the whole batch, with offsets drawn on the host from the step's seed: seeded, resumable, and the
//! same on every device.

use super::meter;
use crate::config::Augment;
use crate::data::Images;
use crate::methods::Batch;
use crate::nn::channels_last;
use crate::random::Stream;
use tch::{Device, Kind, Tensor};

pub struct Memory {
    /// `[N, C, H, W]`, uint8.
    images: Tensor,
    /// `[N]`, int64.
    labels: Tensor,
    device: Device,
}

/// Zeros around an image before it is cropped back to size (the CIFAR recipe).
const PAD: i64 = 4;

impl Memory {
    pub fn new(images: &Images, device: Device) -> Self {
        let [c, h, w] = images.shape.map(|d| d as i64);
        let labels: Vec<i64> = images.labels.iter().map(|&l| i64::from(l)).collect();
        Self {
            images: Tensor::from_slice(&images.pixels).view([-1, c, h, w]).to_device(device),
            labels: Tensor::from_slice(&labels).to_device(device),
            device,
        }
    }

    pub fn len(&self) -> usize {
        self.labels.size()[0] as usize
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All images, N*C*H*W, on the host.
    pub fn bytes(&self) -> Vec<u8> {
        meter::bytes(&self.images)
    }

    /// Other images with the same labels; `pixels`: as [`Self::bytes`] gives them.
    #[must_use]
    pub fn with_pixels(&self, pixels: &[u8]) -> Self {
        let images = Tensor::from_slice(pixels).view(self.images.size().as_slice()).to_device(self.device);
        Self { images, labels: self.labels.shallow_clone(), device: self.device }
    }

    /// The images at these places, as they are.
    pub fn batch(&self, indices: &[i64]) -> Batch {
        let (bytes, labels) = self.pick(indices);
        Batch { images: channels_last(&(bytes.to_kind(Kind::Float) / 255.0)), labels }
    }

    /// The images at these places, augmented. `seed`: of this step's augmentation.
    pub fn augmented(&self, indices: &[i64], augment: Augment, seed: u64) -> Batch {
        match augment {
            Augment::None => self.batch(indices),
            Augment::CropFlip => {
                let (bytes, labels) = self.pick(indices);
                Batch { images: channels_last(&(crop_flip(&bytes, seed).to_kind(Kind::Float) / 255.0)), labels }
            }
        }
    }

    fn pick(&self, indices: &[i64]) -> (Tensor, Tensor) {
        let at = Tensor::from_slice(indices).to_device(self.device);
        (self.images.index_select(0, &at), self.labels.index_select(0, &at))
    }
}

/// Each image shifted by up to `PAD` pixels either way, zeros coming in, and mirrored half of the time.
fn crop_flip(images: &Tensor, seed: u64) -> Tensor {
    let (n, c, h, w) = images.size4().expect("images have four dimensions");
    let mut stream = Stream::new(seed);
    let (mut rows, mut columns) = (Vec::with_capacity((n * h) as usize), Vec::with_capacity((n * w) as usize));
    for _ in 0..n {
        let (top, left) = (stream.below(2 * PAD as u64 + 1) as i64, stream.below(2 * PAD as u64 + 1) as i64);
        let mirrored = stream.bits() >> 63 == 1;
        rows.extend((0..h).map(|i| top + i));
        columns.extend((0..w).map(|j| left + if mirrored { w - 1 - j } else { j }));
    }
    let device = images.device();
    let index = |values: &[i64], shape: [i64; 4]| Tensor::from_slice(values).view(shape).to_device(device);
    let all = |count: i64, shape: [i64; 4]| Tensor::arange(count, (Kind::Int64, device)).view(shape);
    let padded = images.constant_pad_nd([PAD, PAD, PAD, PAD]);
    let places = [all(n, [n, 1, 1, 1]), all(c, [1, c, 1, 1]), index(&rows, [n, 1, h, 1]), index(&columns, [n, 1, 1, w])];
    padded.index(&places.map(Some))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Memory {
        let pixels = (0..3 * 2 * 6 * 6).map(|i| (i % 251) as u8 + 1).collect();
        Memory::new(&Images { pixels, labels: vec![0, 1, 2], shape: [2, 6, 6] }, Device::Cpu)
    }

    #[test]
    fn batches_are_pixels_over_255_with_their_labels() {
        let batch = memory().batch(&[2, 0]);
        assert_eq!(batch.images.size(), [2, 2, 6, 6]);
        assert_eq!(Vec::<i64>::try_from(batch.labels).unwrap(), [2, 0]);
        assert!((batch.images.double_value(&[1, 0, 0, 1]) - 2.0 / 255.0).abs() < 1e-7);
        assert_eq!(batch.images.stride(), [72, 1, 12, 2]);
    }

    #[test]
    fn crops_are_shifts_of_the_image_and_repeat_with_their_seed() {
        let memory = memory();
        let plain = memory.batch(&[1]).images;
        let mut seen = std::collections::HashSet::new();
        for seed in 0..200 {
            let a = memory.augmented(&[1], Augment::CropFlip, seed).images;
            assert!(a == memory.augmented(&[1], Augment::CropFlip, seed).images);
            // Whatever is not a zero that came in is a pixel of the image, in both channels at the same place.
            let shifts = (-PAD..=PAD).flat_map(|dy| (-PAD..=PAD).flat_map(move |dx| [(dy, dx, 0), (dy, dx, 1)]));
            let found = shifts.into_iter().find(|&(dy, dx, mirrored)| {
                let flipped = if mirrored == 1 { plain.flip([3]) } else { plain.shallow_clone() };
                let padded = flipped.constant_pad_nd([PAD, PAD, PAD, PAD]);
                padded.narrow(2, PAD + dy, 6).narrow(3, PAD + dx, 6) == a
            });
            seen.insert(found.expect("a shift, perhaps mirrored"));
        }
        assert!(seen.len() > 80, "only {} of 162 kinds seen", seen.len());
    }
}
