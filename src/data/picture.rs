//! One image file as the bytes a network sees: decoded, brought to size, cut to a square, channel by channel.
//!
//! The resize filter is the triangle, whose support grows with the reduction: it averages over all pixels that it leaves out, as
//! PIL's bilinear does (and so torchvision on images). What a file is called says nothing on what is in it: its first bytes do.
//! Always three channels: grey becomes equal red, green and blue, transparency is dropped, EXIF turns are not obeyed, as in PIL.

use super::formats;
use crate::random::Stream;
use image::imageops::{self, FilterType};
use image::{ImageFormat, ImageReader, Limits, RgbImage};
use std::fs::File;
use std::io::{Cursor, Read as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// How images of any size become squares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Side of the square, in pixels.
    pub size: usize,
    /// The shorter side is brought to this before the centre is cut out; at least `size`.
    pub resize: usize,
}

/// What is done with one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The shorter side to `resize`, then the middle.
    Centre,
    /// A random part of the original, brought to size; the seed of its draw.
    Random(u64),
}

/// A decoded image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// 3*H*W, 0 to 255.
    pub pixels: Vec<u8>,
    /// Whether the original was smaller than what was asked for.
    pub enlarged: bool,
}

/// A part of an image, in its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub left: usize,
    pub top: usize,
    pub width: usize,
    pub height: usize,
}

/// Sides and bytes that no photograph for classifying has; a file that asks for more is damaged, or meant to hurt.
const LARGEST_SIDE: u32 = 30_000;
const LARGEST_FILE: u64 = 256 << 20;
const LARGEST_DECODED: u64 = 1 << 30;

impl View {
    /// Channels, height, width.
    pub fn shape(self) -> [usize; 3] {
        [3, self.size, self.size]
    }
}

/// Longer than this many times its shorter side an image is no photograph, and bringing the short side to size would make it huge.
const LONGEST: u32 = 50;

/// Reads the file at `path`.
///
/// # Errors
/// Why it cannot be read or decoded, in words that follow the file's name.
pub fn read(path: &Path, view: View, cut: Cut) -> Result<Picture, String> {
    // A pipe with an image's name would be waited for for ever.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err("is no regular file".into());
    }
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes));
    read.map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(format!("holds more than {} MiB", LARGEST_FILE >> 20));
    }
    // Not by its name: ImageNet itself has a PNG that is called JPEG.
    let read = |format: &ImageFormat| matches!(format, ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP);
    let format = image::guess_format(&bytes).ok().filter(read).ok_or_else(|| formats::unread(&bytes))?;
    if format == ImageFormat::Jpeg && !ends(&bytes) {
        return Err("is cut short: it has no end-of-image marker".into());
    }
    let mut reader = ImageReader::with_format(Cursor::new(&bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST_SIDE);
    limits.max_image_height = Some(LARGEST_SIDE);
    limits.max_alloc = Some(LARGEST_DECODED);
    reader.limits(limits);
    // Whatever is in a file, it costs that file and not the run.
    let image =
        catch_unwind(AssertUnwindSafe(|| reader.decode())).map_err(|_| "cannot be decoded: the decoder gave up".to_string())?;
    let image = image.map_err(|error| format!("cannot be decoded: {error}"))?;
    let (width, height) = (image.width(), image.height());
    if width.max(height) > LONGEST * width.min(height).max(1) {
        return Err(format!("is {width}x{height}: more than {LONGEST} times as long as it is wide"));
    }
    Ok(cut_out(&image.into_rgb8(), view, cut))
}

/// Whether a JPEG's last scan has an end. The decoder fills what is missing with grey and says nothing. Within a scan no byte
/// pair looks like either marker.
fn ends(jpeg: &[u8]) -> bool {
    let last = |pair: [u8; 2]| jpeg.windows(2).rposition(|two| two == pair);
    matches!((last([0xff, 0xda]), last([0xff, 0xd9])), (Some(scan), Some(end)) if end > scan)
}

fn cut_out(image: &RgbImage, view: View, cut: Cut) -> Picture {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let size = view.size;
    let pixels = match cut {
        Cut::Random(seed) => {
            let part = random_part(width, height, &mut Stream::new(seed));
            let part = crop(image, part);
            planes(&resized(part, size, size))
        }
        Cut::Centre => {
            let short = width.min(height);
            // As torchvision: the longer side is cut to a whole number, not rounded.
            let side = |length: usize| (length * view.resize / short).max(view.resize);
            let scaled = if short == view.resize { image.clone() } else { resized(image.clone(), side(width), side(height)) };
            let (w, h) = (scaled.width() as usize, scaled.height() as usize);
            // Half a pixel to even, as torchvision's rounding has it.
            let middle = |length: usize| ((length - size) as f64 / 2.0).round_ties_even() as usize;
            if (w, h) == (size, size) {
                planes(&scaled)
            } else {
                planes(&crop(&scaled, Part { left: middle(w), top: middle(h), width: size, height: size }))
            }
        }
    };
    Picture { pixels, enlarged: width.min(height) < size }
}

fn crop(image: &RgbImage, part: Part) -> RgbImage {
    imageops::crop_imm(image, part.left as u32, part.top as u32, part.width as u32, part.height as u32).to_image()
}

fn resized(image: RgbImage, width: usize, height: usize) -> RgbImage {
    if (image.width() as usize, image.height() as usize) == (width, height) {
        return image;
    }
    imageops::resize(&image, width as u32, height as u32, FilterType::Triangle)
}

