//! The program inside tmux, as most people meet it over SSH: typed keys, what the pane shows, other sizes, suspending, the end of
//! the session. Runs where tmux is found and says so where it is not.
//!
//! Each test has a server of its own, which ends with it. No wait is for a fixed time; each is for content, with a deadline.

#![expect(clippy::unwrap_used, reason = "a fault in a test is told by its panic, in helper functions as well")]
#![expect(clippy::print_stderr, reason = "a test that did not run must say so")]

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_rematch-torch");
const PATIENCE: Duration = Duration::from_mins(1);

/// A server with one session in it.
struct Tmux {
    socket: String,
}

fn tmux(socket: &str, args: &[&str]) -> std::io::Result<Output> {
    let mut command = Command::new("tmux");
    command.args(["-L", socket, "-f", "/dev/null"]).args(args);
    command.env_remove("TMUX").env_remove("NO_COLOR").env("LANG", "C.UTF-8").env("LC_ALL", "C.UTF-8").env("PS1", "prompt> ");
    command.stdin(Stdio::null()).output()
}

impl Tmux {
    /// A shell in a pane of 80x24; nothing where there is no tmux.
    fn start(name: &str) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            eprintln!("not run: there is no tmux here");
            return None;
        }
        let socket = format!("rematch-{name}-{}", std::process::id());
        let shell = ["new-session", "-d", "-x", "80", "-y", "24", "bash", "--norc", "--noprofile", "-i"];
        let began = tmux(&socket, &shell).unwrap();
        assert!(began.status.success(), "{began:?}");
        let tmux = Self { socket };
        tmux.until("the shell", |screen| screen.contains("prompt>"));
        Some(tmux)
    }

    fn replaying(name: &str, pace: &str) -> Option<Self> {
        let tmux = Self::start(name)?;
        tmux.types(&format!("{PROGRAM} replay assets/demo --pace {pace}"));
        tmux.keys(&["Enter"]);
        tmux.until("the screen", |screen| screen.contains("Loss") && screen.contains("demo"));
        Some(tmux)
    }

    fn run(&self, args: &[&str]) -> String {
        let output = tmux(&self.socket, args).unwrap();
        assert!(output.status.success(), "tmux {args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn keys(&self, keys: &[&str]) {
        self.run(&[&["send-keys"], keys].concat());
    }

    fn types(&self, text: &str) {
        self.run(&["send-keys", "-l", text]);
    }

    fn screen(&self) -> String {
        self.run(&["capture-pane", "-p"])
    }

    fn until(&self, what: &str, there: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if there(&screen) {
                return;
            }
            assert!(Instant::now() < deadline, "{what} did not come; the pane says:\n{screen}");
            std::thread::sleep(Duration::from_millis(20)); // tmux wakes nobody; the deadline decides
        }
    }

    /// Of the program in the pane, which the shell began.
    fn program(&self) -> u32 {
        let shell = self.run(&["display-message", "-p", "#{pane_pid}"]);
        let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", shell.trim())).unwrap();
        children.split_whitespace().next().unwrap().parse().unwrap()
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = tmux(&self.socket, &["kill-server"]);
    }
}

#[test]
fn keys_turn_views_and_the_end_gives_the_pane_back() {
    let Some(tmux) = Tmux::replaying("keys", "max") else { return };
    tmux.until("the end of the run", |screen| screen.contains("852/852"));
    tmux.keys(&["?"]);
    tmux.until("the keys", |screen| screen.contains("Keys") && screen.contains("search"));
    tmux.keys(&["Escape"]);
    // An escape with a key close behind it would be Alt and that key.
    tmux.until("the screen without them", |screen| !screen.contains("search"));
    tmux.keys(&["3"]);
    tmux.until("the Robust view", |screen| !screen.contains("Loss"));
    tmux.keys(&["1", "L"]);
    tmux.until("the log", |screen| screen.contains("Log") && screen.contains("completed at step 852"));
    tmux.keys(&["q"]);
    tmux.until("the shell", |screen| screen.contains("prompt>") && !screen.contains("Log"));
    let state = tmux.run(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]);
    assert_eq!(state.trim(), "0 1", "the ordinary screen and its cursor");
}

#[test]
fn windows_of_any_size_are_drawn_and_drawn_again() {
    let Some(tmux) = Tmux::replaying("sizes", "max") else { return };
    tmux.until("the end of the run", |screen| screen.contains("852/852"));
    let size = |width: &str, height: &str| tmux.run(&["resize-window", "-x", width, "-y", height]);
    size("30", "5");
    tmux.until("what it needs", |screen| screen.contains("need 60x16"));
    size("1", "1");
    size("200", "60");
    tmux.until("the widest screen", |screen| screen.lines().any(|line| line.chars().count() > 180));
    for i in 0..30 {
        size(&format!("{}", 20 + 5 * i), &format!("{}", 5 + i));
    }
    size("80", "24");
    tmux.until("the screen", |screen| screen.contains("852/852") && screen.contains("Loss"));
    size("120", "40");
    tmux.until("the wide screen", |screen| screen.lines().any(|line| line.chars().count() > 110));
    tmux.keys(&["q"]);
    tmux.until("the shell and nothing of the screen", |screen| screen.contains("prompt>") && !screen.contains('│'));
}

#[test]
fn suspended_and_continued_it_is_whole_again() {
    let Some(tmux) = Tmux::replaying("suspend", "max") else { return };
    tmux.until("the end of the run", |screen| screen.contains("852/852"));
    tmux.keys(&["C-z"]);
    tmux.until("the shell", |screen| screen.contains("Stopped") && !screen.contains("Loss"));
    let state = tmux.run(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]);
    assert_eq!(state.trim(), "0 1", "the ordinary screen and its cursor");
    tmux.types("fg");
    tmux.keys(&["Enter"]);
    tmux.until("the screen", |screen| screen.contains("Loss") && screen.contains("852/852") && !screen.contains("Stopped"));
    tmux.keys(&["?"]);
    tmux.until("the keys", |screen| screen.contains("Keys"));
}

#[test]
fn the_end_of_the_session_is_the_end_of_the_showing() {
    let Some(tmux) = Tmux::replaying("end", "1") else { return };
    let program = tmux.program();
    tmux.run(&["kill-server"]);
    let deadline = Instant::now() + PATIENCE;
    let gone = || std::fs::read_to_string(format!("/proc/{program}/stat")).map_or(true, |stat| stat.contains(") Z "));
    while !gone() {
        assert!(Instant::now() < deadline, "it goes on without a terminal");
        std::thread::sleep(Duration::from_millis(20)); // there is nothing to be woken by; the deadline decides
    }
}
