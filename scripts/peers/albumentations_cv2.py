"""albumentations on OpenCV images, DataLoader.

It has no RandAugment. The usual stand-in is SomeOf with the 14 single ops. Its ranges are those of magnitude 9 of 30,
but most ops draw a strength within them, so they do somewhat less than RandAugment at a fixed magnitude.
"""

import os

# It would look for a newer version on the network.
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import albumentations as A
import cv2
import numpy as np
import torch_loader
from harness import FASHION_MEAN, FASHION_STD, IMAGENET_MEAN, IMAGENET_STD, arguments

MAGNITUDE = 9 / 30
SHEAR = np.degrees(0.3) * MAGNITUDE
SHIFT = 0.45 * MAGNITUDE
ROTATION = 30 * MAGNITUDE
STRENGTH = 0.9 * MAGNITUDE


def affine(**ranges):
    return A.Affine(interpolation=cv2.INTER_NEAREST, fill=0, p=1, **ranges)


def some_of():
    ops = [
        A.NoOp(p=1),
        affine(shear={"x": (-SHEAR, SHEAR), "y": 0}),
        affine(shear={"x": 0, "y": (-SHEAR, SHEAR)}),
        affine(translate_percent={"x": (-SHIFT, SHIFT), "y": 0}),
        affine(translate_percent={"x": 0, "y": (-SHIFT, SHIFT)}),
        affine(rotate=(-ROTATION, ROTATION)),
        A.RandomBrightnessContrast(brightness_limit=STRENGTH, contrast_limit=0, p=1),
        A.RandomBrightnessContrast(brightness_limit=0, contrast_limit=STRENGTH, p=1),
        A.ColorJitter(brightness=0, contrast=0, saturation=STRENGTH, hue=0, p=1),
        A.Sharpen(alpha=(0, STRENGTH), p=1),
        A.Posterize(num_bits=6, p=1),
        A.Solarize(threshold_range=(1 - MAGNITUDE, 1 - MAGNITUDE), p=1),
        A.AutoContrast(p=1),
        A.Equalize(p=1),
    ]
    return A.SomeOf(ops, n=2, replace=True, p=1)


def one_thread(_worker=None):
    cv2.setNumThreads(0)


args = arguments()
one_thread()
crop = A.RandomResizedCrop((224, 224), scale=(0.08, 1), interpolation=cv2.INTER_LINEAR)
flip = A.HorizontalFlip(p=0.5)
normalize = A.Normalize(IMAGENET_MEAN, IMAGENET_STD)
steps = A.Compose({
    "basic": lambda: [crop, flip, normalize],
    "randaug": lambda: [crop, flip, some_of(), normalize],
    "eval": lambda: [A.SmallestMaxSize(256, interpolation=cv2.INTER_LINEAR), A.CenterCrop(224, 224), normalize],
    "fmnist": lambda: [
        A.PadIfNeeded(36, 36, border_mode=cv2.BORDER_CONSTANT),
        A.RandomCrop(28, 28),
        flip,
        some_of(),
        A.Normalize(FASHION_MEAN, FASHION_STD),
    ],
}[args.task]())


def load_file(path):
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR_RGB)
    return torch_loader.to_chw(steps(image=image)["image"])


def load_array(array):
    return torch_loader.to_chw(steps(image=array[..., None])["image"])


torch_loader.run(args, load_array if args.task == "fmnist" else load_file, start_worker=one_thread)
