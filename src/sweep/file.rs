//! From a sweep's TOML file to its [`Plan`]: teachers, rows, the grid over them, and every cell's whole config.
//!
//! Reads the sweep file and the configs it names; opens no data and no model, makes nothing.
//!
//! ```toml
//! title = "Lambda trades natural against adversarial accuracy"
//! figure = "lambda"                  # lambda, grid, time, budget or table
//! config = "../quickstart.toml"      # what rows begin with; a row may name its own
//! set = { "train.epochs" = 6 }       # laid over it, for all rows
//! [evaluate]
//! attacks = ["autoattack"]
//! images = 200
//! [grid]                             # every combination of these
//! "method.lambda" = [0, 0.005, 0.5]
//! seed = [0, 1, 2]
//! ```

mod names;

use super::plan::{Budget, Cell, Count, Curve, Doubts, Evaluate, FORMAT, Figure, HERE, PaperTable, Plan, Role};
use crate::config::check::{self, KEYS, keys::Kind, nearest, nearest_key};
use crate::config::{AttackName, Augment, Config, Method, Suite};
use names::{flat, guess, meant, plain};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Most cells that one file can make: more is a slip of the hand.
const MOST: usize = 5_000;

/// Letters of the name of a run's folder.
const LONGEST: usize = 80;

/// What is wrong with a sweep file.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct SweepError {
    pub path: PathBuf,
    pub why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: Option<String>,
    #[serde(default = "table")]
    figure: Figure,
    paper: Option<PaperTable>,
    config: Option<PathBuf>,
    #[serde(default)]
    set: toml::Table,
    #[serde(default = "yes")]
    cache: bool,
    evaluate: Option<Evaluation>,
    #[serde(default, rename = "teacher")]
    teachers: Vec<Teacher>,
    #[serde(default, rename = "row")]
    rows: Vec<Row>,
    #[serde(default)]
    grid: toml::Table,
}

fn table() -> Figure {
    Figure::Table
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Evaluation {
    attacks: Vec<String>,
    images: Option<u64>,
    #[serde(default = "test")]
    split: String,
    #[serde(default)]
    seed: u64,
    #[serde(default = "yes")]
    doubts: bool,
    #[serde(default)]
    curve: bool,
}

fn test() -> String {
    "test".into()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Teacher {
    name: String,
    label: Option<String>,
    config: PathBuf,
    #[serde(default)]
    set: toml::Table,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    label: Option<String>,
    config: Option<PathBuf>,
    /// Names of teachers of this file.
    teacher: Option<Names>,
    #[serde(default)]
    set: toml::Table,
    budget: Option<Budget>,
    /// In the place of the file's grid, key by key; an empty list takes a key out.
    #[serde(default)]
    grid: toml::Table,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Names {
    One(String),
    Several(Vec<String>),
}

impl Names {
    fn all(&self) -> Vec<String> {
        match self {
            Self::One(name) => vec![name.clone()],
            Self::Several(names) => names.clone(),
        }
    }
}

/// A choice that the grid makes: the key, the value as it is written, and as it is shown.
#[derive(Clone)]
struct Choice {
    key: String,
    value: toml::Value,
}

impl Choice {
    fn shown(&self) -> String {
        match &self.value {
            toml::Value::String(text) => text.clone(),
            // `5e-5`, not `0.00005`.
            toml::Value::Float(v) => check::keys::number(*v),
            other => other.to_string(),
        }
    }
}

/// Reads a sweep file and resolves every cell.
///
/// # Errors
/// What is wrong with it, or with a config that comes of it; all faults of that config at once.
pub fn read(path: &Path) -> Result<Plan, SweepError> {
    let fault = |why: String| SweepError { path: path.to_owned(), why };
    let source = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            fault("there is no such file; those that come with the program are in configs/paper/".into())
        }
        _ => fault(format!("cannot be read: {error}")),
    })?;
    let file: File = toml::from_str(&source).map_err(|error| {
        let line = error.span().map_or(0, |span| source[..span.start.min(source.len())].matches('\n').count() + 1);
        let message = guess(&error.message().trim().replace('\n', "; "));
        fault(if line > 0 { format!("line {line}: {message}") } else { message })
    })?;
    let name = path.file_stem().map_or_else(|| "sweep".into(), |stem| plain(&stem.to_string_lossy()));
    Reader { path, file: &file }.plan(name, &source)
}

