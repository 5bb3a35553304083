//! Models in `.safetensors` files: tensors by name in the usual memory order, everything else in the metadata.
//!
//! Metadata: `format` (`rematch-model-1`), `network`, `shape`, `classes`, `mean`, `std` (JSON), where they apply `feature_width`
//! and `projector` (whole numbers), and `provenance` (JSON: what made it, from which config and seed, and how well it does). Nothing in such a file is ever executed.

use super::model::{Description, Model, ModelError, Normalize, Outline};
use super::parameters::{Parameter, Role};
use crate::config::Network;
use crate::pytorch::{self, Kin};
use crate::run::advice::quoted;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tch::{Device, Kind, Tensor};

const FORMAT: &str = "rematch-model-1";

/// Tensors by name.
pub type Named = Vec<(String, Tensor)>;

#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{}: {source}; give the path of a .safetensors file that rematch wrote", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: not a whole .safetensors file ({why}); it may be truncated or of another kind", path.display())]
    Malformed { path: PathBuf, why: String },
    #[error("{}: this is a PyTorch checkpoint; make a model of it first: rematch import {}", path.display(), quoted(path))]
    PyTorch { path: PathBuf },
    #[error(
        "{}: this is TorchScript, a program that would be run; only a teacher can be one, with teacher.torchscript = true where you trust it",
        path.display()
    )]
    TorchScript { path: PathBuf },
    #[error("{}: a .safetensors file, but not a model of rematch: {why}; rematch import FILE makes one of weights for PyTorch", path.display())]
    Foreign { path: PathBuf, why: String },
    #[error("{}: its tensors are not those of the network '{network}' that it names: {why}", path.display())]
    Tensors { path: PathBuf, network: &'static str, why: String },
    #[error("{}: {source}", path.display())]
    Model { path: PathBuf, source: ModelError },
}

/// Tensors as bytes on the host: what another thread can write while training goes on.
pub struct Host {
    tensors: Vec<(String, Vec<usize>, Vec<u8>)>,
    metadata: HashMap<String, String>,
}

impl Host {
    /// Copies; what happens to the tensors later is not seen.
    pub fn copy(tensors: &[(String, Tensor)], metadata: HashMap<String, String>) -> Self {
        let _guard = tch::no_grad_guard();
        let tensors = tensors
            .iter()
            .map(|(name, tensor)| {
                let tensor = tensor.to_device(Device::Cpu).to_kind(Kind::Float).contiguous();
                let mut bytes = vec![0u8; tensor.numel() * 4];
                tensor.copy_data_u8(&mut bytes, tensor.numel());
                (name.clone(), tensor.size().iter().map(|&d| d as usize).collect(), bytes)
            })
            .collect();
        Self { tensors, metadata }
    }

    /// The bytes of a safetensors file.
    pub fn encode(self) -> Vec<u8> {
        let views = self.tensors.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes).expect("the bytes were made for this shape");
            (name.as_str(), view)
        });
        safetensors::tensor::serialize(views, Some(self.metadata)).expect("names and shapes are valid")
    }
}

/// Named tensors as the bytes of a safetensors file.
pub fn encode(tensors: &[(String, Tensor)], metadata: HashMap<String, String>) -> Vec<u8> {
    Host::copy(tensors, metadata).encode()
}

/// Named tensors of 32-bit floats and 64-bit whole numbers, each as it is, as the bytes of a safetensors file.
pub fn encode_exactly(tensors: &[(String, Tensor)], metadata: HashMap<String, String>) -> Vec<u8> {
    let _guard = tch::no_grad_guard();
    let parts: Vec<(Dtype, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(_, tensor)| {
            let (kind, dtype) = if tensor.kind() == Kind::Int64 { (Kind::Int64, Dtype::I64) } else { (Kind::Float, Dtype::F32) };
            let tensor = tensor.to_device(Device::Cpu).to_kind(kind).contiguous();
            let mut bytes = vec![0u8; tensor.numel() * kind.elt_size_in_bytes()];
            tensor.copy_data_u8(&mut bytes, tensor.numel());
            (dtype, tensor.size().iter().map(|&d| d as usize).collect(), bytes)
        })
        .collect();
    let views = tensors.iter().zip(&parts).map(|((name, _), (dtype, shape, bytes))| {
        let view = TensorView::new(*dtype, shape.clone(), bytes).expect("the bytes were made for this shape");
        (name.as_str(), view)
    });
    safetensors::tensor::serialize(views, Some(metadata)).expect("names and shapes are valid")
}

