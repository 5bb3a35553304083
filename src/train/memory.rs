//! A data set on the device: 8-bit images in memory once, batches made from them by index.
//!
//! A random part (`imagenet`) is cut out of the image as it is stored, at the network's size; streamed files are cut at their own.

use crate::config::Augment;
use crate::data::Images;
use crate::methods::Batch;
use crate::nn::{channels_last, host};
use crate::train::augment::{self, Cropped};
use tch::{Device, Kind, Tensor};

pub struct Memory {
    /// `[N, C, H, W]`, uint8.
    images: Tensor,
    /// `[N]`, int64.
    labels: Tensor,
    device: Device,
}

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

    /// Numbers in one image.
    pub fn image_len(&self) -> usize {
        self.images.size()[1..].iter().product::<i64>() as usize
    }

    /// The same images and labels, not copied.
    #[must_use]
    pub fn shallow_clone(&self) -> Self {
        Self { images: self.images.shallow_clone(), labels: self.labels.shallow_clone(), device: self.device }
    }

    /// All images, N*C*H*W, on the host.
    pub fn bytes(&self) -> Vec<u8> {
        host::bytes(&self.images)
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
        Batch::new(channels_last(&(bytes.to_kind(Kind::Float) / 255.0)), labels)
    }

    /// The images at these places, augmented. `seed`: of this step's augmentation.
    pub fn augmented(&self, indices: &[i64], augment: Augment, seed: u64) -> Batch {
        let (bytes, labels) = self.pick(indices);
        Batch::new(channels_last(&augment::apply(&bytes, augment, Cropped::No, seed)), labels)
    }

    fn pick(&self, indices: &[i64]) -> (Tensor, Tensor) {
        let at = Tensor::from_slice(indices).to_device(self.device);
        (self.images.index_select(0, &at), self.labels.index_select(0, &at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::augment::PAD;

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
