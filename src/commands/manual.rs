//! `rematch completions` and `rematch man`: what shells and `man` know of the command line, from the command line's own words.

use crate::cli::{Cli, Completions, Man};
use anyhow::anyhow;
use clap::{Command, CommandFactory};
use std::io::Write;
use std::path::Path;

pub fn completions(args: &Completions) -> u8 {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rematch", &mut text);
    tell(&text)
}

pub fn man(args: &Man) -> anyhow::Result<u8> {
    let mut whole = Cli::command();
    whole.build();
    match &args.dir {
        None => Ok(tell(&page(&whole, "rematch")?)),
        Some(folder) => {
            write(&whole, "rematch", folder)?;
            Ok(0)
        }
    }
}

/// A page for a command and one for each below it: `rematch-bench-step.1`.
fn write(command: &Command, name: &str, folder: &Path) -> anyhow::Result<()> {
    super::write_file(&folder.join(format!("{name}.1")), &page(command, name)?)?;
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write(below, &format!("{name}-{}", below.get_name()), folder)?;
    }
    Ok(())
}

fn page(command: &Command, name: &str) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    let source = concat!("rematch ", env!("CARGO_PKG_VERSION"));
    let page = clap_mangen::Man::new(command.clone()).title(name.to_uppercase()).section("1").source(source);
    page.render(&mut text).map_err(|error| anyhow!("{name}: the page cannot be made: {error}"))?;
    Ok(text)
}

fn tell(text: &[u8]) -> u8 {
    // A closed pipe (`rematch man | head`) is not an error of ours.
    let _ = std::io::stdout().write_all(text);
    0
}