/// The tensors and the metadata of a safetensors file. Only 32-bit floats.
pub fn decode(path: &Path) -> Result<(Named, HashMap<String, String>), FileError> {
    let unreadable = |source| FileError::Unreadable { path: path.into(), source };
    // Before it is read as a whole: a checkpoint may be larger than the memory.
    match pytorch::kin(path).map_err(unreadable)? {
        Kin::TorchScript => return Err(FileError::TorchScript { path: path.into() }),
        Kin::Checkpoint => return Err(FileError::PyTorch { path: path.into() }),
        Kin::Neither => {}
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let malformed = |why: String| FileError::Malformed { path: path.into(), why };
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| malformed(e.to_string()))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| malformed(e.to_string()))?;
    let mut tensors = Vec::new();
    for (name, view) in file.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(malformed(format!("tensor '{name}' is {:?}, and only 32-bit floats are read", view.dtype())));
        }
        let shape: Vec<i64> = view.shape().iter().map(|&d| d as i64).collect();
        let tensor = Tensor::f_from_data_size(view.data(), &shape, Kind::Float).map_err(|e| malformed(e.to_string()))?;
        tensors.push((name, tensor));
    }
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    Ok((tensors, header.metadata().clone().unwrap_or_default()))
}

impl Model {
    /// The bytes of this model's file. `provenance`: a JSON object that says how it was made.
    pub fn to_bytes(&self, provenance: &serde_json::Value) -> Vec<u8> {
        self.to_host(provenance).encode()
    }

    /// What [`Self::to_bytes`] is made of, copied.
    pub fn to_host(&self, provenance: &serde_json::Value) -> Host {
        let d = &self.description;
        let json = |value: &dyn Fn() -> serde_json::Value| value().to_string();
        let mut metadata = HashMap::from([
            ("format".into(), FORMAT.into()),
            ("network".into(), d.network.name().into()),
            ("shape".into(), json(&|| d.shape.to_vec().into())),
            ("classes".into(), json(&|| d.classes.clone().into())),
            ("mean".into(), json(&|| d.normalize.mean.clone().into())),
            ("std".into(), json(&|| d.normalize.std.clone().into())),
            ("provenance".into(), provenance.to_string()),
        ]);
        let widths = [("feature_width", d.feature_width), ("projector", d.projector)];
        metadata.extend(widths.into_iter().filter_map(|(key, width)| Some((key.to_string(), width?.to_string()))));
        let tensors: Vec<(String, Tensor)> =
            self.parameters.entries().iter().map(|p| (p.name.clone(), p.tensor.detach())).collect();
        Host::copy(&tensors, metadata)
    }

    /// Reads a model and what its file says of its making.
    pub fn read(path: &Path, device: Device) -> Result<(Self, serde_json::Value), FileError> {
        // Weights of another program may be gigabytes: what they are is known from the header.
        if let Ok(texts) = pytorch::metadata(path) {
            describe(&texts.into_iter().collect()).map_err(|why| FileError::Foreign { path: path.into(), why })?;
        }
        let (tensors, metadata) = decode(path)?;
        let description = describe(&metadata).map_err(|why| FileError::Foreign { path: path.into(), why })?;
        let network = description.network.name();
        let outline = Outline::new(description, device).map_err(|source| FileError::Model { path: path.into(), source })?;
        let model = outline.fill(&tensors).map_err(|why| FileError::Tensors { path: path.into(), network, why })?;
        let provenance = metadata.get("provenance").and_then(|p| serde_json::from_str(p).ok()).unwrap_or_default();
        Ok((model, provenance))
    }

