//! `rematch import`: a PyTorch checkpoint becomes a model of rematch, or is only listed.

use crate::cli::Import;
#[cfg(feature = "torch")]
use anyhow::{Context, bail};
use rematch::pytorch::mapping::{self, Mapped, Why};
use rematch::pytorch::{Checkpoint, Limits, What};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write;

/// Normalisers that people train with, and who does.
#[cfg(feature = "torch")]
const PRESETS: [(&str, [[f64; 3]; 2], &str); 4] = [
    (
        "cifar10",
        [[0.4914, 0.4822, 0.4465], [0.2471, 0.2435, 0.2616]],
        "locuslab's fast_adversarial and robust_overfitting, RRM l_inf",
    ),
    ("cifar10-madry", [[0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010]], "MadryLab's robustness, RRM l_2"),
    ("imagenet", [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]], "torchvision"),
    ("restricted-imagenet", [[0.4717, 0.4499, 0.3837], [0.2600, 0.2516, 0.2575]], "MadryLab's and RRM's Restricted ImageNet"),
];

pub fn run(args: &Import) -> anyhow::Result<u8> {
    let limits = Limits::default();
    let name = args.file.display();
    let file = Checkpoint::open(&args.file, &limits).map_err(|e| anyhow::anyhow!("{name}: {e}"))?;
    if file.metadata.get("format").is_some_and(|format| format.starts_with("rematch-model")) {
        anyhow::bail!("{name}: this is a model of rematch already; name it as it is, as teacher.checkpoint or for rematch eval");
    }
    let look = look(args, &file, &limits);
    if let (Some(why), false) = (&look.refused, args.dry_run) {
        anyhow::bail!("{name}: {why} (--dry-run lists everything in it)");
    }
    let sha256 = file.checksum().map_err(|e| anyhow::anyhow!("{name}: {e}"))?;
    if args.dry_run {
        let mut out = std::io::stdout();
        if args.json {
            let mut facts = facts(args, &file, &sha256, &look);
            facts["network"] = look.network.0;
            facts["entries"] = file.entries.iter().map(entry).collect();
            writeln!(out, "{facts}")?;
        } else {
            let words = words(args, &file, &sha256, &look);
            write!(out, "{words}network      {}\n\n{}", shown(&look.network.1), table(&file))?;
        }
        return Ok(0);
    }
    convert(args, &file, &sha256, &look)
}

/// What is known of the networks in a file.
struct Look {
    /// Tensors of the one that is taken; where none is, those of the file's most likely state dict.
    mapped: Result<Mapped, String>,
    /// Why none is taken.
    refused: Option<String>,
    /// For programs and for people.
    network: (Value, String),
    /// All of them, the one that is taken first.
    candidates: Vec<Candidate>,
    #[cfg(feature = "torch")]
    identity: Option<rematch::nn::import::Identity>,
}

struct Candidate {
    network: &'static str,
    place: String,
    /// What chooses it.
    options: String,
}

/// What the file is, as JSON: the provenance of what is made of it.
fn facts(args: &Import, file: &Checkpoint, sha256: &str, look: &Look) -> Value {
    let name = args.file.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut facts = json!({
        "imported_from": name,
        "sha256": sha256,
        "bytes": file.length(),
        "container": file.container.name(),
        "left_unread": file.unread,
    });
    facts["candidates"] =
        (look.candidates.iter()).map(|c| json!({"network": c.network, "place": c.place, "options": c.options})).collect();
    if let Ok(mapped) = &look.mapped {
        facts["renamed"] = mapped.renamed.len().into();
        facts["section"] = json!(mapped.section.join("."));
        facts["prefixes"] = json!(mapped.prefixes);
        facts["dtypes"] = json!(dtypes(mapped));
        facts["tensors"] = json!(mapped.tensors.len());
        facts["numbers"] =
            mapped.numbers.iter().map(|(key, v)| (key.clone(), json!(v))).collect::<serde_json::Map<_, _>>().into();
        facts["ignored"] = mapped
            .ignored
            .iter()
            .map(|(why, keys)| (why.words().to_owned(), json!(keys.len())))
            .collect::<serde_json::Map<_, _>>()
            .into();
        facts["normaliser"] =
            mapped.normaliser.as_ref().map_or(Value::Null, |n| json!({"key": n.key, "mean": n.mean, "std": n.std}));
    }
    facts
}

