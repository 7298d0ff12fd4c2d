#!/usr/bin/env python3
"""Training in PyTorch, eager: one batch in memory over and over, as `millstream bench train --synthetic` does."""

import argparse
import json
import time
from statistics import median

import torch
from harness import IMAGENET_MEAN, IMAGENET_STD, PeakMemory, end, processor_seconds
from torch import nn
from torchvision import models

CLASSES = 10
GRAY_MEAN, GRAY_STD = (0.1307,), (0.3081,)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True, help="smallnet, or a name of torchvision")
    parser.add_argument("--width", type=int, default=16, help="channels of smallnet's first block")
    parser.add_argument("--size", type=int, default=28)
    parser.add_argument("--channels", choices=("gray", "rgb"), default="rgb")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--warmup", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--optimizer", choices=("sgd", "adamw"), default="sgd")
    parser.add_argument("--fused", action="store_true", help="PyTorch's fused optimizer; it is not the default")
    parser.add_argument("--channels-last", action="store_true")
    return parser.parse_args()


class Block(nn.Module):
    def __init__(self, inputs, outputs, pools):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.pool = nn.MaxPool2d(2) if pools else nn.Identity()
        self.norm = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, images):
        return self.relu(self.norm(self.pool(self.conv(images))))


class SmallNet(nn.Module):
    """crates/train/src/model/smallnet.rs."""

    def __init__(self, channels, width):
        super().__init__()
        widths = (channels, width, 2 * width, 4 * width, 4 * width)
        blocks = [Block(*pair, pools=number < 3) for number, pair in enumerate(zip(widths, widths[1:]))]
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(4 * width, CLASSES)

    def forward(self, images):
        return self.head(self.blocks(images).mean((2, 3)))


def build(args, channels):
    if args.model == "smallnet":
        return SmallNet(channels, args.width)
    return models.get_model(args.model, num_classes=CLASSES)


def optimizer(args, model):
    """Weight decay for weights alone, not for norms and biases."""
    weights = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    offsets = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [{"params": weights}, {"params": offsets, "weight_decay": 0.0}]
    fused = True if args.fused else None
    if args.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.01, fused=fused)
    return torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4, fused=fused)


def trainer(args):
    """A function that does one step."""
    channels = 1 if args.channels == "gray" else 3
    mean, std = (GRAY_MEAN, GRAY_STD) if channels == 1 else (IMAGENET_MEAN, IMAGENET_STD)
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (mean, std))
    scale, shift = 1 / (255 * std), -mean / std
    model = build(args, channels).train()
    images = torch.randint(0, 256, (args.batch, channels, args.size, args.size), dtype=torch.uint8)
    labels = torch.arange(args.batch) % CLASSES
    if args.channels_last:
        model, images = (thing.to(memory_format=torch.channels_last) for thing in (model, images))
    criterion, update = nn.CrossEntropyLoss(label_smoothing=0.1), optimizer(args, model)

    def step():
        floats = torch.addcmul(shift, images.float(), scale)
        loss = criterion(model(floats), labels)
        update.zero_grad()
        loss.backward()
        update.step()
        return loss.item()

    return step


def main():
    args = arguments()
    torch.manual_seed(1)
    torch.set_num_threads(args.threads)
    memory = PeakMemory()
    memory.start()
    step = trainer(args)
    for _ in range(args.warmup):
        step()
    used, begun, each = processor_seconds(), time.perf_counter(), []
    for _ in range(args.steps):
        before = time.perf_counter()
        step()
        each.append(time.perf_counter() - before)
    seconds = time.perf_counter() - begun
    own, everybody = (after - before for before, after in zip(used, processor_seconds()))
    figures = {
        "steps_per_second": round(args.steps / seconds, 3),
        "images_per_second": round(args.steps * args.batch / seconds, 1),
        "step_seconds": round(median(each), 5),
        "cores_used": round(own / seconds, 2),
        "other_cores": round((everybody - own) / seconds, 2),
        "peak_rss_mib": memory.largest(),
    }
    print(json.dumps(figures), flush=True)
    end()


main()
