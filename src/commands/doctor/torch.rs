//! libtorch, looked at as files: nothing of it is called, so that a broken one cannot keep the report from being made.

use super::Group;
use std::path::{Path, PathBuf};

const CPU: &str = "libtorch_cpu.so";

pub fn facts() -> Group {
    let mut group = Group::new("libtorch");
    group.variable("LIBTORCH");
    group.variable("LD_LIBRARY_PATH");
    let loaded = loaded();
    match &loaded {
        Some(file) => group.say("loaded", file.display().to_string()),
        None if cfg!(feature = "torch") => group.say("loaded", format!("? {CPU} is not among the loaded libraries")),
        None => group.say("loaded", "not by this program: rematch-torch beside it does"),
    }
    let Some(file) = loaded.or_else(beside) else {
        group.say("found", "none in LD_LIBRARY_PATH, in LIBTORCH or beside the program");
        return group;
    };
    let lib = file.parent().unwrap_or(Path::new("."));
    group.say("found", lib.display().to_string());
    group.ask("version", version(lib.parent().unwrap_or(Path::new("."))));
    let cuda = if lib.join("libtorch_cuda.so").exists() { "there" } else { "not there: CPU only" };
    group.say("CUDA half", cuda);
    group
}

/// The kernel's list of what this process has mapped.
fn loaded() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines().filter_map(|line| line.find('/').map(|at| PathBuf::from(&line[at..]))).find(|path| path.ends_with(CPU))
}

/// Where the loader looks for it first, then where builds do: `LIBTORCH`, and `.libtorch` above the program, as `make setup` makes it.
fn beside() -> Option<PathBuf> {
    let listed = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let listed = std::env::split_paths(&listed).map(|folder| folder.join(CPU)).find(|file| file.exists());
    if listed.is_some() {
        return listed;
    }
    let named = std::env::var_os("LIBTORCH").map(PathBuf::from).into_iter();
    let program = std::env::current_exe().ok();
    let above = program.iter().flat_map(|path| path.ancestors().skip(1)).map(|folder| folder.join(".libtorch/torch"));
    named.chain(above).map(|folder| folder.join("lib").join(CPU)).find(|file| file.exists())
}

/// Wheels have `version.py`, archives of libtorch `build-version`.
fn version(folder: &Path) -> Result<String, String> {
    if let Ok(text) = std::fs::read_to_string(folder.join("build-version")) {
        return Ok(text.trim().to_string());
    }
    let file = folder.join("version.py");
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let value = |name: &str| {
        let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', ':', '='])))?;
        Some(line.rsplit('=').next()?.trim().trim_matches(['\'', '"']).to_string())
    };
    let version = value("__version__").ok_or("version.py does not say")?;
    let cuda = value("cuda").filter(|cuda| cuda != "None").map_or_else(String::new, |cuda| format!(", made for CUDA {cuda}"));
    Ok(version + &cuda)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_either_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(version(folder.path()).unwrap_err().contains("version.py"));
        let text = "from typing import Optional\n\n__all__ = ['__version__', 'cuda']\n__version__ = '2.11.0+cu130'\ndebug = False\n\
                    cuda: Optional[str] = '13.0'\ngit_version = 'abc'\n";
        std::fs::write(folder.path().join("version.py"), text).unwrap();
        assert_eq!(version(folder.path()).unwrap(), "2.11.0+cu130, made for CUDA 13.0");
        std::fs::write(folder.path().join("version.py"), "__version__ = '2.11.0'\ncuda: Optional[str] = None\n").unwrap();
        assert_eq!(version(folder.path()).unwrap(), "2.11.0");
        std::fs::write(folder.path().join("build-version"), "2.11.0+cpu\n").unwrap();
        assert_eq!(version(folder.path()).unwrap(), "2.11.0+cpu");
    }
}
