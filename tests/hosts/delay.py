"""A long or slow cable: relays frames between two network interfaces, each way late and no faster than a rate.

    delay.py A B MILLISECONDS BYTES_PER_SECOND

Returns once it relays; a process that it leaves behind goes on with that. The kernel's netem would do the same, but many kernels are
built without.
"""

import collections
import os
import select
import socket
import sys
import time

# Of linux/if_packet.h and linux/if_ether.h; Python does not name all of them.
SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING, ETH_P_ALL = 263, 15, 23, 3
# What waits is lost beyond this many frames, as in any switch.
LONGEST = 1000
# A frame of the kernel's own may hold many segments.
LARGEST = 1 << 17


def interface(name):
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    # Checksums and segments that are still to be made travel along, in a header before each frame.
    link.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    link.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    link.bind((name, ETH_P_ALL))
    link.setblocking(False)
    return link


class Way:
    """From one interface to the other: frames in order, each with the time when it is due."""

    def __init__(self, source, target, delay, rate):
        self.source, self.target, self.delay, self.rate = source, target, delay, rate
        self.free = 0.0
        self.waiting = collections.deque()

    def take(self):
        try:
            frame = self.source.recv(LARGEST)
        except OSError:
            return  # the cable is cut
        if len(self.waiting) < LONGEST:
            self.free = max(self.free, time.monotonic()) + len(frame) / self.rate
            self.waiting.append((self.free + self.delay, frame))

    def deliver(self):
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            try:
                self.target.send(self.waiting.popleft()[1])
            except OSError:
                pass  # the cable is cut


def relay(ways):
    by_source = {way.source: way for way in ways}
    while True:
        due = [way.waiting[0][0] for way in ways if way.waiting]
        patience = max(0.0, min(due) - time.monotonic()) if due else None
        for source in select.select(list(by_source), [], [], patience)[0]:
            by_source[source].take()
        for way in ways:
            way.deliver()


def main():
    a, b = interface(sys.argv[1]), interface(sys.argv[2])
    delay, rate = float(sys.argv[3]) / 1000, float(sys.argv[4])
    if os.fork():
        os._exit(0)
    for standard in range(3):
        os.dup2(os.open(os.devnull, os.O_RDWR), standard)
    relay([Way(a, b, delay, rate), Way(b, a, delay, rate)])


main()