    /// Takes on these values: exactly the network's tensors, in their shapes, all finite.
    ///
    /// # Errors
    /// Which tensor is missing, of another shape, not finite, or too many.
    pub fn fill(&self, tensors: &[(String, Tensor)]) -> Result<(), String> {
        let _guard = tch::no_grad_guard();
        let fitting = matching(self.parameters.entries(), tensors)?;
        for (p, tensor) in self.parameters.entries().iter().zip(fitting) {
            if !bool::try_from(tensor.isfinite().all()).unwrap_or(false) {
                return Err(format!("tensor '{}' holds a NaN or an infinity", p.name));
            }
            if p.name.ends_with("running_var") && !bool::try_from(tensor.ge(0.0).all()).unwrap_or(false) {
                return Err(format!("tensor '{}' holds a variance below 0", p.name));
            }
            match p.role {
                Role::Trainable => {
                    assert!(self.parameters.place(self.parameters.flat(), &p.name, tensor), "the shape was checked");
                }
                Role::Buffer => p.tensor.shallow_clone().copy_(tensor),
            }
        }
        Ok(())
    }
}

impl Outline {
    /// The network with these values: exactly its tensors, in their shapes, all finite. Where the tensors do not fit, nothing was
    /// allocated for them.
    ///
    /// # Errors
    /// Which tensor is missing, of another shape, not finite, or too many.
    pub fn fill(self, tensors: &[(String, Tensor)]) -> Result<Model, String> {
        matching(self.entries(), tensors)?;
        let model = self.finish();
        model.fill(tensors)?;
        Ok(model)
    }
}

/// For each entry the tensor of its name and shape.
fn matching<'a>(entries: &[Parameter], tensors: &'a [(String, Tensor)]) -> Result<Vec<&'a Tensor>, String> {
    let mut left: HashMap<&str, &Tensor> = tensors.iter().map(|(n, t)| (n.as_str(), t)).collect();
    let mut fitting = Vec::with_capacity(entries.len());
    for p in entries {
        let tensor = left.remove(p.name.as_str()).ok_or_else(|| format!("tensor '{}' is missing", p.name))?;
        if tensor.size() != p.tensor.size() {
            return Err(format!("tensor '{}' has shape {:?}, expected {:?}", p.name, tensor.size(), p.tensor.size()));
        }
        fitting.push(tensor);
    }
    match left.keys().min() {
        None => Ok(fitting),
        Some(name) => Err(format!("tensor '{name}' does not belong to it ({} such)", left.len())),
    }
}

fn parse<T: serde::de::DeserializeOwned>(key: &str, text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|e| format!("its metadata '{key}' is '{text}': {e}"))
}

