//! The layers that models are made of. Each takes its tensors from [`Builder`], follows there what size the images have
//! become, and has a forward that returns libtorch's refusal as an error.

use millstream_c10d::{BatchNorm, ProcessGroup};
use tch::{Kind, TchError, Tensor};

use super::params::channels_last;
use super::{Builder, Init, Map, Mode, Role};
use crate::TrainError;
use crate::error::While;

/// How the first values of a convolution or a linear layer are drawn.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start {
    /// PyTorch's default (`kaiming_uniform_` with `a = sqrt(5)`): both uniform up to `1 / sqrt(fan in)`.
    FanIn,
    /// He et al., "Delving deep into rectifiers" (2015), of the outputs: normal with variance `2 / fan out`, bias 0.
    FanOut,
    /// Uniform up to `1 / sqrt(fan out)`, bias 0.
    UniformOut,
    /// Normal with a standard deviation of 0.01, and this bias.
    Narrow(f64),
}

impl Start {
    /// First values of weight and bias.
    fn inits(self, fan_in: i64, fan_out: i64) -> (Init, Init) {
        let bound = |fan: i64| Init::Uniform(1.0 / (fan as f64).sqrt());
        match self {
            Start::FanIn => (bound(fan_in), bound(fan_in)),
            Start::FanOut => (Init::Normal((2.0 / fan_out as f64).sqrt()), Init::Constant(0.0)),
            Start::UniformOut => (bound(fan_out), Init::Constant(0.0)),
            Start::Narrow(bias) => (Init::Normal(0.01), Init::Constant(bias)),
        }
    }
}

/// Zeros around an image.
#[derive(Clone, Copy, Debug)]
pub(super) enum Padding {
    /// As many on each side.
    Even(i64),
    /// TensorFlow's `SAME`: as many as make the output `ceil(input / stride)`; if odd, one more after than before.
    Same,
}

/// Side, stride and padding of a square window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) side: i64,
    pub(super) stride: i64,
    pub(super) padding: Padding,
}

impl Window {
    /// Whose middle visits every place, or every `stride`-th.
    pub(super) const fn centred(side: i64, stride: i64) -> Window {
        Window { side, stride, padding: Padding::Even((side - 1) / 2) }
    }

    pub(super) const fn padded(side: i64, stride: i64, padding: i64) -> Window {
        Window { side, stride, padding: Padding::Even(padding) }
    }

    /// Zeros before and after a row of `length`.
    pub(super) fn pads(self, length: i64) -> (i64, i64) {
        match self.padding {
            Padding::Even(padding) => (padding, padding),
            Padding::Same => {
                let covered = (length.max(1) - 1) / self.stride * self.stride + self.side;
                let missing = (covered - length).max(0);
                (missing / 2, missing - missing / 2)
            }
        }
    }

    /// How many places the window has in a row of `length`.
    pub(super) fn places(self, length: i64) -> i64 {
        let (before, after) = self.pads(length);
        (before + length + after - self.side) / self.stride + 1
    }

    fn output(self, map: Map, channels: i64) -> Map {
        Map { channels, height: self.places(map.height), width: self.places(map.width) }
    }
}

/// What a convolution is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filter {
    /// Channels of its output.
    pub(super) to: i64,
    pub(super) window: Window,
    /// Into how many parts the channels are cut; as many as channels: depthwise.
    pub(super) groups: i64,
    pub(super) bias: bool,
    pub(super) start: Start,
}

impl Filter {
    /// Over all channels and without a bias, as before a norm.
    pub(super) const fn new(to: i64, window: Window) -> Filter {
        Filter { to, window, groups: 1, bias: false, start: Start::FanOut }
    }
}

/// A two-dimensional convolution.
pub(super) struct Conv {
    weight: Tensor,
    bias: Option<Tensor>,
    stride: i64,
    groups: i64,
    /// Zeros before and after each row, then each column.
    pads: [(i64, i64); 2],
    /// Whether it has many weights for few places.
    heavy: bool,
    /// What it computes with.
    compute: Kind,
}

/// A convolution is heavy from so many weights (2 MiB, an L2 cache) and up to so many places of its output.
const HEAVY: (i64, i64) = (512 << 10, 25);

