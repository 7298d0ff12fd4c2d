"""NVIDIA DALI on the CPU alone. It has threads, no worker processes."""

import numpy as np
from harness import IMAGENET_MEAN, IMAGENET_STD, arguments, files, measure
from nvidia.dali import fn, pipeline_def, types
from nvidia.dali.auto_aug.rand_augment import rand_augment

args = arguments()
paths = files(args.corpus)
# DALI normalises pixels of 0..255.
mean = [value * 255 for value in IMAGENET_MEAN]
std = [value * 255 for value in IMAGENET_STD]
linear = {"interp_type": types.INTERP_LINEAR, "antialias": True}


def random_crop(jpegs):
    """Decodes the crop box alone, then resizes it."""
    area, ratio = [0.08, 1.0], [3 / 4, 4 / 3]
    images = fn.decoders.image_random_crop(
        jpegs, device="cpu", output_type=types.RGB, random_area=area, random_aspect_ratio=ratio
    )
    return fn.resize(images, size=(224, 224), **linear)


def normalize(images, **more):
    return fn.crop_mirror_normalize(images, dtype=types.FLOAT, output_layout="CHW", mean=mean, std=std, **more)


@pipeline_def(
    batch_size=args.batch,
    num_threads=args.workers,
    device_id=None,
    seed=1,
    prefetch_queue_depth=2,
    enable_conditionals=args.task == "randaug",
)
def pipeline():
    jpegs, labels = fn.readers.file(files=paths, random_shuffle=True, initial_fill=2048, prefetch_queue_depth=2)
    if args.task == "eval":
        images = fn.decoders.image(jpegs, device="cpu", output_type=types.RGB)
        images = fn.resize(images, resize_shorter=256, **linear)
        return normalize(images, crop=(224, 224)), labels
    images = random_crop(jpegs)
    mirror = fn.random.coin_flip(probability=0.5)
    if args.task == "basic":
        return normalize(images, mirror=mirror), labels
    # The flip comes before RandAugment.
    images = rand_augment(fn.flip(images, horizontal=mirror), n=2, m=9, fill_value=0)
    return normalize(images), labels


def batches():
    pipe = pipeline()
    pipe.build()
    while True:
        images = np.asarray(pipe.run()[0].as_tensor())
        yield len(images), images


measure(args, len(paths), batches)