fn dtypes(mapped: &Mapped) -> Vec<String> {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for (_, spec) in &mapped.tensors {
        match counts.iter_mut().find(|(name, _)| *name == spec.dtype.name()) {
            Some((_, n)) => *n += 1,
            None => counts.push((spec.dtype.name(), 1)),
        }
    }
    counts.into_iter().map(|(name, n)| format!("{n} {name}")).collect()
}

/// The same for people.
fn words(args: &Import, file: &Checkpoint, sha256: &str, look: &Look) -> String {
    let mut text = String::new();
    let mut line = |what: &str, says: &str| {
        let _ = writeln!(text, "{what:<12} {says}"); // writing to a String does not fail
    };
    line("file", &format!("{}, {} bytes, {}", args.file.display(), file.length(), file.container.name()));
    line("sha256", sha256);
    match &look.mapped {
        Err(why) => line("weights", &format!("not taken: {why}")),
        Ok(mapped) => {
            let place =
                if mapped.section.is_empty() { "at the top".into() } else { format!("under '{}'", mapped.section.join("' '")) };
            let wrappers = &mapped.prefixes[..mapped.prefixes.len() - usize::from(!mapped.prefix.is_empty())];
            let mut prefix = if mapped.prefix.is_empty() { String::new() } else { format!("; taken off: {}", mapped.prefix) };
            if !wrappers.is_empty() {
                let _ = write!(prefix, "; taken off wherever it stands: {}", wrappers.join(" "));
            }
            line("weights", &format!("{} tensors ({}) {place}{prefix}", mapped.tensors.len(), dtypes(mapped).join(", ")));
            if !mapped.renamed.is_empty() {
                line("renamed", &renamed(&mapped.renamed));
            }
            if look.refused.is_none() {
                for other in look.candidates.iter().skip(1) {
                    line("also there", &format!("{} {}; {} takes it", other.network, other.place, other.options));
                }
            }
            for (key, value) in &mapped.numbers {
                line("", &format!("{key} = {value}"));
            }
            for (why, keys) in &mapped.ignored {
                // Of strays a reader must be able to judge each.
                let most = if matches!(why, Why::Stray) { 8 } else { 1 };
                let more = if keys.len() > most { ", ..." } else { "" };
                let names: Vec<&str> = keys.iter().take(most).map(String::as_str).collect();
                line("ignored", &format!("{} {}: {}{more}", keys.len(), why.words(), names.join(", ")));
            }
            match &mapped.normaliser {
                Some(n) => line("normaliser", &format!("mean {:?}, std {:?} from '{}'", n.mean, n.std, n.key)),
                None => line("normaliser", mapped.odd_normaliser.as_deref().unwrap_or("none in the file")),
            }
        }
    }
    for object in &file.unread {
        line("left unread", object);
    }
    shown(&text)
}

/// How names differ, in the parts that do: `downsample to shortcut`.
fn renamed(pairs: &[(String, String)]) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (from, to) in pairs {
        let (mut a, mut b): (Vec<&str>, Vec<&str>) = (from.split('.').collect(), to.split('.').collect());
        while a.len() > 1 && b.len() > 1 && a.last() == b.last() {
            a.pop();
            b.pop();
        }
        let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count().min(a.len().min(b.len()) - 1);
        let part = format!("{} to {}", a[same..].join("."), b[same..].join("."));
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    let more = if parts.len() > 4 { format!(" and {} more", parts.len() - 4) } else { String::new() };
    parts.truncate(4);
    format!("{} tensors: {}{more}", pairs.len(), parts.join(", "))
}

/// Without what a terminal would obey: a file's own words are in it.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '?' } else { c }).collect()
}

