//! Storages (runs of numbers of one type) and tensors (views of them), checked before anything is read.

use super::Limits;
use crate::pickle::{Node, Pickle, Value};
use std::collections::HashMap;
use std::ops::Range;

/// What the numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    F32,
    F16,
    Bf16,
    F64,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
}

impl Dtype {
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::F64 => "f64",
            Self::I64 => "i64",
            Self::I32 => "i32",
            Self::I16 => "i16",
            Self::I8 => "i8",
            Self::U8 => "u8",
            Self::Bool => "bool",
        }
    }

    /// Bytes a number.
    pub fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    fn of_storage(class: (&str, &str)) -> Option<Self> {
        Some(match class {
            ("torch" | "torch.cuda", name) => match name {
                "FloatStorage" => Self::F32,
                "HalfStorage" => Self::F16,
                "BFloat16Storage" => Self::Bf16,
                "DoubleStorage" => Self::F64,
                "LongStorage" => Self::I64,
                "IntStorage" => Self::I32,
                "ShortStorage" => Self::I16,
                "CharStorage" => Self::I8,
                "ByteStorage" => Self::U8,
                "BoolStorage" => Self::Bool,
                _ => return None,
            },
            _ => return None,
        })
    }
}

/// A tensor: a view of a storage, counted in elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    stride: Vec<usize>,
    offset: usize,
    /// Index among the file's storages.
    storage: usize,
}

/// A storage as the pickle speaks of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Declared {
    dtype: Dtype,
    pub elements: usize,
}

/// A storage and where its numbers lie in the file.
#[derive(Clone, Debug)]
pub(super) struct Storage {
    key: String,
    dtype: Dtype,
    elements: usize,
    place: Range<usize>,
}

impl Declared {
    /// In bytes.
    pub fn size(&self) -> Option<usize> {
        self.elements.checked_mul(self.dtype.size())
    }

    pub fn placed(self, key: &str, place: Range<usize>) -> Result<Storage, String> {
        // A zip entry may be longer than the storage says, never shorter.
        match self.size() {
            Some(size) if size <= place.len() => Ok(Storage {
                key: key.into(),
                dtype: self.dtype,
                elements: self.elements,
                place: place.start..place.start + size,
            }),
            _ => Err(format!(
                "storage '{key}' claims {} {} numbers and has {} bytes",
                self.elements,
                self.dtype.name(),
                place.len()
            )),
        }
    }
}

/// The key and the declaration of a persistent id, `('storage', class, key, device, elements)`. `None`: it is none that is known.
fn declared<'p>(node: Node<'p, '_>) -> Option<(&'p str, Declared)> {
    let parts: Vec<_> = node.persistent()?.items()?.collect();
    let [kind, class, key, _device, elements, view @ ..] = parts.as_slice() else { return None };
    // Old files could have a storage that is a part of another.
    let whole = view.iter().all(|v| *v.value() == Value::None);
    let dtype = Dtype::of_storage(class.global()?)?;
    (kind.text() == Some("storage") && whole).then_some((key.text()?, Declared { dtype, elements: elements.count()? }))
}

/// All storages a pickle speaks of, each once, in the order of their first mention.
pub(super) fn find(pickle: &Pickle) -> Result<Vec<(String, Declared)>, String> {
    let mut found: Vec<(String, Declared)> = Vec::new();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for node in pickle.nodes() {
        let Some((key, storage)) = declared(node) else { continue };
        match seen.get(key) {
            Some(&i) if found[i].1.dtype != storage.dtype || found[i].1.elements != storage.elements => {
                return Err(format!("storage '{key}' is declared in two ways"));
            }
            Some(_) => {}
            None => {
                seen.insert(key, found.len());
                found.push((key.to_owned(), storage));
            }
        }
    }
    Ok(found)
}

/// This node as a tensor. `None`: it is none. `Some(Err)`: it is one that cannot be read.
pub(super) fn tensor(mut node: Node, keys: &HashMap<&str, usize>, storages: &[Storage]) -> Option<Result<Spec, String>> {
    // A parameter is a tensor with a wrapper; one in one in one is no file of torch.save.
    for _ in 0..4 {
        let ("torch._utils", function) = node.called()? else { return None };
        let arguments = node.arguments()?;
        match (function, arguments.as_slice()) {
            ("_rebuild_parameter" | "_rebuild_parameter_with_state", [data, ..]) => node = *data,
            ("_rebuild_tensor" | "_rebuild_tensor_v2", [storage, offset, shape, stride, ..]) => {
                return Some(view(*storage, *offset, *shape, *stride, keys, storages));
            }
            _ => return None,
        }
    }
    None
}

