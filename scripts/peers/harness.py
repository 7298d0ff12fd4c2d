"""How a peer is measured: its arguments, the order of the images, and the loop that counts and times its batches.

A peer hands out one stream over a warm-up pass and the measured ones. A pass ends with a batch, not with the end of the
stream, so every peer is measured in its steady state: none has to start or drain its workers in between.
"""

import argparse
import gzip
import json
import os
import random
import threading
import time
from pathlib import Path

import machine
import numpy as np
import psutil
from rows import LABELLING

# Of pixels scaled to 0..1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
FASHION_MEAN = (0.2860,)
FASHION_STD = (0.3530,)

# What one image of a batch must look like; all are float32.
SHAPES = {"basic": (3, 224, 224), "randaug": (3, 224, 224), "eval": (3, 224, 224), "fmnist": (1, 28, 28)}
SHAPES |= dict.fromkeys(LABELLING, (3, 224, 224))
BATCHES = {"basic": 64, "randaug": 64, "eval": 64, "fmnist": 256, **dict.fromkeys(LABELLING, 64)}
# Images beyond the last pass, so that it too ends while the workers are busy.
SLACK = 1024
MIB = 2**20


def arguments(*flags):
    """What the command line asks for; `flags` are the switches of this peer alone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--corpus", type=Path, required=True, help="folder of class folders; for fmnist the IDX file")
    parser.add_argument("--task", choices=[*SHAPES, "decode"], default="basic")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--passes", type=int, default=1)
    for flag in flags:
        parser.add_argument(flag, action="store_true")
    args = parser.parse_args()
    args.batch = BATCHES.get(args.task)
    return args


def files(corpus):
    return sorted(str(path) for path in corpus.glob("*/*.jpg"))


def idx_images(path):
    """The images of a gzipped IDX file: count x 28 x 28 bytes."""
    return np.frombuffer(gzip.open(path).read(), np.uint8, offset=16).reshape(-1, 28, 28).copy()


def order(count, passes):
    """Numbers of the images of all passes, each pass freshly shuffled."""
    numbers = []
    for epoch in range(passes + 1):
        shuffled = list(range(count))
        random.Random(epoch).shuffle(shuffled)
        numbers += shuffled
    return numbers + (numbers * (SLACK // len(numbers) + 1))[:SLACK]


def family():
    """This process and its workers."""
    return [psutil.Process(), *psutil.Process().children(recursive=True)]


def each(figure):
    """Sum of a figure over the family. A worker may end meanwhile."""
    total = 0
    for process in family():
        try:
            total += figure(process)
        except psutil.Error:
            pass
    return total


class PeakMemory(threading.Thread):
    """Largest sum of the resident sets, looked at twice a second. Pages that workers share count once for each."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peak = 0

    def run(self):
        while True:
            self.sample()
            time.sleep(0.5)

    def sample(self):
        self.peak = max(self.peak, each(lambda process: process.memory_info().rss))

    def largest(self):
        """In MiB. Of this process alone the kernel knows the peak exactly, as it does of millstream."""
        self.sample()
        status = Path("/proc/self/status").read_text()
        alone = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))
        return round(max(self.peak, alone) / MIB)


def processor_seconds():
    """Those that this family has used, and those that the whole machine has."""
    own = each(lambda process: sum(process.cpu_times()[:2]))
    return own, machine.busy()


def measure(args, images, make):
    """Prints the figures of a peer as a JSON line and ends the process.

    `make()` builds the loader and yields (images in the batch, batch): that is timed, imports are not.
    """
    start_seconds = time.time() - psutil.Process().create_time()
    memory = PeakMemory()
    memory.start()
    begun = time.perf_counter()
    first_batch = None
    seen, passes = 0, []
    # Held, or the workers would end with the loop, before anybody has looked at what they used.
    stream = make()
    for count, batch in stream:
        if first_batch is None:
            first_batch = time.perf_counter() - begun
            check(args, batch)
        seen += count
        if seen < images * (len(passes) + 1):
            continue
        ended = time.perf_counter()
        if not passes:
            used = processor_seconds()
            # Looking at the processes takes time, which is not the peer's.
            ended = time.perf_counter()
        passes.append((seen, ended))
        if len(passes) > args.passes:
            break
    if len(passes) <= args.passes:
        raise SystemExit("the stream ended before its last pass")
    own, everybody = (after - before for before, after in zip(used, processor_seconds()))
    seconds = passes[-1][1] - passes[0][1]
    figures = {
        "images": images,
        "images_per_second": rates(passes),
        "first_batch_seconds": round(first_batch, 3),
        "start_seconds": round(start_seconds, 3),
        "cores_used": round(own / seconds, 2),
        "other_cores": round((everybody - own) / seconds, 2),
        "peak_rss_mib": memory.largest(),
    }
    print(json.dumps(figures), flush=True)
    end()


def rates(passes):
    """Images a second of each pass, from (images seen, time) at the end of each, the warm-up first."""
    pairs = zip(passes, passes[1:])
    return [round((seen - before) / (ended - begun), 1) for (before, begun), (seen, ended) in pairs]


def check(args, batch):
    """A peer that does other work than it says is not to be measured."""
    shape = tuple(batch.shape)
    if shape != (args.batch, *SHAPES[args.task]) or "float32" not in str(batch.dtype):
        raise SystemExit(f"the batch is {batch.dtype} {shape}")


def end():
    """Ends at once: nobody waits for workers that are still ahead, and none is left behind."""
    for process in psutil.Process().children(recursive=True):
        try:
            process.kill()
        except psutil.Error:
            pass
    os._exit(0)