fn describe(metadata: &HashMap<String, String>) -> Result<Description, String> {
    let get = |key: &str| metadata.get(key).ok_or_else(|| format!("its metadata has no '{key}'"));
    let format = get("format")?;
    if format != FORMAT {
        return Err(format!("its metadata 'format' is '{format}', and this program reads '{FORMAT}'"));
    }
    let name = get("network")?;
    let network = Network::ALL.iter().copied().find(|n| n.name() == name).ok_or_else(|| {
        let known: Vec<&str> = Network::ALL.iter().map(|n| n.name()).collect();
        format!("its network '{name}' is unknown here; known: {}", known.join(", "))
    })?;
    let shape: [usize; 3] = parse("shape", get("shape")?)?;
    let classes: Vec<String> = parse("classes", get("classes")?)?;
    let normalize = Normalize { mean: parse("mean", get("mean")?)?, std: parse("std", get("std")?)? };
    let fits = |v: &[f64]| v.is_empty() || v.len() == shape[0];
    if !fits(&normalize.mean) || normalize.mean.len() != normalize.std.len() || normalize.std.iter().any(|s| *s <= 0.0) {
        return Err(format!("its normalisation does not fit {} channels", shape[0]));
    }
    if !(2..=100_000).contains(&classes.len()) {
        return Err(format!("it has {} classes; allowed: 2 to 100000", classes.len()));
    }
    let width = |key: &str| metadata.get(key).map(|text| parse::<usize>(key, text)).transpose();
    Ok(Description { network, shape, classes, normalize, feature_width: width("feature_width")?, projector: width("projector")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Mode, Network as _};

    fn description() -> Description {
        let normalize = Normalize { mean: vec![0.286], std: vec![0.353] };
        Description {
            network: Network::Fc3,
            shape: [1, 28, 28],
            classes: (0..10).map(|i| format!("c{i}")).collect(),
            normalize,
            feature_width: None,
            projector: None,
        }
    }

    #[test]
    fn a_model_comes_back_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.safetensors");
        let model = Model::new(description(), 3, Device::Cpu).unwrap();
        let x = crate::nn::channels_last(&Tensor::rand([4, 1, 28, 28], (Kind::Float, Device::Cpu)));
        let _ = model.forward(&x, Mode::Train); // moves the running statistics
        std::fs::write(&path, model.to_bytes(&serde_json::json!({"seed": 3}))).unwrap();
        let (back, provenance) = Model::read(&path, Device::Cpu).unwrap();
        assert_eq!(back.description, model.description);
        assert_eq!(provenance["seed"], 3);
        let (a, b) = (model.forward(&x, Mode::Eval).logits, back.forward(&x, Mode::Eval).logits);
        assert!(a == b);
    }

    #[test]
    fn layers_between_widths_are_in_the_file_and_named_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.safetensors");
        let wide = Description { feature_width: Some(48), projector: Some(96), ..description() };
        let model = Model::new(wide.clone(), 3, Device::Cpu).unwrap();
        std::fs::write(&path, model.to_bytes(&serde_json::json!({}))).unwrap();
        let (back, _) = Model::read(&path, Device::Cpu).unwrap();
        assert_eq!(back.description, wide);
        let x = crate::nn::channels_last(&Tensor::rand([4, 1, 28, 28], (Kind::Float, Device::Cpu)));
        let (a, b) = (model.forward(&x, Mode::Eval), back.forward(&x, Mode::Eval));
        assert!(a.logits == b.logits && model.project(&a.features) == back.project(&b.features));
        // Where the metadata names other widths than the tensors have, or none, the file is refused before anything is allocated:
        // 65536 x 65536 numbers would be 17 gigabytes.
        let (tensors, metadata) = decode(&path).unwrap();
        for (key, said, expected) in [
            ("feature_width", Some("65536"), "tensor 'head.weight' has shape [10, 48], expected [10, 65536]"),
            ("projector", Some("65536"), "tensor 'projector.weight' has shape [96, 48], expected [65536, 48]"),
            ("projector", None, "tensor 'projector.bias' does not belong to it (2 such)"),
            ("projector", Some("0"), "projector = 0 is out of range; allowed: 1 to 65536"),
            ("feature_width", Some("-1"), "its metadata 'feature_width' is '-1'"),
        ] {
            let mut other = metadata.clone();
            other.remove(key);
            other.extend(said.map(|said| (key.to_string(), said.to_string())));
            std::fs::write(&path, encode(&tensors, other)).unwrap();
            let error = Model::read(&path, Device::Cpu).err().unwrap().to_string();
            assert!(error.contains(expected) && error.contains("m.safetensors"), "{error}");
        }
    }

    #[test]
    fn what_is_not_a_model_is_refused_by_name_and_reason() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.safetensors");
        let model = Model::new(description(), 3, Device::Cpu).unwrap();
        let whole = model.to_bytes(&serde_json::json!({}));
        let refused = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let message = Model::read(&path, Device::Cpu).err().expect("must be refused").to_string();
            assert!(message.contains("m.safetensors"), "{message}");
            message
        };
        assert!(refused(&[]).contains("truncated"));
        assert!(refused(&whole[..whole.len() / 2]).contains("truncated"));
        assert!(refused(b"PK\x03\x04 this is a zip file of another kind").contains("rematch import"));
        let bare = encode(&[("w".to_string(), Tensor::zeros([2], (Kind::Float, Device::Cpu)))], HashMap::new());
        assert!(refused(&bare).contains("no 'format'"));
        let other = Model::new(Description { network: Network::Fc2, ..description() }, 3, Device::Cpu).unwrap();
        let mut renamed = other.to_bytes(&serde_json::json!({}));
        let at = renamed.windows(5).position(|w| w == b"\"fc2\"").unwrap();
        renamed[at + 3] = b'3';
        assert!(refused(&renamed).contains("is missing"));
        let mut poisoned = whole.clone();
        let end = poisoned.len();
        poisoned[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        assert!(refused(&poisoned).contains("NaN"));
        assert!(
            Model::read(Path::new("/nowhere/x.safetensors"), Device::Cpu)
                .err()
                .unwrap()
                .to_string()
                .contains("/nowhere/x.safetensors")
        );
    }
}
