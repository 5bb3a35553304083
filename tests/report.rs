//! Reports of made-up sweeps and runs: the numbers in every form, what is missing, what is kept apart, and files that stand by themselves.
#![expect(clippy::unwrap_used, reason = "in a test, what is not there is a failure")]

#[path = "report/made.rs"]
mod made;

use made::{Ends, Made, at_equal_time, cell, plan, write_plan};
use rematch::config::{Eps, Method, Network, Norm, Rrm, Threat};
use rematch::sweep::{Cell, Figure, PaperTable};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn program(home: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rematch-torch")).current_dir(home).arg("report").args(args).output().unwrap()
}

/// What was printed.
fn reported(home: &Path, args: &[&str]) -> String {
    let output = program(home, args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(home: &Path, args: &[&str]) -> String {
    let output = program(home, args);
    assert!(output.status.code() == Some(2) && output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Every file of a folder, by its path in it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_path_buf()]);
    while let Some(inside) = folders.pop() {
        for entry in fs::read_dir(inside).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_path_buf(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

struct Page {
    text: String,
    markdown: String,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

/// Reads a report and checks what must hold of every one.
fn page(folder: &Path) -> Page {
    let files = files(folder);
    let read = |name: &str| String::from_utf8(files[Path::new(name)].clone()).unwrap();
    let (text, markdown) = (read("report.html"), read("report.md"));
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..roxmltree::ParsingOptions::default() };
    let document = roxmltree::Document::parse_with_options(&text, options).unwrap();
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        assert!(!matches!(node.tag_name().name(), "script" | "link" | "iframe" | "object"), "{node:?}");
        for attribute in node.attributes() {
            let value = attribute.value();
            match attribute.name() {
                "src" => assert!(value.starts_with("data:image/png;base64,"), "{value}"),
                "href" => assert!(value.starts_with('#'), "{value}"),
                name => assert!(!name.starts_with("on") && !value.contains("url("), "{name}={value}"),
            }
        }
    }
    let style: String = document.descendants().filter(|n| n.has_tag_name("style")).filter_map(|n| n.text()).collect();
    assert!(!style.contains("url(") && !style.contains("@import") && style.contains("prefers-color-scheme:dark"));
    let ids: Vec<&str> = document.descendants().filter_map(|n| n.attribute("id")).collect();
    assert!(ids.iter().enumerate().all(|(i, id)| !ids[..i].contains(id)), "{ids:?}");
    for broken in ["NaN", "inf%", "\u{1b}"] {
        assert!(!markdown.contains(broken), "{broken}");
    }
    let mut pictures = 0;
    for (path, bytes) in &files {
        match path.extension().and_then(|end| end.to_str()) {
            Some("svg") => {
                let svg = std::str::from_utf8(bytes).unwrap();
                roxmltree::Document::parse(svg).unwrap();
                assert!(!svg.contains("NaN") && !svg.contains("\"inf") && !svg.contains(" inf"), "{}", path.display());
                assert!(files.contains_key(&path.with_extension("png")), "{} has no PNG", path.display());
            }
            Some("png") => {
                pictures += 1;
                assert!(image::load_from_memory(bytes).unwrap().width() > 100, "{}", path.display());
            }
            Some("md" | "html") => {}
            _ => panic!("{} does not belong there", path.display()),
        }
        // Whatever Markdown points at is there.
        for target in markdown.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            assert!(files.contains_key(Path::new(target)), "{target}");
        }
    }
    assert!(pictures > 0);
    Page { text, markdown, files }
}

/// The line of a Markdown table that begins so.
fn line<'a>(markdown: &'a str, begin: &str) -> Vec<&'a str> {
    let line = markdown
        .lines()
        .find(|line| line.starts_with(&format!("| {begin}")))
        .unwrap_or_else(|| panic!("no line {begin}:\n{markdown}"));
    line.trim_matches('|').split(" | ").map(str::trim).collect()
}

