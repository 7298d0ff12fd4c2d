"""Makes the files of a folder come slowly, as those of a store far away do:

    slow_store.py FOLDER SECONDS

Whoever opens one waits so long for it (fcntl(2), leases): each file is leased for writing, and given up only so long after the
kernel says that somebody wants it. Prints a line once all are slow; ends when its standard input does.
"""
import fcntl
import os
import select
import signal
import sys
import time

folder, seconds = sys.argv[1], float(sys.argv[2])
# The kernel tells of each wish by a signal; looking is enough.
signal.signal(signal.SIGIO, signal.SIG_IGN)


def lease(file):
    try:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        return True
    except OSError:
        # Whoever got it last still has it open.
        return False


paths = [os.path.join(below, name) for below, _, names in os.walk(folder) for name in names]
files = [os.open(path, os.O_RDONLY) for path in paths]
assert all(lease(file) for file in files), "somebody reads from the folder"
print("slow", flush=True)
free, wanted = set(), {}
while not select.select([sys.stdin], [], [], 0.002)[0]:
    free = {file for file in free if not lease(file)}
    now = time.monotonic()
    for file in files:
        if file not in free and file not in wanted and fcntl.fcntl(file, fcntl.F_GETLEASE) != fcntl.F_WRLCK:
            wanted[file] = now
    for file in [file for file, since in wanted.items() if now - since >= seconds]:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        del wanted[file]
        free.add(file)
