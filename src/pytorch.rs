//! PyTorch checkpoints as data: which tensors a file holds, under which keys, and their values as 32-bit floats.
//!
//! Both containers of `torch.save` (the zip of 1.6 and later, the row of pickles before it) and `.safetensors` with any key names.
//! Nothing in a file is executed and no libtorch is needed. Objects that are neither tensors, numbers nor text stay unopened and
//! are named; they are an error only for who needs them. Which network a file belongs to is for others to say; [`mapping`] finds
//! its state dict and its normaliser.

mod archive;
pub mod candidates;
mod foreign;
mod legacy;
mod listing;
pub mod mapping;
mod safetensors;
mod source;
mod storage;

use crate::pickle::{self, PickleError};
use sha2::{Digest, Sha256};
use source::Source;
use std::path::Path;

pub use storage::{Dtype, Spec};

/// How the file is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    Zip,
    Legacy,
    Safetensors,
    /// A plain pickle of numpy arrays.
    Pickle,
}

impl Container {
    pub fn name(self) -> &'static str {
        match self {
            Self::Zip => "PyTorch zip",
            Self::Legacy => "PyTorch legacy pickle",
            Self::Safetensors => "safetensors",
            Self::Pickle => "Python pickle",
        }
    }
}

/// How much a file may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length of the file.
    pub bytes: u64,
    pub pickle: pickle::Limits,
    /// Keys in all dicts together, those of the optimizer's state too.
    pub entries: usize,
    /// Elements of one tensor.
    pub elements: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 16 << 30, pickle: pickle::Limits::default(), entries: 200_000, elements: 1 << 30 }
    }
}

/// What stands under a key.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    Tensor(Spec),
    Number(f64),
    Text(String),
    /// Neither of these, in a few words; unopened.
    Other(String),
}

/// A key in nested dicts, and what stands there.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub path: Vec<String>,
    pub what: What,
}

/// A whole file, listed. Tensors are read when they are asked for.
pub struct Checkpoint {
    pub container: Container,
    pub entries: Vec<Entry>,
    /// What Python would call to read it, beyond tensors and dicts: none of it was.
    pub unread: Vec<String>,
    source: Source,
    storages: Vec<storage::Storage>,
    /// Texts by name that a .safetensors file may have.
    pub metadata: std::collections::BTreeMap<String, String>,
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("{0}")]
    Unreadable(#[from] std::io::Error),
    #[error("{bytes} bytes are more than the {limit} that are allowed")]
    TooLarge { bytes: u64, limit: u64 },
    #[error("{0}")]
    Pickle(#[from] PickleError),
    #[error("{0}")]
    Malformed(String),
    #[error(
        "this is TorchScript, a program and not only numbers: it is not imported; to let it teach, name it as teacher.checkpoint with teacher.torchscript = true, which runs it"
    )]
    TorchScript,
    #[error("{0}; give a PyTorch checkpoint (.pt, .pth, .ckpt, .t7 of torch.save) or a .safetensors file")]
    Unknown(String),
}

impl From<String> for Fault {
    fn from(why: String) -> Self {
        Self::Malformed(why)
    }
}

impl From<&str> for Fault {
    fn from(why: &str) -> Self {
        Self::Malformed(why.into())
    }
}

