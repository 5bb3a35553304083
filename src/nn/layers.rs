//! Convolution, batch norm and linear layers with PyTorch's defaults, and nothing else.

use super::Mode;
use super::parameters::{Builder, Init, Role};
use std::cell::RefCell;
use tch::Tensor;

/// How a convolution is laid out and how its weights start.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    input: i64,
    output: i64,
    kernel: i64,
    stride: i64,
    padding: i64,
    bias: Bias,
    start: Start,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bias {
    None,
    Learned,
}

/// How weights start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// PyTorch's own: uniform in +-1/sqrt(fan in), the bias too.
    FanIn,
    /// Normal with variance 2 / fan out (He et al., 2015), the bias 0: torchvision's networks and `WideResNet`.
    FanOut,
}

impl Shape {
    /// Square kernel, stride 1, padded by `kernel / 2`, no bias, PyTorch's own start.
    pub const fn new(input: i64, output: i64, kernel: i64) -> Self {
        Self { input, output, kernel, stride: 1, padding: kernel / 2, bias: Bias::None, start: Start::FanIn }
    }

    #[must_use]
    pub const fn stride(self, stride: i64) -> Self {
        Self { stride, ..self }
    }

    #[must_use]
    pub const fn padding(self, padding: i64) -> Self {
        Self { padding, ..self }
    }

    #[must_use]
    pub const fn biased(self) -> Self {
        Self { bias: Bias::Learned, ..self }
    }

    #[must_use]
    pub const fn start(self, start: Start) -> Self {
        Self { start, ..self }
    }
}

/// A convolution; with a batch norm behind it, see [`ConvNorm`].
pub struct Conv {
    weight: Tensor,
    bias: Option<Tensor>,
    stride: i64,
    padding: i64,
}

impl Conv {
    pub fn new(b: &mut Builder, name: &str, s: Shape) -> Self {
        let area = s.kernel * s.kernel;
        let fan_in = Init::Uniform(1.0 / ((s.input * area) as f64).sqrt());
        let (weight, bias) = match s.start {
            Start::FanIn => (fan_in, fan_in),
            Start::FanOut => (Init::Normal((2.0 / (s.output * area) as f64).sqrt()), Init::Zeros),
        };
        b.within(name, |b| Self {
            weight: b.make("weight", &[s.output, s.input, s.kernel, s.kernel], weight, Role::Trainable),
            bias: (s.bias == Bias::Learned).then(|| b.make("bias", &[s.output], bias, Role::Trainable)),
            stride: s.stride,
            padding: s.padding,
        })
    }

    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.conv2d(&self.weight, self.bias.as_ref(), self.stride, self.padding, 1, 1)
    }

    /// ReLU behind it, in place: no backward needs what it overwrites.
    pub fn relu(&self, x: &Tensor) -> Tensor {
        self.forward(x).relu_()
    }
}

/// Momentum 0.1, epsilon 1e-5, weight 1, bias 0.
pub struct BatchNorm {
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
}

impl BatchNorm {
    pub fn new(b: &mut Builder, name: &str, width: i64) -> Self {
        b.within(name, |b| Self {
            weight: b.make("weight", &[width], Init::Ones, Role::Trainable),
            bias: b.make("bias", &[width], Init::Zeros, Role::Trainable),
            running_mean: b.make("running_mean", &[width], Init::Zeros, Role::Buffer),
            running_var: b.make("running_var", &[width], Init::Ones, Role::Buffer),
        })
    }

    pub fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let train = mode == Mode::Train;
        x.batch_norm(
            Some(&self.weight),
            Some(&self.bias),
            Some(&self.running_mean),
            Some(&self.running_var),
            train,
            0.1,
            1e-5,
            true,
        )
    }

    /// ReLU behind it, in place: the backward of batch norm needs its input, not its output.
    pub fn relu(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.forward(x, mode).relu_()
    }
}

/// A convolution and the batch norm behind it.
///
/// In eval mode the two are one affine map, and while it is *folded* they are computed as one convolution: the same function to
/// rounding, with a third less memory traffic. Folding copies weights and statistics as they are at that moment, so a network is
/// folded only while they stand still: through [`super::Model::folded`], or for good when it is frozen.
pub struct ConvNorm {
    conv: Conv,
    norm: BatchNorm,
    folded: RefCell<Option<FoldedConv>>,
}

/// How a network is folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folding {
    /// As it is.
    Plain,
    /// For many gradients of the input: convolutions over few channels work on blocks of pixels, the same function to rounding.
    Blocks,
}

/// The one convolution.
struct FoldedConv {
    weight: Tensor,
    bias: Tensor,
    blocks: Option<Blocks>,
}