#[test]
fn a_sweep_at_equal_time_has_its_means_its_verdict_and_what_it_lacks() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("sweep");
    at_equal_time(&folder);
    let printed = reported(home.path(), &["sweep"]);
    let page = page(&folder.join("report"));
    // Name, seeds, natural, pgd-20, AutoAttack, min, with teacher, s/epoch, epochs, method, student, teacher.
    let rrm = line(&page.markdown, "RRM |");
    let numbers = ["79.00 ± 1.00 [78.00, 80.00]", "45.00 ± 1.00 [44.00, 46.00]", "30.00 ± 1.00 [29.00, 31.00]"].map(escaped);
    assert_eq!((rrm[1], &rrm[2..5]), ("3", &numbers.each_ref().map(String::as_str)[..]));
    assert_eq!(rrm[5..], ["0.500", "1.50", "7.50", "4", "rrm", "fc3", "fc2"]);
    let nfgsm = line(&page.markdown, "N-FGSM |");
    assert_eq!(nfgsm[4], escaped("! 51.00 ± 1.41 [50.00, 52.00] n=2 of 3"));
    assert_eq!(line(&page.markdown, "Teacher (SAT)")[9], "sat");
    for said in [
        "N-FGSM is more robust than RRM by 21.0 points (autoattack, 2000 images, 51.00 against 30.00 %, 2 and 3 seeds, spread of runs 1.7).",
        "N-FGSM is more robust than RRM by 16.0 points (pgd-20, 2000 images, 61.00 against 45.00 %, 3 seeds each, spread of runs 1.4).",
        "By natural it cannot be told which of N-FGSM and RRM is more accurate on unchanged images: 0.0 points apart",
        "N-FGSM was given the training time of RRM: 0.500 min and 0.500 min.",
        "nfgsm-s2",
        "not evaluated with autoattack",
        "rematch eval sweep/runs/nfgsm-s2 --attack autoattack --images 2000 --split test --seed 0 --curve",
    ] {
        assert!(printed.contains(said), "{said}\n{printed}");
        assert!(unescaped(&page.text).contains(said), "{said} is not on the page");
    }
    for said in [
        "zero gradients: 37 % of all gradients are 0",
        "the data are squares and not CIFAR-10",
        "No run here has the method and the teacher's network of a line of the paper's Table 1",
        "nfgsm-s0: doubted, autoattack: zero gradients",
        "AutoAttack are different attacks",
        "training in all, each teacher counted once4:00 (240.0 s)",
        "2 cores, 8 GB of memory",
        "title = \"as it was read\"",
        "rematch sweep sweep",
    ] {
        assert!(unescaped(&page.text).contains(said), "{said}");
    }
    assert!(page.text.contains("<h1>A &lt;sweep&gt; &amp; its title</h1>"));
    // A probe's number is nowhere.
    assert!(!page.text.contains("98.7") && !page.markdown.contains("97.65"));
    assert!(page.files.contains_key(Path::new("plots/natural-adversarial.svg")));
    assert!(printed.trim_end().ends_with("sweep/report/report.html"), "{printed}");
}

fn escaped(text: &str) -> String {
    text.replace('[', "\\[").replace(']', "\\]")
}

/// The words of a page.
fn unescaped(page: &str) -> String {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..roxmltree::ParsingOptions::default() };
    let document = roxmltree::Document::parse_with_options(page, options).unwrap();
    document.descendants().filter(roxmltree::Node::is_text).filter_map(|node| node.text()).collect()
}

#[test]
fn the_same_runs_make_the_same_bytes_wherever_they_lie() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("sweep");
    at_equal_time(&folder);
    reported(home.path(), &["sweep"]);
    let first = files(&folder.join("report"));
    reported(home.path(), &["sweep/sweep.json", "--out", "again"]);
    assert!(first == files(&home.path().join("again")));
    // Moved: the teacher's time is still that of its own run.
    fs::rename(&folder, home.path().join("moved")).unwrap();
    reported(home.path(), &["moved", "--out", "of-moved"]);
    let moved = page(&home.path().join("of-moved"));
    assert_eq!(line(&moved.markdown, "RRM |")[6], "1.50");
    assert!(!moved.markdown.contains("is not known"), "{}", moved.markdown);
}

