"""Writes ops.txt: what Pillow makes of small images. Needs pillow==13.0.0, numpy and torchvision (for AugMix).

One case a line: `op arguments | channels WxH values seed fill | result`. The result is in hex, or where it is long and must
be met to the bit `crc` and its CRC-32. AugMix is `augmix keep + weight op arguments , op arguments + weight ...`. The
input is numpy's Philox stream, which the tests make for themselves with the crate's own generator.
`make.py N [SEED] > FILE` writes N random cases instead of the committed ones, all in hex.
"""

import math
import random
import sys
import zlib

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

SAMPLINGS = [Image.NEAREST, Image.BILINEAR, Image.BICUBIC]
FILTERS = [*SAMPLINGS, Image.LANCZOS]
WARPS = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y", "affine")
# Ops that may stand in a chain of AugMix: all that keep the size.
CHAINED = (
    "identity auto_contrast equalize invert rotate shear_x shear_y translate_x translate_y brightness color contrast "
    "sharpness posterize solarize solarize_add hue grayscale gaussian_blur erase flip_horizontal flip_vertical affine"
).split()
OPS = [*CHAINED, "gray", "crop", "resize", "augmix"]


def source(channels, width, height, values, seed):
    raw = np.random.Philox(key=[seed, 0], counter=[0, 0, 0, 0]).random_raw(width * height * channels)
    data = (np.asarray(raw, dtype=np.uint64) >> np.uint64(56)).astype(np.uint8)
    data = {"full": data, "narrow": 90 + data % 64, "flat": data * 0 + 77}[values].astype(np.uint8)
    shape = (height, width) if channels == 1 else (height, width, 3)
    return Image.fromarray(data.reshape(shape))


def affine(image, args, fill):
    degrees, sx, sy, tx, ty, sampling = args
    angle = -math.radians(degrees % 360)
    cos, sin = round(math.cos(angle), 15), round(math.sin(angle), 15)
    cx, cy = image.width / 2, image.height / 2
    a, b, d, e = cos - sx * sin, sin + sx * cos, sy * cos - sin, sy * sin + cos
    x, y = -cx - tx, -cy - ty
    return warp(image, (a, b, a * x + b * y + cx, d, e, d * x + e * y + cy), fill, SAMPLINGS[sampling])


def warp(image, matrix, fill, sampling):
    return image.transform(image.size, Image.AFFINE, matrix, sampling, fillcolor=colour(image, fill))


def colour(image, fill):
    return fill if image.mode == "L" else (fill,) * 3


def crop(image, args, fill):
    left, top, width, height = args
    out = Image.new(image.mode, (width, height), colour(image, fill))
    out.paste(image, (-left, -top))
    return out


def resize(image, args):
    left, top, w, h, width, height, kind = args
    return image.crop((left, top, left + w, top + h)).resize((width, height), FILTERS[kind])


def solarize_add(image, add, threshold):
    table = [max(0, min(255, i + add)) if i < threshold else i for i in range(256)]
    return image.point(table * len(image.getbands()))


def hue(image, share):
    """torchvision's adjust_hue of a Pillow image."""
    if image.mode == "L":
        return image
    h, s, v = image.convert("HSV").split()
    turned = np.array(h) + np.int32(share * 255).astype(np.uint8)
    return Image.merge("HSV", (Image.fromarray(turned), s, v)).convert("RGB")


def erase(image, args, fill):
    left, top, width, height = args
    out = image.copy()
    out.paste(colour(image, fill), (left, top, left + width, top + height))
    return out


def augmix(image, args, fill):
    """torchvision's AugMix with its draws replaced: the weights, and the ops in their order."""
    import torch
    from torchvision.transforms import autoaugment
    from torchvision.transforms.functional import pil_to_tensor, to_pil_image

    keep, chains = args
    weights = iter([[keep, np.float32(1) - np.float32(keep)], [weight for weight, _ in chains]])
    calls = iter([call for _, ops in chains for call in ops])

    class Explicit(autoaugment.AugMix):
        def _sample_dirichlet(self, _):
            return torch.tensor([next(weights)], dtype=torch.float32)

    def apply(tensor, *_, **__):
        return pil_to_tensor(run(*next(calls), to_pil_image(tensor[0]), fill))[None]

    original, autoaugment._apply_op = autoaugment._apply_op, apply
    try:
        return Explicit(mixture_width=len(chains), chain_depth=len(chains[0][1]))(image)
    finally:
        autoaugment._apply_op = original