impl Checkpoint {
    /// Reads what a file holds. Numbers stay in it until they are asked for: it may be larger than the memory.
    ///
    /// # Errors
    /// What cannot be read, or what limit it passes.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self, Fault> {
        Self::of(open(path)?, limits)
    }

    /// # Errors
    /// What is wrong with the file.
    pub fn read(bytes: Vec<u8>, limits: &Limits) -> Result<Self, Fault> {
        Self::of(Source::Held(bytes), limits)
    }

    fn of(source: Source, limits: &Limits) -> Result<Self, Fault> {
        let bytes = source.length() as u64;
        if bytes > limits.bytes {
            return Err(Fault::TooLarge { bytes, limit: limits.bytes });
        }
        match kind_of(&source)? {
            Container::Zip => archive::read(source, limits),
            Container::Legacy => legacy::read(source, limits),
            Container::Safetensors => safetensors::read(source, limits),
            Container::Pickle => legacy::plain(source, limits),
        }
    }

    /// Length of the file in bytes.
    pub fn length(&self) -> usize {
        self.source.length()
    }

    /// The SHA-256 checksum of the file, in hexadecimal digits.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn checksum(&self) -> std::io::Result<String> {
        let mut digest = Sha256::new();
        self.source.each(|piece| digest.update(piece))?;
        Ok(format!("{:x}", digest.finalize()))
    }

    /// A tensor's values in the usual memory order, as 32-bit floats.
    ///
    /// # Errors
    /// When the tensor reaches outside of its storage or is larger than the limit.
    pub fn values(&self, spec: &Spec, limits: &Limits) -> Result<Vec<f32>, String> {
        storage::values(&self.source, &self.storages, spec, limits)
    }
}

/// The texts by name that a .safetensors file has, without reading its tensors.
///
/// # Errors
/// When it cannot be read, or is of another kind.
pub fn metadata(path: &Path) -> Result<std::collections::BTreeMap<String, String>, Fault> {
    // Looked at before it is opened: opening a pipe waits for whoever writes.
    let found = std::fs::metadata(path)?;
    if !found.is_file() {
        return Err(Fault::Malformed("not a regular file".into()));
    }
    safetensors::metadata(std::fs::File::open(path)?, found.len())
}

/// What a file is that another part of the program cannot use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kin {
    /// A checkpoint of torch.save.
    Checkpoint,
    TorchScript,
    Neither,
}

/// Whether PyTorch wrote the file at `path`, from its first and last bytes alone.
///
/// # Errors
/// When it cannot be read.
pub fn kin(path: &Path) -> std::io::Result<Kin> {
    let source = match open(path) {
        Ok(source) => source,
        Err(Fault::Unreadable(error)) => return Err(error),
        Err(_) => return Ok(Kin::Neither),
    };
    Ok(match kind_of(&source) {
        Ok(Container::Zip) if archive::is_torchscript(&source) => Kin::TorchScript,
        Ok(Container::Zip | Container::Legacy) => Kin::Checkpoint,
        Ok(Container::Safetensors | Container::Pickle) | Err(_) => Kin::Neither,
    })
}

fn open(path: &Path) -> Result<Source, Fault> {
    // Looked at before it is opened: opening a pipe waits for whoever writes, and a device may never end.
    let found = std::fs::metadata(path)?;
    if found.is_dir() {
        return Err(Fault::Malformed("this is a folder: give a file in it".into()));
    }
    if !found.is_file() {
        return Err(Fault::Malformed("not a regular file".into()));
    }
    let file = std::fs::File::open(path)?;
    let length = usize::try_from(found.len()).map_err(|_| "the file is too long for this machine")?;
    Ok(Source::File { file, length })
}

fn kind_of(source: &Source) -> Result<Container, Fault> {
    let bytes = source.head(foreign::HEAD)?;
    let length = bytes.first_chunk::<8>().map(|b| u64::from_le_bytes(*b));
    match bytes.as_ref() {
        [b'P', b'K', 3, 4, ..] => Ok(Container::Zip),
        _ if bytes.starts_with(&legacy::MAGIC) => Ok(Container::Legacy),
        _ if length.is_some_and(|n| n < source.length() as u64) && bytes.get(8) == Some(&b'{') => Ok(Container::Safetensors),
        [0x80, 0..=5, ..] => Ok(Container::Pickle),
        _ => Err(foreign::name(&bytes)),
    }
}

#[cfg(test)]
pub(crate) mod made;

#[cfg(test)]
mod tests {
    use super::made::Made;
    use super::mapping::{Mapped, Why, map};
    use super::*;

