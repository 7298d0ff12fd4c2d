"""The DataLoader that torchvision and albumentations are fed by: worker processes, one transform for each image."""

import numpy as np
import torch
from harness import files, idx_images, measure, order
from torch.utils.data import DataLoader, Dataset, Sampler


class Order(Sampler):
    def __init__(self, numbers):
        self.numbers = numbers

    def __iter__(self):
        return iter(self.numbers)

    def __len__(self):
        return len(self.numbers)


class Files(Dataset):
    """Image files: `load` makes a tensor of a path. The class is the folder."""

    def __init__(self, corpus, load):
        self.paths = files(corpus)
        classes = sorted({path.split("/")[-2] for path in self.paths})
        self.labels = [classes.index(path.split("/")[-2]) for path in self.paths]
        self.load = load

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, number):
        return self.load(self.paths[number]), self.labels[number]


class Pixels(Dataset):
    """Images in memory: `load` makes a tensor of an array. Labels cost nothing here, so there are none."""

    def __init__(self, idx, load):
        self.images = idx_images(idx)
        self.load = load

    def __len__(self):
        return len(self.images)

    def __getitem__(self, number):
        return self.load(self.images[number]), 0


def run(args, load, start_worker=None):
    """Measures `load` over the corpus of the task."""
    dataset = (Pixels if args.task == "fmnist" else Files)(args.corpus, load)

    def batches():
        loader = DataLoader(
            dataset,
            batch_size=args.batch,
            sampler=Order(order(len(dataset), args.passes)),
            num_workers=args.workers,
            prefetch_factor=4,
            drop_last=True,
            worker_init_fn=start_worker,
        )
        for images, labels in loader:
            yield len(labels), images

    measure(args, len(dataset), batches)


def to_chw(array):
    return torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))
