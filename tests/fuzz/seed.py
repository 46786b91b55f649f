#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make an input of the fuzz targets (form.h) from a trace, plain or packed.

seed.py TRACE[.gz] OUTPUT [RECORDS]

Of a plain trace at most RECORDS (default 120) calls and as many device records are kept,
and of the names of calls those that are needed. Of a packed one everything is.
"""
import gzip
import pathlib
import struct
import subprocess
import sys

HEADER_BYTES, SLOT, UNIT = 696, 64, 65536
CALL, DEVICE, API, STRING, STACK, MODULE = 2, 3, 13, 10, 11, 12


def records(chunk):
    """(type, bytes) of each record of a chunk."""
    at = SLOT
    while at + SLOT <= len(chunk):
        word, = struct.unpack_from("<I", chunk, at)
        length = (word >> 8) * SLOT
        if not length or at + length > len(chunk):
            return
        yield word & 0xff, chunk[at:at + length]
        at += length


def chunks(trace):
    at = UNIT
    while at < len(trace):
        magic, size = struct.unpack_from("<4sI", trace, at)
        if magic == b"CHNK":
            yield trace[at:at + size]
        at += size if magic == b"CHNK" else UNIT


def shorten(found, limit):
    """The records that are kept, chunk by chunk."""
    kept, left = [], {}
    apis = set()
    for records_of in found:
        chosen = []
        for kind, record in records_of:
            left[kind] = left.get(kind, limit) - 1
            if left[kind] >= 0 or kind in (API, STRING, STACK, MODULE):
                chosen.append((kind, record))
                if kind == CALL:
                    apis.add(struct.unpack_from("<H", record, 4)[0])
        kept.append(chosen)
    return [[record for kind, record in chosen
             if kind != API or struct.unpack_from("<H", record, 4)[0] in apis]
            for chosen in kept]


def plain(trace, limit):
    found = list(chunks(trace))
    out = struct.pack("<BBH", ord("P"), 0, 100) + trace[:HEADER_BYTES]
    for chunk, kept in zip(found, shorten([list(records(chunk)) for chunk in found], limit)):
        body = b"".join(kept)
        head = bytearray(chunk[:SLOT])
        struct.pack_into("<I", head, 4, (SLOT + len(body) + UNIT - 1) // UNIT * UNIT)
        out += struct.pack("<I", (SLOT + len(body)) // SLOT) + head + body
    return out


def packed(trace):
    out = struct.pack("<BBH", ord("Z"), 0, 100) + trace[:64]
    at = 64
    while at < len(trace):
        head = bytearray(trace[at:at + 104])
        size, = struct.unpack_from("<I", head, 24)
        frame = trace[at + 104:at + 104 + size]
        body = subprocess.run(["zstd", "-dcq"], input=frame, stdout=subprocess.PIPE,
                              check=True).stdout
        struct.pack_into("<I", head, 24, len(body))
        out += bytes(head) + body
        at += 104 + size
    return out


def main():
    path = pathlib.Path(sys.argv[1])
    trace = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
    limit = int(sys.argv[3]) if len(sys.argv) > 3 else 120
    made = packed(trace) if trace.startswith(b"CUTRACEZ") else plain(trace, limit)
    pathlib.Path(sys.argv[2]).write_bytes(made)


if __name__ == "__main__":
    main()