    fn fixture(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/golden/import/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    fn read(bytes: Vec<u8>) -> (Checkpoint, Mapped) {
        let file = Checkpoint::read(bytes, &Limits::default()).unwrap_or_else(|e| panic!("{e}"));
        let mapped = map(&file, &Limits::default()).unwrap();
        (file, mapped)
    }

    fn refused(bytes: Vec<u8>) -> String {
        Checkpoint::read(bytes, &Limits::default()).err().expect("must be refused").to_string()
    }

    fn expected() -> serde_json::Value {
        serde_json::from_slice(&fixture("expected.json")).unwrap()
    }

    #[test]
    fn every_fixture_gives_the_expected_tensors() {
        let expected = expected();
        for name in [
            "madry_plain_legacy.pt",
            "madry_plain_zip.pt",
            "madry_with_dill_lambda_legacy.pt",
            "madry_with_dill_lambda_zip.pt",
            "rrm_old_net_prefix_fp16_zip.pt",
        ] {
            let (file, mapped) = read(fixture(name));
            assert_eq!(mapped.tensors.len(), 7, "{name}: {:?}", mapped.tensors);
            for (key, spec) in &mapped.tensors {
                let values = file.values(spec, &Limits::default()).unwrap();
                let wanted = &expected["tensors"][key];
                assert_eq!(serde_json::json!(spec.shape), wanted["shape"], "{name} {key}");
                let sum: f64 = values.iter().map(|v| f64::from(*v)).sum();
                let close = if spec.dtype == Dtype::F16 { 0.05 } else { 1e-5 };
                assert!((sum - wanted["sum"].as_f64().unwrap()).abs() < close, "{name} {key}: {sum}, {wanted}");
                assert!((f64::from(values[0]) - wanted["first"].as_f64().unwrap()).abs() < 1e-6, "{name} {key}");
            }
            assert!(mapped.ignored.iter().any(|(why, _)| *why == Why::BatchCounter), "{name}");
            if name.starts_with("madry") {
                assert_eq!(mapped.section, ["model"]);
                assert_eq!(mapped.prefixes, ["module.", "model."]);
                let normaliser = mapped.normaliser.unwrap();
                assert_eq!(serde_json::json!(normaliser.mean), expected["normalizer"]["mean"]);
                assert_eq!(serde_json::json!(normaliser.std), expected["normalizer"]["std"]);
                assert!(mapped.ignored.iter().any(|(why, keys)| *why == Why::Attacker && keys.len() >= 8), "{name}");
            } else {
                assert_eq!((mapped.section, mapped.normaliser), (vec!["state_dict".to_string()], None));
            }
            let lambda = name.contains("lambda");
            assert_eq!(
                file.unread.iter().any(|object| object == "dill._dill._create_function"),
                lambda,
                "{name}: {:?}",
                file.unread
            );
        }
    }

    #[test]
    fn strided_views_of_one_storage_are_read_as_they_are_seen() {
        let (file, mapped) = read(fixture("strided_views_zip.pt"));
        for (key, spec) in &mapped.tensors {
            let wanted = &expected()["strided"][key];
            let flat: Vec<f64> = match wanted[0].as_array() {
                Some(_) => wanted
                    .as_array()
                    .unwrap()
                    .iter()
                    .flat_map(|row| row.as_array().unwrap())
                    .map(|v| v.as_f64().unwrap())
                    .collect(),
                None => wanted.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect(),
            };
            let values: Vec<f64> = file.values(spec, &Limits::default()).unwrap().into_iter().map(f64::from).collect();
            assert_eq!(values, flat, "{key}");
        }
        assert_eq!(mapped.tensors.len(), 2);
    }

    #[test]
    fn half_precision_is_exact() {
        for (bits, value) in
            [(0x3c00, 1.0), (0xc000, -2.0), (0x3555, 0.333_251_95), (0x0001, 2f32.powi(-24)), (0x7bff, 65504.0), (0x8000, 0.0)]
        {
            assert_eq!(storage::half(bits), value, "{bits:#x}");
        }
        assert!(storage::half(0x7c00).is_infinite() && storage::half(0x7e00).is_nan());
    }

    /// A legacy file around a pickled tensor: storage of `elements` numbers, offset, shape, stride.
    fn legacy(elements: i32, offset: i32, shape: &[i32], stride: &[i32], numbers: &[f32]) -> Vec<u8> {
        let int = |v: i32| [b"J".as_slice(), &v.to_le_bytes()].concat();
        let tuple = |v: &[i32]| [b"(".to_vec(), v.iter().flat_map(|&v| int(v)).collect(), b"t".to_vec()].concat();
        let main = [
            b"\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00sX\x03\x00\x00\x00cpu".to_vec(),
            int(elements),
            b"NtQ".to_vec(),
            int(offset),
            tuple(shape),
            tuple(stride),
            b"\x89NtRs.".to_vec(),
        ]
        .concat();
        let head = b"\x80\x02M\xe9\x03.\x80\x02}X\x0d\x00\x00\x00little_endian\x88s.";
        let keys = b"\x80\x02]X\x01\x00\x00\x00sa.";
        let mut file = [legacy::MAGIC.as_slice(), head, &main, keys, &(numbers.len() as i64).to_le_bytes()].concat();
        file.extend(numbers.iter().flat_map(|v| v.to_le_bytes()));
        file
    }

    #[test]
    fn tensors_outside_of_their_storage_are_not_read() {
        let numbers = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        let what = |bytes: Vec<u8>| Checkpoint::read(bytes, &Limits::default()).unwrap().entries[0].what.clone();
        let (file, mapped) = read(legacy(6, 1, &[2, 2], &[1, 3], &numbers));
        assert_eq!(file.values(&mapped.tensors[0].1, &Limits::default()).unwrap(), [1.0, 4.0, 2.0, 5.0]);
        for (offset, shape, stride, says) in [
            (2, [2, 2], [1, 3], "beyond its storage"),
            (6, [1, 1], [1, 1], "beyond its storage"),
            (-1, [2, 2], [1, 1], "negative"),
            (0, [2, -2], [1, 1], "negative"),
            (0, [2, 2], [-1, 1], "negative"),
            (0, [i32::MAX, i32::MAX], [i32::MAX, i32::MAX], "beyond"),
        ] {
            let What::Other(why) = what(legacy(6, offset, &shape, &stride, &numbers)) else { panic!("{says}") };
            assert!(why.contains(says), "{why}");
        }
        // Two billion elements of six numbers: seen, and never made.
        let (file, mapped) = read(legacy(6, 0, &[i32::MAX, 2], &[0, 0], &numbers));
        assert!(file.values(&mapped.tensors[0].1, &Limits::default()).unwrap_err().contains("are allowed"));
        let (file, mapped) = read(legacy(6, 0, &[1 << 20, 2], &[0, 0], &numbers));
        assert!(file.values(&mapped.tensors[0].1, &Limits::default()).unwrap_err().contains("made of 6 numbers"));
        assert!(refused(legacy(7, 0, &[1], &[1], &numbers)).contains("holds 6 numbers, not 7"));
        assert!(refused(legacy(i32::MAX, 0, &[1], &[1], &numbers)).contains("not 2147483647"));
    }

    /// A zip of stored files.
    fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
        let (mut body, mut directory) = (Vec::new(), Vec::new());
        for (name, data) in files {
            let sizes = [(data.len() as u32).to_le_bytes(), (data.len() as u32).to_le_bytes()].concat();
            let names = [(name.len() as u16).to_le_bytes(), [0, 0]].concat();
            let at = (body.len() as u32).to_le_bytes();
            directory.extend([b"PK\x01\x02".as_slice(), &[0; 16], &sizes, &names, &[0; 10], &at, name.as_bytes()].concat());
            body.extend([b"PK\x03\x04".as_slice(), &[0; 14], &sizes, &names, name.as_bytes(), data].concat());
        }
        let (n, size, at) =
            ((files.len() as u16).to_le_bytes(), (directory.len() as u32).to_le_bytes(), (body.len() as u32).to_le_bytes());
        [body.as_slice(), &directory, b"PK\x05\x06", &[0; 4], &n, &n, &size, &at, &[0; 2]].concat()
    }

