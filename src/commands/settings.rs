//! Where settings, keys and themes of the screen lie, and what they come to together with the command line and the environment.
//!
//! Opens the files; what is in them is judged by the library.

use crate::cli::{Colour, Glyphs, Graphics, Look};
use anyhow::{anyhow, bail};
use etcetera::BaseStrategy as _;
use rematch::ui::capability::{self, Output};
use rematch::ui::keymap::Keymap;
use rematch::ui::settings::{Key, Settings, Source, is_file};
use rematch::ui::theme::{Inks, Themes};
use std::io::{ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};

/// How the screen is set, all of it.
pub struct Dress {
    pub settings: Settings,
    pub themes: Themes,
    pub keymap: Keymap,
}

/// # Errors
/// Whatever is wrong in any of the files, the variables or the options.
pub fn dress(look: &Look) -> anyhow::Result<Dress> {
    let settings = settings(look)?;
    let themes = themes(&settings)?;
    Ok(Dress { themes, keymap: keymap(look.keys.as_deref())?, settings })
}

/// The theme of a picture, which has all colours whatever the terminal has: only what the command line says counts.
pub fn for_pictures(look: &Look) -> anyhow::Result<Themes> {
    let mut settings = Settings::found(&capability::detect(&|_| None, Output::Other));
    let theme = look.theme.as_deref().unwrap_or(if look.color == Some(Colour::Light) { "light" } else { "default" });
    for (key, text) in [(Key::Color, "truecolor"), (Key::Theme, theme)] {
        settings.set(key, text, Source::Flag).map_err(|why| anyhow!("--theme {theme}: {why}"))?;
    }
    themes(&settings)
}

/// `$XDG_CONFIG_HOME/rematch`, or `~/.config/rematch`.
fn folder() -> Option<PathBuf> {
    etcetera::choose_base_strategy().ok().map(|base| base.config_dir().join("rematch"))
}

/// The text of a file, `None` where there is none.
fn text(path: &Path) -> anyhow::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            bail!("{}: is not text (UTF-8); write it in TOML", path.display())
        }
        Err(error) => bail!("{}: cannot be read: {error}", path.display()),
    }
}

fn named_text(path: &Path) -> anyhow::Result<String> {
    text(path)?.ok_or_else(|| anyhow!("{}: there is no such file", path.display()))
}

/// Flags over variables over the file over what the terminal is.
pub fn settings(look: &Look) -> anyhow::Result<Settings> {
    let output = if std::io::stdout().is_terminal() { Output::Terminal } else { Output::Other };
    let mut settings = Settings::found(&capability::detect(&|name| std::env::var(name).ok(), output));
    if let Some(path) = folder().map(|folder| folder.join("config.toml"))
        && let Some(text) = text(&path)?
    {
        settings.read(&text, &path)?;
    }
    for &key in Key::ALL {
        let name = key.variable();
        let Some(text) = std::env::var(&name).ok().filter(|text| !text.is_empty()) else { continue };
        settings.set(key, &text, Source::Variable(name.clone())).map_err(|why| anyhow!("{name}={text}: {why}"))?;
    }
    let colour = look.color.map(|colour| match colour {
        Colour::Truecolor | Colour::Light => "truecolor",
        Colour::Ansi256 => "256",
        Colour::Ansi16 => "16",
        Colour::Mono => "mono",
    });
    let glyphs = look.glyphs.map(|glyphs| match glyphs {
        Glyphs::Braille => "braille",
        Glyphs::Half => "half",
        Glyphs::Ascii => "ascii",
    });
    let graphics = look.graphics.map(|graphics| match graphics {
        Graphics::Auto => "auto",
        Graphics::Kitty => "kitty",
        Graphics::Cells => "cells",
    });
    let light = (look.color == Some(Colour::Light)).then_some("light");
    let flags = [
        (Key::Color, "--color", colour),
        (Key::Glyphs, "--glyphs", glyphs),
        (Key::Graphics, "--graphics", graphics),
        (Key::Theme, "--theme", look.theme.as_deref().or(light)),
    ];
    for (key, name, text) in flags {
        if let Some(text) = text {
            settings.set(key, text, Source::Flag).map_err(|why| anyhow!("{name} {text}: {why}"))?;
        }
    }
    Ok(settings)
}

/// What comes with the program and what lies in the folder of themes, the wanted one chosen.
pub fn themes(settings: &Settings) -> anyhow::Result<Themes> {
    let mut themes = Themes::built_in(settings.colour);
    let own = folder().map(|folder| folder.join("themes"));
    let mut files: Vec<PathBuf> = own
        .as_ref()
        .and_then(|folder| folder.read_dir().ok())
        .map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| is_toml(path)).collect())
        .unwrap_or_default();
    files.sort();
    if is_file(&settings.theme) {
        files.push(settings.theme.clone().into());
    }
    for path in &files {
        let inks = named_text(path).and_then(|text| Ok(Inks::read(&text, path)?));
        match inks {
            Ok(inks) => themes.add(&name_of(path), inks, settings.colour),
            // One that nobody chose must not keep a run from starting.
            Err(error) if settings.theme == name_of(path) || Path::new(&settings.theme) == path => return Err(error),
            Err(_) => {}
        }
    }
    let wanted = if is_file(&settings.theme) { name_of(Path::new(&settings.theme)) } else { settings.theme.clone() };
    if themes.choose(&wanted).is_none() {
        let known = themes.names().collect::<Vec<_>>().join(", ");
        let lie = own.map_or_else(String::new, |own| format!("; your own lie in {}", own.display()));
        bail!(
            "theme {wanted} ({}): there is none of that name; allowed: {known}, or a file.toml{lie}",
            settings.source(Key::Theme)
        );
    }
    Ok(themes)
}

fn is_toml(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "toml")
}

fn name_of(path: &Path) -> String {
    path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// The table of keys, with a person's own where there are any.
pub fn keymap(named: Option<&Path>) -> anyhow::Result<Keymap> {
    if let Some(path) = named {
        return keymap_of(path);
    }
    match folder().map(|folder| folder.join("keys.toml")) {
        Some(path) => match text(&path)? {
            Some(text) => Ok(Keymap::read(&text, &path)?),
            None => Ok(Keymap::default()),
        },
        None => Ok(Keymap::default()),
    }
}

pub fn keymap_of(path: &Path) -> anyhow::Result<Keymap> {
    Ok(Keymap::read(&named_text(path)?, path)?)
}
