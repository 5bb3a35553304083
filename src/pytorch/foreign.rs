//! Names what arrives instead of a checkpoint: a page of a web site, a pointer, an archive, a picture.
//!
//! Judged by its bytes, never by its name.

use super::Fault;

/// First bytes that are looked at.
pub(super) const HEAD: usize = 4096;

/// Beginnings of files, what they are and what to do.
const BEGINNINGS: [(&[u8], &str); 24] = [
    (b"\x89HDF", "an HDF5 file (Keras?): it holds no network of PyTorch"),
    (b"\x93NUM", "a numpy array (.npy), one array without names"),
    (b"\x1f\x8b", "a gzip file: unpack it first, with gunzip, or an archive with tar xf"),
    (b"BZh", "a bzip2 file: unpack it first, as with bunzip2"),
    (b"\xfd7zXZ", "an xz file: unpack it first, as with unxz"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file: unpack it first, as with unzstd"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"PK\x05\x06", "an empty zip archive"),
    (
        b"version https://git-lfs",
        "a git-lfs pointer, which stands for the file and is not it: fetch the file with `git lfs pull`",
    ),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program or library of Linux"),
    (b"GGUF", "a GGUF file, weights of a language model"),
    (b"SQLite format 3", "an SQLite database"),
    (b"MATLAB 5.0", "a MATLAB file"),
    (b"PAR1", "a Parquet table"),
    (b"\x04\0\0\0\x01\0\0\0\x03\0\0\0V 1", "a file of Lua Torch: load it there, or with torchfile, and save it with torch.save"),
    (b"\x08\x03\x12\x07pytorch", "an ONNX file: save the network's state_dict() instead"),
    (b"\x08\x04\x12\x07pytorch", "an ONNX file: save the network's state_dict() instead"),
    (b"#!", "a script"),
    (b"<?php", "a PHP program"),
];

/// Members of the tar files that PyTorch before 0.1.10 wrote.
const OLD_MEMBERS: [&str; 4] = ["sys_info", "pickle", "tensors", "storages"];

/// What these first bytes are of, where they are of no checkpoint.
pub(super) fn name(bytes: &[u8]) -> Fault {
    let unknown = |what: &str| Fault::Unknown(what.into());
    if bytes.is_empty() {
        return unknown("the file is empty");
    }
    if let Some((_, what)) = BEGINNINGS.iter().find(|(begin, _)| bytes.starts_with(begin)) {
        return unknown(what);
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return tar(bytes);
    }
    if bytes.get(4..8) == Some(b"TFL3") {
        return unknown("a TensorFlow Lite model");
    }
    if bytes.get(8..24).is_some_and(|b| b.windows(7).any(|w| w == b"pytorch")) && bytes[0] == 8 {
        return unknown("an ONNX file: save the network's state_dict() instead");
    }
    if bytes.iter().all(|&b| b == 0) {
        return unknown("nothing but zeros at its beginning: a download or copy that never came to its end?");
    }
    if bytes.get(8) == Some(&b'{') && bytes[4..8] == [0; 4] {
        return unknown("a .safetensors file that is cut short: its header is longer than the file");
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return unknown("a text file (UTF-16)");
    }
    text(bytes).unwrap_or_else(|| unknown("it begins like no checkpoint that is known here; truncated or another kind?"))
}

/// What a text is: a page, an error of a server, or any other. `None`: it is no text.
fn text(bytes: &[u8]) -> Option<Fault> {
    let whole = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // A letter may be cut at the end of what is looked at.
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    if whole.chars().any(|c| c.is_control() && !c.is_whitespace() && c != '\u{1b}') {
        return None;
    }
    let text = whole.trim_start_matches('\u{feff}').trim_start();
    let small = text.to_lowercase();
    let between = |from: &str, to: &str| {
        let start = small.find(from)?;
        let start = start + small[start..].find('>')? + 1;
        let end = start + small[start..].find(to)?;
        // Lower case may have another length: then nothing is quoted.
        (small.len() == text.len()).then(|| excerpt(text.get(start..end)?)).flatten()
    };
    let quoted = |what: Option<String>| what.map_or(String::new(), |what| format!(" ('{what}')"));
    if small.starts_with("<!doctype html") || small.starts_with("<html") || small.contains("<html") && small.starts_with('<') {
        let title = quoted(between("<title", "</title"));
        return Some(Fault::Unknown(format!(
            "a web page{title} and no checkpoint: the link leads to a page, or asks for a login or a confirmation; open it in a browser and download the file itself"
        )));
    }
    if small.starts_with("<?xml") || small.starts_with("<error") {
        let code = quoted(between("<code", "</code").or_else(|| between("<message", "</message")));
        return Some(Fault::Unknown(format!(
            "an XML message{code}, most likely a server's error instead of the file: download it again"
        )));
    }
    if small.starts_with("version ") && small.contains("oid sha256:") {
        return Some(Fault::Unknown(
            "a git-lfs pointer, which stands for the file and is not it: fetch the file with `git lfs pull`".into(),
        ));
    }
    if small.starts_with('{') || small.starts_with('[') {
        let begin = quoted(excerpt(text));
        return Some(Fault::Unknown(format!("a JSON text{begin}: a server's answer, an index or a config, and not the weights")));
    }
    // Some words of a text tell; two or three letters are no text.
    if text.chars().count() < 8 {
        return None;
    }
    Some(Fault::Unknown(format!("a text file{}", quoted(excerpt(text)))))
}

/// Up to 60 letters of the first line, for a message.
fn excerpt(text: &str) -> Option<String> {
    let line: String = text.lines().map(str::trim).find(|line| !line.is_empty())?.chars().filter(|c| !c.is_control()).collect();
    let cut: String = line.chars().take(60).collect();
    Some(if cut.len() < line.len() { format!("{cut}...") } else { cut })
}

fn tar(bytes: &[u8]) -> Fault {
    let field = |at: usize, length: usize| {
        let field = bytes.get(at..at + length).unwrap_or_default();
        String::from_utf8_lossy(field).trim_end_matches(['\0', ' ']).to_string()
    };
    let first = field(0, 100);
    if OLD_MEMBERS.contains(&first.as_str()) {
        return Fault::Unknown("a tar file, as PyTorch before 0.1.10 wrote: load and save it again with a newer PyTorch".into());
    }
    let mut names = vec![first];
    // The members that begin within the first bytes.
    let mut at = 0;
    while let Ok(size) = usize::from_str_radix(field(at + 124, 12).trim(), 8) {
        at = at.saturating_add(512).saturating_add(size.div_ceil(512).saturating_mul(512));
        match at.checked_add(512).filter(|end| *end <= bytes.len()) {
            Some(_) if bytes[at] != 0 => names.push(field(at, 100)),
            _ => break,
        }
    }
    archive("tar", "tar xf", names.iter().map(String::as_str))
}

/// An archive that is no checkpoint itself: what lies in it, and whether one of that may be.
pub(super) fn archive<'n>(kind: &str, unpack: &str, names: impl Iterator<Item = &'n str>) -> Fault {
    let mut names: Vec<&str> = names.filter(|name| !name.ends_with('/')).collect();
    names.sort_unstable();
    let ends = |name: &str, ends: &[&str]| ends.iter().any(|end| name.to_lowercase().ends_with(end));
    let weights = [".pt", ".pth", ".ckpt", ".t7", ".safetensors", ".bin", ".pkl", ".tar", ".th", ".pt.gz", ".pth.gz"];
    if !names.is_empty() && names.iter().all(|name| ends(name, &[".npy"])) {
        let say = "an archive of numpy arrays (.npz): save them with torch.save(dict(numpy.load(FILE)), 'weights.pt')";
        return Fault::Malformed(format!("{say}; in it: {}", list(&names)));
    }
    if names.iter().any(|name| ends(name, &["model.weights.h5"])) {
        return Fault::Malformed("a Keras model (.keras): it holds no network of PyTorch".into());
    }
    if names.iter().any(|name| ends(name, &["/data.pkl"])) {
        return Fault::Malformed(format!(
            "a {kind} file without one data.pkl, so none of torch.save; several checkpoints in one? In it: {}",
            list(&names)
        ));
    }
    let likely: Vec<&str> = names.iter().copied().filter(|name| ends(name, &weights)).collect();
    if likely.is_empty() {
        let what = if names.is_empty() { "with nothing in it".into() } else { format!("with {} in it", list(&names)) };
        return Fault::Malformed(format!("a {kind} file without one data.pkl, so none of torch.save: an archive {what}"));
    }
    Fault::Malformed(format!("a {kind} archive with {} in it: unpack it first ({unpack}) and import that file", list(&likely)))
}