fn entry(entry: &rematch::pytorch::Entry) -> Value {
    match &entry.what {
        What::Tensor(spec) => json!({"key": entry.path, "kind": "tensor", "dtype": spec.dtype.name(), "shape": spec.shape}),
        What::Number(v) => json!({"key": entry.path, "kind": "number", "value": v}),
        What::Text(v) => json!({"key": entry.path, "kind": "text", "value": v}),
        What::Other(v) => json!({"key": entry.path, "kind": "other", "value": v}),
    }
}

/// Every key, what it is and its shape.
fn table(file: &Checkpoint) -> String {
    let keys: Vec<String> = file.entries.iter().map(|entry| entry.path.join(" / ")).collect();
    let width = keys.iter().map(String::len).max().unwrap_or(0).min(70);
    let mut text = String::new();
    for (entry, key) in file.entries.iter().zip(keys) {
        let says = match &entry.what {
            What::Tensor(spec) => format!("{:<5} {:?}", spec.dtype.name(), spec.shape),
            What::Number(v) => format!("number {v}"),
            What::Text(v) => format!("text {v:?}"),
            What::Other(v) => v.clone(),
        };
        let _ = writeln!(text, "{key:<width$}  {says}");
    }
    // A key is the file's own text, and a terminal obeys what it is shown.
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// What is wanted as normaliser, and from where. Options come before the file.
#[cfg(feature = "torch")]
fn normaliser(args: &Import, mapped: &Mapped) -> anyhow::Result<(Vec<f64>, Vec<f64>, String)> {
    if let (Some(mean), Some(std)) = (&args.mean, &args.std) {
        if mean.len() != std.len() {
            bail!("--mean has {} numbers and --std {}; give one a channel", mean.len(), std.len());
        }
        if mean.iter().any(|m| !m.is_finite()) || std.iter().any(|s| !s.is_finite() || *s <= 0.0) {
            bail!("--mean must be finite, --std finite and above 0");
        }
        if mean.iter().any(|m| m.abs() > 3.0) || std.iter().any(|s| !(1e-3..=4.0).contains(s)) {
            bail!(
                "--mean {mean:?} --std {std:?}: these are in units of [0, 1]; of numbers made for 0 to 255, give them divided by 255"
            );
        }
        return Ok((mean.clone(), std.clone(), "--mean and --std".into()));
    }
    match args.normalize.as_deref() {
        Some("none") => return Ok((Vec::new(), Vec::new(), "--normalize none".into())),
        Some(name) => {
            let (_, [mean, std], _) = PRESETS.iter().find(|(n, ..)| *n == name).context("no such normaliser")?;
            return Ok((mean.to_vec(), std.to_vec(), format!("--normalize {name}")));
        }
        None => {}
    }
    if let Some(n) = &mapped.normaliser {
        return Ok((n.mean.clone(), n.std.clone(), format!("the file's '{}'", n.key)));
    }
    if let Some(why) = &mapped.odd_normaliser {
        bail!("{}: {why}", args.file.display());
    }
    let mut choices = String::from("\n  --normalize none                 TRADES, MART, ARD, RSLAD: pixels in [0, 1] as they are");
    for (name, [mean, std], who) in PRESETS {
        let _ = write!(choices, "\n  --normalize {name:<20} {who}: mean {mean:?}, std {std:?}");
    }
    bail!(
        "{}: it does not say how images were normalised, and a wrong guess ruins a teacher without a word; say it with --mean and --std, or one of{choices}",
        args.file.display()
    )
}

#[cfg(not(feature = "torch"))]
fn look(_: &Import, file: &Checkpoint, limits: &Limits) -> Look {
    let mapped = mapping::map(file, limits);
    Look { mapped, refused: None, network: (Value::Null, "not looked for: this build only views".into()), candidates: Vec::new() }
}

#[cfg(not(feature = "torch"))]
fn convert(_: &Import, _: &Checkpoint, _: &str, _: &Look) -> anyhow::Result<u8> {
    Err(super::no_torch("import; it can list a file with --dry-run"))
}

#[cfg(feature = "torch")]
fn look(args: &Import, file: &Checkpoint, limits: &Limits) -> Look {
    use rematch::config::Network;
    use rematch::nn::finding::{self, Wanted};
    use rematch::pytorch::candidates::Choice;
    let network = args.arch.as_ref().and_then(|name| Network::ALL.iter().copied().find(|n| n.name() == name));
    let choice = Choice { section: args.section.clone(), prefixes: args.prefix.clone() };
    let wanted = Wanted { network, shape: args.shape, choice };
    let search = finding::find(file, limits, &wanted);
    let candidates = search.iter().flat_map(|search| &search.found).map(|found| Candidate {
        network: found.identity.network.name(),
        place: found.place.clone(),
        options: found.options.clone(),
    });
    let candidates = candidates.collect();
    match search.and_then(|search| search.taken().cloned()) {
        Ok(found) => {
            let id = found.identity;
            let [c, h, w] = id.shape;
            let words = format!("{} for {c}x{h}x{w}, {} classes", id.network.name(), id.classes);
            let network = json!({"name": id.network.name(), "shape": id.shape, "classes": id.classes});
            Look { mapped: Ok(found.mapped), refused: None, network: (network, words), candidates, identity: Some(id) }
        }
        Err(why) => {
            let several = candidates.len() > 1;
            let mapped = if several { Err("one of these networks must be chosen".into()) } else { mapping::map(file, limits) };
            let network = (Value::Null, format!("unknown: {why}"));
            let hint = if why.contains("no network that is known") { "; --arch names the network" } else { "" };
            Look { mapped, refused: Some(format!("{why}{hint}")), network, candidates, identity: None }
        }
    }
}

#[cfg(feature = "torch")]
fn convert(args: &Import, file: &Checkpoint, sha256: &str, look: &Look) -> anyhow::Result<u8> {
    use rematch::nn::{import, model::Normalize};

    super::openmp::settle();
    let name = args.file.display();
    let (Ok(mapped), Some(identity)) = (&look.mapped, &look.identity) else { bail!("{name}: no network was taken") };
    let out = args.out.clone().unwrap_or_else(|| args.file.with_extension("safetensors"));
    let same = |a: &std::path::Path, b: &std::path::Path| a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b));
    if out == args.file || same(&out, &args.file) {
        bail!("{name}: the model would replace the file it is made of; name another with --out");
    }
    super::free(&out, args.force)?;
    // Before anything is written.
    let config = args.data.as_ref().map(|config| rematch::config::check::load(config, &[])).transpose()?;
    let (mean, std, from) = normaliser(args, mapped)?;
    let classes = args.classes.as_deref().map(class_names);
    let stated = || serde_json::from_str::<Vec<String>>(file.metadata.get("classes")?).ok().map(Ok);
    let classes = classes.or_else(stated);
    let normalize = Normalize { mean, std };
    let model = import::build(file, mapped, identity, classes.transpose()?, normalize.clone())
        .map_err(|why| anyhow::anyhow!("{name}: {why}"))?;
    let mut provenance = facts(args, file, sha256, look);
    provenance["normaliser"] = json!({"from": from, "mean": normalize.mean, "std": normalize.std});
    provenance["program"] = json!(concat!("rematch ", env!("CARGO_PKG_VERSION")));
    let bytes = model.to_bytes(&provenance);
    drop(model);
    // A model that does not fit the data it is measured on is not written at all.
    let beside = out.with_extension("partial.safetensors");
    super::write_file(&beside, &bytes)?;
    let probed = config.map(|config| probe(&beside, &config)).transpose();
    let put = probed.and_then(|probed| {
        let moved = std::fs::rename(&beside, &out).map_err(|error| anyhow::anyhow!("{}: {error}", out.display()));
        moved.map(|()| probed)
    });
    if put.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    let probed = put?;
    if let Some(own) = mapped.normaliser.as_ref().filter(|own| own.mean != normalize.mean || own.std != normalize.std) {
        let line = format!("rematch: the file's own normaliser (mean {:?}, std {:?}) was overruled by {from}", own.mean, own.std);
        writeln!(std::io::stderr(), "{line}")?;
    }

    let mut facts = facts(args, file, sha256, look);
    facts["network"] = look.network.0.clone();
    facts["normaliser"] = provenance["normaliser"].clone();
    facts["out"] = json!(out.display().to_string());
    let mut stdout = std::io::stdout();
    if args.json {
        facts["probe"] = probed.as_ref().map_or(Value::Null, |p| p.facts.clone());
        writeln!(stdout, "{facts}")?;
    } else {
        write!(stdout, "{}", words(args, file, sha256, look))?;
        writeln!(stdout, "network      {}", look.network.1)?;
        let numbers =
            if normalize.mean.is_empty() { "none".into() } else { format!("mean {:?}, std {:?}", normalize.mean, normalize.std) };
        writeln!(stdout, "taken        {numbers}, from {from}")?;
        writeln!(stdout, "wrote        {}", out.display())?;
        if let Some(probed) = &probed {
            writeln!(stdout, "probe        {}", probed.words)?;
        }
    }
    if let Some(warning) = probed.and_then(|p| p.warning) {
        writeln!(std::io::stderr(), "rematch: {warning}")?;
    }
    Ok(0)
}

