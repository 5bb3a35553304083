//! The libraries that the system's loader would give to `rematch-torch`, asked of the loader itself without starting the program.
//!
//! A library that is missing, of another version or too large for this process ends the program before its first line, in words that name
//! neither the cause nor a way out.

use rematch::limits;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The program that is linked to libtorch. It lies beside the one that is not; `cargo build` makes both.
pub const PROGRAM: &str = "rematch-torch";
/// Version of libtorch that this program is made for.
pub const NEEDED: &str = "2.11.0";
pub const CPU: &str = "libtorch_cpu.so";

/// Addresses below which libtorch's initialisers fail in ways of their own.
const LEAST_SPACE: u64 = 800 << 20;

/// Answer of the loader: libraries with the files they come from, and its complaints.
#[derive(Debug, Default)]
pub struct Trace {
    found: Vec<(String, PathBuf)>,
    missing: Vec<String>,
    complaints: Vec<String>,
}

/// Asks the loader what it would load. `None` where it cannot be asked.
pub fn trace(program: &Path) -> Option<Trace> {
    let mut command = Command::new(program);
    // A loader that does not know the variable starts the program, which then only tells its version.
    command.arg("--version").env("LD_TRACE_LOADED_OBJECTS", "1").env("LD_WARN", "yes").stdin(Stdio::null());
    let output = command.output().ok()?;
    Some(read(&String::from_utf8_lossy(&output.stdout), &String::from_utf8_lossy(&output.stderr)))
}

fn read(out: &str, err: &str) -> Trace {
    let mut trace = Trace::default();
    for line in out.lines() {
        let Some((name, rest)) = line.trim().split_once(" => ") else { continue };
        if rest.starts_with("not found") {
            trace.missing.push(name.to_string());
        } else {
            // The address in brackets is the last word; a path may hold spaces.
            let path = rest.rsplit_once(" (").map_or(rest, |(path, _)| path);
            trace.found.push((name.to_string(), PathBuf::from(path)));
        }
    }
    let complaint = |line: &&str| ["cannot", "failed", "not found", "error"].iter().any(|word| line.contains(word));
    trace.complaints.extend(err.lines().chain(out.lines()).filter(complaint).map(|line| line.trim().to_string()));
    trace.complaints.retain(|line| !line.contains(" => "));
    trace
}

impl Trace {
    pub fn file(&self, name: &str) -> Option<&Path> {
        self.found.iter().find(|(found, _)| found == name).map(|(_, path)| path.as_path())
    }

    /// What keeps the program from starting, and what to do; `None` where nothing is known to.
    fn trouble(&self) -> Option<String> {
        let listed = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
        self.trouble_with(&listed.to_string_lossy(), limits::address_space_limit())
    }

    fn trouble_with(&self, listed: &str, space: Option<u64>) -> Option<String> {
        if let Some(space) = space.filter(|space| *space < LEAST_SPACE) {
            return Some(format!(
                "libtorch's libraries and their work take {} of addresses or more, and this process is limited to {} (ulimit -v); raise it to 4 GiB or more with ulimit -v 4194304",
                limits::shown(LEAST_SPACE),
                limits::shown(space)
            ));
        }
        if let Some(space) = space
            && let Some(complaint) = self.complaints.iter().find(|line| line.contains("map segment") || line.contains("memory"))
        {
            return Some(format!(
                "libtorch does not fit: {complaint}. The address space of this process is limited to {} (ulimit -v); raise it to 4 GiB or more with ulimit -v 4194304",
                limits::shown(space)
            ));
        }
        let ours = |name: &&String| name.starts_with("libtorch") || name.starts_with("libc10");
        if let Some(name) = self.missing.iter().find(ours) {
            return Some(format!(
                "{name} was not found; `make setup && cargo build` puts libtorch {NEEDED} where this program looks for it (rematch doctor says where)"
            ));
        }
        // What the program was built with is trusted, whatever it is called.
        if let Some(path) = self.file(CPU)
            && std::env::split_paths(listed).any(|folder| !folder.as_os_str().is_empty() && path.starts_with(folder))
            && let Ok(version) = version_beside(path)
            && !version.starts_with(NEEDED)
        {
            return Some(format!(
                "libtorch {version} in {} would be loaded, and this program needs {NEEDED}. LD_LIBRARY_PATH leads there: start with env -u LD_LIBRARY_PATH rematch ..., or run `make setup` so that its own is found first",
                path.parent().unwrap_or(path).display()
            ));
        }
        // `.../libstdc++.so.6: version `GLIBCXX_3.4.30' not found (required by ...)`
        let older = self.complaints.iter().find(|line| line.contains("version `") && line.contains("not found"))?;
        let how = if listed.is_empty() { "" } else { ". LD_LIBRARY_PATH is set: try env -u LD_LIBRARY_PATH rematch ..." };
        Some(format!("a library is too old: {older}{how}"))
    }
}

