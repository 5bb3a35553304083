//! The shape of the source: what every file opens with, how long it may be, what it may be called, what it may use.
//!
//! Judges by text alone; what the compiler and clippy judge is left to them.

#![expect(clippy::unwrap_used, reason = "a test says best where it broke by breaking there")]

use std::path::{Path, PathBuf};

const LINES_BEFORE_TESTS: usize = 500;
const SAYS_NOTHING: &[&str] = &["utils", "util", "helpers", "common", "base", "manager", "misc"];

fn sources() -> Vec<(PathBuf, String)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                files.push((path, text));
            }
        }
    }
    assert!(files.len() > 10, "only {} source files were found", files.len());
    files
}

fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for_and_is_short() {
    let mut faults = Vec::new();
    for (path, text) in sources() {
        if !text.starts_with("//! ") {
            faults.push(format!("{}: does not open with //!", path.display()));
        }
        let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        if lines > LINES_BEFORE_TESTS {
            faults.push(format!("{}: {lines} lines before its tests, at most {LINES_BEFORE_TESTS}", path.display()));
        }
        let stem = path.file_stem().unwrap().to_string_lossy();
        if SAYS_NOTHING.contains(&&*stem) || stem == "mod" {
            faults.push(format!("{}: name it for the one idea it holds", path.display()));
        }
        for unfinished in ["todo!(", "unimplemented!("] {
            if text.contains(unfinished) {
                faults.push(format!("{}: {unfinished})", path.display()));
            }
        }
    }
    none(&faults);
}

#[test]
fn a_module_uses_only_those_above_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let map = std::fs::read_to_string(root.join("lib.rs")).unwrap();
    // The working half stands in alphabetical order, which formatting keeps; within it this is the order of use.
    let working = ["nn", "attacks", "methods", "train"];
    let mut order: Vec<&str> = map.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let first = order.iter().position(|name| working.contains(name)).expect("lib.rs lists the working half");
    order.retain(|name| !working.contains(name));
    for (offset, name) in working.iter().enumerate() {
        order.insert(first + offset, name);
    }
    let rank = |name: &str| order.iter().position(|module| *module == name);
    let mut faults = Vec::new();
    for (path, text) in sources() {
        let inside = path.strip_prefix(&root).unwrap().with_extension("");
        let own = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let Some(own_rank) = rank(&own) else { continue };
        let code = text.lines().take_while(|line| *line != "#[cfg(test)]").filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            for mention in line.split("crate::").skip(1) {
                let name: String = mention.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if rank(&name).is_some_and(|used| used > own_rank) {
                    faults.push(format!("{}: {own} uses {name}, which stands below it", path.display()));
                }
            }
        }
    }
    none(&faults);
}