/// A convolution of stride 2 as one of stride 1 over 2x2 blocks of pixels, each block's pixels being channels.
///
/// oneDNN's gradient of the input of a convolution over a single channel is four times slower than all the rest of it: for the first
/// layer of `fc3` and 250 images 25 ms, and 8 ms this way (one core, AMD Zen 3).
struct Blocks {
    weight: Tensor,
    padding: i64,
}

impl Blocks {
    const FEW: i64 = 4;

    /// Where the kernel is twice the padding and one, and the padding even, both have outputs of one size on images of even sides.
    fn of(weight: &Tensor, stride: i64, padding: i64) -> Option<Self> {
        let (output, input, kernel, _) = weight.size4().ok()?;
        if stride != 2 || input > Self::FEW || padding % 2 != 0 || kernel != 2 * padding + 1 {
            return None;
        }
        let blocks = padding + 1;
        let weight = weight
            .constant_pad_nd([0, 1, 0, 1])
            .view([output, input, blocks, 2, blocks, 2])
            .permute([0, 3, 5, 1, 2, 4])
            .reshape([output, 4 * input, blocks, blocks]);
        Some(Self { weight: super::channels_last(&weight), padding: padding / 2 })
    }

    fn fit(x: &Tensor) -> bool {
        matches!(x.size4(), Ok((_, _, h, w)) if h % 2 == 0 && w % 2 == 0)
    }

    fn forward(&self, x: &Tensor, bias: &Tensor) -> Tensor {
        let (n, c, h, w) = x.size4().expect("images have four dimensions");
        let (h, w) = (h / 2, w / 2);
        // In memory: block after block, in each the four pixels with their channels, as channels-last wants it.
        let blocks = x.permute([0, 2, 3, 1]).view([n, h, 2, w, 2, c]).permute([0, 1, 3, 2, 4, 5]).reshape([n, h, w, 4 * c]);
        blocks.permute([0, 3, 1, 2]).conv2d(&self.weight, Some(bias), 1, self.padding, 1, 1)
    }
}

impl ConvNorm {
    /// The names of the convolution and of the batch norm.
    pub fn new(b: &mut Builder, names: (&str, &str), s: Shape) -> Self {
        Self { conv: Conv::new(b, names.0, s), norm: BatchNorm::new(b, names.1, s.output), folded: RefCell::new(None) }
    }

    pub fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        match (mode, &*self.folded.borrow()) {
            (Mode::Eval, Some(folded)) => match &folded.blocks {
                // Only the gradient is worth the way into blocks.
                Some(blocks) if x.requires_grad() && Blocks::fit(x) => blocks.forward(x, &folded.bias),
                Some(_) | None => {
                    let conv = &self.conv;
                    x.conv2d(&folded.weight, Some(&folded.bias), conv.stride, conv.padding, 1, 1)
                }
            },
            (Mode::Eval, None) | (Mode::Train, _) => self.norm.forward(&self.conv.forward(x), mode),
        }
    }

    /// ReLU behind it, in place: no backward needs what it overwrites.
    pub fn relu(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.forward(x, mode).relu_()
    }

    pub fn fold(&self, folding: Folding) {
        let _guard = tch::no_grad_guard();
        let norm = &self.norm;
        let scale = &norm.weight * (&norm.running_var + 1e-5).rsqrt();
        let weight = &self.conv.weight * scale.view([-1, 1, 1, 1]);
        let mean = match &self.conv.bias {
            Some(bias) => &norm.running_mean - bias,
            None => norm.running_mean.shallow_clone(),
        };
        let bias = &norm.bias - mean * &scale;
        let blocks = (folding == Folding::Blocks).then(|| Blocks::of(&weight, self.conv.stride, self.conv.padding)).flatten();
        *self.folded.borrow_mut() = Some(FoldedConv { weight, bias, blocks });
    }

    pub fn unfold(&self) {
        *self.folded.borrow_mut() = None;
    }
}

pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// Starts as PyTorch starts it: uniform in +-1/sqrt(fan in), the bias too.
    pub fn new(b: &mut Builder, name: &str, input: i64, output: i64) -> Self {
        let bound = Init::Uniform(1.0 / (input as f64).sqrt());
        Self::starting(b, name, (input, output), [bound, bound])
    }

    /// `size`: input, output; `inits`: of the weight and of the bias.
    pub fn starting(b: &mut Builder, name: &str, size: (i64, i64), inits: [Init; 2]) -> Self {
        b.within(name, |b| Self {
            weight: b.make("weight", &[size.1, size.0], inits[0], Role::Trainable),
            bias: b.make("bias", &[size.1], inits[1], Role::Trainable),
        })
    }

    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, Some(&self.bias))
    }
}