/// What keeps `rematch-torch` from starting here, and what to do.
pub fn trouble(program: &Path) -> Option<String> {
    trace(program)?.trouble()
}

/// The version of the libtorch that a library belongs to: `lib/` lies beside `version.py` or `build-version`.
pub fn version_beside(library: &Path) -> Result<String, String> {
    let lib = library.parent().unwrap_or(Path::new("."));
    version(&lib.join(".."))
}

/// Wheels have `version.py`, archives of libtorch `build-version`.
pub fn version(folder: &Path) -> Result<String, String> {
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

    #[test]
    fn what_keeps_the_program_from_starting_is_named() {
        let home = tempfile::tempdir().unwrap();
        let lib = home.path().join("env with spaces/torch/lib");
        std::fs::create_dir_all(&lib).unwrap();
        std::fs::write(lib.join("../version.py"), "__version__ = '1.12.1+cu102'\ncuda = '10.2'\n").unwrap();
        let listed = lib.display().to_string();
        let line =
            format!("\tlinux-vdso.so.1 (0x1)\n\t{CPU} => {listed}/{CPU} (0x00007f)\n\tlibc.so.6 => /lib/libc.so.6 (0x2)\n");
        let foreign = read(&line, "");
        assert_eq!(foreign.file("libc.so.6"), Some(Path::new("/lib/libc.so.6")));
        let said = foreign.trouble_with(&listed, None).unwrap();
        for part in
            ["libtorch 1.12.1+cu102", "env with spaces/torch/lib would be loaded", "needs 2.11.0", "LD_LIBRARY_PATH leads there"]
        {
            assert!(said.contains(part), "{part}: {said}");
        }
        std::fs::write(lib.join("../version.py"), "__version__ = '2.11.0+cpu'\n").unwrap();
        assert_eq!(read(&line, "").trouble_with(&listed, None), None);
        let missing = read(&format!("\t{CPU} => not found\n"), "").trouble_with("", None).unwrap();
        assert!(missing.contains("libtorch_cpu.so was not found") && missing.contains("make setup"), "{missing}");
        let small =
            "rematch-torch: error while loading shared libraries: libtorch_cpu.so: failed to map segment from shared object";
        let said = read("", small).trouble_with("", Some(1 << 30)).unwrap();
        assert!(said.contains("1.0 GiB (ulimit -v)") && said.contains("failed to map segment"), "{said}");
        let said = read("", "").trouble_with("", Some(1 << 28)).unwrap();
        assert!(said.contains("256.0 MiB (ulimit -v)") && said.contains("ulimit -v 4194304"), "{said}");
        let old = "x: /opt/lib/libstdc++.so.6: version `GLIBCXX_3.4.30' not found (required by x)";
        let said = read("", old).trouble_with("/opt/lib", None).unwrap();
        assert!(said.contains("GLIBCXX_3.4.30") && said.contains("env -u LD_LIBRARY_PATH"), "{said}");
    }
}