#[test]
fn what_was_not_run_failed_or_is_damaged_is_named_and_is_no_number() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("sweep");
    let runs = folder.join("runs");
    let mut cells = Vec::new();
    for (seed, ends) in [Ends::Completed, Ends::Failed, Ends::Killed, Ends::Completed].into_iter().enumerate() {
        let autoattack = (ends == Ends::Completed).then_some(0.4);
        let made = Made { id: format!("a-s{seed}"), seed: seed as u64, ends, autoattack, ..Made::default() };
        made.write(&runs);
        cells.push(cell(&made, "a", "A", &[]));
    }
    // Its first line is cut.
    fs::write(runs.join("a-s3/events.jsonl"), "{\"seq\":0").unwrap();
    let never = Made { id: "b-s0".into(), network: Network::Dnn, ..Made::default() };
    cells.push(cell(&never, "b", "B", &[]));
    let outside = Made { id: "../../secret".into(), ..Made::default() };
    cells.push(cell(&outside, "c", "C", &[]));
    write_plan(&folder, &plan(Figure::Table, None, cells));
    let printed = reported(home.path(), &["sweep"]);
    let page = page(&folder.join("report"));
    assert_eq!(line(&page.markdown, "A |")[1..5], ["*1 of 4*", "80.00 n=1 of 4", "50.00 n=1 of 4", "40.00 n=1 of 4"]);
    let b = line(&page.markdown, "B |");
    assert_eq!((b[10], b[4]), ("dnn", "*missing*"));
    for said in [
        "failed after 4 of 4 epochs: no memory left <b>at all</b>",
        "interrupted after 2 of 4 epochs",
        "rematch resume sweep/runs/a-s2",
        "a-s3: its log ends within its first lines",
        "not run",
        "'../../secret' is no name of a folder",
    ] {
        assert!(printed.contains(said) && unescaped(&page.text).contains(said), "{said}\n{printed}");
    }
    assert!(!page.text.contains("<td class=\"right\">0.00") && !page.markdown.contains("| 0.00"));
}

#[test]
fn runs_of_other_data_or_threat_are_kept_apart() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("sweep");
    let l2 = Threat { norm: Norm::L2, eps: Eps(0.5) };
    let mut cells = Vec::new();
    for made in [
        Made { id: "a".into(), autoattack: Some(0.5), ..Made::default() },
        Made { id: "b".into(), seed: 1, autoattack: Some(0.1), threat: l2, ..Made::default() },
        Made { id: "c".into(), seed: 2, autoattack: Some(0.3), data: "circles", ..Made::default() },
    ] {
        made.write(&folder.join("runs"));
        cells.push(cell(&made, "a", "A", &[]));
    }
    write_plan(&folder, &plan(Figure::Table, None, cells));
    reported(home.path(), &["sweep"]);
    let sweep = page(&folder.join("report"));
    let lines: Vec<&str> = sweep.markdown.lines().filter(|line| line.starts_with("| A |")).collect();
    assert_eq!(lines.len(), 3);
    for (line, number) in lines.iter().zip(["50.00", "10.00", "30.00"]) {
        assert!(line.split(" | ").any(|cell| cell == number), "{line}");
    }
    assert!(sweep.markdown.contains("3 different pairs of data and threat"));
    // The same runs, named one by one.
    reported(home.path(), &["sweep/runs/a", "sweep/runs/b", "sweep/runs/c"]);
    let runs = page(&home.path().join("reports/a"));
    assert_eq!(runs.markdown.matches("\n## Numbers: ").count(), 3);
}

