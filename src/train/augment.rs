//! What is done to training images: on the device, for a whole batch at once, by numbers drawn on the host from the step's seed.
//!
//! So it is seeded, resumable and the same on every device. The formulas are those of torchvision's transforms on float tensors;
//! values are not rounded to bytes in between, as they are where torchvision works on PIL images.

use crate::config::Augment;
use crate::data::picture::{self, Part};
use crate::random::{self, Purpose, Stream};
use tch::{Device, Kind, Tensor};

/// Zeros around an image before it is cropped back to size (the CIFAR recipe).
pub const PAD: i64 = 4;
/// `MadryLab`'s recipe for CIFAR.
const CIFAR_JITTER: f32 = 0.25;
const CIFAR_DEGREES: f32 = 2.0;
/// `MadryLab`'s recipe for `ImageNet`.
const IMAGENET_JITTER: f32 = 0.1;
const LIGHTING: f32 = 0.05;

/// Red, green, blue to grey (ITU-R 601-2), to the digits torchvision uses.
const GREY: [f32; 3] = [0.2989, 0.587, 0.114];
/// Principal components of `ImageNet`'s colours, a row a channel (Krizhevsky et al. 2012), and their eigenvalues.
const COMPONENTS: [[f32; 3]; 3] = [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]];
const EIGENVALUES: [f32; 3] = [0.2175, 0.0188, 0.0045];

/// Whether a random part was already cut out, when the file was decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cropped {
    Yes,
    /// Then it is cut out of the image as it is stored.
    No,
}

/// `images`: `[N, C, H, W]` bytes. Gives floats in `[0, 1]`. `seed`: of this step's augmentation.
///
/// `crop-flip-color` and `imagenet` take three channels only, which is seen to when data is loaded.
pub fn apply(images: &Tensor, augment: Augment, cropped: Cropped, seed: u64) -> Tensor {
    let float = |bytes: &Tensor| bytes.to_kind(Kind::Float) / 255.0;
    let n = images.size()[0] as usize;
    // Apart from the numbers of crops and flips.
    let mut stream = Stream::new(random::seed(seed, Purpose::Augment, 1));
    match augment {
        Augment::None => float(images),
        Augment::CropFlip => float(&crop_flip(images, seed)),
        Augment::CropFlipColor => {
            let jitters: Vec<_> = (0..n).map(|_| Jitter::draw(CIFAR_JITTER, &mut stream)).collect();
            let angles: Vec<_> = (0..n).map(|_| between(-CIFAR_DEGREES, CIFAR_DEGREES, &mut stream)).collect();
            turn(&jitter(float(&crop_flip(images, seed)), &jitters), &angles)
        }
        Augment::Imagenet => {
            let (h, w) = (images.size()[2] as usize, images.size()[3] as usize);
            let x = match cropped {
                Cropped::Yes => float(images),
                Cropped::No => {
                    let parts: Vec<_> = (0..n).map(|_| picture::random_part(w, h, &mut stream)).collect();
                    enlarge(&float(images), &parts)
                }
            };
            let mirrored: Vec<bool> = (0..n).map(|_| stream.bits() >> 63 == 1).collect();
            let jitters: Vec<_> = (0..n).map(|_| Jitter::draw(IMAGENET_JITTER, &mut stream)).collect();
            let amounts: Vec<_> = (0..n).map(|_| [(); 3].map(|()| LIGHTING * stream.normal())).collect();
            let mirrored = Tensor::from_slice(&mirrored).view([-1, 1, 1, 1]).to_device(x.device());
            light(&jitter(x.flip([3]).where_self(&mirrored, &x), &jitters), &amounts)
        }
    }
}

fn between(low: f32, high: f32, stream: &mut Stream) -> f32 {
    low + (high - low) * stream.unit()
}

/// One number an image, to multiply it by.
fn each(values: impl Iterator<Item = f32>, device: Device) -> Tensor {
    Tensor::from_slice(&values.collect::<Vec<_>>()).view([-1, 1, 1, 1]).to_device(device)
}

/// Each image shifted by up to `PAD` pixels either way, zeros coming in, and mirrored half of the time: one gather.
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

/// How the colours of one image are changed.
#[derive(Clone, Copy, Debug)]
struct Jitter {
    /// Which is changed first, second, third: 0 brightness, 1 contrast, 2 saturation.
    order: [usize; 3],
    /// Of brightness, contrast, saturation; 1 leaves it.
    factors: [f32; 3],
}

