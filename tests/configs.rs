//! Configs as people write them: the shipped ones are accepted, bad ones are answered with every fault at once.
//!
//! Trains nothing and opens no file that a config names.

use proptest::prelude::*;
use rematch::config::check::keys::Fallback;
use rematch::config::check::{KEYS, load, read, read_written, to_toml};
use rematch::config::{Augment, Config, Method, Network, Norm, Schedule, Source, ValidationSplit};
use std::path::Path;

const ERM: &str =
    "data.source = 'fashion-mnist-10k'\nstudent.network = 'fc3'\nmethod.name = 'erm'\nthreat.eps = 0.1\ntrain.epochs = 3\n";

fn judge(text: &str, overrides: &[&str]) -> Result<Config, String> {
    let overrides: Vec<_> = overrides.iter().map(ToString::to_string).collect();
    read(text, Path::new("x.toml"), &overrides).map_err(|faults| faults.to_string())
}

#[test]
fn every_shipped_config_is_accepted_and_survives_being_written() {
    let mut seen = 0;
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("configs")];
    while let Some(path) = folders.pop() {
        if path.ends_with("configs/paper") {
            // Sweeps, which the next test reads.
            continue;
        }
        if path.is_dir() {
            folders.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let config = load(&path, &[]).unwrap_or_else(|faults| panic!("{faults}"));
        let again = read(&to_toml(&config), Path::new("/elsewhere/config.toml"), &[]).unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(config, again, "{}", path.display());
        if let Some(teacher) = config.teacher {
            let home = Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().unwrap();
            // The quickstart's is there; the others are a person's own, in one place.
            let quickstart = path.display().to_string().contains("quickstart");
            let expected = home.join(if quickstart { "assets/teacher.safetensors" } else { "teachers" });
            assert!(Path::new(&teacher.checkpoint).starts_with(&expected), "{}: {}", path.display(), teacher.checkpoint);
            assert!(!quickstart || expected.exists(), "{}", path.display());
        }
        seen += 1;
    }
    assert!(seen >= 30, "only {seen} configs were there to read");
}

#[test]
fn every_shipped_sweep_is_read_and_its_runs_have_configs() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/paper");
    let mut seen = Vec::new();
    for folder in [home.clone(), home.join("quick")] {
        for file in folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
            let plan = rematch::sweep::read(&file).unwrap_or_else(|fault| panic!("{fault}"));
            for cell in &plan.cells {
                let config = judge(&cell.config, &[]).unwrap_or_else(|faults| panic!("{}: {faults}", cell.id));
                assert_eq!(to_toml(&config), cell.config, "{}", cell.id);
            }
            seen.push(file.strip_prefix(&home).unwrap().display().to_string());
        }
    }
    for name in ["table1", "table2", "fig2", "fig3", "fig4"] {
        assert!([format!("{name}.toml"), format!("quick/{name}.toml")].iter().all(|name| seen.contains(name)), "{seen:?}");
    }
    assert!(seen.contains(&"table3.toml".into()) && seen.contains(&"quick/budget.toml".into()), "{seen:?}");
}