def run(op, args, image, fill):
    first = args[0] if args else None
    sampling = SAMPLINGS[args[1]] if op in WARPS and op != "affine" else None
    match op:
        case "identity": return image
        case "auto_contrast": return ImageOps.autocontrast(image)
        case "equalize": return ImageOps.equalize(image)
        case "invert": return ImageOps.invert(image)
        case "rotate": return image.rotate(first, sampling, fillcolor=colour(image, fill))
        case "shear_x": return warp(image, (1, first, 0, 0, 1, 0), fill, sampling)
        case "shear_y": return warp(image, (1, 0, 0, first, 1, 0), fill, sampling)
        case "translate_x": return warp(image, (1, 0, -first, 0, 1, 0), fill, sampling)
        case "translate_y": return warp(image, (1, 0, 0, 0, 1, -first), fill, sampling)
        case "brightness": return ImageEnhance.Brightness(image).enhance(first)
        case "color": return ImageEnhance.Color(image).enhance(first)
        case "contrast": return ImageEnhance.Contrast(image).enhance(first)
        case "sharpness": return ImageEnhance.Sharpness(image).enhance(first)
        # Pillow's table with a mask of no bits; Pillow itself refuses to keep none.
        case "posterize": return ImageOps.posterize(image, first) if first else image.point(lambda _: 0)
        case "solarize": return ImageOps.solarize(image, first)
        case "solarize_add": return solarize_add(image, *args)
        case "hue": return hue(image, first)
        case "grayscale": return image.convert("L").convert(image.mode)
        case "gaussian_blur": return image.filter(ImageFilter.GaussianBlur(first))
        case "erase": return erase(image, args, fill)
        case "flip_horizontal": return ImageOps.mirror(image)
        case "flip_vertical": return ImageOps.flip(image)
        case "gray": return image.convert("L")
        case "affine": return affine(image, args, fill)
        case "crop": return crop(image, args, fill)
        case "resize": return resize(image, args)
        case "augmix": return augmix(image, args, fill)
    raise ValueError(op)


def single(value):
    """The nearest f32: arguments are f32 in the crate."""
    return float(np.float32(value))


# Where a turn or a shear puts pixel centres onto edges and between pixels.
TURNS = [0, 30, -30, 9, 27, 60, 90, 180, 270, 360, -90, 45, 135]
TANGENTS = [0.3, -0.3, 0.09, 0.5, 1, -1, 0]


def sampling(rng):
    """Every second warp is nearest, which is held to the bit."""
    return rng.choice([0, 0, 1, 2])


def shift(side, rng):
    whole, part = rng.randint(-side - 1, side + 1), rng.uniform(-side - 1, side + 1)
    nearly = math.floor(part) + rng.choice([0.5, 0.49999997, 0.50000006, 0.25])
    return single(rng.choice([whole, part, nearly, rng.uniform(-65535, 65535) if rng.random() < 0.1 else part]))


def turn(rng):
    return single(rng.choice([*TURNS, *[rng.uniform(-360, 360)] * len(TURNS)]))


def tangent(rng):
    return single(rng.choice([*TANGENTS, rng.uniform(-1, 1), rng.uniform(-1, 1), rng.uniform(-10, 10)]))


def area(width, height, rng):
    """It may reach over the edges."""
    corner = [rng.randint(-3, width + 2), rng.randint(-3, height + 2)]
    return [*corner, rng.randint(1, width + 4), rng.randint(1, height + 4)]


def inner_area(width, height, rng):
    left, top = rng.randint(0, width - 1), rng.randint(0, height - 1)
    return [left, top, rng.randint(1, width - left), rng.randint(1, height - top)]


def chains(width, height, rng):
    depth, count = rng.randint(1, 3), rng.randint(1, 4)
    weights = [rng.expovariate(1) for _ in range(count)]

    def call():
        op = rng.choice(CHAINED)
        args = arguments(op, width, height, rng)
        # What is off by one may be far off after the next op.
        return op, [*args[:-1], 0] if op in WARPS else args

    return [(single(weight / sum(weights)), [call() for _ in range(depth)]) for weight in weights]