/// The names in a file, one a line. Files of Windows begin with a mark and end their lines otherwise.
#[cfg(feature = "torch")]
fn class_names(path: &std::path::Path) -> anyhow::Result<Vec<String>> {
    let bytes = std::fs::read(path).map_err(|error| anyhow::anyhow!("--classes {}: {error}", path.display()))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| anyhow::anyhow!("--classes {}: this is not UTF-8; save the list as UTF-8 text", path.display()))?;
    let lines = text.trim_start_matches('\u{feff}').lines();
    let names: Vec<String> = lines.map(str::trim).filter(|line| !line.is_empty()).map(String::from).collect();
    if names.iter().any(|name| name.chars().any(char::is_control)) {
        bail!("--classes {}: a name has control characters in it", path.display());
    }
    Ok(names)
}

/// Images of a probe: accuracy to about 1.5 points.
#[cfg(feature = "torch")]
const PROBED: usize = 1000;

#[cfg(feature = "torch")]
struct Probed {
    facts: Value,
    words: String,
    warning: Option<String>,
}

/// Natural and PGD-10 accuracy of the written file on validation images: a wrong normaliser shows at once.
#[cfg(feature = "torch")]
fn probe(model: &std::path::Path, config: &rematch::config::Config) -> anyhow::Result<Probed> {
    use rematch::config::AttackSpec;
    use rematch::train::examinee;
    let data = super::data::load(&config.data)?;
    let images = examinee::Images { images: &data.validation, classes: &data.classes };
    let examinee = examinee::Examinee::load(model, &images, rematch::config::DeviceChoice::default())?;
    let count = examinee.len().min(PROBED);
    let attack = AttackSpec::pgd(config.threat, 10, 1, 0);
    let Some(accuracy) = examinee.evaluate(&attack, count)? else { bail!("the probe was interrupted") };
    let percent = |x: f64| format!("{:.2} %", 100.0 * x);
    let words = format!(
        "natural {}, {} {} ({} eps {}) on {count} validation images of {}",
        percent(accuracy.natural),
        attack.short(),
        percent(accuracy.adversarial),
        attack.norm,
        attack.eps,
        data.name
    );
    let chance = 1.0 / data.classes.len() as f64;
    let warning = (accuracy.natural < chance + 0.1 * (1.0 - chance)).then(|| {
        format!(
            "natural accuracy {} is near chance ({}): the normaliser, the order of the classes or the data is another one",
            percent(accuracy.natural),
            percent(chance)
        )
    });
    let facts = json!({
        "natural_accuracy": accuracy.natural,
        "adversarial_accuracy": accuracy.adversarial,
        "attack": attack.short(),
        "norm": attack.norm,
        "eps": attack.eps,
        "images": count,
        "split": "validation",
        "data": data.name,
    });
    Ok(Probed { facts, words, warning })
}
