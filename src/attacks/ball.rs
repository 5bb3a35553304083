//! The set an adversary may choose from: an L-inf or L2 ball around each image, cut with `[0, 1]`.

use crate::config::{Eps, Norm};
use crate::random::Stream;
use tch::Tensor;

/// Radius and norm. Tensors are `[N, C, H, W]` in `[0, 1]`.
#[derive(Clone, Copy, Debug)]
pub struct Ball {
    pub norm: Norm,
    pub eps: f64,
}

impl Ball {
    pub fn new(norm: Norm, eps: Eps) -> Self {
        Self { norm, eps: eps.0 }
    }

    /// The bounds of the L-inf ball in the box, made once an attack.
    pub fn bounds(&self, x: &Tensor) -> (Tensor, Tensor) {
        ((x - self.eps).clamp_min_(0.0), (x + self.eps).clamp_max_(1.0))
    }

    /// The nearest allowed image, ball first, then box (this order; in L2 the result can lie slightly inside the ball, as in every
    /// reference).
    pub fn project(&self, x: &Tensor, candidate: &Tensor) -> Tensor {
        match self.norm {
            Norm::Linf => {
                let (low, high) = self.bounds(x);
                candidate.clamp_tensor(Some(&low), Some(&high))
            }
            Norm::L2 => {
                let delta = candidate - x;
                // The norm of a zero perturbation is 0 and its factor would be eps / 0.
                let factor = (norm2(&delta).clamp_min_(1e-12).reciprocal() * self.eps).clamp_max_(1.0);
                (delta * factor + x).clamp_(0.0, 1.0)
            }
        }
    }

    /// One ascent step of this length along the gradient's sign (L-inf) or direction (L2), before projection.
    pub fn climb(&self, from: &Tensor, gradient: &Tensor, length: f64) -> Tensor {
        match self.norm {
            Norm::Linf => from + gradient.sign() * length,
            Norm::L2 => from + gradient * (norm2(gradient) + 1e-10).reciprocal() * length,
        }
    }

    /// A random start drawn on the device: uniform in the L-inf ball; on the sphere in L2 (MadryLab). Seed torch's generator first.
    pub fn start(&self, x: &Tensor) -> Tensor {
        match self.norm {
            Norm::Linf => (x + x.empty_like().uniform_(-self.eps, self.eps)).clamp_(0.0, 1.0),
            Norm::L2 => self.on_sphere(x, &x.empty_like().normal_(0.0, 1.0)),
        }
    }

    fn on_sphere(&self, x: &Tensor, noise: &Tensor) -> Tensor {
        (x + noise * (norm2(noise) + 1e-10).reciprocal() * self.eps).clamp_(0.0, 1.0)
    }

    /// The same, drawn on the host image by image: `stream_of(i)` alone decides where image `i` of the batch starts, whatever else
    /// is in the batch.
    pub fn keyed_start(&self, x: &Tensor, stream_of: impl FnMut(usize) -> Stream) -> Tensor {
        let noise = self.noise(x, stream_of);
        match self.norm {
            Norm::Linf => (x + noise * self.eps).clamp_(0.0, 1.0),
            Norm::L2 => self.on_sphere(x, &noise),
        }
    }

    /// Noise of the images' shape from `stream_of(i)` for image `i`: uniform in [-1, 1] for L-inf, standard normal for L2.
    pub fn noise(&self, x: &Tensor, mut stream_of: impl FnMut(usize) -> Stream) -> Tensor {
        let size = x.size();
        let each = size[1..].iter().product::<i64>() as usize;
        let mut noise = Vec::with_capacity(size[0] as usize * each);
        for i in 0..size[0] as usize {
            let mut stream = stream_of(i);
            match self.norm {
                Norm::Linf => noise.extend((0..each).map(|_| 2.0 * stream.unit() - 1.0)),
                Norm::L2 => noise.extend((0..each).map(|_| stream.normal())),
            }
        }
        Tensor::from_slice(&noise).view(size.as_slice()).to_kind(x.kind()).to_device(x.device())
    }

    /// `noise` scaled to the ball's surface: in L-inf its largest pixel lies there, in L2 its length (Croce and Hein's starts).
    pub fn stretched(&self, noise: &Tensor) -> Tensor {
        let size = match self.norm {
            Norm::Linf => noise.abs().amax([1i64, 2, 3].as_slice(), true),
            Norm::L2 => norm2(noise),
        };
        noise / (size + 1e-12) * self.eps
    }

    /// `[N]`: how far each image is from its original, in this norm.
    pub fn distance(&self, x: &Tensor, other: &Tensor) -> Tensor {
        self.length(&(other - x).flatten(1, -1))
    }

    /// The norm of each row of `[N, D]`, `[N]`.
    pub fn length(&self, rows: &Tensor) -> Tensor {
        match self.norm {
            Norm::Linf => rows.abs().amax([1i64].as_slice(), false),
            Norm::L2 => rows.square().sum_dim_intlist([1i64].as_slice(), false, rows.kind()).sqrt(),
        }
    }
}

/// The length of each image, `[N, 1, 1, 1]`.
pub fn norm2(x: &Tensor) -> Tensor {
    x.square().sum_dim_intlist([1i64, 2, 3].as_slice(), true, x.kind()).sqrt()
}
