//! Numpy arrays and scalars in a pickle, as Python 2 and 3 write them in any protocol. Views: nothing is converted.

use super::{Node, Value};
use std::borrow::Cow;

/// What the elements are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dtype {
    /// numpy's letter: `u` unsigned, `i` signed, `f` float, `b` bool.
    pub kind: char,
    /// Bytes an element.
    pub size: usize,
    pub endian: Endian,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endian {
    Little,
    Big,
    /// One byte an element.
    Neither,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The last index runs fastest.
    C,
    /// The first index runs fastest.
    Fortran,
}

/// An array: as many bytes as shape and dtype say, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Array<'p> {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub order: Order,
    pub data: Cow<'p, [u8]>,
}

impl Array<'_> {
    /// The elements in the order of the bytes, where they are whole numbers that an `i64` holds; the shape does not matter where all
    /// its sides but one are 1.
    pub fn integers(&self) -> Option<Vec<i64>> {
        if !matches!(self.dtype.kind, 'u' | 'i') || self.shape.iter().filter(|&&side| side != 1).count() > 1 {
            return None;
        }
        let signed = self.dtype.kind == 'i';
        let number = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            if self.dtype.endian == Endian::Big {
                bytes.reverse();
            }
            let negative = signed && bytes.last().is_some_and(|last| *last >= 0x80);
            let whole = <[u8; 8]>::try_from([bytes.as_slice(), &[if negative { 0xff } else { 0 }; 8]].concat().get(..8)?).ok()?;
            let value = i64::from_le_bytes(whole);
            (signed || value >= 0).then_some(value)
        };
        self.data.chunks_exact(self.dtype.size).map(number).collect()
    }
}

impl<'p> Node<'p, '_> {
    /// This value as a numpy array. `None`: it is none. `Some(Err)`: it is one, and why it cannot be read.
    pub fn array(self) -> Option<Result<Array<'p>, String>> {
        match self.called()? {
            ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => Some(self.reconstructed()),
            ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => Some(self.buffered()),
            _ => None,
        }
    }

    /// This value as a number: a float, a whole number, or a numpy scalar of either kind.
    pub fn number(self) -> Option<f64> {
        if let Some(v) = self.real() {
            return Some(v);
        }
        let ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") = self.called()? else { return None };
        let arguments = self.arguments()?;
        let [dtype, data] = arguments.as_slice() else { return None };
        let (dtype, mut data) = (dtype.dtype().ok()?, data.bytes()?.into_owned());
        if data.len() != dtype.size {
            return None;
        }
        if dtype.kind == 'f' {
            if dtype.endian == Endian::Big {
                data.reverse();
            }
            return match data.as_slice() {
                bytes if bytes.len() == 4 => Some(f64::from(f32::from_le_bytes(bytes.try_into().ok()?))),
                bytes => Some(f64::from_le_bytes(bytes.try_into().ok()?)),
            };
        }
        let whole = Array { dtype, shape: Vec::new(), order: Order::C, data: Cow::Owned(data) };
        whole.integers()?.first().map(|&value| value as f64)
    }

    /// `_reconstruct(ndarray, (0,), b'b')`, then the state `(version, shape, dtype, is_fortran, data)`.
    fn reconstructed(self) -> Result<Array<'p>, String> {
        let state = self.call().and_then(|call| call.state).map(|id| self.at(id)).ok_or("a numpy array without its content")?;
        let state: Vec<_> = state.items().ok_or("a numpy array whose content is no tuple")?.collect();
        let [_version, shape, dtype, fortran, data] = state.as_slice() else {
            return Err(format!("a numpy array with a content of {} parts, not 5", state.len()));
        };
        let order = match fortran.value() {
            Value::Bool(true) | Value::Int(1) => Order::Fortran,
            Value::Bool(false) | Value::Int(0) => Order::C,
            _ => return Err("a numpy array of unknown memory order".into()),
        };
        checked(*shape, *dtype, order, *data)
    }

    /// `_frombuffer(data, dtype, shape, 'C')`: protocol 5.
    fn buffered(self) -> Result<Array<'p>, String> {
        let arguments = self.arguments().unwrap_or_default();
        let [data, dtype, shape, order] = arguments.as_slice() else {
            return Err(format!("a numpy array made from {} parts, not 4", arguments.len()));
        };
        let order = match order.text() {
            Some("C") => Order::C,
            Some("F") => Order::Fortran,
            _ => return Err("a numpy array of unknown memory order".into()),
        };
        checked(*shape, *dtype, order, *data)
    }

    /// `numpy.dtype('f4', False, True)`, then the state `(3, '<', ...)`.
    fn dtype(self) -> Result<Dtype, String> {
        let Some(("numpy", "dtype")) = self.called() else {
            return Err(format!("a numpy array of elements that are {}", self.describe()));
        };
        let arguments = self.arguments().unwrap_or_default();
        let code = arguments.first().and_then(|code| code.text()).unwrap_or_default();
        let mut letters = code.chars();
        let (kind, size) = (letters.next(), letters.as_str().parse::<usize>().ok());
        let (Some(kind @ ('u' | 'i' | 'f' | 'b')), Some(size @ (1 | 2 | 4 | 8))) = (kind, size) else {
            let code: String = code.chars().take(20).collect();
            return Err(format!("a numpy array of elements '{code}'; whole numbers and floats are read"));
        };
        let state = self.call().and_then(|call| call.state).map(|id| self.at(id));
        let mark = state.and_then(|state| state.items()?.nth(1)).and_then(Node::text);
        let endian = match (size, mark) {
            (1, _) => Endian::Neither,
            (_, Some(">")) => Endian::Big,
            (_, Some("<" | "=") | None) => Endian::Little,
            (_, Some(_)) => return Err("a numpy array of unknown byte order".into()),
        };
        Ok(Dtype { kind, size, endian })
    }
}

fn checked<'p>(shape: Node<'p, '_>, dtype: Node<'p, '_>, order: Order, data: Node<'p, '_>) -> Result<Array<'p>, String> {
    let dtype = dtype.dtype()?;
    let shape: Option<Vec<usize>> = shape.items().ok_or("a numpy array whose shape is no tuple")?.map(Node::count).collect();
    let shape = shape.ok_or("a numpy array whose shape is not of whole numbers")?;
    let data = data.bytes().ok_or("a numpy array whose data is not bytes")?;
    let bytes = shape.iter().try_fold(dtype.size, |product, &d| product.checked_mul(d));
    if bytes != Some(data.len()) {
        return Err(format!("a numpy array of shape {shape:?} with {} bytes an element and {} bytes", dtype.size, data.len()));
    }
    Ok(Array { dtype, shape, order, data })
}
