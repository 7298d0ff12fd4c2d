#!/usr/bin/env python3
"""Makes the corpus: JPEGs as ImageNet has them, cut from photographs that Debian and two Python packages carry.

    corpus.py PHOTOGRAPHS OUT [COUNT]

PHOTOGRAPHS is where the Debian packages were unpacked. Image i depends on the seed and on i alone, so a smaller COUNT
gives the first images of the whole corpus. Sizes, subsampling, quality, and the few gray and progressive files follow
ImageNet's training set; quality was raised until the mean file size came near ImageNet's.
"""

import io
import random
import sys
from pathlib import Path

import numpy as np
import skimage
import sklearn
from PIL import Image

SEED = 20261124
CLASSES = 10
# Larger photographs are halved, for memory's sake.
LONGEST_SIDE = 4400
# Mean absolute difference of neighbouring pixels (0 to 255) from which a cut counts as detailed enough.
ENOUGH_DETAIL = 17

GNOME = """Bridge_by_Sander_Klootwijk Dragonfly_by_Bolly Kleiber_by_Lukas_Baubkus Picture_0B_by_freespace
    Picture_1A_by_freespace Wine_by_Jakkub_Mede aitzgorri_by_Aitzol_Berasategi free_by_Peter_Nerlich
    friends_by_Aitzol_Berasategi greentock_by_Peter_Nerlich life_by_Aitzol_Berasategi
    picosdeeuropa_by_Aitzol_Berasategi seeding_by_Clements_Engelhardt sunset_by_Aitzol_Berasategi"""
MATE = "Aqua Blinds Dune FreshFlower Garden GreenMeadow LadyBird RainDrops Storm TwoWings Wood YellowFlower"
PLASMA = """BytheWater ColdRipple ColorfulCups DarkestHour EveningGlow FallenLeaf Grey Kite OneStandsOut Path Volna
    summer_1am"""
OPENCV = """examples/data/aloeL examples/data/aloeR examples/data/baboon examples/data/fruits examples/data/building
    examples/data/messi5 examples/data/board examples/data/aero1 examples/data/aero3 examples/data/butterfly
    examples/data/orange examples/data/apple examples/data/home opencv4/html/plant opencv4/html/corridor_fld
    opencv4/html/budapest opencv4/html/newspaper"""
SKIMAGE = "coffee.png astronaut.png chelsea.png rocket.jpg motorcycle_left.png hubble_deep_field.jpg"
SKLEARN = "china.jpg flower.jpg"

# ImageNet is mostly textured, everyday scenes: detailed photographs of high resolution count more, plain ones less.
# The first entry that the name contains applies.
WEIGHTS = {
    "Dragonfly": 3, "life_by": 3.5, "picosde": 3, "aitzgorri": 2.5, "Kleiber": 1.5, "friends": 2, "Picture_1A": 2.5,
    "EveningGlow": 3.5, "OneStandsOut": 3.5, "FallenLeaf": 1.5, "Path": 3, "Dune": 2.5, "RainDrops": 1.5, "Wine": 1.5,
    "sunset": 2, "Storm": 1, "DarkestHour": 0.4, "summer_1am": 0.4, "ColdRipple": 0.6, "Aqua": 0.5, "Wood": 0.8,
    "free_by": 0.5, "Picture_0B": 1.5, "china": 3, "aloe": 2, "baboon": 1.5, "corridor": 2, "plant": 2, "motorcycle": 2,
}  # fmt: skip

# The frequent sizes of ImageNet's training set: width, height, percent.
SIZES = [
    (500, 375, 34), (375, 500, 9.5), (500, 333, 9), (333, 500, 3), (500, 334, 2.5), (500, 400, 1.2), (500, 332, 1.2),
    (400, 300, 1.6), (300, 400, 0.4), (640, 480, 3.6), (480, 640, 0.5), (500, 500, 2), (800, 600, 1.2), (600, 400, 0.8),
    (400, 267, 0.4), (300, 225, 0.5), (250, 188, 0.3), (240, 180, 0.3), (160, 120, 0.3), (1024, 768, 0.9),
    (768, 1024, 0.3), (1200, 900, 0.2), (1500, 1000, 0.2), (1500, 1125, 0.15), (1280, 960, 0.15), (1000, 1500, 0.08),
]  # fmt: skip

