"""A ceiling: simplejpeg (libjpeg-turbo 3) decodes every JPEG wholly to RGB, from memory, in threads."""

import json
import threading
import time
from pathlib import Path

import simplejpeg
from harness import arguments, files, rates

args = arguments()
jpegs = [Path(path).read_bytes() for path in files(args.corpus)]
barrier = threading.Barrier(args.workers + 1)


def share(worker):
    for _ in range(args.passes + 1):
        for jpeg in jpegs[worker :: args.workers]:
            simplejpeg.decode_jpeg(jpeg, "RGB")
        barrier.wait()


threads = [threading.Thread(target=share, args=(worker,)) for worker in range(args.workers)]
for thread in threads:
    thread.start()
passes = []
for number in range(args.passes + 1):
    barrier.wait()
    passes.append(((number + 1) * len(jpegs), time.perf_counter()))
print(json.dumps({"images": len(jpegs), "images_per_second": rates(passes)}))