def arguments(op, width, height, rng):
    match op:
        case "rotate": return [turn(rng), sampling(rng)]
        case "shear_x" | "shear_y": return [tangent(rng), sampling(rng)]
        case "translate_x" | "translate_y": return [shift(width if op == "translate_x" else height, rng), sampling(rng)]
        case "affine":
            by = [rng.choice([0, shift(side, rng)]) for side in (width, height)]
            return [turn(rng), rng.choice([0, tangent(rng)]), rng.choice([0, tangent(rng)]), *by, sampling(rng)]
        case "brightness" | "color" | "contrast" | "sharpness":
            usual = [0, 1, 0.1, 1.9, 0.73, 1.27, 2, rng.uniform(0, 2), rng.uniform(0, 2)]
            return [single(rng.choice([*usual, rng.uniform(0, 6), rng.uniform(0, 100)]))]
        case "posterize": return [rng.randint(0, 8)]
        case "solarize": return [single(rng.choice([0, 178.5, 212.5, 127.5, 128, 255, 256, rng.uniform(0, 256)]))]
        case "solarize_add":
            return [rng.choice([0, 40, 110, -60, rng.randint(-255, 255)]), rng.choice([128, rng.randint(0, 255)])]
        case "hue": return [single(rng.choice([0, 0.1, -0.1, 0.5, -0.5, rng.uniform(-0.5, 0.5)]))]
        case "gaussian_blur":
            return [single(rng.choice([0, 0.1, 0.5, 1, 2, rng.uniform(0.1, 2), rng.uniform(0, 30), rng.uniform(0, 100)]))]
        case "erase" | "crop": return area(width, height, rng)
        case "resize": return [*inner_area(width, height, rng), rng.randint(1, 40), rng.randint(1, 40), rng.randint(0, 3)]
        case "augmix": return [single(rng.choice([0, 1, rng.random(), rng.random()])), chains(width, height, rng)]
    return []


def written(op, args):
    if op != "augmix":
        return " ".join([op, *map(repr, args)])
    keep, mixed = args
    parts = (f"{weight!r} " + " , ".join(written(*call) for call in calls) for weight, calls in mixed)
    return " + ".join([f"augmix {keep!r}", *parts])


def is_close(op, args):
    """Whether the crate may be off by one, so that every value is needed."""
    return op == "augmix" or (op in WARPS and args[-1] > 0)


def case(op, channels, width, height, values, rng, kind=None, hexed=False, args=None):
    args = args or arguments(op, width, height, rng)
    seed, fill = rng.randint(0, 10**6), rng.choice([0, 128, 255])
    if kind is not None:
        args[-1] = kind
    out = run(op, args, source(channels, width, height, values, seed), fill).tobytes()
    shown = out.hex() if hexed or len(out) <= 30 or is_close(op, args) else f"crc {zlib.crc32(out):08x}"
    print(written(op, args), "|", channels, f"{width}x{height}", values, seed, fill, "|", shown)


def committed(rng):
    small = [(1, 1), (1, 6), (5, 1), (7, 5), (9, 12), (13, 4), (11, 11), (3, 11), (16, 10)]
    large = [(1, 1), (1, 6), (5, 1), (2, 3), (3, 3), (17, 13), (28, 28), (61, 40), (96, 97)]
    for op in OPS:
        for channels in (1, 3):
            for size in small if op == "augmix" else large:
                case(op, channels, *size, "full", rng, 0 if op in WARPS else None)
            for size in small if op in WARPS else []:
                for kind in (1, 2):
                    case(op, channels, *size, "full", rng, kind)
            case(op, channels, 8, 9, "narrow", rng)
            case(op, channels, 4, 4, "flat", rng)
    # Pixel centres that fall onto an edge of the image, or beside it by less than fixed point shows.
    for size in [(11, 11), (5, 11), (15, 7), (3, 13)]:
        for degrees in (30, -30, 60, 150, 45):
            for kind in (0, 1, 2):
                case("rotate", 1, *size, "full", rng, args=[degrees, kind])
                case("affine", 1, *size, "full", rng, args=[degrees, 0, 0, 0.5, 0, kind])
        for pixels in (0.49999997, 0.5, -0.49999997, 1.5):
            for kind in (0, 1, 2):
                case("translate_x", 3, *size, "full", rng, args=[single(pixels), kind])
                case("translate_y", 1, *size, "full", rng, args=[single(pixels), kind])


def random_size(rng):
    thin = rng.choice([(1, rng.randint(1, 60)), (rng.randint(1, 60), 1)])
    any_size = [(rng.randint(1, most), rng.randint(1, most)) for most in (6, 40, 90)]
    # Sides of which a turn by 30 degrees puts pixel centres onto edges.
    odd = 2 * rng.randint(0, 20) + 1
    tilted = rng.choice([(odd, 2 * odd + 1), (2 * odd + 1, odd)])
    if rng.random() < 0.005:
        return rng.randint(90, 500), rng.randint(90, 500)
    return rng.choice([thin, (28, 28), tilted, *any_size])


def main():
    if len(sys.argv) < 2:
        return committed(random.Random(20240607))
    rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else None)
    for _ in range(int(sys.argv[1])):
        values = rng.choice(["full", "full", "narrow", "flat"])
        case(rng.choice(OPS), rng.choice([1, 3]), *random_size(rng), values, rng, hexed=True)


main()
