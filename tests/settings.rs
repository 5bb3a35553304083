//! Settings, keys and themes as a person has them: files in a folder, variables, options, and what the program says to each.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use std::fs;
use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_rematch-torch");
const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo");
const WAIT: Duration = Duration::from_mins(1);

fn home(files: &[(&str, &str)]) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = home.path().join("rematch").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    home
}

fn rematch(home: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_clear().env("XDG_CONFIG_HOME", home).env("HOME", home).env("TERM", "xterm-256color");
    command.env("LANG", "C.UTF-8").envs(variables.iter().copied()).current_dir(home).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn settings_say_where_they_come_from() {
    let home =
        home(&[("config.toml", "[ui]\nmax_fps = 3\nglyphs = \"half\"\ntheme = \"dusk\"\n"), ("themes/dusk.toml", "ok = 40\n")]);
    let found = rematch(home.path(), &["config", "--ui"], &[("REMATCH_UI_GLYPHS", "ascii"), ("NO_COLOR", "1")]);
    assert!(found.status.success(), "{}", text(&found.stderr));
    let shown = text(&found.stdout);
    for says in ["max_fps = 3", "config.toml:2", "glyphs = \"ascii\"", "# REMATCH_UI_GLYPHS", "color = \"mono\"", "# by itself"] {
        assert!(shown.contains(says), "{says}\n{shown}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line_before_anything_begins() {
    let home = home(&[]);
    let folder = home.path().join("rematch");
    fs::create_dir_all(folder.join("themes")).unwrap();
    let replay = |extra: &[&str], variables: &[(&str, &str)]| {
        let arguments: Vec<&str> = ["replay", DEMO, "--ui", "plain"].iter().chain(extra).copied().collect();
        let done = rematch(home.path(), &arguments, variables);
        (done.status.code(), text(&done.stderr))
    };
    assert_eq!(replay(&[], &[]).0, Some(0));
    let refused = |extra: &[&str], variables: &[(&str, &str)], says: &[&str]| {
        let (code, shown) = replay(extra, variables);
        assert_eq!(code, Some(2), "{shown}");
        for part in says {
            assert!(shown.contains(part), "{part}\n{shown}");
        }
    };
    fs::write(folder.join("config.toml"), "[ui]\nmax_fsp = 3\n").unwrap();
    refused(&[], &[], &["config.toml:2: ui.max_fsp is no setting; did you mean ui.max_fps?"]);
    fs::remove_file(folder.join("config.toml")).unwrap();
    fs::write(folder.join("keys.toml"), "[everywhere]\npause = \"7\"\n").unwrap();
    refused(&[], &[], &["keys.toml:2: pause = \"7\": a terminal's own replies may hold 7"]);
    fs::remove_file(folder.join("keys.toml")).unwrap();
    fs::write(folder.join("themes/mine.toml"), "\nacent = \"red\"\n").unwrap();
    refused(&["--theme", "mine"], &[], &["mine.toml:2: acent is nothing that has a colour; did you mean accent?"]);
    // Nobody chose it: nothing is kept from starting.
    let others = rematch(home.path(), &["replay", DEMO, "--ui", "plain"], &[]);
    assert!(others.status.success(), "{}", text(&others.stderr));
    fs::remove_file(folder.join("themes/mine.toml")).unwrap();
    refused(&["--theme", "nope"], &[], &["theme nope (command line): there is none of that name; allowed: default, light"]);
    refused(&["--theme", "nope.toml"], &[], &["nope.toml: there is no such file"]);
    refused(&["--keys", "nope.toml"], &[], &["nope.toml: there is no such file"]);
    refused(
        &[],
        &[("REMATCH_UI_MAX_FPS", "99")],
        &["REMATCH_UI_MAX_FPS=99: '99' is not allowed here; allowed: auto, or 1 to 60"],
    );
}

#[test]
fn the_keys_are_printed_changed_and_checked() {
    let home = home(&[]);
    let printed = rematch(home.path(), &["keys"], &[]);
    let table = text(&printed.stdout);
    assert!(table.contains("[everywhere]") && table.contains("pause = \"space\""), "{table}");
    let file = home.path().join("keys.toml");
    fs::write(&file, table.replace("pause = \"space\"", "pause = [\"space\", \"ctrl-p\"]")).unwrap();
    let checked = rematch(home.path(), &["keys", "--check", "keys.toml"], &[]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    let again = rematch(home.path(), &["keys", "--keys", "keys.toml"], &[]);
    assert!(text(&again.stdout).contains("pause = [\"space\", \"ctrl-p\"]"));
    fs::write(&file, "[chart]\nzoom-in = \"q\"\n").unwrap();
    let checked = rematch(home.path(), &["keys", "--check", "keys.toml"], &[]);
    assert_eq!(checked.status.code(), Some(2));
    assert!(text(&checked.stderr).contains("keys.toml:2: zoom-in = \"q\": q is quit in [everywhere] already"));
}

/// The screen on a terminal of its own: own keys, a command, a frame in the run's folder, and the lines of a dumb terminal.
#[test]
fn on_a_terminal_own_keys_work_and_frames_are_kept() {
    let home = home(&[("keys.toml", "[everywhere]\nquit = \"ctrl-x\"\n"), ("config.toml", "[ui]\ntheme = \"mono\"\n")]);
    let run = home.path().join("run");
    fs::create_dir(&run).unwrap();
    for entry in fs::read_dir(DEMO).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, run.join(path.file_name().unwrap())).unwrap();
        }
    }
    let pair = native_pty_system().openpty(PtySize { rows: 30, cols: 100, pixel_width: 0, pixel_height: 0 }).unwrap();
    let mut command = CommandBuilder::new(PROGRAM);
    command.args(["replay", "run", "--pace", "max"]);
    command.env_clear();
    for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8")] {
        command.env(name, value);
    }
    command.env("XDG_CONFIG_HOME", home.path());
    command.cwd(home.path());
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let size = |n| NonZero::new(n).unwrap();
    let parser = Arc::new(Mutex::new(vt100::Parser::new(size(30), size(100), 0)));
    let (mut reader, fed) = (pair.master.try_clone_reader().unwrap(), parser.clone());
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count) = reader.read(&mut bytes) {
            if count == 0 {
                return;
            }
            fed.lock().unwrap().process(&bytes[..count]);
        }
    });
    let wait_for = |what: &str| {
        let end = Instant::now() + WAIT;
        while Instant::now() < end {
            let shown = parser.lock().unwrap().screen().contents();
            if shown.contains(what) {
                return shown;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{what} is not shown:\n{}", parser.lock().unwrap().screen().contents());
    };
    let mut keys = pair.master.take_writer().unwrap();
    let mut press = |bytes: &str| {
        keys.write_all(bytes.as_bytes()).unwrap();
        keys.flush().unwrap();
    };
    wait_for("COMPLETED");
    press("P");
    wait_for("Save what the screen shows");
    press("\r");
    wait_for("written: run/frame-demo-852.txt");
    let kept = fs::read_to_string(run.join("frame-demo-852.txt")).unwrap();
    assert!(kept.contains("COMPLETED") && !kept.contains("Save what the screen shows"), "{kept}");
    assert_eq!(kept.lines().count(), 30);
    press(":");
    wait_for("unset  pause");
    press("write shot.ans");
    wait_for(":write shot.ans");
    press("\r");
    wait_for("written: shot.ans");
    let kept = fs::read_to_string(home.path().join("shot.ans")).unwrap();
    assert!(kept.contains("\x1b[0;1m") && !kept.contains("38;"), "mono has attributes and no colours");
    press(":");
    wait_for("unset  pause");
    press("write shot.ans");
    wait_for(":write shot.ans");
    press("\r");
    wait_for("shot.ans is there already");
    // q is no longer what leaves.
    press("q");
    press("\x18");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_dumb_terminal_gets_lines() {
    let home = home(&[]);
    let done = rematch(home.path(), &["replay", DEMO], &[("TERM", "dumb")]);
    assert!(done.status.success());
    let shown = text(&done.stdout);
    assert!(shown.contains("epoch") && !shown.contains('\x1b'), "{shown}");
}