    #[test]
    fn archives_of_other_kinds_are_named() {
        let pickle: &[u8] = b"\x80\x02}.";
        assert!(Checkpoint::read(zip(&[("r/data.pkl", pickle), ("r/byteorder", b"little")]), &Limits::default()).is_ok());
        for (files, says) in [
            ([("r/data.pkl", pickle), ("r/data.pkl", pickle)], "twice"),
            ([("r/data.pkl", pickle), ("../evil", b"x")], "leads out"),
            ([("r/data.pkl", pickle), ("/etc/evil", b"x")], "leads out"),
            ([("r/data.pkl", pickle), ("r/byteorder", b"big")], "big-endian"),
            ([("r/data.pkl", pickle), ("s/data.pkl", pickle)], "without one data.pkl"),
            ([("readme", b"hi"), ("other", b"x")], "without one data.pkl"),
            ([("r/constants.pkl", pickle), ("r/code/net.py", b"x")], "TorchScript"),
        ] {
            let error = refused(zip(&files));
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn damaged_files_are_refused_with_the_reason() {
        for name in ["madry_plain_zip.pt", "madry_plain_legacy.pt"] {
            let whole = fixture(name);
            for length in (0..whole.len()).step_by(7) {
                let error = refused(whole[..length].to_vec());
                assert!(!error.is_empty(), "{name} cut to {length}");
            }
        }
        let zip = fixture("strided_views_zip.pt");
        let everywhere = |from: &[u8], to: &[u8]| {
            let mut bytes = zip.clone();
            for i in 0..=bytes.len() - from.len() {
                if bytes[i..].starts_with(from) {
                    bytes[i..i + to.len()].copy_from_slice(to);
                }
            }
            assert_ne!(bytes, zip);
            bytes
        };
        assert!(refused(everywhere(b"little", b"biggie")).contains("big-endian"));
        assert!(refused(everywhere(b"/data.pkl", b"/../a.pkl")).contains("leads out of it"));
        assert!(refused(everywhere(b"/byteorder", b"/data/0\0\0\0")).contains("leads out"));
        assert!(refused(everywhere(b"/version", b"/data/0\0")).contains("leads out"));
        let central = zip.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
        let mut deflated = zip.clone();
        deflated[central + 10] = 8;
        assert!(refused(deflated).contains("compressed"));
        let mut huge = zip.clone();
        huge[central + 20..central + 28].fill(0xfe);
        assert!(refused(huge).contains("beyond the end"));
        let end = zip.windows(4).rposition(|w| w == b"PK\x05\x06").unwrap();
        let mut many = zip.clone();
        many[end + 10..end + 12].fill(0xfe);
        assert!(refused(many).contains("claims"));
        for (bytes, says) in [
            (b"".as_slice(), "empty"),
            (b"\x80\x04K\x01.", "not one of PyTorch"),
            (b"\x93NUMPY", "numpy"),
            (b"hello", "another kind"),
        ] {
            assert!(refused(bytes.to_vec()).contains(says));
        }
    }

    #[test]
    fn safetensors_with_any_names_are_read_and_checked() {
        let file = |header: &str, data: &[u8]| [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat();
        let good = file(
            r#"{"module.w":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"module.v":{"dtype":"BF16","shape":[],"data_offsets":[4,6]}}"#,
            &[0, 0x3c, 0, 0xc0, 0x80, 0x3f],
        );
        let (checkpoint, mapped) = read(good.clone());
        let values = |name: &str| {
            let spec = &mapped.tensors.iter().find(|(n, _)| n == name).unwrap().1;
            checkpoint.values(spec, &Limits::default()).unwrap()
        };
        assert_eq!((values("w"), values("v")), (vec![1.0, -2.0], vec![1.0]));
        assert!(refused(good[..good.len() - 1].to_vec()).contains("truncated"));
        for header in [
            r#"{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#,
            r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#,
            r#"{"w":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}"#,
            r#"{"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#,
            r#"{"w":7}"#,
        ] {
            assert!(refused(file(header, &[0; 8])).contains("damaged .safetensors"), "{header}");
        }
    }

    #[test]
    fn tensors_in_every_form_of_torch_save_are_read_and_others_are_named_as_what_they_are() {
        let wrapped = |opcodes: &'static [u8]| Made::Opcodes(opcodes);
        let tensor = Made::Tensor(vec![2], vec![3.0, 4.0]);
        let file = Made::dict([
            ("plain", tensor),
            ("several", Made::Tuple(vec![Made::Number(7), Made::Same(vec![2, 3], 5.0)])),
            ("data", Made::Tuple((0..2000).map(|_| Made::Same(vec![2], 1.0)).collect())),
            ("parameter", wrapped(b"ctorch._utils\n_rebuild_parameter\n(%\x88NtR")),
            ("with_state", wrapped(b"ctorch._utils\n_rebuild_parameter_with_state\n(%\x88N}tR")),
            // A subclass: the function and its arguments in another's.
            (
                "subclass",
                wrapped(
                    b"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_parameter\ncmy.own\nTensor\n(%\x88Nt}tR",
                ),
            ),
            ("sparse", wrapped(b"ctorch._utils\n_rebuild_sparse_tensor\n(K\x00(%%K\x02ttR")),
            ("quantised", Made::Odd("QInt8Storage", 1)),
            ("complex", Made::Odd("ComplexFloatStorage", 8)),
            ("meta", wrapped(b"ctorch._utils\n_rebuild_meta_tensor_no_storage\n(K\x01K\x02tR")),
            ("lazy", wrapped(b"ctorch.nn.parameter\nUninitializedParameter\n(\x88tR")),
            ("new", wrapped(b"ctorch._utils\n_rebuild_novelty\n(%tR")),
        ]);
        let file = Checkpoint::read(file.file(), &Limits::default()).unwrap();
        let what = |key: &str| &file.entries.iter().find(|e| e.path == [key]).unwrap().what;
        assert!(matches!(what("data"), What::Other(closed) if closed == "tuple of 2000"));
        let inner = file.entries.iter().find(|e| e.path == ["several", "1"]).unwrap();
        assert!(matches!(&inner.what, What::Tensor(spec) if file.values(spec, &Limits::default()).unwrap() == [5.0; 6]));
        for key in ["plain", "parameter", "with_state", "subclass"] {
            let What::Tensor(spec) = what(key) else { panic!("{key}: {:?}", what(key)) };
            let wanted = if key == "plain" { [3.0, 4.0] } else { [0.0, 0.0] };
            assert_eq!(file.values(spec, &Limits::default()).unwrap(), wanted, "{key}");
        }
        for (key, says) in [
            ("sparse", "a sparse tensor, which is not read: save tensor.to_dense()"),
            ("quantised", "a quantised tensor"),
            ("complex", "complex numbers (complex64)"),
            ("meta", "a meta tensor"),
            ("lazy", "has no numbers yet"),
            ("new", "a kind that is not read (_rebuild_novelty)"),
        ] {
            assert!(matches!(what(key), What::Other(why) if why.contains(says)), "{key}: {:?}", what(key));
        }
    }

    #[test]
    fn a_whole_module_gives_its_tensors_and_its_class_is_not_run() {
        let net = b"cmy\nNet\n)\x81}(X\x0b\0\0\0_parameters}X\x06\0\0\0weight%sX\x08\0\0\0_buffers}X\x08\0\0\0_modules}X\x02\0\0\0fc\
            cmy\nFc\n)\x81}(X\x0b\0\0\0_parameters}(X\x04\0\0\0bias%X\x06\0\0\0weightNuX\x08\0\0\0_buffers}X\x08\0\0\0_modules}ubsub";
        let file = Checkpoint::read(Made::dict([("model", Made::Opcodes(net))]).file(), &Limits::default()).unwrap();
        let paths: Vec<String> = file.entries.iter().map(|e| e.path.join("/")).collect();
        assert_eq!(paths, ["model/weight", "model/fc/bias"]);
        assert!(file.entries.iter().all(|e| matches!(e.what, What::Tensor(_))));
        assert_eq!(file.unread, ["my.Fc", "my.Net"]);
    }

    #[test]
    fn arrays_of_numpy_are_tensors_in_every_protocol_and_the_same_bytes_are_not_copied_again_and_again() {
        for protocol in 0..6 {
            let bytes =
                std::fs::read(format!("{}/tests/golden/pickle/protocol-{protocol}.pkl", env!("CARGO_MANIFEST_DIR"))).unwrap();
            // Protocols 0 and 1 have no mark of their own; inside torch.save's container any may stand.
            let file = if protocol < 2 {
                let head = b"\x80\x02M\xe9\x03.\x80\x02}X\x0d\x00\x00\x00little_endian\x88s.";
                [legacy::MAGIC.as_slice(), head, &bytes, b"\x80\x02]."].concat()
            } else {
                bytes
            };
            let file = Checkpoint::read(file, &Limits::default()).unwrap_or_else(|e| panic!("protocol {protocol}: {e}"));
            let values = |key: &str| {
                let entry = file.entries.iter().find(|e| e.path == [key]).unwrap();
                let What::Tensor(spec) = &entry.what else { panic!("protocol {protocol}, {key}: {:?}", entry.what) };
                (spec.shape.clone(), file.values(spec, &Limits::default()).unwrap())
            };
            assert_eq!(values("f4"), (vec![1, 2], vec![1.5, -2.0]));
            assert_eq!(values("big"), (vec![3], vec![1.0, 2.0, 3.0]));
            assert_eq!(values("u1").1, (0..12).map(|v| v as f32).collect::<Vec<f32>>());
            // Written column by column and read row by row.
            let (shape, fortran) = values("fortran");
            assert_eq!((shape.iter().product::<usize>(), fortran[0]), (fortran.len(), 0.0));
            assert!(fortran.is_sorted(), "{fortran:?}");
        }
        let array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR(K\x01(K\xc8tcnumpy\ndtype\n(X\x02\0\0\0u1K\0K\x01tRK\0h\x00tb";
        let many: Vec<u8> = [b"\x80\x03C\xc8".as_slice(), &[7; 200], b"q\x000]("].concat();
        let many = [many, array.repeat(50), b"e.".to_vec()].concat();
        assert!(refused(many).contains("named again and again"));
    }

    #[test]
    fn what_lies_behind_gigabytes_is_read_at_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.safetensors");
        let hole = 12u64 << 30;
        let header = format!(
            r#"{{"optimizer":{{"dtype":"U8","shape":[{hole}],"data_offsets":[0,{hole}]}},"w":{{"dtype":"F32","shape":[2],"data_offsets":[{hole},{}]}}}}"#,
            hole + 8
        );
        let begin = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
        std::fs::write(&path, &begin).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &[0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0], begin.len() as u64 + hole).unwrap();
        let file = Checkpoint::open(&path, &Limits::default()).unwrap();
        let What::Tensor(spec) = &file.entries.iter().find(|e| e.path == ["w"]).unwrap().what else { panic!("no tensor") };
        assert_eq!(file.values(spec, &Limits::default()).unwrap(), [1.0, -2.0]);
        assert_eq!(kin(&path).unwrap(), Kin::Neither);
        let memory = std::fs::read_to_string("/proc/self/status").unwrap();
        let most = memory.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        assert!(most.unwrap() < 8 << 20, "{most:?} kB");
    }

    #[test]
    fn a_few_numbers_of_a_large_storage_are_read_one_by_one() {
        let numbers: Vec<f32> = (0..40_000).map(|i| i as f32).collect();
        let (file, mapped) = read(legacy(40_000, 3, &[2, 4], &[1, 9_999], &numbers));
        let values = file.values(&mapped.tensors[0].1, &Limits::default()).unwrap();
        assert_eq!(values, [3.0, 10_002.0, 20_001.0, 30_000.0, 4.0, 10_003.0, 20_002.0, 30_001.0]);
    }
}
