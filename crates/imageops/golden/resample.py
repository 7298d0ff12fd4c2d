"""Writes resample.txt: what Pillow's `resize` makes of small images. Needs pillow==13.0.0 and numpy.

One case a line: `channels WxH seed | left top right bottom | WxH filter | result`, the result as `crc` and its CRC-32. The
input is numpy's Philox stream, which the tests make for themselves with the crate's own generator.
`resample.py N [SEED [LONGEST]] > FILE` writes N random cases, with sides to LONGEST, instead of the committed ones; what
is not too long comes in hex.
"""

import random
import sys
import zlib

import numpy as np
from PIL import Image

FILTERS = {
    "nearest": Image.NEAREST,
    "bilinear": Image.BILINEAR,
    "bicubic": Image.BICUBIC,
    "lanczos": Image.LANCZOS,
}


def source(channels, width, height, seed):
    raw = np.random.Philox(key=[seed, 0], counter=[0, 0, 0, 0]).random_raw(width * height * channels)
    data = (np.asarray(raw, dtype=np.uint64) >> np.uint64(56)).astype(np.uint8)
    # Half of the images are black and white, so that sums leave 0..255.
    data = np.where(data > 127, 255, 0).astype(np.uint8) if seed % 2 else data
    return Image.fromarray(data.reshape((height, width) if channels == 1 else (height, width, 3)))


def interval(length, rng):
    """Whole, of whole pixels, or of any two numbers."""
    kind = rng.randint(0, 3)
    if kind <= 1:
        return 0, length
    if kind == 2:
        start = rng.randint(0, length - 1)
        return start, rng.randint(start + 1, length)
    start = rng.uniform(0, length - 0.01)
    return start, rng.uniform(start + 0.005, length)


def side(longest, rng):
    return rng.choice([1, rng.randint(1, 8), rng.randint(1, 60), rng.randint(1, longest), rng.randint(1, longest)])


def case(channels, size, box, target, name, seed, longest_hex=0):
    result = source(channels, *size, seed).resize(target, FILTERS[name], box=box).tobytes()
    box = " ".join(map(repr, box))
    shown = result.hex() if len(result) <= longest_hex else f"crc {zlib.crc32(result):08x}"
    print(f"{channels} {size[0]}x{size[1]} {seed} | {box} | {target[0]}x{target[1]} {name} | {shown}")


def random_case(longest, rng, longest_hex=0):
    size = side(longest, rng), side(longest, rng)
    (left, right), (top, bottom) = interval(size[0], rng), interval(size[1], rng)
    target = [rng.choice([side(longest, rng), side(longest, rng), n]) for n in size]
    name = rng.choice(list(FILTERS))
    case(rng.choice([1, 3]), size, (left, top, right, bottom), tuple(target), name, rng.randint(0, 10**6), longest_hex)


def committed(rng):
    sizes = [(1, 1), (1, 9), (23, 1), (6, 4), (40, 31), (57, 90), (130, 11), (9, 200)]
    for size in sizes:
        for target in [(1, 1), (7, 1), (2, 19), size, (size[0], 12), (33, size[1]), (64, 48), (150, 3)]:
            for name in FILTERS:
                for channels in (1, 3):
                    case(channels, size, (0, 0, *size), target, name, rng.randint(0, 10**6))
    for _ in range(1000):
        random_case(100, rng)


def main():
    if len(sys.argv) < 2:
        return committed(random.Random(20240608))
    rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else None)
    for _ in range(int(sys.argv[1])):
        random_case(int(sys.argv[3]) if len(sys.argv) > 3 else 300, rng, 20_000)


main()