#[test]
fn each_fault_is_said_exactly() {
    let line = ERM.lines().count() + 1;
    for (added, overrides, expected) in [
        ("train.lr = 0", &[][..], "train.lr = 0 is out of range; allowed: above 0 to 100"),
        ("train.momentum = 1", &[], "train.momentum = 1 is out of range; allowed: 0 to below 1"),
        ("train.nesterov = 1", &[], "train.nesterov = 1 must be true or false"),
        ("train.batch = 1.5", &[], "train.batch = 1.5 must be a whole number; allowed: 1 to 65536"),
        (
            "train.batch = 9001",
            &[],
            "train.batch = 9001 is out of range; allowed: 1 to 9000, the training images of the embedded data",
        ),
        ("threat.norm = 'l3'", &[], "threat.norm = 'l3' is not known; did you mean \"l2\"? allowed: linf, l2"),
        (
            "method.lambda = 1",
            &[],
            "method.lambda belongs to method.name = \"rrm\" or \"rrm-plus\", and this is \"erm\"; remove it",
        ),
        (
            "teacher.checkpoint = 'a'",
            &[],
            "teacher.checkpoint belongs to method.name = \"rrm\" or \"rrm-plus\" or \"kd\" or \"rdt\" or \"ard\" or \"rslad\", and this is \"erm\"; remove it",
        ),
        ("train.report_hz = nan", &[], "train.report_hz = nan is out of range; allowed: 0.1 to 10"),
        (
            "data.split_seed = 1",
            &[],
            "data.split_seed belongs to data.source = \"folder\" or \"restricted-imagenet\", and this is \"fashion-mnist-10k\"; remove it",
        ),
        ("probe.images = 1001", &[], "probe.images = 1001 is out of range; allowed: 1 to data.validation, which is 1000"),
        // Those of other methods would only be refused next.
        (
            "method.lamda = 1",
            &["method.name=rrm", "method.lambda=1", "teacher.checkpoint=t"],
            "unknown key 'method.lamda'; did you mean 'method.lambda'? allowed in [method] with method.name = rrm: name, lambda, distance, projector, replays",
        ),
        (
            "train.schedule.gama = 1",
            &[],
            "unknown key 'train.schedule.gama'; did you mean 'train.schedule.gamma'? allowed in [train.schedule] with train.schedule.name = cosine: name, final_lr",
        ),
        ("probe = 3", &[], "'probe' is a section, not a key; allowed in it: per_epoch, images, steps"),
    ] {
        assert_eq!(judge(&format!("{ERM}{added}\n"), overrides).unwrap_err(), format!("x.toml:{line}: {expected}"));
    }
    for (over, expected) in [
        ("train.epochs=zero", "train.epochs = zero must be a whole number; allowed: 1 to 100000"),
        ("threat.eps=1.5", "threat.eps = 1.5 is out of range; allowed: 0 to 1 (linf)"),
        ("train.epochs", "write an override as key.path=value, like -s train.epochs=12"),
        (
            "train.epoch=3",
            "unknown key 'train.epoch'; did you mean 'train.epochs'? allowed in [train]: epochs, steps, batch, lr, momentum, nesterov, weight_decay, ema, report_hz",
        ),
    ] {
        assert_eq!(judge(ERM, &[over]).unwrap_err(), format!("-s {over}: {expected}"));
    }
    assert_eq!(
        judge(ERM, &["method.name=rrm"]).unwrap_err(),
        "x.toml: missing key 'teacher.checkpoint' (.safetensors file of the robust teacher), required when method.name is rrm; allowed: a path in quotes\n\
         x.toml: missing key 'method.lambda' (weight of cross-entropy; steerable), required when method.name is rrm; allowed: 0 to 1e6"
    );
    let syntax = judge("seed = 1\ntrain = = 3\n", &[]).unwrap_err();
    assert!(syntax.starts_with("x.toml:2:") && syntax.lines().count() == 1, "{syntax}");
    let missing = load(Path::new("no/such.toml"), &[]).unwrap_err().to_string();
    assert!(missing.starts_with("no/such.toml: there is no such file"), "{missing}");
}

#[test]
fn validation_images_are_held_out_or_given_and_what_is_written_says_how() {
    let folder = ERM.replace("'fashion-mnist-10k'", "'folder'\ndata.path = '/d'\ndata.size = 32");
    let split = |config: &Config| config.data.files.as_ref().unwrap().split;
    let drawn = judge(&folder, &[]).unwrap();
    assert_eq!((split(&drawn), drawn.data.validation, drawn.probe.images), (ValidationSplit::Seeded { seed: 0 }, 1000, 500));
    for set in [&["data.split_seed=7"][..], &["data.split=last-names"], &["data.validation_path=/v"], &["data.validation=20"]] {
        let config = judge(&folder, set).unwrap();
        assert_ne!(config, drawn, "{set:?}");
        assert_eq!(judge(&to_toml(&config), &[]), Ok(config.clone()));
        assert_eq!(read_written(&to_toml(&config), Path::new("x.toml"), &[]).unwrap(), config);
    }
    let given = judge(&format!("{folder}data.validation = 30\n"), &["data.validation_path=/v"]).unwrap();
    assert_eq!((given.data.validation, given.probe.images), (0, 500), "the command line replaces what the file says");
    let seeded = format!("{folder}data.split_seed = 3\n");
    assert_eq!(split(&judge(&seeded, &["data.split=last-names"]).unwrap()), ValidationSplit::LastNames);
    for (added, said) in [
        (
            "data.validation = 30\ndata.validation_path = '/v'\n",
            "data.validation holds training images out, and data.validation_path",
        ),
        ("data.split = 'last-names'\ndata.split_seed = 3\n", "data.split_seed belongs to data.split = \"seeded\", and this is"),
    ] {
        let faults = judge(&format!("{folder}{added}"), &[]).unwrap_err();
        assert!(faults.lines().count() == 1 && faults.contains(said), "{faults}");
    }
    // Written before there was a choice.
    let text = to_toml(&drawn);
    let old: Vec<&str> = text.lines().filter(|line| !line.starts_with("split")).collect();
    let old = read_written(&old.join("\n"), Path::new("x.toml"), &["seed=4".into()]).unwrap();
    assert_eq!((split(&old), old.seed), (ValidationSplit::LastNames, 4));
    let embedded = judge(ERM, &[]).unwrap();
    assert_eq!(read_written(&to_toml(&embedded), Path::new("x.toml"), &[]).unwrap(), embedded);
}

