"""torchvision's reference recipe: Pillow images, v1 transforms, DataLoader."""

import torch_loader
from harness import FASHION_MEAN, FASHION_STD, IMAGENET_MEAN, IMAGENET_STD, arguments
from PIL import Image
from torchvision import transforms as T

args = arguments()
crop_and_flip = [T.RandomResizedCrop(224), T.RandomHorizontalFlip()]
to_floats = [T.ToTensor(), T.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
steps = T.Compose({
    "basic": [*crop_and_flip, *to_floats],
    "randaug": [*crop_and_flip, T.RandAugment(2, 9), *to_floats],
    "eval": [T.Resize(256), T.CenterCrop(224), *to_floats],
    "fmnist": [
        T.RandomCrop(28, padding=4),
        T.RandomHorizontalFlip(),
        T.RandAugment(2, 9),
        T.ToTensor(),
        T.Normalize(FASHION_MEAN, FASHION_STD),
    ],
}[args.task])


def load_file(path):
    with open(path, "rb") as file:
        return steps(Image.open(file).convert("RGB"))


def load_array(array):
    return steps(Image.fromarray(array))


torch_loader.run(args, load_array if args.task == "fmnist" else load_file)
