//! Job arrays for Slurm that run a sweep's cells: files alone, submitted by a person.
//!
//! Cells that need others (a teacher, a time) stand in a later array that depends on the earlier. Each task is `rematch sweep FOLDER --only
//! ID`. Before its time is over Slurm sends SIGUSR2, the task saves, stops and asks for its place in the queue again: then it goes on where it
//! was. Arrays have no more tasks than a Slurm that nobody has configured otherwise takes (`MaxArraySize` 1001). Partitions, accounts and
//! limits are the site's: they go on `sbatch`'s own command line, which counts more than the files. No scheduler of our own.

use super::ledger::{Ledger, LedgerError};
use super::plan::{Cell, Plan};
use crate::run::advice::quoted;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Most tasks of one array.
const MOST_TASKS: usize = 1000;
/// Seconds before the end of its time at which a task is told.
const NOTICE: u32 = 180;
/// CPUs of a task where nobody says how many threads train.
const CPUS: u16 = 4;

/// What tasks run on.
#[derive(Clone, Debug)]
pub struct Tasks<'a> {
    /// `rematch`.
    pub program: &'a Path,
    /// CPU threads of each, and CPUs that are asked for.
    pub threads: Option<u16>,
    pub device: Device,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    Gpu,
    Cpu,
}

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
pub fn write(plan: &Plan, ledger: &Ledger, tasks: &Tasks) -> Result<Written, LedgerError> {
    let folder = ledger.folder().join("slurm");
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| LedgerError::Io { doing: "write", path, source }
    };
    // Where the tasks print to; Slurm makes no folders.
    let printed = folder.join("out");
    std::fs::create_dir_all(&printed).map_err(failed(&printed))?;
    let put = |name: &str, text: &str| {
        let path = folder.join(name);
        crate::run::store::write_atomically(&path, text.as_bytes()).map_err(failed(&path)).map(|()| path)
    };
    let mut submit = String::from(SUBMIT);
    // Writing to a String does not fail.
    let _ = writeln!(submit, "cd {}", quoted(&folder));
    let (mut arrays, mut before) = (Vec::new(), String::new());
    for stage in stages(plan) {
        let mut jobs = String::new();
        for cells in stage.chunks(MOST_TASKS) {
            let at = arrays.len();
            let ids: Vec<&str> = cells.iter().map(|cell| cell.id.as_str()).collect();
            put(&format!("array-{at}.txt"), &format!("{}\n", ids.join("\n")))?;
            put(&format!("array-{at}.sbatch"), &script(plan, ledger, tasks, at, cells.len()))?;
            // Whatever became of single tasks: those that need one which failed say so themselves.
            let after = if before.is_empty() { String::new() } else { format!("--dependency=afterany{before} ") };
            let last = cells.len() - 1;
            let _ = writeln!(submit, "job{at}=$(sbatch --parsable --array=0-{last}$most {after}\"$@\" array-{at}.sbatch)");
            // Of several clusters Slurm names the one as well.
            let _ = writeln!(submit, "job{at}=${{job{at}%%;*}}");
            let _ = writeln!(submit, "echo \"array {at}: job $job{at}, {} tasks\"", cells.len());
            let _ = write!(jobs, ":\"$job{at}\"");
            arrays.push(cells.len());
        }
        before = jobs;
    }
    let submit = put("submit.sh", &submit)?;
    Ok(Written { submit, arrays })
}

const SUBMIT: &str = "#!/bin/sh
# Submits every array of this sweep. Options go to each sbatch and count more than the files: sh submit.sh --partition=gpu --time=4:00:00
# At most so many tasks of an array run at once: AT_ONCE=8 sh submit.sh; AT_ONCE=0 sets no limit.
set -eu
at_once=${AT_ONCE:-50}
if [ \"$at_once\" -gt 0 ]; then most=%$at_once; else most=; fi
";

/// The script of one array. The shell stays, because it is what Slurm tells of the end, and what asks for a place in the queue again.
fn script(plan: &Plan, ledger: &Ledger, tasks: &Tasks, at: usize, count: usize) -> String {
    let name: String = plan.name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
    let (gpus, device) = match tasks.device {
        Device::Gpu => ("#SBATCH --gpus=1\n", ""),
        Device::Cpu => ("", " --devices cpu"),
    };
    let cpus = tasks.threads.unwrap_or(CPUS);
    format!(
        "#!/bin/sh
#SBATCH --job-name={name}-{at}
#SBATCH --array=0-{last}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task={cpus}
{gpus}#SBATCH --time=12:00:00
#SBATCH --output=out/%x-%a.out
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:USR2@{NOTICE}
# A task that is told of the end of its time saves, stops and queues again; it goes on where it was.
id=$(sed -n \"$((SLURM_ARRAY_TASK_ID + 1))p\" {list})
threads=${{SLURM_CPUS_PER_TASK:-{cpus}}}
told=
{program} sweep {folder} --only \"$id\" --ui plain --threads \"$threads\"{device} &
task=$!
trap 'told=yes; kill -USR2 \"$task\"' USR2
trap 'kill -TERM \"$task\"' TERM
wait \"$task\" && code=0 || code=$?
# A signal ends the wait and not the task.
while kill -0 \"$task\" 2>/dev/null; do
  wait \"$task\" && code=0 || code=$?
done
if [ -n \"$told\" ] && [ \"$code\" -eq 130 ] && [ \"${{SLURM_RESTART_COUNT:-0}}\" -lt 100 ]; then
  scontrol requeue \"$SLURM_JOB_ID\" || echo \"submit this task again to go on: sbatch --array=$SLURM_ARRAY_TASK_ID array-{at}.sbatch\"
fi
exit \"$code\"
",
        last = count - 1,
        list = quoted(&ledger.folder().join(format!("slurm/array-{at}.txt"))),
        program = quoted(tasks.program),
        folder = quoted(ledger.folder()),
    )
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