/// The first of these names, for a message.
fn list(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(3).map(|name| format!("'{}'", excerpt(name).unwrap_or_default())).collect();
    let more = names.len().saturating_sub(3);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_checkpoint_is_named_for_what_it_is() {
        for (bytes, says) in [
            (
                b"<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head>".as_slice(),
                "a web page ('Google Drive - Virus scan warning')",
            ),
            (b"\n\n<html lang='en'>\n<p>Sign in", "a web page and no"),
            (b"<!-- a --><HTML>", "a web page"),
            (b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "an XML message ('AccessDenied')"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:01\n", "`git lfs pull`"),
            (b"\xef\xbb\xbf{\"error\": \"not found\"}", "a JSON text ('{\"error\": \"not found\"}')"),
            (b"Entry not found", "a text file ('Entry not found')"),
            ("# caf\u{e9} weights\n".as_bytes(), "a text file"),
            (b"\xff\xfeh\0i\0", "UTF-16"),
            (b"\x1f\x8b\x08\0", "gunzip"),
            (b"\x28\xb5\x2f\xfd\0\0", "unzstd"),
            (b"\x89PNG\r\n", "a PNG picture"),
            (b"\x7fELF\x02", "a program"),
            (&[0; 64], "nothing but zeros"),
            (b"\xff\0\0\0\0\0\0\0{\"w\":", "cut short"),
            (b"\x01\x02\x03\x04", "another kind"),
            (b"", "empty"),
        ] {
            let said = name(bytes).to_string();
            assert!(said.contains(says), "{said} does not say {says}");
        }
        let mut tar = vec![0u8; 2048];
        tar[..8].copy_from_slice(b"model.pt");
        tar[124..135].copy_from_slice(b"00000000007");
        tar[257..262].copy_from_slice(b"ustar");
        tar[1024..1033].copy_from_slice(b"notes.txt");
        let said = name(&tar).to_string();
        assert!(said.contains("a tar archive with 'model.pt' in it: unpack it first (tar xf)"), "{said}");
        tar[..8].copy_from_slice(b"pickle\0\0");
        assert!(name(&tar).to_string().contains("before 0.1.10"));
        for (names, says) in [
            (vec!["model.pt", "readme"], "a zip archive with 'model.pt' in it: unpack it first (unzip)"),
            (vec!["conv1.weight.npy"], "numpy.load"),
            (vec!["readme"], "without one data.pkl"),
            (vec!["a\u{1b}[2J.pth"], "with 'a[2J.pth'"),
        ] {
            let said = archive("zip", "unzip", names.into_iter()).to_string();
            assert!(said.contains(says), "{said}");
        }
    }
}