fn planes(image: &RgbImage) -> Vec<u8> {
    let bytes = image.as_raw();
    (0..3).flat_map(|channel| bytes.iter().skip(channel).step_by(3).copied()).collect()
}

/// A part of 0.08 to 1 of the area and of 3/4 to 4/3 the width for the height (torchvision's `RandomResizedCrop`: Szegedy et al.
/// 2015); after ten draws that do not fit, the middle with the nearest ratio allowed.
pub fn random_part(width: usize, height: usize, stream: &mut Stream) -> Part {
    let (w, h) = (width as f64, height as f64);
    for _ in 0..10 {
        let area = w * h * (0.08 + 0.92 * f64::from(stream.unit()));
        let ratio = ((2.0 * f64::from(stream.unit()) - 1.0) * (4.0f64 / 3.0).ln()).exp();
        let (wide, high) = ((area * ratio).sqrt().round() as usize, (area / ratio).sqrt().round() as usize);
        if (1..=width).contains(&wide) && (1..=height).contains(&high) {
            let top = stream.below((height - high + 1) as u64) as usize;
            let left = stream.below((width - wide + 1) as u64) as usize;
            return Part { left, top, width: wide, height: high };
        }
    }
    let (wide, high) = if w / h < 3.0 / 4.0 {
        (width, ((w / (3.0 / 4.0)).round() as usize).min(height))
    } else if w / h > 4.0 / 3.0 {
        (((h * (4.0 / 3.0)).round() as usize).min(width), height)
    } else {
        (width, height)
    };
    Part { left: (width - wide) / 2, top: (height - high) / 2, width: wide, height: high }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn the_centre_of_a_wide_image_at_its_own_size_is_cut_out_unchanged() {
        let image = RgbImage::from_fn(20, 10, |x, y| Rgb([x as u8, y as u8, 7]));
        let picture = cut_out(&image, View { size: 8, resize: 10 }, Cut::Centre);
        let expected: Vec<u8> = (0..64).map(|i| 6 + i % 8).chain((0..64).map(|i| 1 + i / 8)).chain([7; 64]).collect();
        assert_eq!(picture, Picture { pixels: expected, enlarged: false });
        assert!(cut_out(&image, View { size: 16, resize: 16 }, Cut::Centre).enlarged);
    }

    #[test]
    fn reducing_averages_over_what_it_leaves_out() {
        // A board of black and white pixels becomes grey; a filter that only picks pixels gives black or white.
        let image = RgbImage::from_fn(64, 64, |x, y| Rgb([if (x + y) % 2 == 0 { 255 } else { 0 }; 3]));
        let picture = cut_out(&image, View { size: 16, resize: 16 }, Cut::Centre);
        assert!(picture.pixels.iter().all(|p| (120..=135).contains(p)), "{:?}", &picture.pixels[..8]);
    }

    #[test]
    fn files_are_known_by_their_content_and_damage_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let view = View { size: 8, resize: 8 };
        // Grey, and under another format's name.
        let file = folder.path().join("grey.jpg");
        image::GrayImage::from_pixel(9, 8, image::Luma([77])).save_with_format(&file, image::ImageFormat::Png).unwrap();
        assert_eq!(read(&file, view, Cut::Centre).unwrap().pixels, vec![77; 3 * 64]);
        let whole = std::fs::read(&file).unwrap();
        std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        assert!(read(&file, view, Cut::Centre).unwrap_err().starts_with("cannot be decoded: "));
        let photo = RgbImage::from_fn(40, 40, |x, y| Rgb([(x * 6) as u8, (y * 6) as u8, (x * y) as u8]));
        photo.save_with_format(&file, ImageFormat::Jpeg).unwrap();
        assert!(read(&file, view, Cut::Centre).is_ok());
        let jpeg = std::fs::read(&file).unwrap();
        for length in (1..jpeg.len()).step_by(7) {
            std::fs::write(&file, &jpeg[..length]).unwrap();
            assert!(read(&file, view, Cut::Centre).is_err(), "{length} of {} bytes", jpeg.len());
        }
        std::fs::write(&file, "words").unwrap();
        assert_eq!(read(&file, view, Cut::Centre).unwrap_err(), "is no JPEG, PNG or WebP image");
        // A header that promises 60,000 x 60,000 pixels is refused before anything is made for them.
        let mut huge = whole;
        huge[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
        std::fs::write(&file, &huge).unwrap();
        assert!(read(&file, view, Cut::Centre).is_err());
    }

    #[test]
    fn random_parts_lie_inside_and_have_the_areas_and_ratios_they_should() {
        let mut areas = Vec::new();
        for seed in 0..2000 {
            let part = random_part(200, 100, &mut Stream::new(seed));
            assert!(part.left + part.width <= 200 && part.top + part.height <= 100, "{part:?}");
            let ratio = part.width as f64 / part.height as f64;
            assert!((0.72..=1.38).contains(&ratio), "{part:?}");
            areas.push((part.width * part.height) as f64 / 20_000.0);
        }
        let least = areas.iter().copied().fold(1.0, f64::min);
        let most = areas.iter().copied().fold(0.0, f64::max);
        assert!((0.075..0.09).contains(&least) && (0.6..0.68).contains(&most), "{least} {most}");
        // Nothing fits into a strip: the middle.
        assert_eq!(random_part(4, 400, &mut Stream::new(1)), Part { left: 0, top: 197, width: 4, height: 5 });
    }
}