impl Conv {
    pub(super) fn new(builder: &mut Builder<'_>, name: &str, filter: Filter) -> Result<Conv, TrainError> {
        let Filter { to, window, groups, .. } = filter;
        let (from, area) = (builder.map.channels / groups, window.side * window.side);
        let (weight, bias) = filter.start.inits(from * area, to * area);
        let shape = [to, from, window.side, window.side];
        let weight = builder.add(format!("{name}.weight"), &shape, Role::Weight, weight)?;
        let bias = filter.bias.then(|| builder.add(format!("{name}.bias"), &[to], Role::Offset, bias)).transpose()?;
        let pads = [window.pads(builder.map.width), window.pads(builder.map.height)];
        builder.map = window.output(builder.map, to);
        builder.spend(&[to, from, area, builder.map.height, builder.map.width]);
        let places = builder.map.height * builder.map.width;
        let heavy = to * from * area >= HEAVY.0 && places <= HEAVY.1;
        Ok(Conv { weight, bias, stride: window.stride, groups, pads, heavy, compute: builder.compute })
    }

    pub(super) fn forward(&self, input: &Tensor) -> Result<Tensor, TchError> {
        let [(left, right), (top, bottom)] = self.pads;
        if (left, top) == (right, bottom) {
            return self.convolve(input, [top, left]);
        }
        self.convolve(&input.f_constant_pad_nd([left, right, top, bottom])?, [0, 0])
    }

    fn convolve(&self, input: &Tensor, padding: [i64; 2]) -> Result<Tensor, TchError> {
        let input = &input.f_to_kind(self.compute)?;
        let weight = self.weight.f_to_kind(self.compute)?;
        let bias = self.bias.as_ref().map(|bias| bias.f_to_kind(self.compute)).transpose()?;
        let convolve =
            |input: &Tensor| input.f_conv2d(&weight, bias.as_ref(), [self.stride; 2], padding, [1, 1], self.groups);
        if !self.heavy || input.device().is_cuda() {
            return convolve(input);
        }
        // With channels last, oneDNN reads all weights anew for each image. In PyTorch's order it does not, and is up to four
        // times as fast here; what follows is not, so it gets channels last again.
        channels_last(&convolve(&input.f_contiguous()?)?)
    }
}

/// How a batch norm follows the statistics.
#[derive(Clone, Copy, Debug)]
pub(super) struct Statistics {
    /// Share of the new batch in the running statistics.
    pub(super) momentum: f64,
    /// Added to the variance.
    pub(super) epsilon: f64,
}

impl Statistics {
    /// PyTorch's default.
    pub(super) const TORCH: Statistics = Statistics { momentum: 0.1, epsilon: 1e-5 };
    /// What EfficientNet was trained with in TensorFlow.
    pub(super) const TENSORFLOW: Statistics = Statistics { momentum: 0.01, epsilon: 1e-3 };
}

/// Why a batch norm refuses.
const SINGLE: &str = "a batch norm cannot train on one value a channel: larger batches or images are needed";

/// Batch normalisation over the rows and places of each channel. One whose weight is frozen keeps its running statistics
/// and normalises with them.
pub(super) struct Norm {
    weight: Tensor,
    bias: Tensor,
    mean: Tensor,
    variance: Tensor,
    batches: Tensor,
    statistics: Statistics,
}

impl Norm {
    pub(super) fn new(builder: &mut Builder<'_>, name: &str, statistics: Statistics) -> Result<Norm, TrainError> {
        let shape = [builder.map.channels];
        let mut add = |part: &str, shape: &[i64], role, first| {
            builder.add(format!("{name}.{part}"), shape, role, Init::Constant(first))
        };
        Ok(Norm {
            weight: add("weight", &shape, Role::Offset, 1.0)?,
            bias: add("bias", &shape, Role::Offset, 0.0)?,
            mean: add("running_mean", &shape, Role::Buffer, 0.0)?,
            variance: add("running_var", &shape, Role::Buffer, 1.0)?,
            batches: add("num_batches_tracked", &[], Role::Counter, 0.0)?,
            statistics,
        })
    }

    /// A convolution that gives what this makes of the outputs of `conv` with the running statistics: both are linear.
    fn folded(&self, conv: &Conv) -> Result<Conv, TchError> {
        let _no_grad = tch::no_grad_guard();
        let scale = self.variance.f_add_scalar(self.statistics.epsilon)?.f_rsqrt()?.f_mul(&self.weight)?;
        let mean = match &conv.bias {
            Some(bias) => self.mean.f_sub(bias)?,
            None => self.mean.shallow_clone(),
        };
        let weight = conv.weight.f_mul(&scale.f_view([-1, 1, 1, 1])?)?;
        let bias = self.bias.f_sub(&mean.f_mul(&scale)?)?;
        Ok(Conv { weight: weight.f_to_kind(conv.compute)?, bias: Some(bias.f_to_kind(conv.compute)?), ..*conv })
    }

