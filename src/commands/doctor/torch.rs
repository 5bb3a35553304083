//! libtorch, looked at as files and by the loader: nothing of it is called, so that a broken one cannot keep the report from being made.

use super::Group;
use crate::commands::loader::{self, CPU, NEEDED, PROGRAM, version, version_beside};
use std::path::{Path, PathBuf};

pub fn facts() -> Group {
    let mut group = Group::new("libtorch");
    group.variable("LIBTORCH");
    group.variable("LD_LIBRARY_PATH");
    group.say("needed", NEEDED);
    let loaded = loaded();
    match &loaded {
        Some(file) => group.say("loaded", file.display().to_string()),
        None if cfg!(feature = "torch") => group.say("loaded", format!("? {CPU} is not among the loaded libraries")),
        None => group.say("loaded", "not by this program: rematch-torch beside it does"),
    }
    let program = std::env::current_exe().map(|here| here.with_file_name(PROGRAM)).ok().filter(|there| there.exists());
    if loaded.is_none()
        && let Some(program) = &program
    {
        group.say(
            "start",
            loader::trouble(program).unwrap_or_else(|| "nothing is known to keep rematch-torch from starting".into()),
        );
    }
    let traced = program.and_then(|program| loader::trace(&program)?.file(CPU).map(Path::to_path_buf));
    let used = loaded.or(traced);
    for file in foreign(used.as_deref()) {
        let version = version_beside(&file).unwrap_or_else(|_| "of unknown version".into());
        group.say("another", format!("libtorch {version} in LD_LIBRARY_PATH, not used: {}", file.display()));
    }
    let Some(file) = used.or_else(beside) else {
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

/// Other copies of libtorch that `LD_LIBRARY_PATH` leads to.
fn foreign(used: Option<&Path>) -> Vec<PathBuf> {
    let used = used.and_then(|used| used.canonicalize().ok());
    let files = listed().into_iter().map(|folder| folder.join(CPU)).filter(|file| file.exists());
    files.filter(|file| file.canonicalize().ok() != used).collect()
}

fn listed() -> Vec<PathBuf> {
    let listed = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    std::env::split_paths(&listed).filter(|folder| !folder.as_os_str().is_empty()).collect()
}

/// Where builds look: `LIBTORCH`, and `.libtorch` above the program, as `make setup` makes it; then where the loader looks after that.
fn beside() -> Option<PathBuf> {
    let named = std::env::var_os("LIBTORCH").map(|folder| PathBuf::from(folder).join("lib")).into_iter();
    let program = std::env::current_exe().ok();
    let above = program.iter().flat_map(|path| path.ancestors().skip(1)).map(|folder| folder.join(".libtorch/torch/lib"));
    named.chain(above).chain(listed()).map(|folder| folder.join(CPU)).find(|file| file.exists())
}
