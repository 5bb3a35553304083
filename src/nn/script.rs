//! A TorchScript module as a teacher. Unlike every other file, it is a program: loading it is trusting it.
//!
//! `forward(images)` must give `(logits, features)`, `[N, K]` and `[N, D]`, for `[N, C, H, W]` in `[0, 1]`; its normalisation is its
//! own affair. What it gives is tried once when it is loaded. `rematch import` and all else that reads models refuse such files.

use super::Output;
use super::model::{Description, blank};
use std::path::{Path, PathBuf};
use tch::{CModule, Device, IValue, Kind, Tensor};

#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    #[error("{}: {why}; give a file of torch.jit.save", path.display())]
    Unreadable { path: PathBuf, why: String },
    #[error("{}: this program gives {gives} for images of {channels}x{height}x{width}; it must give (logits, features), [N, {classes}] and [N, D]", path.display())]
    Gives { path: PathBuf, gives: String, channels: usize, height: usize, width: usize, classes: usize },
    #[error("{}: this program fails for images of {channels}x{height}x{width}: {why}", path.display())]
    Fails { path: PathBuf, why: String, channels: usize, height: usize, width: usize },
}

pub(super) struct Script {
    module: CModule,
    /// Width of its features.
    pub features: u64,
    /// Count of its parameters.
    pub parameters: u64,
}

impl Script {
    /// Loads the program and runs it once. `description`: the images and classes it is to be used for.
    pub fn load(path: &Path, description: &Description, device: Device) -> Result<Self, ScriptError> {
        let unreadable = |why: String| ScriptError::Unreadable { path: path.into(), why };
        let kin = crate::pytorch::kin(path).map_err(|e| unreadable(e.to_string()))?;
        if kin != crate::pytorch::Kin::TorchScript {
            return Err(unreadable("teacher.torchscript = true, and this is not TorchScript".into()));
        }
        let mut module = CModule::load_on_device(path, device).map_err(|e| unreadable(first(&e)))?;
        module.set_eval();
        let mut parameters = 0;
        for (_, tensor) in module.named_parameters().map_err(|e| unreadable(first(&e)))? {
            parameters += tensor.numel() as u64;
            let _ = tensor.set_requires_grad(false);
        }
        let mut script = Self { module, features: 0, parameters };
        let [channels, height, width] = description.shape;
        let given = tch::no_grad(|| script.run(&blank(description, 2, device)));
        let given = given.map_err(|why| ScriptError::Fails { path: path.into(), why, channels, height, width })?;
        let classes = description.classes.len();
        let fits = |tensor: &Tensor| tensor.dim() == 2 && tensor.size()[0] == 2 && tensor.kind() == Kind::Float;
        match given {
            Given::Both(logits, features) if fits(&logits) && fits(&features) && logits.size()[1] == classes as i64 => {
                script.features = features.size()[1] as u64;
                Ok(script)
            }
            given => Err(ScriptError::Gives { path: path.into(), gives: given.words(), channels, height, width, classes }),
        }
    }

    fn run(&self, images: &Tensor) -> Result<Given, String> {
        let given = self.module.forward_is(&[IValue::Tensor(images.shallow_clone())]).map_err(|e| first(&e))?;
        Ok(match given {
            IValue::Tuple(mut parts) => match (parts.len(), parts.pop(), parts.pop()) {
                (2, Some(IValue::Tensor(features)), Some(IValue::Tensor(logits))) => Given::Both(logits, features),
                (n, ..) => Given::Other(format!("a tuple of {n} that are not two tensors")),
            },
            IValue::Tensor(tensor) => Given::Other(format!("one tensor {:?}", tensor.size())),
            _ => Given::Other("neither a tensor nor a tuple".into()),
        })
    }

    /// Always in eval mode.
    ///
    /// # Panics
    /// When the program fails or changes what it gives; that ends the run with these words.
    pub fn forward(&self, images: &Tensor) -> Output {
        match self.run(images) {
            Ok(Given::Both(logits, features)) => Output { logits, features },
            Ok(given) => panic!("the TorchScript teacher gives {} now", given.words()),
            Err(why) => panic!("the TorchScript teacher failed: {why}"),
        }
    }
}

enum Given {
    Both(Tensor, Tensor),
    Other(String),
}

impl Given {
    fn words(&self) -> String {
        match self {
            Self::Both(logits, features) => {
                format!("{:?} {:?} and {:?} {:?}", logits.kind(), logits.size(), features.kind(), features.size())
            }
            Self::Other(words) => words.clone(),
        }
    }
}

/// libtorch's messages go on with a backtrace.
fn first(error: &tch::TchError) -> String {
    error.to_string().lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("unknown error").chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::nn::model::Normalize;
    use crate::nn::{Mode, Model, Network as _};

    fn load(name: &str, shape: [usize; 3]) -> Result<Model, String> {
        let classes = (0..10).map(|i| i.to_string()).collect();
        let (network, normalize) = (config::Network::Fc2, Normalize::default());
        let description = Description { network, shape, classes, normalize, feature_width: None, projector: None };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        Model::script(&path, description, Device::Cpu).map_err(|e| e.to_string())
    }

    #[test]
    fn a_program_that_gives_logits_and_features_is_a_model() {
        let model = load("script/good.pt", [1, 28, 28]).unwrap();
        assert_eq!((model.features(), model.facts().parameters, model.facts().name.as_str()), (16, 170, "TorchScript"));
        let x = Tensor::rand([3, 1, 28, 28], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let out = model.forward(&x, Mode::Eval);
        let features = x.adaptive_avg_pool2d([4, 4]).flatten(1, -1);
        assert!((&out.features - &features).abs().max().double_value(&[]) < 1e-6);
        let weight = Tensor::arange(160, (Kind::Float, Device::Cpu)).view([10, 16]).sin();
        assert!((&out.logits - features.matmul(&weight.tr())).abs().max().double_value(&[]) < 1e-5);
        // Attacks on the teacher need the way back to the pixels.
        let gradient = Tensor::run_backward(&[out.logits.sum(Kind::Float)], &[&x], false, false);
        assert!(gradient[0].abs().max().double_value(&[]) > 0.0);
    }

    #[test]
    fn programs_that_give_something_else_are_refused() {
        for (name, says) in [
            ("script/logits.pt", "one tensor [2, 10]"),
            ("script/seven.pt", "[2, 7]"),
            ("import/madry_plain_zip.pt", "not TorchScript"),
            ("script/none.pt", "No such file"),
        ] {
            let error = load(name, [1, 28, 28]).err().expect("must be refused");
            assert!(error.contains(says) && error.contains(name.rsplit('/').next().unwrap()), "{error}");
        }
    }

    #[test]
    fn a_program_is_never_run_where_numbers_are_expected() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/script/good.pt");
        let error = Model::read(&path, Device::Cpu).err().unwrap().to_string();
        assert!(error.contains("teacher.torchscript = true"), "{error}");
        let error = crate::pytorch::Checkpoint::open(&path, &crate::pytorch::Limits::default()).err().unwrap().to_string();
        assert!(error.contains("TorchScript"), "{error}");
    }
}