impl Jitter {
    /// Factors in `1 - strength` to `1 + strength`, in random order.
    fn draw(strength: f32, stream: &mut Stream) -> Self {
        let mut order = [0, 1, 2];
        order.swap(2, stream.below(3) as usize);
        order.swap(1, stream.below(2) as usize);
        Self { order, factors: [(); 3].map(|()| between(1.0 - strength, 1.0 + strength, stream)) }
    }
}

/// Each change blends the image with something: black, the mean of its grey, or its grey; then clamps.
fn jitter(mut images: Tensor, jitters: &[Jitter]) -> Tensor {
    let device = images.device();
    let weights = Tensor::from_slice(&GREY).view([1, 3, 1, 1]).to_device(device);
    for stage in 0..3 {
        let factor = |j: &Jitter| j.factors[j.order[stage]];
        let rest = |which: usize| move |j: &Jitter| if j.order[stage] == which { 1.0 - j.factors[which] } else { 0.0 };
        let grey = (&images * &weights).sum_dim_intlist([1i64].as_slice(), true, Kind::Float);
        let mean = grey.mean_dim([1i64, 2, 3].as_slice(), true, Kind::Float);
        let blend = grey * each(jitters.iter().map(rest(2)), device) + mean * each(jitters.iter().map(rest(1)), device);
        images = (images * each(jitters.iter().map(factor), device) + blend).clamp(0.0, 1.0);
    }
    images
}

/// Each image turned about its centre, counter-clockwise, by the nearest pixel; zeros come in.
fn turn(images: &Tensor, degrees: &[f32]) -> Tensor {
    let (n, c, h, w) = images.size4().expect("images have four dimensions");
    let device = images.device();
    let sin = each(degrees.iter().map(|d| d.to_radians().sin()), device).view([n, 1, 1]);
    let cos = each(degrees.iter().map(|d| d.to_radians().cos()), device).view([n, 1, 1]);
    let from_centre = |length: i64| Tensor::arange(length, (Kind::Float, device)) - (length - 1) as f64 / 2.0;
    let (y, x) = (from_centre(h).view([1, h, 1]), from_centre(w).view([1, 1, w]));
    // Where each pixel comes from: the turn undone, y pointing down.
    let column = (&cos * &x - &sin * &y + (w - 1) as f64 / 2.0).round();
    let row = (&sin * &x + &cos * &y + (h - 1) as f64 / 2.0).round();
    let inside = column.ge(0.0).logical_and(&column.le((w - 1) as f64)).logical_and(&row.ge(0.0));
    let inside = inside.logical_and(&row.le((h - 1) as f64)).view([n, 1, h, w]);
    let place = row.clamp(0.0, (h - 1) as f64) * w as f64 + column.clamp(0.0, (w - 1) as f64);
    let place = place.to_kind(Kind::Int64).view([n, 1, h * w]).expand([n, c, h * w], false);
    images.reshape([n, c, h * w]).gather(2, &place, false).view([n, c, h, w]) * inside
}

/// A part of each image brought to the size of the whole, bilinearly. As nothing is made smaller, antialiasing has nothing to do.
fn enlarge(images: &Tensor, parts: &[Part]) -> Tensor {
    let (n, _, h, w) = images.size4().expect("images have four dimensions");
    let device = images.device();
    // Where each row or column comes from, in -1 to 1; held within the part, as nothing outside it may be seen.
    let from = |length: i64, part: &dyn Fn(&Part) -> (usize, usize)| {
        let starts = each(parts.iter().map(|p| part(p).0 as f32), device).view([n, 1]);
        let lengths = each(parts.iter().map(|p| part(p).1 as f32), device).view([n, 1]);
        let at = (Tensor::arange(length, (Kind::Float, device)) + 0.5).view([1, length]) * &lengths / length as f64 - 0.5;
        let at = at.clamp_min(0.0).minimum(&(&lengths - 1.0)) + starts;
        at * (2.0 / (length - 1).max(1) as f64) - 1.0
    };
    let columns = from(w, &|p| (p.left, p.width)).view([n, 1, w]).expand([n, h, w], false);
    let rows = from(h, &|p| (p.top, p.height)).view([n, h, 1]).expand([n, h, w], false);
    // Bilinear; what is outside never asked for; -1 and 1 are the middles of the outermost pixels.
    images.grid_sampler(&Tensor::stack(&[columns, rows], 3), 0, 1, true)
}

