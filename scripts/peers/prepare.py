"""Sets up what the comparison needs, in a folder of its own. What is there and right is kept."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from rows import ROWS, WITHOUT_IMAGES

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

PHOTOGRAPHS = (
    "gnome-backgrounds=43.1-1",
    "mate-backgrounds=1.26.0-1",
    "lomiri-wallpapers-20.04=20.04.0-2",
    "lomiri-wallpapers-16.04=20.04.0-2",
    "plasma-workspace-wallpapers=4:5.27.5-2",
    "opencv-doc=4.6.0+dfsg-12",
)
LIBJPEG = ("libjpeg62-turbo-dev=1:2.1.5-2", "libjpeg62-turbo=1:2.1.5-2")
# Of all files of the corpus, one after the other in the order of their names.
CORPUS_SHA256 = "8172a951a7e76691b96a1c498da5555f8a437b5850ed0dd37cd222202127646a"
QUICK_IMAGES = 200
# A model of 10 classes for photographs.
PIPELINE = """
name: model
data:
  sources: {{ photographs: {{ folder: {{ path: {corpus} }} }} }}
  splits:
    labelled: {{ from: photographs, take: {{ per_class: 1 }} }}
    test: {{ from: photographs, except: labelled, take: {{ per_class: 1 }} }}
stream:
  size: [224, 224]
  channels: rgb
  normalize: {{ mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }}
rounds:
  - model: {{ {model}: {{}} }}
    training: {{ steps: 1, batch: 10 }}
"""


class Failed(Exception):
    """Something could not be set up; the message says what and what to do."""


def say(message):
    print(f"bench-peers: {message}", file=sys.stderr, flush=True)


def run(*command, **options):
    try:
        subprocess.run(command, check=True, stdout=sys.stderr, **options)
    except FileNotFoundError as error:
        raise Failed(f"{command[0]} is missing: install it") from error
    except subprocess.CalledProcessError as error:
        raise Failed(f"this failed: {' '.join(map(str, command))}") from error


def prepare(peers, tasks):
    """Environments, corpus and ceiling, as far as the tasks need them."""
    peers.mkdir(parents=True, exist_ok=True)
    for name in environments(tasks):
        environment(peers, name)
    if set(tasks) - WITHOUT_IMAGES:
        corpus(peers)
        ceiling(peers)
    if "fmnist" in tasks:
        run(ROOT / "scripts/data", "fashion-mnist")


def environments(tasks):
    """Those of the peers; the one that makes the corpus is always among them."""
    return sorted({"main"} | {row.environment for row in ROWS if row.environment and set(tasks) & set(row.work)})


def environment(peers, name):
    folder, requirements = peers / f"venv-{name}", HERE / "requirements" / f"{name}.txt"
    if has_all(folder, requirements):
        return
    say(f"installing {requirements.name} into {folder}")
    run(sys.executable, "-m", "venv", folder)
    run(folder / "bin/python", "-m", "pip", "install", "--quiet", "--requirement", requirements)


def has_all(folder, requirements):
    """Whether the environment holds every package in the pinned version."""
    program = (
        "import sys; from importlib.metadata import version;"
        "pins = [line.strip().split('==') for line in open(sys.argv[1])];"
        "sys.exit(any(version(name) != pin for name, pin in pins))"
    )
    python = folder / "bin/python"
    return python.exists() and not subprocess.run([python, "-c", program, requirements], capture_output=True).returncode


def corpus(peers):
    folder, quick = peers / "corpus", peers / "corpus200"
    if not folder.exists():
        make_corpus(peers, folder)
    if digest(folder) != CORPUS_SHA256:
        raise Failed(f"{folder} does not hold what it should (sha256): remove it, and it will be made anew")
    if not quick.exists():
        for path in sorted(folder.glob("*/*.jpg"), key=lambda path: path.name)[:QUICK_IMAGES]:
            (quick / path.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, quick / path.parent.name / path.name)


def make_corpus(peers, folder):
    photographs, partial = peers / "src", peers / "corpus.partial"
    if not (photographs / "usr/share/doc/opencv-doc").exists():
        say("downloading photographs (300 MB)")
        unpack(PHOTOGRAPHS, photographs)
    say("making the corpus")
    shutil.rmtree(partial, ignore_errors=True)
    run(peers / "venv-main/bin/python", HERE / "corpus.py", photographs, partial)
    partial.rename(folder)


def models(peers, millstream, names):
    """Model files for millstream to label with: what one step of training makes of fresh weights."""
    for name in names:
        file = peers / f"models/{name}.safetensors"
        if file.exists():
            continue
        say(f"making a model file of {name}")
        shutil.rmtree(peers / "run", ignore_errors=True)
        file.parent.mkdir(exist_ok=True)
        pipeline = peers / "model.yaml"
        pipeline.write_text(PIPELINE.format(corpus=peers / "corpus", model=name))
        run(millstream, "run", pipeline, "--out", peers / "run")
        shutil.copyfile(peers / "run/rounds/000/model.safetensors", file)


def digest(folder):
    """Reading every file puts it into the page cache, too."""
    total = hashlib.sha256()
    for path in sorted(folder.glob("*/*.jpg")):
        total.update(path.read_bytes())
    return total.hexdigest()


def ceiling(peers):
    """Builds roi.c against the system's libjpeg-turbo, or against Debian's where there is none."""
    source, program = HERE / "roi.c", peers / "roi"
    if program.exists() and program.stat().st_mtime > source.stat().st_mtime:
        return
    say("building the decoder that is the ceiling")
    compiler = os.environ.get("CC", "cc")
    command = [compiler, "-O2", "-o", program, source]
    libraries = ["-ljpeg", "-lpthread", "-lm"]
    if not subprocess.run([*command, *libraries], capture_output=True).returncode:
        return
    folder = peers / "libjpeg"
    unpack(LIBJPEG, folder)
    include, library = folder / "usr/include", folder / "usr/lib/x86_64-linux-gnu"
    paths = [f"-I{include}", f"-I{include}/x86_64-linux-gnu", f"-L{library}", f"-Wl,-rpath,{library}"]
    run(*command, *paths, *libraries)


def unpack(packages, folder):
    """Debian packages, unpacked, not installed: nobody has to be root."""
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    debs = partial / "debs"
    debs.mkdir(parents=True)
    download(packages, debs)
    for deb in sorted(debs.glob("*.deb")):
        run("dpkg-deb", "-x", deb, partial)
    shutil.rmtree(debs)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def download(packages, debs):
    """With the system's package lists, or where they are missing or old with lists of our own."""
    options = ["-qq", "-o", "APT::Sandbox::User=root"]
    try:
        run("apt-get", *options, "download", *packages, cwd=debs)
        return
    except Failed:
        say("the package lists are missing or old: fetching some")
    lists, cache = debs / "lists", debs / "cache"
    (lists / "partial").mkdir(parents=True)
    (cache / "archives/partial").mkdir(parents=True)
    options += ["-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={cache}"]
    options += ["-o", "Dir::State::status=/var/lib/dpkg/status"]
    run("apt-get", *options, "update", cwd=debs)
    try:
        run("apt-get", *options, "download", *packages, cwd=debs)
    except Failed as error:
        raise Failed(f"{error}\nThese are Debian 12's; what it has replaced is on snapshot.debian.org") from error