QUALITIES = range(85, 97)
QUALITY_WEIGHTS = [2, 2, 1, 1, 1, 4, 2, 5, 4, 7, 20, 36]


def sources(photographs):
    """The photographs, each with its weight."""
    share = photographs / "usr/share"
    listed = [(share / "backgrounds" / f"{name}.jpg", 1.0) for name in GNOME.split()]
    listed += [(share / "backgrounds/mate/nature" / f"{name}.jpg", 0.6) for name in MATE.split()]
    listed += [(largest(share / "wallpapers" / name / "contents/images"), 0.6) for name in PLASMA.split()]
    listed += [(share / "doc/opencv-doc" / f"{name}.jpg", 0.5) for name in OPENCV.split()]
    listed += [(Path(skimage.__file__).parent / "data" / name, 0.5) for name in SKIMAGE.split()]
    listed += [(Path(sklearn.__file__).parent / "datasets/images" / name, 0.5) for name in SKLEARN.split()]
    return [(path, base * factor(path)) for path, base in listed]


def largest(folder):
    """The largest version of a wallpaper that comes in several."""
    return max(sorted(folder.glob("*.jpg")), key=lambda path: path.stat().st_size)


def factor(path):
    # A wallpaper's own name is that of the folder above `contents`.
    wallpaper = str(path).split("/contents/")[0].split("/")[-1]
    return next((weight for part, weight in WEIGHTS.items() if part in path.name or part in wallpaper), 1)


def photograph(path):
    image = Image.open(path).convert("RGB")
    if max(image.size) > LONGEST_SIDE:
        return image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)
    return image


def size(draw):
    """Width and height: one of the frequent sizes, or one of the long tail."""
    percent = draw.random() * 100
    for width, height, share in SIZES:
        percent -= share
        if percent < 0:
            return width, height
    long_side = int(min(1400, max(130, draw.lognormvariate(6.05, 0.38))))
    aspect = min(2.2, max(0.55, draw.lognormvariate(0.22, 0.28)))
    if aspect >= 1:
        return long_side, max(96, int(long_side / aspect))
    return max(96, int(long_side * aspect)), long_side


def detail(image):
    width, height = image.size
    gray = image.resize((max(8, width // 2), max(8, height // 2))).convert("L")
    gray = np.asarray(gray, np.float32)
    return float(np.abs(np.diff(gray, axis=1)).mean() + np.abs(np.diff(gray, axis=0)).mean())


def cut(draw, images, weights):
    """The most detailed of up to four random cuts."""
    width, height = size(draw)
    candidates = []
    for attempt in range(4):
        image = images[draw.choices(range(len(images)), weights)[0]]
        # Pixels of the photograph for one of the cut.
        most = min(image.width / width, image.height / height)
        if most < 0.75 and attempt < 3:
            continue
        scale = min(most, max(1.0, 2 ** draw.uniform(0.8, 2.9))) if most > 1 else most
        wide, high = int(width * scale), int(height * scale)
        left = draw.randrange(0, image.width - wide + 1)
        top = draw.randrange(0, image.height - high + 1)
        part = image.crop((left, top, left + wide, top + high)).resize((width, height), Image.Resampling.LANCZOS)
        candidates.append((detail(part), part))
        if candidates[-1][0] > ENOUGH_DETAIL:
            break
    return max(candidates, key=lambda candidate: candidate[0])[1]


def encode(draw, image):
    quality = draw.choices(QUALITIES, QUALITY_WEIGHTS)[0]
    subsampling = draw.choices(["4:2:0", "4:2:2", "4:4:4"], [85, 5, 10])[0]
    gray = draw.random() < 0.015
    progressive = draw.random() < 0.02
    options = {"quality": quality, "progressive": progressive}
    if gray:
        image = image.convert("L")
    else:
        options["subsampling"] = subsampling
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG", **options)
    return jpeg.getvalue()


def main():
    photographs, out = Path(sys.argv[1]), Path(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 2000
    Image.MAX_IMAGE_PIXELS = None
    paths, weights = zip(*sources(photographs))
    images = [photograph(path) for path in paths]
    for number in range(count):
        draw = random.Random(SEED * 100003 + number)
        jpeg = encode(draw, cut(draw, images, weights))
        folder = out / f"class{number % CLASSES:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"img_{number:05d}.jpg").write_bytes(jpeg)


main()