/// Adds the colours' principal components in these amounts ("`PCA` lighting"). The reference lets values leave `[0, 1]`; here they
/// are kept inside, where attacks and networks expect them.
fn light(images: &Tensor, amounts: &[[f32; 3]]) -> Tensor {
    let shifts: Vec<f32> = amounts
        .iter()
        .flat_map(|amount| COMPONENTS.map(|row| (0..3).map(|i| row[i] * amount[i] * EIGENVALUES[i]).sum::<f32>()))
        .collect();
    (images + Tensor::from_slice(&shifts).view([-1, 3, 1, 1]).to_device(images.device())).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn floats(value: &Value) -> Vec<f32> {
        match value {
            Value::Array(all) => all.iter().flat_map(floats).collect(),
            number => vec![number.as_f64().unwrap() as f32],
        }
    }

    #[test]
    fn each_change_agrees_with_its_formula_computed_by_pytorch() {
        let golden: Value = serde_json::from_str(include_str!("../../tests/golden/augment.json")).unwrap();
        let shape: Vec<i64> = golden["shape"].as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect();
        let tensor = |name: &str| Tensor::from_slice(&floats(&golden[name])).view(&shape[..]);
        let images = tensor("images");
        let whole = |value: &Value| floats(value).into_iter().map(|v| v as usize).collect::<Vec<_>>();
        let list = |name: &str| golden[name].as_array().unwrap().clone();
        let agree = |name: &str, found: &Tensor| {
            let off = (found - tensor(name)).abs().max().double_value(&[]);
            assert!(off < 1e-6, "{name} is off by {off}");
        };

        let jitters: Vec<_> = list("jitters")
            .iter()
            .map(|j| Jitter { order: whole(&j["order"]).try_into().unwrap(), factors: floats(&j["factors"]).try_into().unwrap() })
            .collect();
        agree("jittered", &jitter(images.shallow_clone(), &jitters));
        agree("turned", &turn(&images, &floats(&golden["degrees"])));
        let parts: Vec<_> = list("parts")
            .iter()
            .map(|p| match whole(p)[..] {
                [left, top, width, height] => Part { left, top, width, height },
                _ => panic!("four numbers a part"),
            })
            .collect();
        agree("enlarged", &enlarge(&images, &parts));
        let amounts: Vec<[f32; 3]> = list("amounts").iter().map(|a| floats(a).try_into().unwrap()).collect();
        agree("lit", &light(&images, &amounts));
    }

    #[test]
    fn every_augmentation_repeats_with_its_seed_and_stays_between_0_and_1() {
        let pixels: Vec<u8> = (0..16 * 3 * 9 * 9).map(|i| (i * 37 % 256) as u8).collect();
        let images = Tensor::from_slice(&pixels).view([16, 3, 9, 9]);
        for &augment in Augment::ALL {
            for cropped in [Cropped::Yes, Cropped::No] {
                let a = apply(&images, augment, cropped, 5);
                assert!(a == apply(&images, augment, cropped, 5), "{augment:?}");
                assert_eq!(a.size(), [16, 3, 9, 9]);
                assert_eq!(a == apply(&images, augment, cropped, 6), augment == Augment::None, "{augment:?}");
                assert!(a.min().double_value(&[]) >= 0.0 && a.max().double_value(&[]) <= 1.0, "{augment:?}");
            }
        }
    }

    #[test]
    fn all_orders_and_the_whole_range_of_factors_are_drawn() {
        let mut stream = Stream::new(3);
        let drawn: Vec<_> = (0..2000).map(|_| Jitter::draw(0.25, &mut stream)).collect();
        let mut counts = std::collections::BTreeMap::new();
        for j in &drawn {
            *counts.entry(j.order).or_insert(0) += 1;
        }
        assert!(counts.len() == 6 && counts.values().all(|&n| n > 250), "{counts:?}");
        let least = drawn.iter().map(|j| j.factors[1]).fold(2.0, f32::min);
        let most = drawn.iter().map(|j| j.factors[1]).fold(0.0, f32::max);
        assert!((0.75..0.76).contains(&least) && (1.24..=1.25).contains(&most), "{least} {most}");
    }
}
