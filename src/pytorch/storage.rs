//! Storages (runs of numbers of one type) and tensors (views of them), checked before anything is read.

use super::Limits;
use super::source::Source;
use crate::pickle::numpy::{Array, Endian, Order};
use crate::pickle::{Node, Pickle, Value};
use std::borrow::Cow;
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
}

/// What the numbers of a storage are: those that are read, or others of known size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Numbers {
    Read(Dtype),
    Other { name: &'static str, size: usize },
}

impl Numbers {
    /// By the class that PyTorch pickles for the storage.
    fn of_class(class: (&str, &str)) -> Option<Self> {
        let ("torch" | "torch.cuda" | "torch.storage", name) = class else { return None };
        let other = |name, size| Self::Other { name, size };
        Some(match name {
            "FloatStorage" => Self::Read(Dtype::F32),
            "HalfStorage" => Self::Read(Dtype::F16),
            "BFloat16Storage" => Self::Read(Dtype::Bf16),
            "DoubleStorage" => Self::Read(Dtype::F64),
            "LongStorage" => Self::Read(Dtype::I64),
            "IntStorage" => Self::Read(Dtype::I32),
            "ShortStorage" => Self::Read(Dtype::I16),
            "CharStorage" => Self::Read(Dtype::I8),
            "ByteStorage" => Self::Read(Dtype::U8),
            "BoolStorage" => Self::Read(Dtype::Bool),
            "ComplexFloatStorage" => other("complex64", 8),
            "ComplexDoubleStorage" => other("complex128", 16),
            "QInt8Storage" => other("qint8", 1),
            "QUInt8Storage" => other("quint8", 1),
            "QInt32Storage" => other("qint32", 4),
            "QUInt4x2Storage" => other("quint4x2", 1),
            "QUInt2x4Storage" => other("quint2x4", 1),
            "UntypedStorage" | "_UntypedStorage" => other("bytes", 1),
            _ => return None,
        })
    }

    fn size(self) -> usize {
        match self {
            Self::Read(dtype) => dtype.size(),
            Self::Other { size, .. } => size,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Read(dtype) => dtype.name(),
            Self::Other { name, .. } => name,
        }
    }
}

/// What is said of a tensor whose numbers are of a kind that is not read, and what to do.
pub(super) fn unread_numbers(name: &str) -> String {
    if name.to_lowercase().starts_with(['c']) {
        return format!(
            "a tensor of complex numbers ({name}); networks here have real weights: save its .real, or view_as_real()"
        );
    }
    format!("a tensor of {name} numbers, which are not read: save tensor.float()")
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
    numbers: Numbers,
    pub elements: usize,
}

/// A storage and where its numbers lie in the file.
#[derive(Clone, Debug)]
pub(super) struct Storage {
    key: String,
    numbers: Numbers,
    elements: usize,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    File(Range<usize>),
    /// Of numbers that were inside the pickle.
    Held(Vec<u8>),
}

impl Declared {
    /// In bytes.
    pub fn size(&self) -> Option<usize> {
        self.elements.checked_mul(self.numbers.size())
    }

