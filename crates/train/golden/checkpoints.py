"""Writes small checkpoints as PyTorch 2.11 writes them: `checkpoints.py FOLDER`.

They are of a smallnet of width 1 for 3 channels and 4 classes. Value i of the tensor that is number k in the order of the
names is ((7 i + k) mod 16) / 8 - 1, which every kind of float has exactly.
"""

import os
import sys
from collections import OrderedDict
from pathlib import Path

import torch

CHANNELS = [3, 1, 2, 4, 4]


def shapes():
    for block, (before, after) in enumerate(zip(CHANNELS, CHANNELS[1:])):
        yield f"blocks.{block}.conv.weight", (after, before, 3, 3)
        for part in "weight", "bias", "running_mean", "running_var":
            yield f"blocks.{block}.norm.{part}", (after,)
        yield f"blocks.{block}.norm.num_batches_tracked", ()
    yield "head.weight", (4, 4)
    yield "head.bias", (4,)


def state():
    made = OrderedDict()
    for number, (name, shape) in enumerate(sorted(shapes())):
        if shape == ():
            made[name] = torch.tensor(7)
            continue
        count = torch.Size(shape).numel()
        made[name] = (((7 * torch.arange(count) + number) % 16) / 8 - 1).reshape(shape)
    return made


def wrapped():
    """Half precision, memory in another order, several tensors in one storage, parameters, and what else a checkpoint has."""
    tensors = state()
    tensors["blocks.1.conv.weight"] = tensors["blocks.1.conv.weight"].half()
    tensors["blocks.2.conv.weight"] = tensors["blocks.2.conv.weight"].bfloat16()
    tensors["blocks.3.conv.weight"] = tensors["blocks.3.conv.weight"].contiguous(memory_format=torch.channels_last)
    tensors["head.weight"] = torch.nn.Parameter(tensors["head.weight"].t().contiguous().t())
    both = torch.cat([tensors["blocks.0.norm.weight"], tensors["blocks.0.norm.bias"]])
    tensors["blocks.0.norm.weight"], tensors["blocks.0.norm.bias"] = both[:1], both[1:]
    optimizer = {"state": {0: {"exp_avg": torch.zeros(3, dtype=torch.float64)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    model = OrderedDict((f"module.{name}", tensor) for name, tensor in tensors.items())
    return {"epoch": 3, "loss": None, "optimizer": optimizer, "state_dict": model}


class Call:
    """Unpickled by Python, it makes a folder."""

    def __reduce__(self):
        return os.mkdir, ("a-checkpoint-was-run",)


def main(folder):
    folder = Path(folder)
    torch.save(state(), folder / "plain.pth")
    torch.save(state(), folder / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(wrapped(), folder / "wrapped.pth")
    torch.save({"state_dict": state(), "call": Call()}, folder / "call.pth")


if __name__ == "__main__":
    main(sys.argv[1])
