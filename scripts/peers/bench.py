#!/usr/bin/env python3
"""Runs millstream and its peers in turn on the same images; see scripts/bench-peers."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import machine
import prepare
import report
from prepare import HERE, ROOT, Failed, say
from rows import LABELLING, ROWS, STEPS, SUMS, TASKS, TRAINING, WITHOUT_IMAGES

WORKERS = 2
# Sums of each size in a run.
REPETITIONS = 15
# Cores that others may use during a run; beyond that it is repeated.
TOLERANCE = 0.15
REPEATS = 3
PATIENCE_SECONDS = 150
FASHION_MNIST = ROOT / "data/full/fashion-mnist/train-images-idx3-ubyte.gz"


def arguments():
    stream_tasks = [task for task in TASKS if task != "decode"]
    parser = argparse.ArgumentParser(
        prog="scripts/bench-peers",
        description="Measures millstream and other image pipelines in turn on the same images. "
        "Exit code 1: a required ratio does not hold; 2: the comparison could not be made.",
        epilog="MILLSTREAM_PEERS: where the peers and the corpus are (default .peers, 10 GB). "
        "MILLSTREAM_BIN: a built millstream (default: it is built).",
    )
    parser.add_argument("--rounds", type=positive, default=3, help="times that all are run in turn (default 3)")
    parser.add_argument("--passes", type=positive, default=1, help="measured passes of a run, after one to warm up")
    both = "`train` for both of training, `label` of labelling, `allreduce` of sums over two processes"
    parser.add_argument("--tasks", default=",".join(stream_tasks), help=f"{both}; default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="200 images: shows that all runs, judges nothing")
    parser.add_argument("--out", type=Path, help="JSON lines of all runs (default: results-TIME.jsonl among the peers)")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--setup-only", action="store_true", help="download, build and stop")
    only.add_argument("--report", type=Path, metavar="FILE", help="print the tables of an earlier run")
    args = parser.parse_args()
    several = {"train": TRAINING, "label": LABELLING, "allreduce": SUMS}
    args.tasks = [one for task in args.tasks.split(",") for one in several.get(task, [task])]
    unknown = set(args.tasks) - set(stream_tasks)
    if unknown:
        parser.error(f"no such task: {', '.join(sorted(unknown))}; there are {', '.join(stream_tasks)}")
    if "basic" in args.tasks:
        # Its ceiling.
        args.tasks.insert(0, "decode")
    return args


def positive(text):
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def peers_folder():
    return Path(os.environ.get("MILLSTREAM_PEERS", ROOT / ".peers")).resolve()


def build():
    """The program to measure: the one that is named, or else the one made of this tree."""
    named = os.environ.get("MILLSTREAM_BIN")
    if named:
        return Path(named).resolve()
    prepare.run(ROOT / "scripts/bootstrap")
    prepare.run("cargo", "build", "--release", "--locked", cwd=ROOT)
    return ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release/millstream"


class Bench:
    """One comparison: what is run, on what, and where its figures go."""

    def __init__(self, args, peers, millstream, out):
        self.args, self.peers, self.millstream, self.out = args, peers, millstream, out
        self.corpus = peers / ("corpus200" if args.quick else "corpus")

    def header(self):
        rounds, passes = self.args.rounds, self.args.passes
        over = f" over {self.corpus.name}" if set(self.args.tasks) - WITHOUT_IMAGES else ""
        settings = f"{WORKERS} workers or threads, {rounds} rounds of {passes} measured passes{over}"
        return {
            "machine": machine.facts(self.peers, self.millstream),
            "settings": f"{settings}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            "tasks": self.args.tasks,
            "rounds": rounds,
            "quick": self.args.quick,
        }

    def run_all(self):
        self.note(self.header())
        for number in range(1, self.args.rounds + 1):
            self.warm()
            for task in self.args.tasks:
                for row in ROWS:
                    if task in row.work:
                        self.measure(row, task, number)

    def warm(self):
        """Puts the images into the page cache."""
        for path in self.corpus.glob("*/*.jpg"):
            path.read_bytes()

    def measure(self, row, task, number):
        """A run, and again while others disturb it."""
        for attempt in range(1 if self.args.quick else 1 + REPEATS):
            if not self.args.quick and not machine.wait_until_idle(TOLERANCE, PATIENCE_SECONDS):
                say("the machine does not become idle; going on")
            figures = self.run(row, task)
            figures |= {"row": row.name, "task": task, "round": number, "attempt": attempt}
            if "failed" not in figures:
                figures["disturbed"] = figures["other_cores"] > TOLERANCE
            self.note(figures)
            say(summary(figures, self.args.rounds))
            if not figures.get("disturbed"):
                return

    def command(self, row, task):
        # millstream goes through the small images in a tenth of a second: too short to be measured.
        short = task == "fmnist" and row.program == "millstream"
        passes, workers = str(self.args.passes * (20 if short else 1)), str(WORKERS)
        if task in TRAINING:
            return self.training(row, task)
        if task in SUMS:
            return self.sums(row, task)
        if row.program == "roi":
            return [self.peers / "roi", workers, passes, *row.options]
        corpus = FASHION_MNIST if task == "fmnist" else self.corpus
        common = ["--task", task, "--corpus", corpus, "--workers", workers, "--passes", passes, *row.options]
        if row.program == "millstream" and task in LABELLING:
            model = ["--model", self.peers / f"models/{LABELLING[task]}.safetensors"]
            return [self.millstream, "bench", "label", "--json", *model, *common[2:]]
        if row.program == "millstream":
            return [self.millstream, "bench", "stream", "--json", *common]
        return [self.peers / f"venv-{row.environment}/bin/python", HERE / row.program, *common]

    def sums(self, row, task):
        repetitions = 2 if self.args.quick else REPETITIONS * self.args.passes
        lengths = [*SUMS[task], "--repetitions", repetitions, *row.options]
        return self.program(row, "all-reduce", lengths)

    def training(self, row, task):
        warmup, steps = STEPS[task]
        steps = 2 if self.args.quick else steps * self.args.passes
        lengths = ["--warmup", warmup, "--steps", steps, "--threads", WORKERS]
        return self.program(row, "train", [*TRAINING[task], *lengths, *row.options])

    def program(self, row, command, options):
        """A command of millstream, or a peer that takes the same options."""
        if row.program == "millstream":
            program = [self.millstream, "bench", command, "--json"]
        else:
            program = [self.peers / f"venv-{row.environment}/bin/python", HERE / row.program]
        return [str(word) for word in [*program, *options]]

    def run(self, row, task):
        """A fresh process, and what it says of itself."""
        files = "".join(f"{path}\n" for path in sorted(self.corpus.glob("*/*.jpg")))
        timeout = 300 * (self.args.passes + 1)
        status, others, out, err = run_process(self.command(row, task), files, timeout)
        # Notices of a library may come before the figures, which are one object in one line or in several.
        _, brace, rest = ("\n" + out).rpartition("\n{")
        if status != 0 or not brace:
            return {"failed": f"status {status}: {err[-500:]}"}
        figures = json.loads("{" + rest)
        # Sums of several sizes would be several; here it is one.
        (one,) = figures.pop("sums", [{}])
        return {"other_cores": others, **figures, **one}

    def note(self, figures):
        with self.out.open("a") as file:
            file.write(json.dumps(figures) + "\n")


def run_process(command, text, timeout):
    """Its exit status, the cores that others used meanwhile, and what it printed and complained of.

    A peer with worker processes knows better than this what others used. Files, not pipes: what a peer leaves behind
    could hold a pipe open.
    """
    file = tempfile.TemporaryFile
    with file("w+") as stdin, file("w+") as out, file("w+") as err:
        stdin.write(text)
        stdin.seek(0)
        begun, busy = time.monotonic(), machine.busy()
        process = subprocess.Popen(command, stdin=stdin, stdout=out, stderr=err, start_new_session=True)
        used = wait(process, timeout)
        others = (machine.busy() - busy - used.ru_utime - used.ru_stime) / (time.monotonic() - begun)
        out.seek(0)
        err.seek(0)
        return process.returncode, round(others, 2), out.read(), err.read()


def wait(process, timeout):
    """What it used. It is killed with all its workers when its time is over, or ours."""
    handler = signal.signal(signal.SIGALRM, lambda *_: os.killpg(process.pid, signal.SIGKILL))
    signal.alarm(timeout)
    try:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return used
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)


def summary(figures, rounds):
    name = f"round {figures['round']} of {rounds}, {figures['task']}, {figures['row']}"
    if "failed" in figures:
        return f"{name}: FAILED, {figures['failed'].strip()}"
    rate = report.rate_of(figures["task"])
    rates = figures[rate]
    rates = ", ".join(f"{rate:,.0f}" for rate in (rates if isinstance(rates, list) else [rates]))
    return f"{name}: {rates} {report.FIGURES[rate]}{' (disturbed)' if figures['disturbed'] else ''}"


def compare(args):
    if args.report:
        return args.report
    peers = peers_folder()
    out = args.out or peers / f"results-{datetime.now(UTC):%Y%m%d-%H%M%S}.jsonl"
    if out.exists():
        raise Failed(f"{out} is there already: results of two comparisons are not mixed")
    prepare.prepare(peers, args.tasks)
    if args.setup_only:
        say(f"all is in {peers}")
        return None
    millstream = build()
    prepare.models(peers, millstream, [LABELLING[task] for task in args.tasks if task in LABELLING])
    Bench(args, peers, millstream, out).run_all()
    say(f"the figures of all runs are in {out}")
    return out


def main():
    args = arguments()
    try:
        out = compare(args)
        results = out and report.read(out)
    except (Failed, OSError, ValueError) as error:
        say(error)
        return 2
    except KeyboardInterrupt:
        return 130
    if not results:
        return 0
    print(report.tables(results))
    return 0 if report.all_held(results) else 1


sys.exit(main())
