#!/usr/bin/env python3
"""Labelling as timm's inference.py does it: its loader with worker processes, and the model in this process.

With `--alone` the model has one batch in memory over and over: what is left when images cost nothing.
"""

from pathlib import Path

import timm
import torch
from harness import SHAPES, arguments, files, measure
from timm.data import create_dataset, create_loader, resolve_data_config
from torch.utils.data import ConcatDataset

# What millstream calls them: the same arithmetic, TensorFlow's padding included.
MODELS = {"label_lite0": "tf_efficientnet_lite0", "label_resnet18": "resnet18"}
CLASSES = 10


def batches(args, config):
    """Images of all passes, in order."""
    if args.alone:
        images = torch.randn(args.batch, *SHAPES[args.task])
        while True:
            yield images
    whole = create_dataset("", root=str(args.corpus))
    # One stream over all passes: the workers never pause between two of them.
    dataset = ConcatDataset([whole] * (args.passes + 2))
    # A loader sets the transform of the dataset that it is given.
    dataset.transform = None
    loader = create_loader(
        dataset,
        input_size=config["input_size"],
        batch_size=args.batch,
        use_prefetcher=False,
        interpolation=config["interpolation"],
        mean=config["mean"],
        std=config["std"],
        num_workers=args.workers,
        crop_pct=config["crop_pct"],
    )
    whole.transform = dataset.transform
    for images, _ in loader:
        yield images


def labels(args):
    model = timm.create_model(MODELS[args.task], num_classes=CLASSES).eval()
    config = resolve_data_config({}, model=model)
    layout = torch.channels_last if args.channels_last else torch.contiguous_format
    model = model.to(memory_format=layout)
    with torch.inference_mode():
        for images in batches(args, config):
            images = images.contiguous(memory_format=layout)
            top = model(images).softmax(-1).topk(5)
            top.values.numpy(), top.indices.numpy()
            yield len(images), images


def main():
    args = arguments("--channels-last", "--alone")
    torch.manual_seed(1)
    torch.set_num_threads(args.workers)
    args.corpus = Path(args.corpus)
    measure(args, len(files(args.corpus)), lambda: labels(args))


if __name__ == "__main__":
    main()
