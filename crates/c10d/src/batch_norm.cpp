// Batch normalisation over the images of all ranks (Ioffe and Szegedy 2015, "Batch Normalization", algorithm 1 and section 3, with
// sums over the ranks; PyTorch calls it SyncBatchNorm, and has it in Python alone).
//
// Ranks add up in the order in which they call. Forward that is the order of the layers. Backward it is the same from behind, whatever
// branches the network has: of the functions that are ready the engine takes the one that was made last, and one that was made later never
// waits for an earlier one. On a CPU it runs them in the thread that asked for gradients.

#include <torch/csrc/autograd/custom_function.h>

#include <stdexcept>
#include <vector>

#include "group.h"
#include "guarded.h"

namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Running statistics, and how they follow.
struct Running {
  Tensor mean;
  Tensor variance;
  double momentum;
};

// Of each channel, over all ranks; the variance is that of the values themselves, divided by their count.
struct Moments {
  double count;
  Tensor mean;
  Tensor variance;
};

// The sum over all ranks, in double precision and host memory.
Tensor over_ranks(const c10::intrusive_ptr<c10d::Backend>& group, const Tensor& own) {
  std::vector<Tensor> sums{own.to(at::kCPU, at::kDouble, /*non_blocking=*/false, /*copy=*/true).contiguous()};
  group->allreduce(sums)->wait();
  return sums[0];
}

// One message for three sums: of ones, values and squares. In double precision the squares lose nothing that floats had.
Moments moments(const Group& group, const Tensor& input, const Tensor& like) {
  auto channels = input.size(1);
  auto sums = at::zeros({3, channels}, at::kDouble);
  if (input.numel() > 0) {
    auto [mean, variance] = at::batch_norm_update_stats(input, {}, {}, 0.0);
    mean = mean.to(at::kCPU, at::kDouble);
    variance = variance.to(at::kCPU, at::kDouble);
    sums = at::stack({at::ones_like(mean), mean, variance + mean.square()}) * static_cast<double>(input.numel() / channels);
  }
  sums = over_ranks(group, sums);
  auto count = sums[0][0].item<double>();
  if (count < 2) throw std::invalid_argument("a batch norm cannot train on one value a channel: larger batches or images are needed");
  auto mean = sums[1] / count;
  auto variance = (sums[2] / count - mean.square()).clamp_min(0);
  return {count, mean.to(like.options()), variance.to(like.options())};
}

// `(x - mean) / sqrt(variance + epsilon) * weight + bias`.
Tensor affine(const Tensor& input, const Tensor& weight, const Tensor& bias, const Moments& at, double epsilon) {
  if (input.numel() == 0) return at::empty_like(input);
  return std::get<0>(at::native_batch_norm(input, weight, bias, at.mean, at.variance, /*training=*/false, 0.0, epsilon));
}

struct Norm : torch::autograd::Function<Norm> {
  static Tensor forward(AutogradContext* context, const Tensor& input, const Tensor& weight, const Tensor& bias, const Group& group,
                        const Running& running, double epsilon) {
    auto all = moments(group, input, weight);
    running.mean.mul_(1 - running.momentum).add_(all.mean, running.momentum);
    // Of a sample of so many values, as the ordinary batch norm keeps it.
    running.variance.mul_(1 - running.momentum).add_(all.variance, running.momentum * all.count / (all.count - 1));
    context->save_for_backward({input, weight, all.mean, all.variance});
    context->saved_data["count"] = all.count;
    context->saved_data["epsilon"] = epsilon;
    context->saved_data["group"] = c10::IValue::make_capsule(group);
    return affine(input, weight, bias, all, epsilon);
  }

  // `dx = weight / sqrt(variance + epsilon) * (dy - mean(dy) - x^ mean(dy x^))` with `x^` for the normalised values and means over
  // all ranks. The gradients of weight and bias, the sums of `dy x^` and of `dy`, stay those of this rank.
  static variable_list backward(AutogradContext* context, const variable_list& outer) {
    auto saved = context->get_saved_variables();
    const auto &input = saved[0], &weight = saved[1];
    Moments all{context->saved_data["count"].toDouble(), saved[2], saved[3]};
    auto epsilon = context->saved_data["epsilon"].toDouble();
    auto dx = at::zeros_like(input), dweight = at::zeros_like(weight), dbias = at::zeros_like(weight);
    if (input.numel() > 0) {
      std::tie(dx, dweight, dbias) = at::native_batch_norm_backward(outer[0], input, weight, all.mean, all.variance, {}, {},
                                                                   /*train=*/false, epsilon, {true, true, true});
    }
    if (context->needs_input_grad(0)) {
      auto group = c10::static_intrusive_pointer_cast<c10d::Backend>(context->saved_data["group"].toCapsule());
      auto means = (over_ranks(group, at::stack({dweight, dbias})) / -all.count).to(weight.options());
      auto scale = (all.variance + epsilon).rsqrt() * weight;
      dx += affine(input, scale * means[0], scale * means[1], all, epsilon);
    }
    return {dx, dweight, dbias, Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

extern "C" {

// Normalises `rows x channels x ...` values, and moves the running statistics.
int millstream_batch_norm(void* group, const Tensor* input, const Tensor* weight, const Tensor* bias, const Tensor* mean,
                          const Tensor* variance, double momentum, double epsilon, Tensor** output, char* error, size_t room) {
  return guarded(error, room, [&] {
    Running running{*mean, *variance, momentum};
    *output = new Tensor(Norm::apply(*input, *weight, *bias, *static_cast<Group*>(group), running, epsilon));
  });
}

}  // extern "C"
