//! The commands that tell of the program itself: doctor, completions, man. Each runs the program as a person would.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

use std::io::Write;
use std::process::{Command, Output, Stdio};

fn rematch(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rematch-torch"));
    command.args(args).stdin(Stdio::null());
    command
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Without a home, a terminal, or much of an environment.
fn bare(args: &[&str]) -> Command {
    let mut command = rematch(args);
    command.env_clear();
    command
}

#[test]
fn the_doctor_tells_everything_in_a_pipe_and_nothing_secret() {
    let home = tempfile::tempdir().unwrap();
    let mut command = rematch(&["doctor"]);
    command.env("HOME", home.path()).env("USER", "zacharias").env("TERM", "xterm-256color").env("LC_ALL", "C.UTF-8");
    command.env("LD_LIBRARY_PATH", home.path().join("zacharias/lib")).env_remove("NO_COLOR").env_remove("COLORTERM");
    let shown = text(&command.output().unwrap());
    for group in ["program", "terminal", "multiplexer", "libtorch", "CUDA", "host", "limits", "folders"] {
        assert!(shown.lines().any(|line| line == group), "{group}: {shown}");
    }
    let fact = |name: &str| {
        let line = shown.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_else(|| panic!("{name}: {shown}"));
        line.trim_start().trim_start_matches(name).trim().to_string()
    };
    assert_eq!(fact("version"), concat!("rematch ", env!("CARGO_PKG_VERSION")));
    assert_eq!(fact("standard output"), "no terminal");
    assert_eq!(fact("colours"), "256 colours: TERM says so, and COLORTERM says no more");
    assert_eq!(fact("glyphs"), "braille: the locale is UTF-8");
    assert_eq!(fact("LD_LIBRARY_PATH"), "~/USER/lib");
    assert!(fact("cache").starts_with("~/.cache/rematch, not there: "), "{shown}");
    assert!(!shown.contains("zacharias") && !shown.contains(home.path().to_str().unwrap()), "{shown}");
    // Aligned: every value begins in the same column.
    let starts = shown.lines().filter(|line| line.starts_with("  "));
    let column = "  CUDA_VISIBLE_DEVICES".len();
    assert!(starts.clone().all(|line| line.is_char_boundary(column) && line[column..].starts_with("  ")), "{shown}");
}

#[test]
fn another_libtorch_in_the_library_path_is_not_loaded_and_is_named() {
    let home = tempfile::tempdir().unwrap();
    let lib = home.path().join("torch/lib");
    std::fs::create_dir_all(&lib).unwrap();
    // The loader would stop at the first of them.
    for name in ["libc10.so", "libtorch_cpu.so", "libtorch.so", "libgomp.so.1"] {
        std::fs::write(lib.join(name), "of another version").unwrap();
    }
    std::fs::write(home.path().join("torch/version.py"), "__version__ = '1.12.1'\ncuda = '10.2'\n").unwrap();
    let shown = text(&rematch(&["doctor"]).env("LD_LIBRARY_PATH", &lib).output().unwrap());
    let another = shown.lines().find(|line| line.contains("another")).unwrap_or_else(|| panic!("{shown}"));
    assert!(another.contains("libtorch 1.12.1, made for CUDA 10.2 in LD_LIBRARY_PATH, not used"), "{shown}");
    assert!(
        !shown.lines().any(|line| line.trim_start().starts_with("loaded")
            && line.contains("torch/lib/libtorch_cpu.so")
            && line.contains(home.path().to_str().unwrap())),
        "{shown}"
    );
}

#[test]
fn the_doctor_never_fails() {
    let shown = text(&bare(&["doctor"]).output().unwrap());
    assert!(shown.contains("? neither XDG_CACHE_HOME nor HOME is set"), "{shown}");
    assert!(shown.contains("ASCII: LC_ALL, LC_CTYPE and LANG are not set"), "{shown}");
    let json: serde_json::Value = serde_json::from_str(&text(&bare(&["doctor", "--json"]).output().unwrap())).unwrap();
    assert_eq!(json["terminal"]["TERM"], "not set");
    assert!(json["host"]["cores"].as_str().unwrap().parse::<u32>().unwrap() > 0);
    // Nobody reads, and that is nobody's fault.
    let mut child = rematch(&["doctor"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

fn commands() -> Vec<String> {
    let help = text(&rematch(&["--help"]).output().unwrap());
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<String> = listed.filter_map(|line| line.split_whitespace().next()).map(String::from).collect();
    assert!(names.len() > 10, "{help}");
    names
}

#[test]
fn completions_know_every_command_and_are_read_by_their_shell() {
    let commands = commands();
    for shell in ["bash", "zsh", "fish"] {
        let script = text(&rematch(&["completions", shell]).output().unwrap());
        for command in &commands {
            assert!(script.contains(command.as_str()), "{shell}: {command}");
        }
        let spawned = Command::new(shell).arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        // A shell that is not installed judges nothing.
        let Ok(mut child) = spawned else { continue };
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let judged = child.wait_with_output().unwrap();
        assert!(judged.status.success(), "{shell}: {}", String::from_utf8_lossy(&judged.stderr));
    }
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let whole = text(&rematch(&["man"]).output().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("man1");
    assert_eq!(text(&rematch(&["man", "--dir", to.to_str().unwrap()]).output().unwrap()), "");
    assert_eq!(std::fs::read_to_string(to.join("rematch.1")).unwrap(), whole);
    // Manual pages write a hyphen that is one so.
    let plain = whole.replace("\\-", "-");
    for command in commands() {
        assert!(plain.contains(&command), "{command}");
        let page = std::fs::read_to_string(to.join(format!("rematch-{command}.1"))).unwrap();
        assert!(page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"), "{command}: {page}");
    }
    assert!(to.join("rematch-bench-step.1").exists());
    let rendered = Command::new("man").arg("-l").arg(to.join("rematch-train.1")).env("MANPAGER", "cat").output();
    if let Ok(rendered) = rendered.as_ref()
        && rendered.status.success()
    {
        assert!(String::from_utf8_lossy(&rendered.stdout).contains("SYNOPSIS"));
    }
}