#[test]
fn lambda_has_a_line_for_each_attack_and_a_place_for_nothing() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("sweep");
    let mut cells = Vec::new();
    for (i, lambda) in ["0", "5e-4", "0.01", "1"].into_iter().enumerate() {
        for seed in 0..2 {
            let method = Method::Rrm(Rrm::cosine(lambda.parse().unwrap()));
            let last = (0.7 + 0.05 * i as f64, 0.5 - 0.1 * i as f64 + 0.01 * seed as f64);
            let made =
                Made { id: format!("l{i}-s{seed}"), method, seed, last, autoattack: Some(last.1 - 0.1), ..Made::default() };
            made.write(&folder.join("runs"));
            cells.push(cell(&made, "rrm", "RRM", &[("method.lambda", lambda)]));
        }
    }
    write_plan(&folder, &plan(Figure::Lambda, None, cells));
    reported(home.path(), &["sweep"]);
    let page = page(&folder.join("report"));
    assert_eq!(line(&page.markdown, "RRM | 5e-4")[2], "2");
    let svg = String::from_utf8(page.files[Path::new("plots/rrm-lambda.svg")].clone()).unwrap();
    for name in [">natural<", ">pgd-20<", ">autoattack<", ">0<", ">0.01<", ">1<"] {
        assert!(svg.contains(name), "{name}");
    }
    // Four means with bars on each of three lines.
    assert_eq!(svg.matches("<circle").count(), 4 + 1);
}

#[test]
fn a_grid_has_a_field_for_each_pair_and_time_without_the_teachers_part() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("sweep");
    let mut cells: Vec<Cell> = Vec::new();
    for (i, teacher) in [Network::Fc2, Network::Vgg11].into_iter().enumerate() {
        for (j, student) in [Network::Fc3, Network::Dnn].into_iter().enumerate() {
            let made = Made {
                id: format!("{}-{}", student.name(), teacher.name()),
                network: student,
                teacher: Some((PathBuf::from(format!("/nowhere/{}.safetensors", teacher.name())), teacher)),
                train_seconds: 20.0 * (1 + j) as f64,
                autoattack: Some(0.2 + 0.1 * (i + j) as f64),
                ..Made::default()
            };
            if (i, j) != (1, 1) {
                made.write(&folder.join("runs"));
            }
            let vary = [("student.network", student.name()), ("teacher.checkpoint", teacher.name())];
            cells.push(cell(&made, "grid", "RRM", &vary));
        }
    }
    write_plan(&folder, &plan(Figure::Grid, None, cells));
    reported(home.path(), &["sweep"]);
    let page = page(&folder.join("report"));
    let svg = |name: &str| String::from_utf8(page.files[Path::new(&format!("plots/{name}.svg"))].clone()).unwrap();
    let grid = svg("student-teacher");
    for text in [">20.0<", ">30.0<", ">missing<", ">vgg11<", ">dnn<"] {
        assert!(grid.contains(text), "{text}\n{grid}");
    }
    assert_eq!(grid.matches(">30.0<").count(), 2);
    assert!(svg("expressive-power").contains("teacher vgg11"));
    // The teacher lies nowhere: its time is not known, and not nothing.
    assert_eq!(line(&page.markdown, "RRM | fc3 | fc2")[8], "not known");
}

#[test]
fn time_is_drawn_with_the_teachers_share_beside_the_papers() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("sweep");
    let mut sweep = at_equal_time(&folder);
    let sat = Made { id: "sat-s0".into(), method: Method::Sat(made::sat()), train_seconds: 600.0, ..Made::default() };
    sat.write(&folder.join("runs"));
    sweep.cells.push(cell(&sat, "sat", "SAT", &[]));
    (sweep.figure, sweep.paper) = (Figure::Time, Some(PaperTable::Figure2));
    write_plan(&folder, &sweep);
    reported(home.path(), &["sweep"]);
    let of_figure = page(&folder.join("report"));
    let svg = String::from_utf8(of_figure.files[Path::new("plots/time.svg")].clone()).unwrap();
    assert!(svg.contains("1.50 min, 0.500 without") && svg.contains("0.500 min<"), "{svg}");
    assert!(of_figure.markdown.contains("read off by pixels"));
    sweep.paper = Some(PaperTable::Table1);
    write_plan(&folder, &sweep);
    reported(home.path(), &["sweep"]);
    let of_table = page(&folder.join("report"));
    assert_eq!(line(&of_table.markdown, "SAT | 1")[5..9], ["SAT, 150 epochs", "1240.03", "85.50", "49.60"]);
    // With a teacher that the paper has not: no number of the paper beside it.
    assert_eq!(line(&of_table.markdown, "RRM | 3")[5..9], ["—"; 4]);
}

