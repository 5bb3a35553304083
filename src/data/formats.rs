//! Kinds of files that lie among images and are not read, so that they can be called by their names.

use std::path::Path;

/// Ends of the names of images that are read, in any case.
pub(super) const ENDS: [&str; 4] = ["jpg", "jpeg", "png", "webp"];

/// What to do with an image of a kind that is not read.
pub(super) const CONVERT: &str = "only JPEG, PNG and WebP are read: convert it to PNG, for example with `mogrify -format png`";

/// Image formats that are not read, by the ends of their names.
const IMAGES: [(&[&str], &str); 13] = [
    (&["bmp", "dib"], "BMP"),
    (&["gif"], "GIF"),
    (&["tif", "tiff"], "TIFF"),
    (&["heic", "heif", "hif"], "HEIC"),
    (&["avif"], "AVIF"),
    (&["svg", "svgz"], "SVG"),
    (&["ppm", "pgm", "pbm", "pnm"], "PPM"),
    (&["jp2", "j2k", "jpx"], "JPEG 2000"),
    (&["jxl"], "JPEG XL"),
    (&["ico"], "ICO"),
    (&["psd"], "Photoshop"),
    (&["dcm"], "DICOM"),
    (&["dng", "cr2", "cr3", "nef", "arw"], "camera raw"),
];

/// Images that only need another end of their name.
const OTHER_ENDS: [&str; 4] = ["jfif", "jpe", "jif", "pjpeg"];

/// First bytes at an offset.
const CONTENTS: [(usize, &[u8], &str); 24] = [
    (0, b"BM", "a BMP image"),
    (0, b"GIF8", "a GIF image"),
    (0, b"II*\0", "a TIFF image"),
    (0, b"MM\0*", "a TIFF image"),
    (4, b"ftypavi", "an AVIF image"),
    (4, b"ftyphe", "a HEIC image"),
    (4, b"ftypmif1", "a HEIC image"),
    (4, b"ftypmsf1", "a HEIC image"),
    (0, b"P2\n", "a PGM image"),
    (0, b"P3\n", "a PPM image"),
    (0, b"P5\n", "a PGM image"),
    (0, b"P6\n", "a PPM image"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL image"),
    (0, b"\xff\x0a", "a JPEG XL image"),
    (0, b"\0\0\x01\0", "an ICO image"),
    (0, b"8BPS", "a Photoshop image"),
    (128, b"DICM", "a DICOM image"),
    (0, b"\x1f\x8b", "a gzip file"),
    (0, b"PK\x03\x04", "a zip file"),
    (0, b"%PDF", "a PDF file"),
    (0, b"\x93NUMPY", "a numpy array"),
    (0, b"version https://git-lfs", "a pointer of git-lfs (fetch the file with `git lfs pull`)"),
    (4, b"ftyp", "a video"),
];

fn end_of(name: &Path) -> Option<String> {
    name.extension().map(|end| end.to_string_lossy().to_ascii_lowercase())
}

/// Whether a file's name is that of an image that is read.
pub(super) fn is_read(name: &Path) -> bool {
    end_of(name).is_some_and(|end| ENDS.contains(&end.as_str()))
}

/// Why a file with these bytes is no image that is read, in words that follow its name.
pub(super) fn unread(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "is empty".into();
    }
    let known = CONTENTS.iter().find(|(at, first, _)| bytes.get(*at..).is_some_and(|rest| rest.starts_with(first)));
    match known {
        Some((_, _, what)) if what.ends_with(" image") => format!("is {what}, and {CONVERT}"),
        Some((_, _, what)) => format!("is {what}, not an image"),
        None => markup(bytes).unwrap_or_else(|| "is no JPEG, PNG or WebP image".into()),
    }
}

/// SVG drawings and web pages, which begin with whatever XML allows.
fn markup(bytes: &[u8]) -> Option<String> {
    let head = &bytes[..bytes.len().min(1024)];
    let text = String::from_utf8_lossy(head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head)).to_ascii_lowercase();
    let text = text.trim_start();
    if text.starts_with('<') && text.contains("<svg") {
        return Some(format!("is an SVG drawing, and {CONVERT}"));
    }
    (text.starts_with("<!doctype html") || text.starts_with("<html"))
        .then(|| "is a web page, not an image; download it again".into())
}

/// What a folder without images holds instead, in words that follow its name, and what to do.
pub(super) fn instead(files: &[&Path]) -> (String, &'static str) {
    let ends: Vec<String> = files.iter().filter_map(|file| end_of(file)).collect();
    for (names, what) in IMAGES {
        let count = ends.iter().filter(|end| names.contains(&end.as_str())).count();
        if count > 0 {
            let files = if count == 1 { "file" } else { "files" };
            return (
                format!("holds no image that is read, but {count} {what} {files}"),
                "only JPEG, PNG and WebP are read: convert them to PNG, for example with `mogrify -format png`",
            );
        }
    }
    if let Some(end) = ends.iter().find(|end| OTHER_ENDS.contains(&end.as_str())) {
        return (format!("holds no images, but files whose names end in .{end}"), "rename them to end in .jpg");
    }
    if !files.is_empty() && ends.len() < files.len() {
        return (
            "holds no images, but files whose names have no end".into(),
            "give the names of images their ends (.jpg, .jpeg, .png, .webp)",
        );
    }
    ("holds no images".into(), "put images (.jpg, .jpeg, .png, .webp) into the class's folder, or remove it")
}

/// The lines of a text file without empty ones, without the spaces around them and without a byte order mark.
pub fn text_lines(content: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content));
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_named_by_content() {
        for (bytes, said) in [
            (&b"BM\x46\0\0\0"[..], "is a BMP image, and only JPEG, PNG and WebP are read: convert it"),
            (b"GIF89a....", "is a GIF image"),
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "is a HEIC image"),
            (b"\0\0\0\x1cftypavif\0\0\0\0", "is an AVIF image"),
            (b"MM\0*\0\0", "is a TIFF image"),
            (b"<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "is an SVG drawing, and only"),
            (b"\xef\xbb\xbf<!DOCTYPE html><p>404", "is a web page, not an image"),
            (b"\x1f\x8b\x08\0", "is a gzip file, not an image"),
            (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of git-lfs (fetch"),
            (b"", "is empty"),
            (b"words", "is no JPEG, PNG or WebP image"),
        ] {
            assert!(unread(bytes).starts_with(said), "{}", unread(bytes));
        }
    }

    #[test]
    fn folders_without_images_are_told_by_what_they_hold() {
        let said = |names: &[&str]| {
            let paths: Vec<&Path> = names.iter().map(Path::new).collect();
            let (why, advice) = instead(&paths);
            format!("{why}; {advice}")
        };
        assert!(said(&["a.BMP", "b.bmp", "x.txt"]).starts_with("holds no image that is read, but 2 BMP files; only JPEG"));
        assert!(said(&["a.heic"]).contains("but 1 HEIC file;"));
        assert!(said(&["a.jfif"]).ends_with("end in .jfif; rename them to end in .jpg"));
        assert!(said(&["a", "b"]).contains("have no end; give the names"));
        assert!(said(&["labels.csv"]).starts_with("holds no images; put images (.jpg"));
        assert!(said(&[]).starts_with("holds no images; put images (.jpg"));
    }

    #[test]
    fn lines_have_no_byte_order_mark() {
        assert_eq!(text_lines(b"\xef\xbb\xbfa\r\n\r\n b \r\n"), ["a", "b"]);
    }
}