struct Reader<'a> {
    path: &'a Path,
    file: &'a File,
}

impl Reader<'_> {
    fn fault(&self, why: impl Into<String>) -> SweepError {
        SweepError { path: self.path.to_owned(), why: why.into() }
    }

    fn plan(&self, name: String, source: &str) -> Result<Plan, SweepError> {
        let file = self.file;
        let evaluate = file.evaluate.as_ref().map(|asked| self.evaluate(asked)).transpose()?;
        let mut cells = Vec::new();
        for teacher in &file.teachers {
            cells.push(self.teacher(teacher)?);
        }
        let implied = [Row { name: "run".into(), ..Row::default() }];
        let rows = if file.rows.is_empty() { &implied[..] } else { &file.rows };
        for row in rows {
            for choices in self.combinations(row)? {
                cells.push(self.cell(row, &choices)?);
                if cells.len() > MOST {
                    return Err(self.fault(format!("more than {MOST} runs come of it; make its grid smaller, or several files")));
                }
            }
        }
        if cells.iter().all(|cell| cell.role == Role::Teacher) {
            return Err(self.fault("no run comes of it: every grid is empty; give at least one value to each key"));
        }
        for (at, cell) in cells.iter().enumerate() {
            if cell.id.len() > LONGEST {
                return Err(self.fault(format!(
                    "a run would be called {}, longer than {LONGEST} letters; give its row a shorter name",
                    cell.id
                )));
            }
            if let Some(first) = cells[..at].iter().find(|other| other.id == cell.id) {
                let values =
                    |cell: &Cell| cell.vary.iter().map(|(key, value)| format!("{key} = {value}")).collect::<Vec<_>>().join(", ");
                return Err(self.fault(format!(
                    "two runs would both be called {} (row '{}' with {} and row '{}' with {}); give rows other names, and no value twice",
                    cell.id,
                    first.row,
                    values(first),
                    cell.row,
                    values(cell)
                )));
            }
        }
        let title = file.title.clone().unwrap_or_else(|| name.clone());
        let plan =
            Plan { format: FORMAT, name, title, figure: file.figure, paper: file.paper, evaluate, cells, source: source.into() };
        self.budgets(&plan)?;
        Ok(plan)
    }

    /// Every row that lends its time must be there, without a budget of its own, and with the same seeds.
    fn budgets(&self, plan: &Plan) -> Result<(), SweepError> {
        for cell in &plan.cells {
            let Some(budget) = &cell.budget else { continue };
            let lenders: Vec<&Cell> = plan.cells.iter().filter(|other| other.row == budget.of).collect();
            let names: Vec<&str> = self.file.rows.iter().map(|row| row.name.as_str()).collect();
            if lenders.is_empty() {
                return Err(self.fault(format!(
                    "row '{}' is given the time of a row '{}', which is not there; rows are: {}{}",
                    cell.row,
                    budget.of,
                    names.join(", "),
                    meant(&budget.of, &names)
                )));
            }
            if lenders.iter().any(|other| other.budget.is_some()) {
                return Err(
                    self.fault(format!("row '{}' is given the time of '{}', which has a budget itself", cell.row, budget.of))
                );
            }
            match lenders.iter().filter(|other| other.seed == cell.seed).count() {
                1 => {}
                0 => {
                    return Err(self.fault(format!(
                        "row '{}' with seed {} is given the time of '{}', which has no run with that seed",
                        cell.row, cell.seed, budget.of
                    )));
                }
                n => {
                    return Err(self.fault(format!(
                        "row '{}' with seed {} is given the time of '{}', which has {n} runs with that seed; one is needed",
                        cell.row, cell.seed, budget.of
                    )));
                }
            }
        }
        Ok(())
    }

    fn evaluate(&self, asked: &Evaluation) -> Result<Evaluate, SweepError> {
        let known: Vec<&str> = AttackName::ALL.iter().map(|a| a.name()).chain(Suite::ALL.iter().map(|s| s.name())).collect();
        if asked.attacks.is_empty() {
            return Err(self.fault(format!("[evaluate] attacks is empty; allowed: {}", known.join(", "))));
        }
        for (at, attack) in asked.attacks.iter().enumerate() {
            if !known.contains(&attack.as_str()) {
                let meant = meant(attack, &known);
                return Err(
                    self.fault(format!("[evaluate] attacks: '{attack}' is not known; allowed: {}{meant}", known.join(", ")))
                );
            }
            if asked.attacks[..at].contains(attack) {
                return Err(self.fault(format!("[evaluate] attacks: '{attack}' is named twice")));
            }
        }
        if !["validation", "test"].contains(&asked.split.as_str()) {
            let meant = meant(&asked.split, &["validation", "test"]);
            return Err(
                self.fault(format!("[evaluate] split = \"{}\" is not known; allowed: validation, test{meant}", asked.split))
            );
        }
        if asked.images == Some(0) {
            return Err(self.fault("[evaluate] images = 0 is out of range; allowed: 1 or more, or leave it away for all"));
        }
        Ok(Evaluate {
            attacks: asked.attacks.clone(),
            images: asked.images,
            split: asked.split.clone(),
            seed: asked.seed,
            doubts: if asked.doubts { Doubts::Look } else { Doubts::Skip },
            curve: if asked.curve { Curve::Yes } else { Curve::No },
        })
    }

    /// The row's grid, every combination of it, the last key changing fastest.
    fn combinations(&self, row: &Row) -> Result<Vec<Vec<Choice>>, SweepError> {
        let mut all: Vec<Vec<Choice>> = vec![Vec::new()];
        let own = flat(&row.grid, "");
        let mut grid = flat(&self.file.grid, "");
        for (key, values) in own {
            match grid.iter_mut().find(|(other, _)| *other == key) {
                Some((_, there)) => *there = values,
                None => grid.push((key, values)),
            }
        }
        for (key, values) in grid {
            if key != TEACHER && !KEYS.iter().any(|known| known.path == key) {
                let near = nearest(&key, &[TEACHER]).or_else(|| nearest_key(&key).map(|known| known.path));
                let meant = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
                return Err(self.fault(format!(
                    "[grid] '{key}' is no key of a config{meant} (`rematch config --keys` lists them, and 'teacher' names teachers of this file)"
                )));
            }
            let toml::Value::Array(values) = values else {
                return Err(self.fault(format!("[grid] {key} must be a list of values, like [0, 1, 2]")));
            };
            if values.is_empty() {
                if flat(&row.grid, "").iter().any(|(own, _)| *own == key) {
                    continue;
                }
                return Err(
                    self.fault(format!("[grid] {key} is an empty list, of which no run comes; give it a value or leave it away"))
                );
            }
            all = all
                .into_iter()
                .flat_map(|before| {
                    let with = |value: &toml::Value| {
                        let choice = Choice { key: key.clone(), value: value.clone() };
                        before.iter().cloned().chain([choice]).collect::<Vec<_>>()
                    };
                    values.iter().map(with).collect::<Vec<_>>()
                })
                .collect();
        }
        Ok(all)
    }

    fn teacher(&self, teacher: &Teacher) -> Result<Cell, SweepError> {
        let overrides = self.overrides(flat(&teacher.set, ""));
        let config = self.config(&teacher.config, &overrides, &format!("teacher '{}'", teacher.name))?;
        Ok(Cell {
            id: teacher_id(&teacher.name),
            role: Role::Teacher,
            row: teacher.name.clone(),
            label: teacher.label.clone().unwrap_or_else(|| format!("{} (teacher)", config.student.network.name())),
            vary: Vec::new(),
            seed: config.seed,
            teacher: None,
            other_teachers: Vec::new(),
            budget: None,
            config: check::to_toml(&config),
        })
    }

    fn cell(&self, row: &Row, choices: &[Choice]) -> Result<Cell, SweepError> {
        let (named, rest): (Vec<&Choice>, Vec<&Choice>) = choices.iter().partition(|choice| choice.key == TEACHER);
        let teachers = match named.first().map(|choice| &choice.value) {
            Some(toml::Value::String(name)) => vec![name.clone()],
            Some(toml::Value::Array(names)) => names.iter().map(|name| name.as_str().unwrap_or_default().to_string()).collect(),
            Some(other) => return Err(self.fault(format!("[grid] teacher = {other} must be names of teachers of this file"))),
            None => row.teacher.as_ref().map(Names::all).unwrap_or_default(),
        };
        let ids = teachers.iter().map(|name| self.teacher_named(name)).collect::<Result<Vec<String>, _>>()?;
        let mut overrides = self.overrides(flat(&self.file.set, "").into_iter().chain(flat(&row.set, "")).collect());
        if let Some((first, others)) = ids.split_first() {
            let weights = |id: &String| format!("{HERE}/runs/{id}");
            overrides.push(format!("teacher.checkpoint={}", toml::Value::from(weights(first))));
            if !others.is_empty() {
                let list: Vec<toml::Value> = others.iter().map(|id| weights(id).into()).collect();
                overrides.push(format!("teacher.also={}", toml::Value::from(list)));
            }
        }
        overrides.extend(self.overrides(rest.iter().map(|choice| (choice.key.clone(), choice.value.clone())).collect()));
        let file = row.config.as_ref().or(self.file.config.as_ref()).ok_or_else(|| {
            self.fault(format!("row '{}' has no config; name one in it, or for all rows at the top: config = \"FILE\"", row.name))
        })?;
        let mut config = self.config(file, &overrides, &format!("row '{}'", row.name))?;
        if self.file.cache {
            keep_answers(&mut config);
        }
        let vary: Vec<(String, String)> =
            choices.iter().filter(|choice| choice.key != SEED).map(|choice| (choice.key.clone(), choice.shown())).collect();
        let mut id = plain(&row.name);
        for choice in choices {
            let short = choice.key.rsplit('.').next().unwrap_or(&choice.key);
            let short = if choice.key == TEACHER { "" } else { short };
            id.push('-');
            id.push_str(short);
            id.push_str(&plain(&choice.shown()));
        }
        Ok(Cell {
            id,
            role: Role::Student,
            row: row.name.clone(),
            label: row.label.clone().unwrap_or_else(|| config.method.name().to_string()),
            vary,
            seed: config.seed,
            teacher: ids.first().cloned(),
            other_teachers: ids.into_iter().skip(1).collect(),
            budget: row.budget.clone(),
            config: check::to_toml(&config),
        })
    }

    /// The id of the cell that trains the teacher of this name.
    fn teacher_named(&self, name: &str) -> Result<String, SweepError> {
        let names: Vec<&str> = self.file.teachers.iter().map(|teacher| teacher.name.as_str()).collect();
        if names.contains(&name) {
            return Ok(teacher_id(name));
        }
        let there = if names.is_empty() { "none; write a [[teacher]]".into() } else { names.join(", ") };
        let meant = meant(name, &names);
        Err(self.fault(format!("there is no teacher '{name}' in this file; teachers are: {there}{meant}")))
    }

    /// As `-s` takes them. Paths start from the sweep file's folder.
    fn overrides(&self, set: Vec<(String, toml::Value)>) -> Vec<String> {
        let folder =
            std::path::absolute(self.path).ok().and_then(|path| path.parent().map(Path::to_path_buf)).unwrap_or_default();
        let written = |(key, value): (String, toml::Value)| {
            let is_path = KEYS.iter().any(|known| known.path == key && known.kind == Kind::Path);
            match value.as_str().filter(|_| is_path) {
                Some(text) if !text.is_empty() => format!("{key}={}", toml::Value::from(folder.join(text).display().to_string())),
                Some(_) | None => format!("{key}={value}"),
            }
        };
        set.into_iter().map(written).collect()
    }

    fn config(&self, file: &Path, overrides: &[String], whose: &str) -> Result<Config, SweepError> {
        let path = self.path.parent().unwrap_or(Path::new("")).join(file);
        // Later values of a key win: the row's over the sweep's, the grid's over both.
        let mut latest: BTreeMap<&str, (usize, &String)> = BTreeMap::new();
        for (at, text) in overrides.iter().enumerate() {
            latest.insert(text.split_once('=').map_or(text.as_str(), |(key, _)| key), (at, text));
        }
        let mut kept: Vec<(usize, &String)> = latest.into_values().collect();
        kept.sort_unstable();
        let kept: Vec<String> = kept.into_iter().map(|(_, text)| text.clone()).collect();
        check::load(&path, &kept).map_err(|faults| self.fault(format!("{whose}:\n{faults}")))
    }
}

