//! `rematch import` and `export`, and a slice of what `benches/fuzz_import.rs` does with a hundred thousand damaged files.
#![expect(clippy::unwrap_used, reason = "a test says best where it broke by breaking there")]

mod mutants;

use std::panic::catch_unwind;

#[test]
fn damaged_files_are_read_or_refused_and_nothing_panics() {
    let fixtures = mutants::fixtures();
    let (mut read, mut refused) = (0, 0);
    for (name, whole) in &fixtures {
        assert!(mutants::read(whole), "{name} itself must be read");
    }
    for number in 0..2000 {
        let (name, bytes) = mutants::mutant(&fixtures, 7, number);
        let Ok(whole) = catch_unwind(|| mutants::read(&bytes)) else {
            panic!("mutant {number} of seed 7, made of {name}, panics")
        };
        if whole {
            read += 1;
        } else {
            refused += 1;
        }
        #[cfg(feature = "torch")]
        if number % 20 == 0 {
            let found = catch_unwind(|| commands::find(bytes));
            assert!(found.is_ok(), "looking for networks in mutant {number} of seed 7, made of {name}, panics");
        }
    }
    // Both ways must be walked, or the mutants are too tame or too wild to show anything.
    assert!(read > 200 && refused > 200, "{read} read, {refused} refused");
}

/// The program on a model that comes with it: out to PyTorch's form and back.
#[cfg(feature = "torch")]
mod commands {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use rematch::pytorch::{Checkpoint, Limits};

    /// Looks for networks in a file, which may be rubbish.
    pub fn find(bytes: Vec<u8>) {
        let limits = Limits { elements: 1 << 16, ..Limits::default() };
        if let Ok(file) = Checkpoint::read(bytes, &limits) {
            let _ = rematch::nn::finding::find(&file, &limits, &rematch::nn::finding::Wanted::default());
        }
    }

    fn home(path: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
    }

