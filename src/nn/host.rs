//! The only place where numbers come from the device to the host.
//!
//! **Invariant:** each call here waits for everything the device was asked before. A training step makes none of them (its numbers
//! go through `train::meter`, a few times a second); evaluations read their flags here.

use tch::{Device, Kind, Tensor};

/// A float tensor's values, row by row.
pub fn floats(tensor: &Tensor) -> Vec<f32> {
    let host = tensor.to_device(Device::Cpu).to_kind(Kind::Float).contiguous().view([-1]);
    Vec::try_from(host).expect("a flat tensor of floats")
}

/// The values of a tensor of bytes.
pub fn bytes(tensor: &Tensor) -> Vec<u8> {
    let host = tensor.to_device(Device::Cpu).to_kind(Kind::Uint8).contiguous().view([-1]);
    Vec::try_from(host).expect("a flat tensor of bytes")
}

/// A boolean tensor's values.
pub fn flags(tensor: &Tensor) -> Vec<bool> {
    let host = tensor.to_device(Device::Cpu).to_kind(Kind::Bool).contiguous().view([-1]);
    Vec::try_from(host).expect("a flat tensor of booleans")
}

/// The values of a tensor of class indices or counts.
pub fn integers(tensor: &Tensor) -> Vec<i64> {
    let host = tensor.to_device(Device::Cpu).to_kind(Kind::Int64).contiguous().view([-1]);
    Vec::try_from(host).expect("a flat tensor of integers")
}

/// A float tensor's values in double precision, row by row.
pub fn doubles(tensor: &Tensor) -> Vec<f64> {
    let host = tensor.to_device(Device::Cpu).to_kind(Kind::Double).contiguous().view([-1]);
    Vec::try_from(host).expect("a flat tensor of doubles")
}
