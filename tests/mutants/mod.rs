//! Checkpoints and pickles, damaged: a function of seed and number, so that any one can be made again.

use rematch::pickle::{self, Node};
use rematch::pytorch::candidates::{self, Choice, Keys};
use rematch::pytorch::{Checkpoint, Limits, What, mapping};
use std::path::Path;

pub type Fixtures = Vec<(String, Vec<u8>)>;

/// Every fixture of import and of pickle.
pub fn fixtures() -> Fixtures {
    let mut all = Vec::new();
    for folder in ["import", "pickle"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder);
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "pt" || end == "pkl") {
                all.push((path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()));
            }
        }
    }
    all.sort();
    let header = r#"{"a.weight":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"a.bias":{"dtype":"F16","shape":[2],"data_offsets":[16,20]}}"#;
    let tensors = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[0; 20]].concat();
    all.push(("made.safetensors".into(), tensors));
    assert!(all.len() >= 15, "only {} fixtures", all.len());
    all
}

struct Dice(u64);

impl Dice {
    /// 0 to `sides` - 1.
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        ((mixed >> 20) % sides.max(1) as u64) as usize
    }
}

/// Bytes that mean much to a pickle, a zip or a length.
const SHARP: &[u8] = b"(.0123abdegijlopqrstuBCGIJKLMNQRSTUVX])}\x80\x81\x82\x85\x86\x87\x88\x8a\x8b\x8c\x8e\x8f\x90\x93\x94\x95\x97\x00\x01\x7f\xff";

/// The mutant of this number, and the fixture it is made of.
pub fn mutant(fixtures: &Fixtures, seed: u64, number: u64) -> (String, Vec<u8>) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number.wrapping_mul(0xd1b5_4a32_d192_ed03));
    dice.roll(1);
    let (name, whole) = &fixtures[dice.roll(fixtures.len())];
    let mut bytes = whole.clone();
    for _ in 0..=dice.roll(6) {
        let at = dice.roll(bytes.len());
        let length = (1 + dice.roll(64)).min(bytes.len() - at);
        match dice.roll(9) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << dice.roll(8),
            1 | 2 if !bytes.is_empty() => bytes[at] = SHARP[dice.roll(SHARP.len())],
            3 if dice.roll(4) == 0 => bytes.truncate(at),
            4 => drop(bytes.drain(at..at + length)),
            5 => {
                let piece = bytes[at..at + length].to_vec();
                let to = dice.roll(bytes.len());
                bytes.splice(to..to, piece);
            }
            6 => {
                let other = &fixtures[dice.roll(fixtures.len())].1;
                let from = dice.roll(other.len());
                let piece = other[from..(from + length).min(other.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            7 if bytes.len() - at >= 8 => {
                let numbers = [0u64, 1, 0x7fff_ffff, 0xffff_ffff, u64::MAX, 1 << 62, 0x8000_0000, 65_535];
                let width = [2, 4, 8][dice.roll(3)];
                bytes[at..at + width].copy_from_slice(&numbers[dice.roll(numbers.len())].to_le_bytes()[..width]);
            }
            _ => {
                let sharp = SHARP[dice.roll(SHARP.len())];
                let many = dice.roll(400);
                bytes.splice(at..at, std::iter::repeat_n(sharp, many));
            }
        }
    }
    (name.clone(), bytes)
}

/// Reads it in every way there is, all tensors and arrays too. Whether it is a file of any kind.
pub fn read(bytes: &[u8]) -> bool {
    let limits = Limits {
        bytes: 1 << 20,
        pickle: pickle::Limits { bytes: 1 << 20, depth: 10_000, objects: 20_000, memo: 20_000 },
        entries: 5_000,
        elements: 1 << 16,
    };
    let mut any = false;
    if let Ok((pickle, taken)) = pickle::load(bytes, &limits.pickle) {
        any = true;
        assert!(taken <= bytes.len() && pickle.len() <= limits.pickle.objects);
        for node in pickle.nodes() {
            let _ = (node.describe(), node.array(), node.number(), node.bytes(), node.entries().map(Iterator::count));
        }
        let _ = (pickle.callables(), pickle.root().get("data").and_then(Node::array));
    }
    if let Ok(file) = Checkpoint::read(bytes.to_vec(), &limits) {
        any = true;
        for entry in &file.entries {
            if let What::Tensor(spec) = &entry.what
                && let Ok(values) = file.values(spec, &limits)
            {
                assert_eq!(values.len(), spec.elements());
            }
        }
        let _ = mapping::map(&file, &limits);
        let prefixes = Keys::of(&file, &Choice::default()).map(|keys| keys.prefixes().len());
        let _ = (prefixes, candidates::sections(&file), file.checksum().unwrap());
    }
    any
}
