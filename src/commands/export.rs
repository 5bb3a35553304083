//! `rematch export`: the student of a run, or any model file, for PyTorch.

use crate::cli::Export;

#[cfg(not(feature = "torch"))]
pub fn run(_: &Export) -> anyhow::Result<u8> {
    Err(super::no_torch("export"))
}

#[cfg(feature = "torch")]
pub fn run(args: &Export) -> anyhow::Result<u8> {
    use anyhow::{Context, bail};
    use rematch::nn::{Model, export::export};
    use std::io::Write;

    super::openmp::settle();
    let within = args.runs.join(&args.target);
    let target = if !args.target.exists() && within.exists() { within } else { args.target.clone() };
    let path = rematch::train::checkpoint::model_file(&target)?;
    let (model, provenance) = Model::read(&path, tch::Device::Cpu)?;
    let out = args.out.clone().unwrap_or_else(|| {
        let stem = target.file_stem().map_or("model".into(), |stem| stem.to_string_lossy().into_owned());
        let stem: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        format!("{stem}_pytorch.safetensors").into()
    });
    if out.extension().is_none_or(|end| end != "safetensors") {
        bail!("--out {}: the weights go into a .safetensors file; give a name that ends so", out.display());
    }
    if out.canonicalize().is_ok_and(|out| path.canonicalize().is_ok_and(|path| path == out)) {
        bail!("--out {}: that is the model itself; name another file", out.display());
    }
    let name = out
        .file_name()
        .and_then(|name| name.to_str())
        .with_context(|| format!("--out {}: the name is not UTF-8", out.display()))?;
    // A name that Python can import, and that hides no module of its own.
    let stem: String =
        name.trim_end_matches(".safetensors").chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let python = out.with_file_name(format!("load_{stem}.py"));
    let module = format!("load_{stem}");
    let exported = export(&model, &provenance, name, &module);
    super::free(&out, args.force)?;
    super::free(&python, args.force)?;
    super::write_file(&out, &exported.weights)?;
    super::write_file(&python, exported.python.as_bytes())?;
    let d = &model.description;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "model        {} ({}, {} classes)", path.display(), d.network.name(), d.classes.len())?;
    writeln!(stdout, "wrote        {}", out.display())?;
    writeln!(stdout, "wrote        {} (loads it: python {})", python.display(), python.display())?;
    Ok(0)
}
