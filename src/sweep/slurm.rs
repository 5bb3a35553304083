//! Job arrays for Slurm that run a sweep's cells: files alone, submitted by a person.
//!
//! Cells that need others (a teacher, a time) stand in a later array that depends on the earlier. Each task is `rematch sweep FOLDER --only
//! ID`, so that a task which is cut off and submitted again goes on where it was. Partitions, accounts and limits are the site's: they go
//! on `sbatch`'s own command line, or into the files. No scheduler of our own.

use super::ledger::{Ledger, LedgerError};
use super::plan::{Cell, Plan};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What was written.
#[derive(Debug)]
pub struct Written {
    /// The script that submits everything.
    pub submit: PathBuf,
    /// Tasks of each array, in the order in which they depend on each other.
    pub arrays: Vec<usize>,
}

/// Writes `slurm/` in the sweep's folder.
///
/// # Errors
/// What the file system says.
pub fn write(plan: &Plan, ledger: &Ledger, program: &Path) -> Result<Written, LedgerError> {
    let folder = ledger.folder().join("slurm");
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| LedgerError::Io { doing: "write", path, source }
    };
    std::fs::create_dir_all(&folder).map_err(failed(&folder))?;
    let put = |name: &str, text: &str| {
        let path = folder.join(name);
        crate::run::store::write_atomically(&path, text.as_bytes()).map_err(failed(&path)).map(|()| path)
    };
    let arrays = stages(plan);
    let mut submit = String::from(
        "#!/bin/sh\n# Submits every array of this sweep; options go to each: sh submit.sh --partition=gpu --time=4:00:00\nset -eu\n",
    );
    // Writing to a String does not fail.
    let _ = writeln!(submit, "cd {}", quoted(&folder));
    for (at, cells) in arrays.iter().enumerate() {
        let ids: Vec<&str> = cells.iter().map(|cell| cell.id.as_str()).collect();
        put(&format!("array-{at}.txt"), &format!("{}\n", ids.join("\n")))?;
        let script = format!(
            "#!/bin/sh\n#SBATCH --job-name={}-{at}\n#SBATCH --array=0-{}\n#SBATCH --gpus=1\n#SBATCH --output=%x-%a.out\n\
             # A task that was cut off goes on where it was when it is submitted again.\n\
             id=$(sed -n \"$((SLURM_ARRAY_TASK_ID + 1))p\" {})\n\
             exec {} sweep {} --only \"$id\" --ui plain\n",
            plan.name,
            cells.len() - 1,
            quoted(&folder.join(format!("array-{at}.txt"))),
            quoted(program),
            quoted(ledger.folder()),
        );
        put(&format!("array-{at}.sbatch"), &script)?;
        // Whatever became of single tasks: those that need one which failed say so themselves.
        let after = if at == 0 { String::new() } else { format!("--dependency=afterany:\"$job{}\" ", at - 1) };
        let _ = writeln!(submit, "job{at}=$(sbatch --parsable {after}\"$@\" array-{at}.sbatch)");
        let _ = writeln!(submit, "echo \"array {at}: job $job{at}, {} tasks\"", cells.len());
    }
    let submit = put("submit.sh", &submit)?;
    Ok(Written { submit, arrays: arrays.iter().map(Vec::len).collect() })
}

/// The cells by how many others stand one after the other before them.
pub fn stages(plan: &Plan) -> Vec<Vec<&Cell>> {
    let mut depth: Vec<usize> = vec![0; plan.cells.len()];
    // Lenders may stand after those that they lend to; a chain is never longer than teacher, lender, borrower.
    for _ in 0..3 {
        for (at, cell) in plan.cells.iter().enumerate() {
            let before = plan.needs(cell).filter_map(|needed| plan.cells.iter().position(|other| other.id == needed.id));
            depth[at] = before.map(|needed| depth[needed] + 1).max().unwrap_or(0);
        }
    }
    let deepest = depth.iter().copied().max().unwrap_or(0);
    (0..=deepest)
        .map(|level| plan.cells.iter().zip(&depth).filter(|(_, d)| **d == level).map(|(cell, _)| cell).collect())
        .collect()
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