    pub(super) fn forward(&self, input: &Tensor, mode: Mode<'_>) -> Result<Tensor, TchError> {
        let Statistics { momentum, epsilon } = self.statistics;
        match mode {
            Mode::Train(_, Some(group)) if self.weight.requires_grad() => return self.over(group, input, momentum),
            Mode::Ask(Some(group)) if self.weight.requires_grad() => return self.over(group, input, 0.0),
            _ => {}
        }
        // libtorch would take the variance of a single value, and the running one would be no number from then on.
        let single = input.numel() / self.weight.numel().max(1) < 2;
        let (of_batch, momentum) = match mode {
            _ if !self.weight.requires_grad() => (false, momentum),
            Mode::Train(..) if single => return Err(TchError::Torch(SINGLE.to_owned())),
            Mode::Train(..) => {
                self.count()?;
                (true, momentum)
            }
            Mode::Ask(_) => (!single, 0.0),
            Mode::Predict => (false, momentum),
        };
        let (weight, bias) = (Some(&self.weight), Some(&self.bias));
        let (mean, variance) = (Some(&self.mean), Some(&self.variance));
        input.f_batch_norm(weight, bias, mean, variance, of_batch, momentum, epsilon, true)
    }

    /// The same with the statistics of all ranks' batches.
    fn over(&self, group: &ProcessGroup, input: &Tensor, momentum: f64) -> Result<Tensor, TchError> {
        if momentum > 0.0 {
            self.count()?;
        }
        let Norm { weight, bias, mean, variance, statistics: Statistics { epsilon, .. }, .. } = self;
        let norm = BatchNorm { weight, bias, mean, variance, momentum, epsilon: *epsilon };
        group.batch_norm(input, norm).map_err(|error| TchError::Torch(format!("{}: {}", error.doing, error.reason)))
    }

    /// One more batch that the running statistics have seen.
    fn count(&self) -> Result<(), TchError> {
        self.batches.shallow_clone().f_add_scalar_(1).map(drop)
    }
}

/// What follows a norm.
#[derive(Clone, Copy, Debug)]
pub(super) enum Activation {
    None,
    Relu,
    Relu6,
    Silu,
}

impl Activation {
    fn forward(self, mut map: Tensor) -> Result<Tensor, TchError> {
        match self {
            Activation::None => Ok(map),
            Activation::Relu => map.f_relu_(),
            Activation::Relu6 => map.f_relu6_(),
            Activation::Silu => map.f_silu_(),
        }
    }
}

/// A convolution, its norm and what follows.
pub(super) struct ConvNorm {
    conv: Conv,
    norm: Norm,
    activation: Activation,
    /// Both in one, for predictions.
    folded: Option<Conv>,
}

impl ConvNorm {
    /// `names` are those of the convolution and of the norm.
    pub(super) fn new(
        builder: &mut Builder<'_>,
        names: [&str; 2],
        filter: Filter,
        statistics: Statistics,
        activation: Activation,
    ) -> Result<ConvNorm, TrainError> {
        let conv = Conv::new(builder, names[0], filter)?;
        let norm = Norm::new(builder, names[1], statistics)?;
        let folded = builder.folds.then(|| norm.folded(&conv)).transpose().during("folding a norm")?;
        Ok(ConvNorm { conv, norm, activation, folded })
    }

    pub(super) fn forward(&self, input: &Tensor, mode: Mode<'_>) -> Result<Tensor, TchError> {
        match (&self.folded, mode) {
            (Some(folded), Mode::Predict) => self.activation.forward(folded.forward(input)?),
            _ => self.activation.forward(self.norm.forward(&self.conv.forward(input)?, mode)?),
        }
    }
}

/// A matrix product and a bias, in float32 whatever it was computed with. The first of a model begins its head.
pub(crate) struct Linear {
    weight: Tensor,
    bias: Tensor,
    /// How many numbers it takes.
    width: i64,
    compute: Kind,
}

impl Linear {
    pub(super) fn new(builder: &mut Builder<'_>, name: &str, to: i64, start: Start) -> Result<Linear, TrainError> {
        let Map { channels, height, width } = builder.map;
        let from = channels * height * width;
        let (weight, bias) = start.inits(from, to);
        builder.enter_head();
        builder.map = Map { channels: to, height: 1, width: 1 };
        builder.spend(&[from, to]);
        Ok(Linear {
            weight: builder.add(format!("{name}.weight"), &[to, from], Role::Weight, weight)?,
            bias: builder.add(format!("{name}.bias"), &[to], Role::Offset, bias)?,
            width: from,
            compute: builder.compute,
        })
    }

    /// How many numbers it takes of an image.
    pub(crate) fn width(&self) -> i64 {
        self.width
    }