const TEACHER: &str = "teacher";
const SEED: &str = "seed";

/// Where each image is always the same, what teachers say of it is asked once for all runs.
fn keep_answers(config: &mut Config) {
    let asks = match config.method {
        Method::Rrm(_) | Method::RrmPlus(_) | Method::Kd(_) | Method::Ard(_) | Method::Rslad(_) => true,
        Method::Erm
        | Method::Sat(_)
        | Method::FastAt(_)
        | Method::NFgsm(_)
        | Method::FreeAt(_)
        | Method::Trades(_)
        | Method::Rdt(_) => false,
    };
    let resident = config.data.files.is_none();
    if let Some(teacher) = config.teacher.as_mut().filter(|_| asks && resident && config.data.augment == Augment::None) {
        teacher.cache = crate::config::Cache::Yes;
    }
}

fn teacher_id(name: &str) -> String {
    format!("teacher-{}", plain(name))
}

/// Whether the time that a row is given counts its teacher's too.
impl Budget {
    pub fn with_teacher(&self) -> bool {
        self.count == Count::WithTeacher
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str =
        "data.source = 'fashion-mnist-10k'\nstudent.network = 'fc3'\nmethod.name = 'erm'\nthreat.eps = 0.1\ntrain.epochs = 3\n";
    const RRM: &str = "data.source = 'fashion-mnist-10k'\nstudent.network = 'fc3'\nmethod.name = 'rrm'\nmethod.lambda = 0.005\n\
                       teacher.checkpoint = 't.safetensors'\nthreat.eps = 0.1\ntrain.epochs = 3\n";

    fn plan(text: &str) -> Result<Plan, String> {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in [("s.toml", text), ("run.toml", RUN), ("rrm.toml", RRM)] {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        let home = folder.path().canonicalize().expect("a folder").display().to_string();
        read(&folder.path().join("s.toml")).map_err(|error| {
            error
                .to_string()
                .replace(&folder.path().display().to_string(), "")
                .replace(&home, "")
                .trim_start_matches('/')
                .to_string()
        })
    }

    #[test]
    fn a_grid_is_every_combination_and_each_run_has_its_own_config() {
        let plan =
            plan("config = 'rrm.toml'\nset.train.epochs = 5\n[grid]\n'method.lambda' = [0, 5e-5]\nseed = [0, 1]\n").unwrap();
        let ids: Vec<&str> = plan.cells.iter().map(|cell| cell.id.as_str()).collect();
        assert_eq!(ids, ["run-lambda0-seed0", "run-lambda0-seed1", "run-lambda5e-5-seed0", "run-lambda5e-5-seed1"]);
        let last = &plan.cells[3];
        assert_eq!((last.seed, last.vary.as_slice()), (1, &[("method.lambda".to_string(), "5e-5".to_string())][..]));
        assert!(last.config.contains("lambda = 5e-5") && last.config.contains("epochs = 5"), "{}", last.config);
        // Images are not augmented: the teacher is asked once.
        assert!(last.config.contains("cache = true"), "{}", last.config);
        assert_eq!(plan.points().iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    }

    #[test]
    fn rows_teachers_and_budgets_know_what_they_need() {
        let plan = plan(
            "[[teacher]]\nname = 't'\nconfig = 'run.toml'\n[[row]]\nname = 'rrm'\nconfig = 'rrm.toml'\nteacher = 't'\n\
             [[row]]\nname = 'erm'\nconfig = 'run.toml'\nbudget = { of = 'rrm', count = 'with-teacher' }\n[grid]\nseed = [0, 1]\n",
        )
        .unwrap();
        let needs = |id: &str| -> Vec<String> { plan.needs(plan.cell(id).unwrap()).map(|cell| cell.id.clone()).collect() };
        assert_eq!(needs("rrm-seed1"), ["teacher-t"]);
        assert_eq!(needs("erm-seed1"), ["rrm-seed1"]);
        assert!(plan.cell("rrm-seed0").unwrap().config.contains("/@sweep/runs/teacher-t"));
        let stages: Vec<usize> = crate::sweep::slurm::stages(&plan).iter().map(Vec::len).collect();
        assert_eq!(stages, [1, 2, 2]);
    }

    #[test]
    fn a_slip_of_the_hand_is_guessed() {
        let head = "config = 'run.toml'\n";
        for (text, expected) in [
            ("[grdi]\nseed = [0]\n", "line 2: unknown field `grdi`"),
            ("[grdi]\nseed = [0]\n", "; did you mean grid?"),
            ("figure = 'lamda'\n", "; did you mean lambda?"),
            ("[[row]]\nnmae = 'a'\n", "; did you mean name?"),
            ("[[teacher]]\nname = 't'\nconfg = 'run.toml'\n", "; did you mean config?"),
            ("[evaluate]\natacks = ['pgd']\n", "; did you mean attacks?"),
            ("[evaluate]\nattacks = ['autoatack']\n", "; did you mean autoattack?"),
            ("[evaluate]\nattacks = ['pgd']\nsplit = 'tset'\n", "; did you mean test?"),
            ("[grid]\n'method.lamda' = [1]\n", "is no key of a config; did you mean method.lambda?"),
            ("[grid]\n'trian.epochs' = [1]\n", "; did you mean train.epochs?"),
            ("[grid]\nteachr = ['t']\n", "; did you mean teacher?"),
            ("[[teacher]]\nname = 'wide'\nconfig = 'run.toml'\n[grid]\nteacher = ['wied']\n", "; did you mean wide?"),
            ("[[row]]\nname = 'rrm'\n[[row]]\nname = 'b'\nbudget = { of = 'rmr', count = 'student' }\n", "; did you mean rrm?"),
            ("set.trian.epochs = 2\n", "did you mean 'train.epochs'?"),
            ("train.epochs = 2\n", "a key of a config belongs in `set`"),
            ("seed = [0, 1]\n", "and in `grid` with a list of values"),
        ] {
            let why = plan(&format!("{head}{text}")).expect_err(text);
            assert!(why.contains(expected), "{text}\n{why}");
        }
        let why = plan(&format!("{head}wholly_other = 1\n")).unwrap_err();
        assert!(!why.contains("did you mean"), "{why}");
    }

    #[test]
    fn each_fault_says_what_is_allowed() {
        for (text, expected) in [
            ("config = 'run.toml'\n[grid]\nseed = []\n", "[grid] seed is an empty list"),
            ("config = 'run.toml'\n[grid]\nseed = 3\n", "[grid] seed must be a list of values"),
            ("config = 'run.toml'\n[grid]\n'method.lamda' = [1]\n", "[grid] 'method.lamda' is no key of a config"),
            ("config = 'run.toml'\n[grid]\nseed = [1, 1]\n", "two runs would both be called run-seed1"),
            ("config = 'run.toml'\ncolour = 1\n", "line 2: unknown field `colour`"),
            ("figure = 'pie'\nconfig = 'run.toml'\n", "line 1: unknown variant `pie`"),
            ("title = 'x'\n", "row 'run' has no config"),
            ("config = 'run.toml'\n[evaluate]\nattacks = ['pdg']\n", "'pdg' is not known; allowed: fgsm, pgd"),
            ("config = 'run.toml'\n[evaluate]\nattacks = []\n", "attacks is empty"),
            ("config = 'run.toml'\n[evaluate]\nattacks = ['pgd']\nsplit = 'train'\n", "split = \"train\" is not known"),
            ("config = 'rrm.toml'\n[grid]\nteacher = ['u']\n", "there is no teacher 'u' in this file; teachers are: none"),
            ("config = 'run.toml'\nset.train.epochs = 0\n", "row 'run':\n-s train.epochs=0: train.epochs = 0 is out of range"),
            ("config = 'no.toml'\n", "there is no such file"),
            (
                "[[row]]\nname = 'a'\nconfig = 'run.toml'\nbudget = { of = 'b', count = 'student' }\n",
                "is given the time of a row 'b', which is not there; rows are: a",
            ),
            (
                "[[row]]\nname = 'a'\nconfig = 'run.toml'\n[[row]]\nname = 'b'\nconfig = 'run.toml'\ngrid = { seed = [5] }\n\
                 budget = { of = 'a', count = 'student' }\n",
                "has no run with that seed",
            ),
        ] {
            let why = plan(text).expect_err(text);
            assert!(why.starts_with("s.toml: ") && why.contains(expected), "{text}\n{why}");
        }
    }
}