#[test]
fn a_run_is_shown_with_what_was_turned_its_images_and_its_doubts() {
    let home = tempfile::tempdir().unwrap();
    let made = Made { steered: Some("why <not>"), doubted: true, ..Made::default() };
    made.write(&home.path().join("runs"));
    let printed = reported(home.path(), &["a"]);
    let page = page(&home.path().join("reports/a"));
    assert!(printed.contains("steered, so not what its config alone gives: λ 0.005 -> 0.5 from step 50"), "{printed}");
    for said in [
        "zero gradients: 37 % of all gradients are 0; look at the <loss>",
        "rematch repeat runs/a",
        "rematch train runs/a/config.toml",
    ] {
        assert!(unescaped(&page.text).contains(said), "{said}");
    }
    let svg = |name: &str| String::from_utf8(page.files[Path::new(&format!("plots/{name}.svg"))].clone()).unwrap();
    assert!(svg("a-accuracy").contains("λ 0.005 -&gt; 0.5 (why &lt;not&gt;)"));
    assert!(svg("a-loss").contains(">λ·ce<") && svg("a-epsilon").contains("epsilon (L-inf)"));
    // One of the two images is damaged, and said to be.
    assert!(page.files.contains_key(Path::new("pictures/a-image-7.png")));
    assert!(page.markdown.contains("validation image 7: the base64 of its image is damaged"));
    // Every number with its interval, its seed and whether its images were seen.
    let numbers = line(&page.markdown, "autoattack | student step 100");
    assert_eq!(numbers[4..10], ["2000 test", "80.00", "40.00", "\\[37.87, 42.16\\]", "no", "0"]);
    assert_eq!(numbers[10], "! 1");
}

#[test]
fn a_recorded_run_has_a_report() {
    let home = tempfile::tempdir().unwrap();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo");
    let printed = reported(home.path(), &[demo.to_str().unwrap()]);
    let page = page(&home.path().join("reports/demo"));
    assert!(page.files.len() > 10, "{:?}", page.files.keys());
    assert!(printed.contains("27.75") && page.text.contains("data:image/png;base64,"));
}

#[test]
fn what_is_no_run_and_no_sweep_is_refused_with_what_was_looked_for() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let said = refused(home.path(), &["nobody"]);
    assert!(
        said.contains("neither a run nor a sweep")
            && said.contains("nobody/sweep.json")
            && said.contains("runs/nobody/events.jsonl"),
        "{said}"
    );
    fs::create_dir_all(at("empty")).unwrap();
    assert!(refused(home.path(), &["empty"]).contains("neither"));
    let made = Made { id: "x".into(), ..Made::default() };
    write_plan(&at("sweep"), &plan(Figure::Table, None, vec![cell(&made, "a", "A", &[])]));
    let said = refused(home.path(), &["sweep"]);
    assert!(said.contains("none of its 1 runs") && said.contains("rematch sweep sweep"), "{said}");
    assert!(!at("sweep/report").exists());
    assert!(refused(home.path(), &["sweep", "empty"]).contains("report on it alone"));
    fs::write(at("sweep/sweep.json"), "{\"format\": 99}").unwrap();
    assert!(refused(home.path(), &["sweep"]).contains("written in format 99"));
    fs::write(at("sweep/sweep.json"), "{").unwrap();
    assert!(refused(home.path(), &["sweep"]).contains("sweep.json is damaged"));
    // A run whose log is no log.
    fs::create_dir_all(at("runs/torn")).unwrap();
    fs::write(at("runs/torn/events.jsonl"), "nonsense\n").unwrap();
    let said = refused(home.path(), &["torn"]);
    assert!(said.contains("events.jsonl, line 1"), "{said}");
    // What lies where the report would go is somebody's.
    made.write(&at("runs"));
    fs::create_dir_all(at("mine")).unwrap();
    fs::write(at("mine/thesis.tex"), "").unwrap();
    assert!(refused(home.path(), &["x", "--out", "mine"]).contains("other files"));
    assert!(at("mine/thesis.tex").exists());
    assert!(refused(home.path(), &["x", "./runs/x"]).contains("named twice"));
}

