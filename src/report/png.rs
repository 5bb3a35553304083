//! Pictures as PNG: drawings with the typeface that the program brings along, and images under attack side by side.
//!
//! No font of the machine is looked for, so that the same report is the same bytes everywhere.

use super::plot::Drawing;
use crate::protocol::insight::Pixels;
use image::ImageEncoder as _;
use image::codecs::png::PngEncoder;
use resvg::{tiny_skia, usvg};
use std::sync::{Arc, OnceLock};

/// Pixels of a picture for each of its drawing.
const DENSITY: f32 = 2.0;
/// Sides that images of a strip come to, at least; pixels are repeated, never blurred.
const SIDE: usize = 112;
/// Pixels between two images of a strip.
const GAP: usize = 8;

/// The typeface alone, as `sans-serif`.
fn fonts() -> Arc<usvg::fontdb::Database> {
    static FONTS: OnceLock<Arc<usvg::fontdb::Database>> = OnceLock::new();
    let load = || {
        let mut fonts = usvg::fontdb::Database::new();
        fonts.load_font_data(dejavu::sans::regular().to_vec());
        fonts.set_sans_serif_family("DejaVu Sans");
        Arc::new(fonts)
    };
    FONTS.get_or_init(load).clone()
}

/// # Errors
/// Never for what [`super::plot`] draws.
pub fn of_drawing(drawing: &Drawing) -> Result<Vec<u8>, String> {
    let options = usvg::Options { fontdb: fonts(), ..usvg::Options::default() };
    let tree = usvg::Tree::from_str(&drawing.standalone(), &options).map_err(|error| error.to_string())?;
    let size = tree.size().to_int_size().scale_by(DENSITY).ok_or("it has no size")?;
    let mut pixels = tiny_skia::Pixmap::new(size.width(), size.height()).ok_or("it is too large")?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(DENSITY, DENSITY), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| error.to_string())
}

/// Images of one size beside each other, with nothing between them.
///
/// # Errors
/// Where there is none, or their sizes differ.
pub fn strip(images: &[Pixels]) -> Result<Vec<u8>, String> {
    let first = images.first().ok_or("there is no image")?;
    let (width, height) = (first.width, first.height);
    if images.iter().any(|image| (image.width, image.height) != (width, height)) {
        return Err("the images are of different sizes".into());
    }
    let times = SIDE.div_ceil(width.max(height)).max(1);
    let (wide, tall) = (width * times, height * times);
    let across = wide * images.len() + GAP * (images.len() - 1);
    let mut bytes = vec![0u8; across * tall * 4];
    for (i, image) in images.iter().enumerate() {
        let left = i * (wide + GAP);
        for y in 0..tall {
            for x in 0..wide {
                let [r, g, b] = image.rgb[y / times * width + x / times];
                let at = 4 * (y * across + left + x);
                bytes[at..at + 4].copy_from_slice(&[r, g, b, 255]);
            }
        }
    }
    let mut png = Vec::new();
    let size = |side: usize| u32::try_from(side).map_err(|_| "the images are too large".to_string());
    PngEncoder::new(&mut png)
        .write_image(&bytes, size(across)?, size(tall)?, image::ExtendedColorType::Rgba8)
        .map_err(|error| error.to_string())?;
    Ok(png)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::plot::scale::Axis;
    use crate::report::plot::xy::{Look, Names, Point, Series, Spread, Xy};

    #[test]
    fn a_drawing_has_its_words_without_fonts_of_the_machine() {
        let png = |title: &str| {
            let point = |x: f64| Point { x: Spread::one(x), y: Spread::one(x), name: None };
            let series = vec![Series { name: "a".into(), colour: 0, look: Look::Band, points: vec![point(0.0), point(1.0)] }];
            let (x, y) = (Axis::linear("x"), Axis::linear("y"));
            let (levels, rules) = (Vec::new(), Vec::new());
            let plot = Xy { title: title.into(), x, y, series, levels, rules, names: Names::Ends };
            of_drawing(&plot.draw("says")).unwrap()
        };
        let (with, without) = (png("λ ε title"), png(""));
        let (a, b) = (image::load_from_memory(&with).unwrap(), image::load_from_memory(&without).unwrap());
        assert_eq!((a.width(), a.height() > 600), (b.width(), true));
        assert_ne!(a.as_bytes(), b.as_bytes(), "the title is not there");
        let dark = |image: &image::DynamicImage| image.to_luma8().pixels().filter(|p| p.0[0] < 100).count();
        assert!(dark(&a) > dark(&b) + 200, "{} {}", dark(&a), dark(&b));
        assert_eq!(png("t"), png("t"));
    }

    #[test]
    fn a_strip_repeats_pixels_and_leaves_gaps() {
        let image = |v: u8| Pixels { width: 2, height: 1, rgb: vec![[v; 3], [255 - v; 3]] };
        let strip = image::load_from_memory(&strip(&[image(10), image(20)]).unwrap()).unwrap().to_rgba8();
        assert_eq!(strip.dimensions(), (2 * 112 + 8, 56));
        assert_eq!((strip.get_pixel(0, 55).0, strip.get_pixel(57, 0).0), ([10, 10, 10, 255], [245, 245, 245, 255]));
        assert_eq!((strip.get_pixel(115, 3).0[3], strip.get_pixel(120, 0).0), (0, [20, 20, 20, 255]));
        assert!(super::strip(&[]).is_err());
    }
}