fn view(
    storage: Node,
    offset: Node,
    shape: Node,
    stride: Node,
    keys: &HashMap<&str, usize>,
    storages: &[Storage],
) -> Result<Spec, String> {
    let Some((key, _)) = declared(storage) else { return Err("a tensor of a kind of numbers that is not read".into()) };
    let index = *keys.get(key).ok_or("a tensor without numbers")?;
    let storage = &storages[index];
    let counts = |node: Node, what: &str| -> Result<Vec<usize>, String> {
        let items = node.items().ok_or_else(|| format!("a tensor whose {what} is no tuple"))?;
        if items.len() > 16 {
            return Err(format!("a tensor whose {what} has {} dimensions", items.len()));
        }
        items
            .map(Node::count)
            .collect::<Option<_>>()
            .ok_or_else(|| format!("a tensor whose {what} is negative or no whole number"))
    };
    let (shape, stride) = (counts(shape, "shape")?, counts(stride, "stride")?);
    let offset = offset.count().ok_or("a tensor whose offset is negative or no whole number")?;
    if shape.len() != stride.len() {
        return Err(format!("a tensor of shape {shape:?} with strides {stride:?}"));
    }
    let spec = Spec { dtype: storage.dtype, shape, stride, offset, storage: index };
    if spec.last()?.is_some_and(|last| last >= storage.elements) {
        return Err(format!("a tensor of shape {:?} that reaches beyond its storage '{}'", spec.shape, storage.key));
    }
    Ok(spec)
}

impl Spec {
    pub fn elements(&self) -> usize {
        if self.shape.contains(&0) { 0 } else { self.shape.iter().product() }
    }

    /// Index of the last element; none in an empty tensor.
    fn last(&self) -> Result<Option<usize>, &'static str> {
        let overflow = "a tensor whose size overflows";
        if self.shape.contains(&0) {
            return Ok(None);
        }
        let mut last = self.offset;
        let mut elements = 1usize;
        for (&n, &stride) in self.shape.iter().zip(&self.stride) {
            last = (n - 1).checked_mul(stride).and_then(|step| last.checked_add(step)).ok_or(overflow)?;
            elements = elements.checked_mul(n).ok_or(overflow)?;
        }
        Ok(Some(last))
    }

    /// A tensor that lies in one piece in a file of its own, for containers without storages.
    pub(super) fn plain(
        dtype: Dtype,
        shape: Vec<usize>,
        storages: &mut Vec<Storage>,
        key: &str,
        place: Range<usize>,
    ) -> Result<Self, String> {
        let elements = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).ok_or("a tensor whose size overflows")?;
        let mut stride = vec![1usize; shape.len()];
        for i in (1..shape.len()).rev() {
            stride[i - 1] = stride[i].saturating_mul(shape[i]); // of an empty tensor it means nothing
        }
        storages.push(Declared { dtype, elements }.placed(key, place)?);
        Ok(Self { dtype, shape, stride, offset: 0, storage: storages.len() - 1 })
    }
}

pub(super) fn keys(storages: &[Storage]) -> HashMap<&str, usize> {
    storages.iter().enumerate().map(|(i, s)| (s.key.as_str(), i)).collect()
}

/// The values of a tensor, last index fastest.
pub(super) fn values(bytes: &[u8], storages: &[Storage], spec: &Spec, limits: &Limits) -> Result<Vec<f32>, String> {
    let elements = spec.elements();
    let storage = storages.get(spec.storage).ok_or("a tensor of another file")?;
    if elements > limits.elements {
        return Err(format!("{elements} elements are more than the {} that are allowed", limits.elements));
    }
    // A few numbers may be repeated (strides of 0); more than that is no weight.
    if elements > storage.elements.max(1 << 16) {
        return Err(format!("{elements} elements made of {} numbers", storage.elements));
    }
    let mut values = Vec::with_capacity(elements);
    let numbers = &bytes[storage.place.clone()];
    let mut index = vec![0usize; spec.shape.len()];
    let mut here = spec.offset;
    for _ in 0..elements {
        values.push(number(spec.dtype, numbers, here));
        for axis in (0..index.len()).rev() {
            index[axis] += 1;
            here += spec.stride[axis];
            if index[axis] < spec.shape[axis] {
                break;
            }
            here -= spec.stride[axis] * spec.shape[axis];
            index[axis] = 0;
        }
    }
    Ok(values)
}

/// The number at this index, which lies inside: that was checked when the tensor was listed.
fn number(dtype: Dtype, bytes: &[u8], index: usize) -> f32 {
    fn at<const N: usize>(bytes: &[u8], index: usize) -> [u8; N] {
        bytes[index * N..].first_chunk().copied().unwrap_or([0; N])
    }
    match dtype {
        Dtype::F32 => f32::from_le_bytes(at(bytes, index)),
        Dtype::F64 => f64::from_le_bytes(at(bytes, index)) as f32,
        Dtype::Bf16 => f32::from_bits(u32::from(u16::from_le_bytes(at(bytes, index))) << 16),
        Dtype::F16 => half(u16::from_le_bytes(at(bytes, index))),
        Dtype::I64 => i64::from_le_bytes(at(bytes, index)) as f32,
        Dtype::I32 => i32::from_le_bytes(at(bytes, index)) as f32,
        Dtype::I16 => f32::from(i16::from_le_bytes(at(bytes, index))),
        Dtype::I8 => f32::from(i8::from_le_bytes(at(bytes, index))),
        Dtype::U8 => f32::from(bytes[index]),
        Dtype::Bool => f32::from(u8::from(bytes[index] != 0)),
    }
}

/// IEEE 754 half precision: 1 sign, 5 exponent, 10 fraction bits. Exact.
pub(super) fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + fraction) * 2f32.powi(exponent - 25),
    }
}
