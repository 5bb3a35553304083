//! The terminal, and what stands between it and us, by the environment and the kernel alone.

use super::{Group, said};
use rematch::ui::capability::{self, Colour, Glyphs, Multiplexer, Output};
use rustix::termios::tcgetwinsize;
use std::io::{IsTerminal, stderr, stdin, stdout};

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

pub fn facts() -> Group {
    let mut group = Group::new("terminal");
    let output = if stdout().is_terminal() { Output::Terminal } else { Output::Other };
    let (found, why) = capability::explain(&env, output);
    for name in ["TERM", "COLORTERM", "TERM_PROGRAM", "NO_COLOR", "LC_ALL", "LC_CTYPE", "LANG"] {
        group.variable(name);
    }
    let word = |there| if there { "terminal" } else { "no terminal" };
    let (input, output, errors) = (stdin().is_terminal(), stdout().is_terminal(), stderr().is_terminal());
    group.say("standard input", word(input));
    group.say("standard output", word(output));
    group.say("standard error", word(errors));
    group.ask("size", size());
    let colour = match found.colour {
        Colour::TrueColour => "true colour",
        Colour::Ansi256 => "256 colours",
        Colour::Ansi16 => "16 colours",
        Colour::Mono => "none",
    };
    group.say("colours", format!("{colour}: {}", why.colour));
    let glyphs = match found.glyphs {
        Glyphs::Braille => "braille",
        Glyphs::Half => "half blocks",
        Glyphs::Ascii => "ASCII",
    };
    group.say("glyphs", format!("{glyphs}: {}", why.glyphs));
    group.say("SSH", if found.over_ssh { "yes" } else { "no" });
    group.say("frames a second", format!("{} at most: {}", found.max_fps, why.max_fps));
    let on = if found.synchronized { "on" } else { "off" };
    group.say("synchronized output", format!("{on}: {}", why.synchronized));
    group.say("screen", if found.dumb { "no: plain lines unless asked for" } else { "yes" });
    group
}

/// Of the first of the three that is a terminal.
fn size() -> Result<String, String> {
    let found = [tcgetwinsize(stdout()), tcgetwinsize(stderr()), tcgetwinsize(stdin())];
    match found.into_iter().flatten().next() {
        Some(size) if size.ws_col == 0 || size.ws_row == 0 => Ok("0x0: taken for 80x24".into()),
        Some(size) => Ok(format!("{}x{}", size.ws_col, size.ws_row)),
        None => Err("no terminal".into()),
    }
}

pub fn multiplexer() -> Group {
    let mut group = Group::new("multiplexer");
    let found = capability::detect(&env, Output::Terminal).multiplexer;
    match &found {
        Multiplexer::None => group.say("inside", "none"),
        Multiplexer::Screen => group.say("inside", "GNU screen, or a multiplexer on the other side of SSH"),
        Multiplexer::Tmux { version } => {
            let version = version.as_ref().map_or("version not told", |version| version.as_str());
            group.say("inside", format!("tmux ({version})"));
        }
    }
    group.ask("tmux -V", said("tmux", &["-V"]));
    if std::env::var_os("TMUX").is_some() {
        let told = said("tmux", &["show-options", "-sv", "escape-time"]);
        group.ask("escape-time", told.map(|ms| advice(&ms)));
    }
    group
}

fn advice(ms: &str) -> String {
    match ms.parse::<u32>() {
        Ok(n) if n > 50 => format!("{ms} ms: Esc answers late; `set -s escape-time 10` in tmux.conf mends it"),
        Ok(_) | Err(_) => format!("{ms} ms"),
    }
}
