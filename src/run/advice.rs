//! Commands in messages, written so that they work when they are pasted into a shell.

use std::path::{Path, PathBuf};

/// The folder of runs that commands look in by themselves.
pub const USUAL_RUNS: &str = "runs";

/// A path as one word for a shell.
pub fn quoted(path: &Path) -> String {
    word(&path.display().to_string())
}

/// A text as one word for a shell.
pub fn word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=@%:,".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.into() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// `rematch VERB RUN MORE`, with `--runs DIR` where the run does not lie in the usual folder. `more` is in shell words already.
pub fn command(verb: &str, run: &Path, more: &str) -> String {
    let Some((runs, id)) = parts(run) else { return with_more(format!("rematch {verb} {}", quoted(run)), more) };
    let id = word(&id);
    // What begins with a dash would be taken for an option.
    let id = if id.starts_with('-') { format!("./{id}") } else { id };
    let command = with_more(format!("rematch {verb} {id}"), more);
    if runs == Path::new(USUAL_RUNS) { command } else { format!("{command} --runs {}", quoted(&runs)) }
}

/// `rematch runs`, of this folder of runs; where there is none, the usual one.
pub fn listing(runs: &Path) -> String {
    if !runs.is_dir() || runs == Path::new(USUAL_RUNS) || runs.as_os_str().is_empty() {
        return "rematch runs".into();
    }
    format!("rematch runs {}", quoted(runs))
}

/// The folder of runs and the run's name, of a path that ends with a name.
fn parts(run: &Path) -> Option<(PathBuf, String)> {
    let id = run.file_name()?.to_str()?.to_string();
    let runs = run.parent().filter(|runs| !runs.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    runs.to_str().is_some().then_some((runs, id))
}

fn with_more(command: String, more: &str) -> String {
    if more.is_empty() { command } else { format!("{command} {more}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_names_the_folder_of_runs_where_it_is_not_the_usual_one() {
        for (run, more, expected) in [
            ("runs/night", "", "rematch resume night"),
            ("runs/night", "-s train.lr=0.1", "rematch resume night -s train.lr=0.1"),
            ("/data/my runs/a'b", "--at 7", r"rematch resume 'a'\''b' --at 7 --runs '/data/my runs'"),
            ("night", "", "rematch resume night --runs ."),
            ("runs/-x", "", "rematch resume ./-x"),
            ("..", "", "rematch resume .."),
        ] {
            assert_eq!(command("resume", Path::new(run), more), expected);
        }
    }
}
