"""Optimizers of PyTorch and timm, for the tests of Millstream's: steps.txt is what this prints.

    python steps.py > steps.txt

`small` lines: a weight, a bias and a weight of zeros after four updates with changing rates; weights decay.
`resnet18` lines: gradients of one batch in torchvision's ResNet-18, and how one update with each optimizer moves each tensor. Of
every tensor there are the sum, the L2 norm and three numbers. Weights and images are those of models.py. All of it is computed in
64 bits.

    python steps.py whole FILE

writes the same gradients and updates of ResNet-18, whole tensors, computed in 32 bits by this machine's PyTorch: what
`scripts/parity-models --steps` compares with.
"""

import sys

import torch
import torchvision
from safetensors.torch import save_file
from timm.optim import Lamb, Lars, RMSpropTF
from torch.optim import SGD, AdamW

from models import by_formula, formula

# The rate, and the weight decay of weights, are given to each.
OPTIMIZERS = {
    "sgd": lambda groups: SGD(groups, momentum=0.9),
    "sgd_nesterov": lambda groups: SGD(groups, momentum=0.9, nesterov=True),
    "sgd_plain": lambda groups: SGD(groups),
    "adamw": lambda groups: AdamW(groups, betas=(0.8, 0.95), eps=1e-3),
    "rmsprop": lambda groups: RMSpropTF(groups, alpha=0.9, momentum=0.9, eps=1e-3),
    "rmsprop_plain": lambda groups: RMSpropTF(groups, alpha=0.9, momentum=0, eps=1e-3),
    "lars": lambda groups: Lars(groups, momentum=0.9, trust_coeff=0.02, eps=1e-8),
    "lars_nesterov": lambda groups: Lars(groups, momentum=0.9, nesterov=True, trust_coeff=0.02, eps=1e-8),
    "lamb": lambda groups: Lamb(groups, betas=(0.8, 0.95), eps=1e-3, max_grad_norm=None),
}
DECAY = 0.1
RATES = [0.1, 0.05, 0.0, 0.2]
# So large that little of an update is lost in the rounding of the tensor that it is added to.
LARGE_RATE = 1.0

# No unit of the net is so close to 0 in these images that rounding decides whether it is above. The gradients of 32 bits differ by
# 1e-5 from those of 64; with images of 32 pixels and one place in the last map it is 1e-4.
SHAPE = (4, 3, 40, 40)


def grouped(optimizer, parameters):
    """Norms and biases have one dimension, and are not decayed."""
    weights = [parameter for parameter in parameters if parameter.dim() > 1]
    others = [parameter for parameter in parameters if parameter.dim() <= 1]
    groups = [{"params": weights, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    return OPTIMIZERS[optimizer]([dict(group, lr=1.0) for group in groups])


def update(optimizer, rate):
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()


def words(*numbers):
    return " ".join(f"{float(number):.8g}" for number in numbers)


def small(name):
    tensor = lambda values: torch.nn.Parameter(torch.tensor(values, dtype=torch.float64))
    parameters = [tensor([[1.0, -2.0], [0.5, 3.0]]), tensor([0.25, -0.75]), tensor([[0.0, 0.0]])]
    gradients = [[[0.5, -0.25], [1.0, 0.125]], [0.1, -0.2], [[0.25, -1.0]]]
    optimizer = grouped(name, parameters)
    for number, rate in enumerate(RATES, start=1):
        for parameter, gradient in zip(parameters, gradients):
            parameter.grad = torch.tensor(gradient, dtype=torch.float64) * number * (-1) ** (number // 3)
        update(optimizer, rate)
    print("small", name, words(*torch.cat([parameter.detach().flatten() for parameter in parameters])))


def resnet(dtype=torch.float64):
    model = torchvision.models.resnet18(weights=None, num_classes=10)
    model.load_state_dict({key: by_formula(key, value, 1) for key, value in model.state_dict().items()})
    model = model.to(dtype)
    images = torch.from_numpy(formula("images", SHAPE).astype("float32")).reshape(SHAPE).to(dtype)
    images = images.contiguous(memory_format=torch.channels_last)
    torch.nn.functional.cross_entropy(model(images), torch.tensor([0, 3, 6, 9])).backward()
    return model


def summary(kind, name, tensor):
    flat = tensor.detach().flatten()
    places = [0, len(flat) // 3, len(flat) - 1]
    print("resnet18", kind, name, words(flat.sum(), flat.norm(), *flat[places]))


def moved(name, dtype=torch.float64):
    """With a large eps, for the first direction of AdamW is the sign of a gradient, which is chance where that is tiny."""
    model = resnet(dtype)
    before = {key: value.detach().clone() for key, value in model.named_parameters()}
    optimizer = grouped(name, list(model.parameters()))
    if name == "adamw":
        for group in optimizer.param_groups:
            group["eps"] = 1.0
    update(optimizer, LARGE_RATE)
    return {key: value.detach() - before[key] for key, value in model.named_parameters()}


def whole(path):
    tensors = {f"gradient.{key}": value.grad for key, value in resnet(torch.float32).named_parameters()}
    for name in UPDATES:
        tensors |= {f"{name}.{key}": value for key, value in moved(name, torch.float32).items()}
    save_file({key: value.contiguous() for key, value in tensors.items()}, path)


UPDATES = ("sgd", "adamw", "rmsprop")

if __name__ == "__main__":
    if sys.argv[1:2] == ["whole"]:
        sys.exit(whole(sys.argv[2]))
    for name in OPTIMIZERS:
        small(name)
    for key, value in resnet().named_parameters():
        summary("gradient", key, value.grad)
    for name in UPDATES:
        for key, value in moved(name).items():
            summary(name, key, value)