    pub fn placed(self, key: &str, place: Range<usize>) -> Result<Storage, String> {
        // A zip entry may be longer than the storage says, never shorter.
        match self.size() {
            Some(size) if size <= place.len() => Ok(Storage {
                key: key.into(),
                numbers: self.numbers,
                elements: self.elements,
                place: Place::File(place.start..place.start + size),
            }),
            _ => Err(format!(
                "storage '{key}' claims {} {} numbers and has {} bytes",
                self.elements,
                self.numbers.name(),
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
    let numbers = Numbers::of_class(class.global()?)?;
    (kind.text() == Some("storage") && whole).then_some((key.text()?, Declared { numbers, elements: elements.count()? }))
}

/// All storages a pickle speaks of, each once, in the order of their first mention.
pub(super) fn find(pickle: &Pickle) -> Result<Vec<(String, Declared)>, String> {
    let mut found: Vec<(String, Declared)> = Vec::new();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for node in pickle.nodes() {
        let Some((key, storage)) = declared(node) else { continue };
        match seen.get(key) {
            Some(&i) if found[i].1.numbers != storage.numbers || found[i].1.elements != storage.elements => {
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

/// Functions that PyTorch and its parts rebuild tensors by; others of a node are no tensor.
pub(super) const BUILDERS: [&str; 4] = ["torch._utils", "torch._tensor", "torch.tensor", "torch.nn.parameter"];

/// Whether this node is a tensor of any kind, readable or not.
pub(super) fn is_tensor(node: Node) -> bool {
    node.called().is_some_and(|(module, name)| {
        BUILDERS.contains(&module) && (name.starts_with("_rebuild") || module == "torch.nn.parameter")
    })
}

/// This node as a tensor. `None`: it is none. `Some(Err)`: it is one that cannot be read, and what to do.
pub(super) fn tensor(node: Node, keys: &HashMap<String, usize>, storages: &[Storage]) -> Option<Result<Spec, String>> {
    let (mut function, mut arguments) = (node.called()?, node.arguments()?);
    // A parameter is a tensor with a wrapper, and a subclass too; more of them in each other is no file of torch.save.
    for _ in 0..6 {
        if !BUILDERS.contains(&function.0) {
            return None;
        }
        match (function.1, arguments.as_slice()) {
            ("_rebuild_parameter" | "_rebuild_parameter_with_state" | "_rebuild_device_tensor_from_cpu_tensor", [data, ..]) => {
                (function, arguments) = (data.called()?, data.arguments()?);
            }
            // Subclasses: function, class, arguments, state.
            ("_rebuild_from_type" | "_rebuild_from_type_v2", [inner, _, inner_arguments, ..]) => {
                (function, arguments) = (inner.global()?, inner_arguments.items()?.collect());
            }
            ("_rebuild_tensor" | "_rebuild_tensor_v2", [storage, offset, shape, stride, ..]) => {
                return Some(view(*storage, *offset, *shape, *stride, keys, storages));
            }
            // Of dtypes that have no storage class of their own.
            ("_rebuild_tensor_v3", [_, _, _, _, _, _, dtype, ..]) => {
                return Some(Err(unread_numbers(dtype.global().map_or("unknown", |(_, name)| name))));
            }
            (name, _) => return unusable(name).map(Err),
        }
    }
    None
}

/// What a tensor is that the function of this name makes, where its numbers are not read, and what to do.
fn unusable(function: &str) -> Option<String> {
    let says = match function {
        name if name.starts_with("_rebuild_sparse") => "a sparse tensor, which is not read: save tensor.to_dense()",
        "_rebuild_qtensor" => {
            "a quantised tensor, which is not read: save the network from before it was quantised, or tensor.dequantize()"
        }
        "_rebuild_nested_tensor" => "a nested tensor, which is not read: save its parts as ordinary tensors",
        name if name.starts_with("_rebuild_meta") => {
            "a meta tensor, which has a shape and no numbers: load the weights into the network before it is saved"
        }
        "_rebuild_wrapper_subclass" => {
            "a distributed or wrapped tensor, whose numbers lie elsewhere: save tensor.full_tensor(), or a full state dict"
        }
        "UninitializedParameter" | "UninitializedBuffer" => {
            "a lazy parameter that has no numbers yet: give the network one batch before it is saved"
        }
        name if name.starts_with("_rebuild") => {
            return Some(format!(
                "a tensor of a kind that is not read ({name}): save tensor.detach().cpu().float().contiguous()"
            ));
        }
        _ => return None,
    };
    Some(says.into())
}

fn view(
    storage: Node,
    offset: Node,
    shape: Node,
    stride: Node,
    keys: &HashMap<String, usize>,
    storages: &[Storage],
) -> Result<Spec, String> {
    let Some((key, declared)) = declared(storage) else {
        return Err("a tensor of a kind of numbers that is not read: save tensor.float()".into());
    };
    let Numbers::Read(dtype) = declared.numbers else {
        return Err(match declared.numbers.name() {
            name if name.starts_with('q') => unusable("_rebuild_qtensor").unwrap_or_default(),
            name => unread_numbers(name),
        });
    };
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
    let spec = Spec { dtype, shape, stride, offset, storage: index };
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

    /// An array that was inside the pickle.
    pub(super) fn of_array(array: Array, storages: &mut Vec<Storage>) -> Result<Self, String> {
        let Array { dtype, shape, order, data } = array;
        let kind = match (dtype.kind, dtype.size) {
            ('f', 2) => Dtype::F16,
            ('f', 4) => Dtype::F32,
            ('f', 8) => Dtype::F64,
            ('i', 1) => Dtype::I8,
            ('i', 2) => Dtype::I16,
            ('i', 4) => Dtype::I32,
            ('i', 8) => Dtype::I64,
            ('u', 1) => Dtype::U8,
            ('b', 1) => Dtype::Bool,
            (kind, size) => {
                return Err(format!("a numpy array of '{kind}{size}', which is not read: save array.astype('float32')"));
            }
        };
        let mut held = data.into_owned();
        if dtype.endian == Endian::Big {
            held.chunks_exact_mut(dtype.size).for_each(<[u8]>::reverse);
        }
        let mut stride = strides(shape.iter());
        if order == Order::Fortran {
            stride = strides(shape.iter().rev());
            stride.reverse();
        }
        let elements = held.len() / dtype.size;
        let key = format!("array {}", storages.len());
        storages.push(Storage { key, numbers: Numbers::Read(kind), elements, place: Place::Held(held) });
        Ok(Self { dtype: kind, shape, stride, offset: 0, storage: storages.len() - 1 })
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
        let stride = strides(shape.iter());
        storages.push(Declared { numbers: Numbers::Read(dtype), elements }.placed(key, place)?);
        Ok(Self { dtype, shape, stride, offset: 0, storage: storages.len() - 1 })
    }
}

/// Steps between neighbours where the last of these dimensions runs fastest.
fn strides<'a>(shape: impl ExactSizeIterator<Item = &'a usize> + DoubleEndedIterator) -> Vec<usize> {
    let mut stride = Vec::with_capacity(shape.len());
    let mut step = 1usize;
    for &n in shape.rev() {
        stride.push(step);
        step = step.saturating_mul(n); // of an empty tensor it means nothing
    }
    stride.reverse();
    stride
}

pub(super) fn keys(storages: &[Storage]) -> HashMap<String, usize> {
    storages.iter().enumerate().map(|(i, s)| (s.key.clone(), i)).collect()
}

/// The bytes of a storage from its element `first` to its element `last`.
fn piece<'s>(source: &'s Source, storage: &'s Storage, first: usize, last: usize) -> Result<Cow<'s, [u8]>, String> {
    let size = storage.numbers.size();
    match &storage.place {
        Place::Held(bytes) => Ok(Cow::Borrowed(&bytes[first * size..(last + 1) * size])),
        Place::File(place) => source.read(place.start + first * size..place.start + (last + 1) * size).map_err(|e| e.to_string()),
    }
}

/// Elements of a storage that are read at a time where a tensor is a small part of what it spans.
const SPARSE: usize = 1 << 10;

/// The values of a tensor, last index fastest.
pub(super) fn values(source: &Source, storages: &[Storage], spec: &Spec, limits: &Limits) -> Result<Vec<f32>, String> {
    let elements = spec.elements();
    let storage = storages.get(spec.storage).ok_or("a tensor of another file")?;
    if elements > limits.elements {
        return Err(format!("{elements} elements are more than the {} that are allowed", limits.elements));
    }
    // A few numbers may be repeated (strides of 0); more than that is no weight.
    if elements > storage.elements.max(1 << 16) {
        return Err(format!("{elements} elements made of {} numbers", storage.elements));
    }
    let Some(last) = spec.last()? else { return Ok(Vec::new()) };
    let span = last + 1 - spec.offset;
    let window = if span / 4 > elements.saturating_add(SPARSE) { SPARSE } else { span };
    let mut values = Vec::with_capacity(elements);
    let (mut begin, mut numbers): (usize, Cow<[u8]>) = (spec.offset, Cow::default());
    let mut index = vec![0usize; spec.shape.len()];
    let mut here = spec.offset;
    for _ in 0..elements {
        if here < begin || (here - begin) * spec.dtype.size() >= numbers.len() {
            // All at once starts at the offset, which is the least.
            begin = here;
            numbers = piece(source, storage, begin, last.min(begin + window - 1))?;
        }
        values.push(number(spec.dtype, &numbers, here - begin));
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
