# SPDX-License-Identifier: Apache-2.0
"""A trace file in the hand: its records, and others in their place (trace/FORMAT.md)."""
import collections
import pathlib
import struct

SLOT, HEADER, UNIT = 64, 4096, 65536
MOST = 1 << 32
THREAD, CALL, DEVICE, SYNC, EVENT, OVERHEAD, STREAM, CONTEXT, GPU = range(1, 10)
STRING, STACK, MODULE, API, NOTE, SCRIPT, TOTAL = range(10, 17)
NAMES = {kind: name for name, kind in globals().items() if isinstance(kind, int)}


def record(kind, body, slots=None):
    """A record with its commit word, body being what follows that."""
    slots = slots or (4 + len(body) + SLOT - 1) // SLOT
    return (struct.pack("<I", kind | slots << 8) + body).ljust(slots * SLOT, b"\0")


def split(chunk):
    """(type, bytes) of each record of a chunk."""
    at = SLOT
    while at + SLOT <= len(chunk):
        word, = struct.unpack_from("<I", chunk, at)
        length = (word >> 8) * SLOT
        if not length or at + length > len(chunk):
            return
        yield word & 0xff, chunk[at:at + length]
        at += length


class Trace:
    """The header's page, and chunks that are lists of records; plain traces only."""

    def __init__(self, data):
        self.header, self.chunks = bytearray(data[:HEADER]), []
        at = UNIT
        while at < len(data):
            magic, size = struct.unpack_from("<4sI", data, at)
            if magic == b"CHNK":
                self.chunks.append([bytearray(body) for _, body in split(data[at:at + size])])
            at += size if magic == b"CHNK" else UNIT

    @classmethod
    def of(cls, folder):
        return cls((pathlib.Path(folder) / "trace.cutrace").read_bytes())

    def all(self, *kinds):
        """The records of these types, to be changed in place."""
        return [body for chunk in self.chunks for body in chunk if not kinds or body[0] in kinds]

    def add(self, *records):
        self.chunks.append([*self.all(THREAD)[:1], *map(bytearray, records)])
        return self

    def shorten(self, most=MOST):
        """`most` records of a type, no names of calls that nobody makes, no empty chunks."""
        left = collections.Counter()
        for chunk in self.chunks:
            chunk[:] = [body for body in chunk if not left.update([body[0]]) and
                        (body[0] == API or left[body[0]] <= most)]
        used = {struct.unpack_from("<H", body, 4)[0] for body in self.all(CALL)}
        self.chunks = [kept for chunk in self.chunks if (kept := [
            body for body in chunk
            if body[0] != API or struct.unpack_from("<H", body, 4)[0] in used])]
        return self

    def data(self):
        out = bytearray(self.header).ljust(UNIT, b"\0")
        for number, chunk in enumerate(self.chunks, 1):
            body = b"".join(chunk)
            size = (SLOT + len(body) + UNIT - 1) // UNIT * UNIT
            assert size <= 16 * UNIT, "a chunk too large"
            out += struct.pack("<4sIQQ", b"CHNK", size, number, len(out)).ljust(SLOT, b"\0")
            out += body.ljust(size - SLOT, b"\0")
        struct.pack_into("<Q", out, 128, len(out))
        return bytes(out)

    def save(self, folder):
        return save(folder, self.data())


def save(folder, data):
    """Make this the trace in a folder, which is new or has none."""
    folder = pathlib.Path(folder)
    folder.mkdir(exist_ok=True)
    (folder / "trace.cutrace").write_bytes(data)
    return folder


def fnv(data):
    value = 0xcbf29ce484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001b3 & (1 << 64) - 1
    return value


def with_check(data, at, size):
    """A packed header or block at a place, with its check made right again."""
    data = bytearray(data)
    struct.pack_into("<Q", data, at + size - 8, fnv(data[at:at + size - 8]))
    return bytes(data)
