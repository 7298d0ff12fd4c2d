"""The machine: what it is, and whether anybody else is using it."""

import os
import platform
import subprocess
import time
from pathlib import Path

PACKAGES = {
    "main": ("torch", "torchvision", "timm", "pillow", "albumentations", "opencv-python-headless", "simplejpeg"),
    "dali": ("nvidia-dali-cuda130",),
    "tf": ("tensorflow_cpu",),
}


def busy():
    """Seconds of processor time that anybody has used, what a hypervisor took away included."""
    ticks = [int(tick) for tick in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle, waiting = ticks[3], ticks[4]
    return (sum(ticks) - idle - waiting) / os.sysconf("SC_CLK_TCK")


def wait_until_idle(cores, patience):
    """Waits until less than `cores` are in use; at most `patience` seconds. Whether it came to that."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        before, begun = busy(), time.monotonic()
        time.sleep(0.5)
        if busy() - before < cores * (time.monotonic() - begun):
            return True
    return False


def facts(peers, millstream):
    """Lines about hardware and versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    lines = {
        "processor": f"{processor()}, {os.cpu_count()} logical cores, {memory:.0f} GiB",
        "system": f"{distribution()}, Linux {platform.release()}",
        "millstream": first_line([millstream, "--version"]) + commit(),
    }
    for environment, packages in PACKAGES.items():
        lines[f"Python environment {environment}"] = versions(peers / f"venv-{environment}/bin/python", packages)
    return {name: fact for name, fact in lines.items() if fact}


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def distribution():
    return platform.freedesktop_os_release().get("PRETTY_NAME", "unknown distribution")


def commit():
    root = Path(__file__).parent
    name = first_line(["git", "-C", root, "describe", "--always", "--dirty"])
    return f" (tree at {name})" if name else ""


def versions(python, packages):
    program = (
        "import platform, sys; from importlib.metadata import version;"
        "print('Python', platform.python_version(), *(', ' + name + ' ' + version(name) for name in sys.argv[1:]))"
    )
    return first_line([python, "-c", program, *packages]).replace(" , ", ", ")


def first_line(command):
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""
    return output.splitlines()[0] if output else ""