    /// Success and everything said.
    fn run(folder: &Path, arguments: &[&str]) -> (bool, String) {
        let mut program = Command::new(env!("CARGO_BIN_EXE_rematch-torch"));
        let done = program.args(arguments).current_dir(folder).env("GOMP_SPINCOUNT", "0").output().unwrap();
        (done.status.success(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
    }

    #[test]
    fn an_exported_model_comes_back_and_no_file_is_replaced_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let at = |arguments: &[&str]| run(folder.path(), arguments);
        let teacher = home("assets/teacher.safetensors").display().to_string();
        let (ok, said) = at(&["export", &teacher, "--out", "new/my-net.safetensors"]);
        assert!(ok && folder.path().join("new/load_my_net.py").is_file(), "{said}");
        let (ok, said) = at(&["export", &teacher, "--out", "new/my-net.safetensors"]);
        assert!(!ok && said.contains("is there already") && said.contains("--force"), "{said}");
        assert!(at(&["export", &teacher, "--out", "new/my-net.safetensors", "--force"]).0);

        // Its normaliser and classes come from the file; what it says is what the original does.
        let config = home("configs/quickstart.toml").display().to_string();
        let import = ["import", "new/my-net.safetensors", "--out", "back.safetensors", "--json", "--data", &config];
        let (ok, said) = at(&import);
        assert!(ok, "{said}");
        let facts: serde_json::Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
        assert!(facts["probe"]["natural_accuracy"].as_f64().unwrap() > 0.8, "{said}");
        assert_eq!(facts["network"]["name"], "fc2");
        let (_, description) = at(&["import", "back.safetensors", "--dry-run"]);
        assert!(description.contains("a model of rematch already"), "{description}");
        let names = |path: &Path| {
            let bytes = fs::read(path).unwrap();
            let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
            header.metadata().clone().unwrap()["classes"].clone()
        };
        assert_eq!(names(&folder.path().join("back.safetensors")), names(Path::new(&teacher)));
        let (ok, said) = at(&import);
        assert!(!ok && said.contains("is there already"), "{said}");

        // What does not fit the data it is measured on is not written.
        let cifar = folder.path().join("c.toml");
        fs::write(&cifar, fs::read_to_string(home("configs/quickstart/erm.toml")).unwrap()).unwrap();
        let (ok, said) =
            at(&["import", "new/my-net.safetensors", "--shape", "1x32x32", "--out", "x.safetensors", "--data", "c.toml"]);
        assert!(!ok && !folder.path().join("x.safetensors").exists(), "{said}");
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().contains("partial")), "{left:?}");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let fixture = home("tests/golden/import/rrm_old_net_prefix_fp16_zip.pt").display().to_string();
        for (arguments, words) in [
            (vec!["import", "/dev/zero", "--dry-run"], "not a regular file"),
            (vec!["import", "/dev/zero"], "not a regular file"),
            (vec!["import", "nowhere.pt"], "nowhere.pt"),
            (vec!["train", "/dev/zero", "--ui", "plain"], "no regular file"),
            (vec!["import", &fixture], "--dry-run lists everything in it"),
        ] {
            let (ok, said) = run(folder.path(), &arguments);
            assert!(!ok && said.contains(words), "{arguments:?}: {said}");
        }
        let teacher = home("assets/teacher.safetensors").display().to_string();
        assert!(run(folder.path(), &["export", &teacher, "--out", "m.safetensors"]).0);
        let (ok, said) =
            run(folder.path(), &["import", "m.safetensors", "--mean", "128", "--std", "64", "--out", "n.safetensors"]);
        assert!(!ok && said.contains("divided by 255"), "{said}");
        let (ok, said) = run(folder.path(), &["import", "m.safetensors", "--normalize", "none", "--out", "n.safetensors"]);
        assert!(ok && said.contains("was overruled by --normalize none"), "{said}");
    }

    /// A .safetensors file of these tensors, all of 32-bit floats.
    fn tensors(path: &Path, tensors: &[(String, Vec<usize>, Vec<u8>)]) {
        let view = |shape: &Vec<usize>, bytes| {
            safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap()
        };
        let views = tensors.iter().map(|(name, shape, bytes)| (name.clone(), view(shape, bytes.as_slice())));
        fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
    }

    #[test]
    fn of_several_networks_in_a_file_one_is_chosen_and_strays_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |arguments: &[&str]| run(folder.path(), arguments);
        let bytes = fs::read(home("assets/teacher.safetensors")).unwrap();
        let teacher = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let own: Vec<(String, Vec<usize>, Vec<u8>)> =
            teacher.tensors().into_iter().map(|(name, view)| (name, view.shape().to_vec(), view.data().to_vec())).collect();
        let under = |prefix: &str| -> Vec<(String, Vec<usize>, Vec<u8>)> {
            own.iter().cloned().map(|(name, shape, bytes)| (format!("{prefix}{name}"), shape, bytes)).collect()
        };

        let mut all = under("model._orig_mod.");
        all.push(("criterion.weight".into(), vec![10], vec![0; 40]));
        tensors(&folder.path().join("loss.safetensors"), &all);
        // As Windows writes a list.
        fs::write(folder.path().join("classes.txt"), format!("\u{feff}{}", ["a\r\n"; 10].concat().replacen('a', "first", 1)))
            .unwrap();
        let import =
            ["import", "loss.safetensors", "--normalize", "none", "--classes", "classes.txt", "--out", "one.safetensors"];
        let (ok, said) = at(&import);
        assert!(ok && said.contains("criterion.weight") && said.contains("_orig_mod."), "{said}");
        let one = fs::read(folder.path().join("one.safetensors")).unwrap();
        let (_, header) = safetensors::SafeTensors::read_metadata(&one).unwrap();
        assert!(header.metadata().clone().unwrap()["classes"].starts_with(r#"["first","a","#));
        let back = safetensors::SafeTensors::deserialize(&one).unwrap();
        for (name, shape, bytes) in &own {
            let tensor = back.tensor(name).unwrap();
            assert!(tensor.shape() == shape && tensor.data() == bytes, "{name}");
        }

        let mut both = under("student.");
        both.extend(under("teacher.").into_iter().map(|(name, shape, bytes)| (name, shape, vec![0; bytes.len()])));
        tensors(&folder.path().join("both.safetensors"), &both);
        let (ok, said) = at(&["import", "both.safetensors", "--normalize", "none", "--out", "two.safetensors"]);
        assert!(!ok && said.contains("--prefix student") && said.contains("--prefix teacher"), "{said}");
        let (ok, said) = at(&["import", "both.safetensors", "--dry-run"]);
        assert!(ok && said.contains("--prefix student"), "{said}");
        let chosen = ["import", "both.safetensors", "--normalize", "none", "--prefix", "student", "--out", "two.safetensors"];
        let (ok, said) = at(&chosen);
        assert!(ok && said.contains("left out by --section or --prefix"), "{said}");
        let two = fs::read(folder.path().join("two.safetensors")).unwrap();
        let two = safetensors::SafeTensors::deserialize(&two).unwrap();
        assert!(own.iter().all(|(name, _, bytes)| two.tensor(name).unwrap().data() == bytes));
    }
}
