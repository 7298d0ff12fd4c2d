#!/usr/bin/env python3
"""Sums over two processes by torch.distributed with Gloo, as `millstream bench all-reduce` makes them."""

import argparse
import json
import multiprocessing
import os
import socket
import time
from statistics import median

import torch
import torch.distributed as dist

RANKS = 2
MEGABYTE = 1_000_000


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", default="25,100", help="of 32-bit floats, one number or several")
    parser.add_argument("--repetitions", type=int, default=15, help="sums of each size, after one to warm up")
    args = parser.parse_args()
    args.megabytes = [int(size) for size in args.megabytes.split(",")]
    return args


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def seconds(rank, megabytes, repetitions):
    """Each sum after a barrier: none is counted that only waits for a rank that is late."""
    tensor, times = torch.zeros(megabytes * MEGABYTE // 4), []
    for _ in range(1 + repetitions):
        tensor.fill_(rank + 1)
        dist.barrier()
        begun = time.perf_counter()
        dist.all_reduce(tensor)
        times.append(time.perf_counter() - begun)
    if not bool((tensor == RANKS * (RANKS + 1) // 2).all()):
        raise SystemExit("the sums are wrong")
    return times[1:]


def work(rank, port, args, results):
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=RANKS)
    times = [seconds(rank, megabytes, args.repetitions) for megabytes in args.megabytes]
    dist.barrier()
    dist.destroy_process_group()
    if rank == 0:
        results.put(times)


def figures(megabytes, times):
    middle = median(times)
    return {
        "megabytes": megabytes,
        "seconds": {"median": round(middle, 5), "least": round(min(times), 5), "most": round(max(times), 5)},
        "megabytes_per_second": round(megabytes / middle, 1),
    }


def main():
    args = arguments()
    # Both ranks reach each other over the loopback, as those of millstream do, whatever the machine is called.
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    spawn, port = multiprocessing.get_context("spawn"), free_port()
    results = spawn.Queue()
    other = spawn.Process(target=work, args=(1, port, args, results))
    other.start()
    work(0, port, args, results)
    other.join()
    sums = [figures(*pair) for pair in zip(args.megabytes, results.get())]
    print(json.dumps({"ranks": RANKS, "repetitions": args.repetitions, "sums": sums}), flush=True)


if __name__ == "__main__":
    main()