#[test]
fn all_faults_come_at_once_in_the_order_of_lines() {
    let text = "seed = -1\n[data]\nsource = 'idx'\n[trian]\nepochs = 3\n[student]\nnetwork = 'fc4'\n[method]\nname = 'rrm'\n\
                lambda = -0.1\n[threat]\neps = 'wide'\n[train]\nepochs = 0\n";
    let said = judge(text, &[]).unwrap_err();
    let places: Vec<_> = said.lines().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(places, ["x.toml:1", "x.toml:5", "x.toml:7", "x.toml:10", "x.toml:12", "x.toml:14", "x.toml", "x.toml"], "{said}");
    assert!(said.contains("x.toml:5: unknown key 'trian.epochs'; did you mean 'train.epochs'?"), "{said}");
    assert!(said.contains("x.toml:10: method.lambda = -0.1 is out of range; allowed: 0 to 1e6"), "{said}");
}

#[test]
fn an_override_that_chooses_another_method_drops_what_the_file_says_for_the_old_one() {
    let rrm = ERM.replace("'erm'", "'rrm'\nmethod.lambda = 0.005\nteacher.checkpoint = 't'");
    let config = judge(&rrm, &["method.name=sat", "threat.eps=8/255", "method.steps=10"]).unwrap();
    assert!(config.teacher.is_none());
    let Method::Sat(sat) = config.method else { panic!("{:?}", config.method) };
    assert!((sat.step_size.0 - 2.0 / 255.0).abs() < 1e-12, "{:?}", sat.step_size);
}

#[test]
fn relative_paths_start_where_they_were_written() {
    let rrm = ERM.replace("'erm'", "'rrm'\nmethod.lambda = 1");
    let config = judge(&rrm, &["teacher.checkpoint=a/t"]).unwrap();
    assert_eq!(Path::new(&config.teacher.unwrap().checkpoint), std::env::current_dir().unwrap().join("a/t"));
    let folder = tempfile::tempdir().unwrap();
    let text = format!("{rrm}teacher.checkpoint = '../t'\n");
    let config = read(&text, &folder.path().join("x.toml"), &[]).unwrap();
    assert_eq!(Path::new(&config.teacher.unwrap().checkpoint), folder.path().canonicalize().unwrap().parent().unwrap().join("t"));
}

#[test]
fn the_table_names_what_the_types_name() {
    let allowed = |path: &str| KEYS.iter().find(|key| key.path == path).unwrap().kind.allowed();
    let names = |names: Vec<&str>| names.join(", ");
    assert_eq!(allowed("data.source"), names(Source::ALL.iter().map(|v| v.name()).collect()));
    assert_eq!(allowed("data.augment"), names(Augment::ALL.iter().map(|v| v.name()).collect()));
    assert_eq!(allowed("student.network"), names(Network::ALL.iter().map(|v| v.name()).collect()));
    assert_eq!(allowed("threat.norm"), names(Norm::ALL.iter().map(|v| v.name()).collect()));
    // A fixed default that its own key would refuse shows here.
    for key in KEYS {
        if let (Fallback::Is(value), None) = (key.default, key.only) {
            let over = format!("{}={value}", key.path);
            assert_eq!(judge(ERM, &[&over]), judge(ERM, &[]), "{over}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_reads_back_equal(
        seed in 0..=i64::MAX as u64, eps in 0.0..=1.0f64, lr in 1e-9..=100.0f64, lambda in 0.0..=1e6f64, decay in 0.0..=1.0f64,
        steps in 1..=1000u32, images in proptest::option::of(0..=2000usize), name in "[a-z \"'\\\\]{1,9}", pick in 0..4usize,
    ) {
        let mut config = judge(ERM, &[]).unwrap();
        config.seed = seed;
        config.threat.eps.0 = eps;
        config.train.lr = lr;
        config.train.weight_decay = decay;
        config.probe.steps = steps;
        config.evaluation.images = images;
        config.train.schedule = match pick {
            0 => Schedule::Constant,
            1 => Schedule::Cosine { final_lr: lr / 3.0 },
            2 => Schedule::OneCycle { peak: 0.3, low_momentum: Some(0.8) },
            _ => Schedule::Multistep { epochs: vec![1, 2], gamma: 0.3 },
        };
        if pick > 1 {
            config.method = Method::Rrm(rematch::config::Rrm::cosine(lambda));
            config.teacher = Some(rematch::config::Teacher::new(format!("/{name}")));
        }
        prop_assert_eq!(judge(&to_toml(&config), &[]), Ok(config));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[a-z.=\\[\\]{}\"' \n0-9#,-]{0,80}", over in ".{0,30}") {
        let _ = judge(&text, &[&over]);
        let _ = judge(ERM, &[&over]);
    }
}
