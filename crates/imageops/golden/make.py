"""Writes ops.txt: what Pillow makes of small images. Needs pillow==13.0.0 and numpy.

One case a line: `op arguments | channels WxH values seed fill | hex of the result, or crc32 of it where it is long`.
The input is numpy's Philox stream, which the tests make for themselves with the crate's own generator.
`make.py N > FILE` writes N random cases instead of the committed ones.
"""

import math
import random
import sys
import zlib

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

FILTERS = [Image.NEAREST, Image.BILINEAR, Image.BICUBIC, Image.LANCZOS]


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
    matrix = (a, b, a * x + b * y + cx, d, e, d * x + e * y + cy)
    return warp(image, matrix, fill, [Image.NEAREST, Image.BILINEAR][int(sampling)])


def warp(image, matrix, fill, sampling=Image.NEAREST):
    return image.transform(image.size, Image.AFFINE, matrix, sampling, fillcolor=colour(image, fill))


def colour(image, fill):
    return fill if image.mode == "L" else (fill,) * 3


def crop(image, args, fill):
    left, top, width, height = map(int, args)
    out = Image.new(image.mode, (width, height), colour(image, fill))
    out.paste(image, (-left, -top))
    return out


def resize(image, args):
    left, top, w, h, width, height, kind = map(int, args)
    return image.crop((left, top, left + w, top + h)).resize((width, height), FILTERS[kind])


def run(op, args, image, fill):
    first = args[0] if args else None
    match op:
        case "identity": return image
        case "auto_contrast": return ImageOps.autocontrast(image)
        case "equalize": return ImageOps.equalize(image)
        case "invert": return ImageOps.invert(image)
        case "rotate": return image.rotate(first, Image.NEAREST, fillcolor=colour(image, fill))
        case "shear_x": return warp(image, (1, first, 0, 0, 1, 0), fill)
        case "shear_y": return warp(image, (1, 0, 0, first, 1, 0), fill)
        case "translate_x": return warp(image, (1, 0, -first, 0, 1, 0), fill)
        case "translate_y": return warp(image, (1, 0, 0, 0, 1, -first), fill)
        case "brightness": return ImageEnhance.Brightness(image).enhance(first)
        case "color": return ImageEnhance.Color(image).enhance(first)
        case "contrast": return ImageEnhance.Contrast(image).enhance(first)
        case "sharpness": return ImageEnhance.Sharpness(image).enhance(first)
        case "posterize": return ImageOps.posterize(image, int(first))
        case "solarize": return ImageOps.solarize(image, first)
        case "flip_horizontal": return ImageOps.mirror(image)
        case "flip_vertical": return ImageOps.flip(image)
        case "gray": return image.convert("L")
        case "affine": return affine(image, args, fill)
        case "crop": return crop(image, args, fill)
        case "resize": return resize(image, args)
    raise ValueError(op)


def single(value):
    """The nearest f32: arguments are f32 in the crate."""
    return float(np.float32(value))


def arguments(op, width, height, rng):
    match op:
        case "rotate": return [single(rng.choice([0, 30, -30, 9, 90, 180, 270, -90, 45, rng.uniform(-360, 360)]))]
        case "shear_x" | "shear_y": return [single(rng.choice([0.3, -0.3, 0.09, rng.uniform(-1, 1), rng.uniform(-5, 5)]))]
        case "translate_x": return [rng.randint(-width - 1, width + 1)]
        case "translate_y": return [rng.randint(-height - 1, height + 1)]
        case "brightness" | "color" | "contrast" | "sharpness":
            return [single(rng.choice([0, 1, 0.1, 1.9, 0.73, 1.27, 2, rng.uniform(0, 2), rng.uniform(0, 6)]))]
        case "posterize": return [rng.randint(1, 8)]
        case "solarize": return [single(rng.choice([0, 178.5, 212.5, 127.5, 255, 256, rng.uniform(0, 256)]))]
        case "affine":
            far = single(rng.uniform(-3, 3)), single(rng.uniform(-3, 3))
            return [single(rng.uniform(-180, 180)), single(rng.uniform(-0.5, 0.5)), single(rng.uniform(-0.5, 0.5)), *far, rng.randint(0, 1)]
        case "crop":
            return [rng.randint(-3, width + 2), rng.randint(-3, height + 2), rng.randint(1, width + 4), rng.randint(1, height + 4)]
        case "resize":
            left, top = rng.randint(0, width - 1), rng.randint(0, height - 1)
            area = [left, top, rng.randint(1, width - left), rng.randint(1, height - top)]
            return [*area, rng.randint(1, 40), rng.randint(1, 40), rng.randint(0, 3)]
    return []


OPS = (
    "identity auto_contrast equalize invert rotate shear_x shear_y translate_x translate_y brightness color contrast "
    "sharpness posterize solarize flip_horizontal flip_vertical gray affine crop resize"
).split()


def case(op, channels, width, height, values, rng):
    args, seed, fill = arguments(op, width, height, rng), rng.randint(0, 10**6), rng.choice([0, 128, 255])
    out = run(op, args, source(channels, width, height, values, seed), fill).tobytes()
    shown = out.hex() if len(out) <= 60 or op in ("affine", "resize") else f"crc {zlib.crc32(out):08x}"
    print(" ".join([op, *map(repr, args)]), "|", channels, f"{width}x{height}", values, seed, fill, "|", shown)


def committed(rng):
    for op in OPS:
        for channels in (1, 3):
            if op in ("affine", "resize"):
                sizes = [(1, 1), (7, 5), (9, 12), (13, 4), (10, 10), (3, 11)]
            else:
                sizes = [(1, 1), (1, 6), (5, 1), (2, 3), (3, 3), (17, 13), (28, 28), (61, 40), (96, 97)]
            for size in sizes:
                case(op, channels, *size, "full", rng)
            case(op, channels, 8, 9, "narrow", rng)
            case(op, channels, 4, 4, "flat", rng)


def main():
    rng = random.Random(20240607)
    if len(sys.argv) < 2:
        return committed(rng)
    for _ in range(int(sys.argv[1])):
        size = rng.choice([(1, 1), (28, 28), (rng.randint(1, 6), rng.randint(1, 6)), (rng.randint(1, 90), rng.randint(1, 90))])
        case(rng.choice(OPS), rng.choice([1, 3]), *size, rng.choice(["full", "full", "narrow", "flat"]), rng)


main()