#[test]
fn names_from_files_are_harmless_everywhere() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("sweep");
    let made = Made { id: "a".into(), ..Made::default() };
    made.write(&folder.join("runs"));
    let label = "<script>alert(1)</script>|\u{1b}[2J`*";
    write_plan(&folder, &plan(Figure::Table, None, vec![cell(&made, "a", label, &[("method.\"><b", "<i>")])]));
    let printed = reported(home.path(), &["sweep"]);
    let page = page(&folder.join("report"));
    assert!(!printed.contains('\u{1b}') && !page.text.contains("<script") && !page.text.contains('\u{1b}'));
    assert!(page.markdown.contains("\\<script>alert(1)\\</script>\\|?\\[2J\\`\\*"), "{}", page.markdown);
    assert!(
        page.files
            .values()
            .all(|bytes| !String::from_utf8_lossy(bytes).contains("<script>") || bytes == page.markdown.as_bytes())
    );
}

/// Runs that ended with an evaluation on 2000 images and were evaluated on 200 afterwards.
#[test]
fn numbers_of_different_images_never_share_a_row_or_a_figure() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("sweep");
    let mut cells = Vec::new();
    for (i, lambda) in ["0.01", "1"].into_iter().enumerate() {
        let method = Method::Rrm(Rrm::cosine(lambda.parse().unwrap()));
        let made = Made { id: format!("l{i}"), method, last: (0.81, 0.52), autoattack: Some(0.33), ..Made::default() };
        let run = made.write(&folder.join("runs"));
        let file = run.join("evaluations/20260101-000000-autoattack/report.json");
        let mut whole: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        whole["report"]["images"] = 200.into();
        whole["report"]["natural"] = 0.77.into();
        fs::write(&file, whole.to_string()).unwrap();
        cells.push(cell(&made, "rrm", "RRM", &[("method.lambda", lambda)]));
    }
    let mut plan = plan(Figure::Lambda, None, cells);
    plan.evaluate.as_mut().unwrap().images = Some(200);
    write_plan(&folder, &plan);
    let printed = reported(home.path(), &["sweep"]);
    let page = page(&folder.join("report"));
    let rows: Vec<&str> = page.markdown.lines().filter(|line| line.starts_with('|')).collect();
    assert!(rows.iter().any(|row| row.contains("77.00") && row.contains("33.00")), "{}", page.markdown);
    assert!(rows.iter().any(|row| row.contains("81.00") && row.contains("52.00")), "{}", page.markdown);
    for row in &rows {
        let (few, many) = (row.contains("77.00") || row.contains("33.00"), row.contains("81.00") || row.contains("52.00"));
        assert!(!(few && many), "{row}");
        assert!(!(row.contains("2000 test images") && row.contains("200 test images)")), "{row}");
    }
    for said in ["natural (200 test images)", "autoattack (200 test images)", "pgd-20 (2000 test images)"] {
        assert!(page.markdown.contains(&escaped(said)) || page.markdown.contains(said), "{said}\n{}", page.markdown);
        assert!(printed.contains(said), "{said}\n{printed}");
    }
    let svg = String::from_utf8(page.files[Path::new("plots/rrm-lambda.svg")].clone()).unwrap();
    assert!(svg.contains("on 200 test images") && svg.contains(">autoattack<"), "{svg}");
    assert!(!svg.contains(">pgd-20<"), "of 2000 images: {svg}");
}