    pub(crate) fn forward(&self, input: &Tensor) -> Result<Tensor, TchError> {
        let [input, weight, bias] = [input, &self.weight, &self.bias].map(|tensor| tensor.f_to_kind(self.compute));
        input?.f_linear(&weight?, Some(&bias?))?.f_to_kind(Kind::Float)
    }
}

/// The largest value of each window. Uncovered edges are dropped, as PyTorch does.
pub(super) struct MaxPool {
    side: i64,
    stride: i64,
    padding: i64,
}

impl MaxPool {
    pub(super) fn new(builder: &mut Builder<'_>, side: i64, stride: i64, padding: i64) -> MaxPool {
        builder.map = Window::padded(side, stride, padding).output(builder.map, builder.map.channels);
        MaxPool { side, stride, padding }
    }

    pub(super) fn forward(&self, input: &Tensor) -> Result<Tensor, TchError> {
        input.f_max_pool2d([self.side; 2], [self.stride; 2], [self.padding; 2], [1, 1], false)
    }
}

/// The means of `side x side` equal parts of a map, one row an image, in float32.
pub(super) struct MeanPool {
    side: i64,
}

impl MeanPool {
    pub(super) fn new(builder: &mut Builder<'_>, side: i64) -> MeanPool {
        builder.map = Map { channels: builder.map.channels, height: side, width: side };
        MeanPool { side }
    }

    pub(super) fn forward(&self, input: &Tensor) -> Result<Tensor, TchError> {
        if self.side == 1 {
            return input.f_mean_dim([2i64, 3].as_slice(), false, Kind::Float);
        }
        input.f_to_kind(Kind::Float)?.f_adaptive_avg_pool2d([self.side; 2])?.f_flatten(1, -1)
    }
}

/// Squeeze and excitation (Hu et al. 2018): each channel is scaled by what the means of all channels say.
pub(super) struct Squeeze {
    reduce: Conv,
    expand: Conv,
}

impl Squeeze {
    pub(super) fn new(builder: &mut Builder<'_>, name: &str, squeezed: i64) -> Result<Squeeze, TrainError> {
        let map = builder.map;
        let filter = |to| Filter { bias: true, ..Filter::new(to, Window::centred(1, 1)) };
        MeanPool::new(builder, 1);
        let reduce = Conv::new(builder, &format!("{name}.fc1"), filter(squeezed))?;
        let expand = Conv::new(builder, &format!("{name}.fc2"), filter(map.channels))?;
        builder.map = map;
        Ok(Squeeze { reduce, expand })
    }

    pub(super) fn forward(&self, input: &Tensor) -> Result<Tensor, TchError> {
        let means = input.f_mean_dim([2i64, 3].as_slice(), true, None)?;
        let scale = self.expand.forward(&self.reduce.forward(&means)?.f_silu_()?)?.f_sigmoid()?;
        scale.f_mul(input)
    }
}

/// In training, drops each value with probability `rate` and scales the others up.
pub(super) fn dropout(input: &Tensor, rate: f64, mode: Mode<'_>) -> Result<Tensor, TchError> {
    match mode {
        Mode::Train(seeded, _) if rate > 0.0 => seeded.dropout(input, rate),
        _ => Ok(input.shallow_clone()),
    }
}

/// Stochastic depth (Huang et al. 2016): in training, drops the whole of an image's branch with probability `rate`, and
/// scales the branches of the others up. Where everything up to here is frozen, there is nothing to make robust by noise.
pub(super) fn drop_path(input: &Tensor, rate: f64, mode: Mode<'_>) -> Result<Tensor, TchError> {
    match mode {
        Mode::Train(seeded, _) if rate > 0.0 && input.requires_grad() => seeded.drop_rows(input, rate),
        _ => Ok(input.shallow_clone()),
    }
}

/// The drop rate of block `index` of `blocks`: it rises evenly from 0 at the first, and would be `last` after the last.
pub(super) fn rising(last: f64, index: usize, blocks: usize) -> f64 {
    last * index as f64 / blocks as f64
}

/// Local response normalisation over neighbouring channels, with the numbers of Krizhevsky et al. (2012):
/// `x / (2 + 1e-4 * sum of squares of 5 channels)^0.75`.
pub(super) fn local_response_norm(input: &Tensor) -> Result<Tensor, TchError> {
    let input = input.f_to_kind(Kind::Float)?;
    let squares = input.f_square()?.f_unsqueeze(1)?.f_constant_pad_nd([0, 0, 0, 0, 2, 2])?;
    let sums = squares.f_avg_pool3d([5, 1, 1], [1, 1, 1], [0, 0, 0], false, true, Some(1))?.f_squeeze_dim(1)?;
    input.f_div(&sums.f_mul_scalar(1e-4)?.f_add_scalar(2.0)?.f_pow_tensor_scalar(0.75)?)
}
