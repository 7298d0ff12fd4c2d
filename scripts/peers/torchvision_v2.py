"""torchvision's v2 transforms on uint8 tensors, JPEGs by torchvision.io, DataLoader."""

import torch
import torch_loader
from harness import FASHION_MEAN, FASHION_STD, IMAGENET_MEAN, IMAGENET_STD, arguments
from torchvision.io import ImageReadMode, decode_jpeg, read_file
from torchvision.transforms import v2 as T

args = arguments()
crop_and_flip = [T.RandomResizedCrop(224, antialias=True), T.RandomHorizontalFlip()]
to_floats = [T.ToDtype(torch.float32, scale=True), T.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
steps = T.Compose({
    "basic": [*crop_and_flip, *to_floats],
    "randaug": [*crop_and_flip, T.RandAugment(2, 9), *to_floats],
    "eval": [T.Resize(256, antialias=True), T.CenterCrop(224), *to_floats],
    "fmnist": [
        T.RandomCrop(28, padding=4),
        T.RandomHorizontalFlip(),
        T.RandAugment(2, 9),
        T.ToDtype(torch.float32, scale=True),
        T.Normalize(FASHION_MEAN, FASHION_STD),
    ],
}[args.task])


def load_file(path):
    return steps(decode_jpeg(read_file(path), mode=ImageReadMode.RGB))


def load_array(array):
    return steps(torch.from_numpy(array)[None])


torch_loader.run(args, load_array if args.task == "fmnist" else load_file)
