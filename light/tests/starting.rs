//! The light program: what it does itself, and how it goes on as the other.

#![expect(clippy::unwrap_used, reason = "a test says best where it broke by breaking there")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

const LIGHT: &str = env!("CARGO_BIN_EXE_rematch");

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The light program in a folder of its own, beside what `other` is said to be.
fn beside(other: Option<&str>, args: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let light = folder.path().join("rematch");
    fs::copy(LIGHT, &light).unwrap();
    if let Some(script) = other {
        let path = folder.path().join("rematch-torch");
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    Command::new(light).args(args).output().unwrap()
}

#[test]
fn looking_needs_nothing_beside_it() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/demo").display().to_string();
    for args in [vec!["--help"], vec!["--version"], vec!["replay", &demo, "--ui", "plain"]] {
        let output = beside(None, &args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        assert!(text(&output.stdout).contains(if args.len() == 1 { "rematch" } else { "completed" }), "{args:?}");
    }
}

#[test]
fn what_needs_libtorch_is_handed_on_with_every_word_and_its_exit_code() {
    let script = "#!/bin/sh\nprintf '%s|' \"$@\"\nexit 130\n";
    let output = beside(Some(script), &["train", "a b.toml", "-s", "method.lambda=0.5"]);
    assert_eq!((text(&output.stdout).as_str(), output.status.code()), ("train|a b.toml|-s|method.lambda=0.5|", Some(130)));
}

#[test]
fn a_missing_half_is_named_with_what_to_do() {
    let output = beside(None, &["train", "x.toml"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("rematch-torch") && said.contains("cargo build"), "{said}");
    // Words that are wrong are told at once, without the other program.
    let output = beside(None, &["train", "--no-such-thing"]);
    assert!(text(&output.stderr).contains("--no-such-thing"));
}

#[test]
fn it_is_linked_to_no_part_of_libtorch() {
    let bytes = fs::read(LIGHT).unwrap();
    let has = |name: &[u8]| bytes.windows(name.len()).any(|window| window == name);
    assert!(!has(b"libtorch") || !has(b"libc10.so"), "the light program names libtorch's libraries");
}
