# SPDX-License-Identifier: Apache-2.0
"""
Traces that are cut, damaged, strange or made to harm: each is refused with one clear line
and status 1, or reported on as far as it goes, with status 0 and the loss said.
"""
import gzip
import os
import pathlib
import re
import resource
import struct
import subprocess

from harness import (PATHS, Failed, calls, check, cutrace, environment, one_line, report_text,
                     same, says_clean, trust, victim)
from trace_file import (API, CALL, CONTEXT, DEVICE, EVENT, GPU, HEADER, MODULE, NOTE, OVERHEAD,
                        SCRIPT, SLOT, STACK, STREAM, STRING, SYNC, THREAD, TOTAL, UNIT, Trace,
                        record, save, with_check)

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
MEMORY_BYTES = 1 << 30  # of address space, of which 256 MiB are taken in advance
MOST = 2**64 - 1
NOT_ONE = "not a cutrace trace"
OTHER_VERSION = "another version"
COMMANDS = ("report", "dump", "pack")


def small_memory():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def real(here, mode="return", **variables):
    """The trace of a real run, of which nothing was dropped."""
    run = here.traced(victim(mode), CUTRACE_STACKS="0", **variables)
    says_clean(run.trace())
    return run.trace()


def packed(here, trace):
    same(here.bare(cutrace("pack", trace)).status, 0, "cutrace pack")
    return (trace / "trace.cutrace").read_bytes()


def refused(here, data, *texts):
    """Every command says the same and leaves the file alone."""
    trace = save(here.folder() / "trace", data)
    for command in COMMANDS:
        run = here.bare(cutrace(command, trace), small_memory)
        same((run.status, run.out), (1, ""), f"{command}: status and stdout ({run.err!r})")
        one_line(run, str(trace), *texts)
    same((trace / "trace.cutrace").read_bytes(), data, "the file")


def reported(here, data, *texts, blind=True, commands=("dump", "report")):
    """Reported on, with these texts; is something not seen? (None: as may be.) Returns where."""
    trace = save(here.folder() / "trace", data)
    for command in commands:
        run = here.bare(cutrace(command, *["--all-rows"] * (command == "report"), trace),
                        small_memory)
        same(run.status, 0, f"{command}: status ({run.err!r})")
    text = report_text(trace)
    check(blind in (None, "\nNOT seen  " in text), f"something is not seen: {blind}", text)
    for wanted in texts:
        check(wanted in text, f"the report says {wanted!r}", text)
    check("WRONG" not in text, "parts of calls sum up", text)
    for row in calls(trace):
        parts = [int(value) for name, value in row.items() if name in PARTS]
        same((len(parts), sum(parts)), (len(PARTS), int(row["Duration (ns)"])), f"parts of {row}")
    return trace


PARTS = {"Device Wait (ns)", "Lock Wait (ns)", "Queue Full (ns)", "Transfer (ns)",
         "First Use (ns)", "Tool (ns)", "Driver Work (ns)", "Unexplained (ns)"}


def bytes_of(here, how, trace):
    run = subprocess.run([PATHS["READER_BYTES"], how, trace], env=environment(),
                         capture_output=True, text=True, timeout=110)
    if run.returncode:
        raise Failed(f"{how}: {run.stdout[-500:]} {run.stderr[-500:]} ({run.returncode})")
    print(f"{how}: {run.stdout}", end="")


def both_forms(here, how):
    trace = Trace.of(real(here)).shorten().save(here.folder() / "trace")
    bytes_of(here, how, trace)
    packed(here, trace)
    bytes_of(here, how, trace)


@trust("reader truncated at every byte")
def reader_truncated(here):
    """At a few places by the command itself as well."""
    both_forms(here, "truncated")
    data = Trace.of(real(here)).data()
    for size in (0, 1, 63, 64, HEADER - 1):
        refused(here, data[:size], NOT_ONE)
    for size in (HEADER, UNIT - 1, UNIT, UNIT + 1, UNIT + 63, UNIT + 1000, len(data) - 1):
        trace = reported(here, data[:size], f"{len(data) - size} byte{'s' * (len(data) - size > 1)} missing at the end")
        check(len(calls(trace)) < 20 or size > UNIT + 1000, "fewer calls", len(calls(trace)))


@trust("reader every byte flipped")
def reader_flipped(here):
    both_forms(here, "flipped")


@trust("reader zero file")
def reader_zero(here):
    for size in (0, 1, 64, HEADER, UNIT, 3 * UNIT):
        refused(here, bytes(size), NOT_ONE)
    trace = save(here.folder() / "trace", b"")
    os.truncate(trace / "trace.cutrace", 64 << 30)  # a hole, of which every page reads as zeros
    run = here.bare(cutrace("report", trace))
    same(run.status, 1, "64 GiB of zeros")
    one_line(run, NOT_ONE)
    whole = Trace.of(real(here)).data()
    zeros = whole[:UNIT].ljust(len(whole), b"\0")
    reported(here, zeros, "0 calls", f"{len(whole) - UNIT} bytes of the trace holding nothing")


@trust("reader wrong magic")
def reader_magic(here):
    folder = real(here)
    plain = Trace.of(folder).data()
    for data in (plain, packed(here, folder)):
        for at in range(8):
            changed = data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1:]
            refused(here, changed, NOT_ONE)
    refused(here, b"CUTRACEZ" + plain[8:], "c")  # each under the other's name
    refused(here, b"CUTRACE\n" + data[8:], "c")
    for begin in (b"\x7fELF\x02\x01\x01", b"\x1f\x8b\x08", b"SQLite format 3\0", b"a text\n"):
        refused(here, begin.ljust(2 * UNIT, b"x"), NOT_ONE)


@trust("reader newer version")
def reader_newer(here):
    """Another version is refused. What may be added within one is passed over, and said."""
    folder = real(here)
    plain = Trace.of(folder)
    for at, values in ((8, (0, 2, 3, 2**32 - 1)), (16, (8192, 0)), (20, (128, 0)),
                       (24, (4096, 1 << 20, 0))):
        for value in values:
            data = bytearray(plain.data())
            struct.pack_into("<I", data, at, value)
            refused(here, bytes(data), OTHER_VERSION)
    later = Trace(plain.data())
    later.add(record(200, b"of the future" * 9), record(250, b"x" * 60), record(0, b"", 3),
              record(NOTE, struct.pack("<HHQQ", 999, 4, 1, 2) + b"note"),
              record(API, struct.pack("<HHI", 60000, 9, 1) + b"cudaLater"))
    for body in later.all(CALL)[:3]:
        struct.pack_into("<H", body, 4, 60000)
    struct.pack_into("<I", later.header, 148, 30)
    struct.pack_into("<Q", later.header, 152 + 29 * 8, 77)
    trace = reported(here, later.data(), "the meaning of 3 calls of a newer version",
                     "2 records of kinds that this version does not know",
                     "77 losses of a kind this version does not know")
    same(len(calls(trace)), 20, "calls")
    data = bytearray(packed(here, folder))
    struct.pack_into("<I", data, 8, 2)
    refused(here, with_check(data, 0, 64), OTHER_VERSION)


@trust("reader other endianness")
def reader_endianness(here):
    """As a machine of the other byte order would have written it."""
    folder = real(here)
    data = bytearray(Trace.of(folder).data())
    numbers = struct.unpack_from("<6I83Q", data.ljust(800, b"\0"), 8)
    struct.pack_into(">6I", data, 8, *numbers[:6])
    for at in (32, 40, *range(128, 144, 8), *range(152, 688, 8)):
        data[at:at + 8] = data[at:at + 8][::-1]
    refused(here, bytes(data), "another kind of machine")
    data = bytearray(Trace.of(folder).data())  # and if nothing else told
    data[12:16] = data[12:16][::-1]
    refused(here, bytes(data), "another kind of machine")
    swapped = bytearray(packed(here, folder))
    swapped[12:16] = swapped[12:16][::-1]
    refused(here, with_check(swapped, 0, 64), "another kind of machine")
    for at, size in ((8, 4), (16, 8), (24, 8), (56, 8)):
        swapped[at:at + size] = swapped[at:at + size][::-1]
    refused(here, bytes(swapped), "another kind of machine")


def huge_lengths():
    """Records that claim to hold more than there is."""
    return [record(STRING, struct.pack("<II", 1, 2**32 - 1)),
            record(STRING, struct.pack("<II", 1, 53)),  # one byte too many
            record(STACK, struct.pack("<III", 1, 2**32 - 1, 0)),
            record(STACK, struct.pack("<III", 1, 2**29 + 1, 0)),  # 8 times it: 8, in 32 bits
            record(MODULE, struct.pack("<I", 2**32 - 1), 2),
            record(MODULE, struct.pack("<IQQQQI", 1, 0, 0, 1, 0, 33), 2),
            record(MODULE, struct.pack("<IQQQQI", 1, 0, 0, 1, 0, 2**32 - 1), 2),
            record(API, struct.pack("<HHI", 1, 65535, 0)),
            record(NOTE, struct.pack("<HH", 0, 65535)),
            record(SCRIPT, struct.pack("<IIHH", 1, 1, 65535, 65535))]


def odd_blocks(data):
    """A packed trace, its last block larger or elsewhere than can be; the checks are right."""
    at = 64
    while at < len(data):
        last, size = at, struct.unpack_from("<I", data, at + 24)[0]
        at += 104 + size
    for offset, form, value in ((8, "<Q", MOST), (8, "<Q", 1 << 63), (16, "<I", 2**32 - 1),
                                (16, "<I", 1 << 20), (20, "<I", 2**32 - 1), (20, "<I", 1),
                                (24, "<I", 2**32 - 1)):
        changed = bytearray(data)
        struct.pack_into(form, changed, last + offset, value)
        yield with_check(changed, last, 104)


@trust("reader huge counts")
def reader_counts(here):
    """Within 1 GiB of address space, each by itself and all together."""
    folder = real(here)
    whole = Trace.of(folder)
    for bad in (*huge_lengths(), b"".join(huge_lengths())):
        reported(here, Trace(whole.data()).add(bad).data(), f"{len(bad)} damaged bytes")
    for commit in (CALL, CALL | 0xffffff << 8, CALL | 1023 << 8):
        bad = struct.pack("<I", commit).ljust(SLOT, b"x")
        reported(here, Trace(whole.data()).add(bad).data(), "65408 damaged bytes")
    ids = [record(kind, struct.pack("<III", 2**32 - 1, 0, 0)) for kind in (STRING, STACK, SCRIPT)]
    ids += [record(kind, struct.pack("<III", 2**20 - 1, 0, 0)) for kind in (STRING, STACK, SCRIPT)]
    same(len(calls(reported(here, Trace(whole.data()).add(*ids).data(), blind=False))), 20, "calls")
    for at, form, value in ((128, "<Q", MOST), (148, "<I", 2**32 - 1)):
        data = bytearray(whole.data())
        struct.pack_into(form, data, at, value)
        reported(here, bytes(data), blind=at == 128)
    for size in (0, 1, UNIT - 64, 2**32 - 1, (16 << 16) + UNIT):
        data = bytearray(whole.data())
        struct.pack_into("<I", data, UNIT + 4, size)
        reported(here, bytes(data), "65536 damaged bytes")
    data = packed(here, folder)
    for at in (16, 24):
        changed = bytearray(data)
        struct.pack_into("<Q", changed, at, MOST)
        reported(here, with_check(changed, 0, 64), blind=at == 24)
    for changed in odd_blocks(data):
        reported(here, changed, "damaged bytes")


def device(correlation, start_ns, end_ns, stream):
    return record(DEVICE, struct.pack("<IQQIIIIHBBI", correlation, start_ns, end_ns, 1, stream, 0, 0,
                                      0, 1, 0, 0))


def stream_wait(correlation, stream, event):
    return record(SYNC, struct.pack("<IQQQIIIB", correlation, 1, 2, 0, 1, stream, event, 2))


@trust("reader cyclic stacks")
def reader_cyclic(here):
    """Nothing in a trace that refers to something can be followed for ever."""
    whole = Trace.of(real(here))
    raw = whole.all(CALL)
    start = struct.unpack_from("<Q", raw[0], 8)[0]
    deep = [0x8000000000000000 | n % 3 for n in range(40000)]  # script frames that take turns
    alike = [0x8000000000000000] * 80000 + [0x8000000000000001]  # without a name, but for one
    stacks = [record(STACK, struct.pack(f"<III{len(deep)}Q", 7, len(deep), 1, *deep)),
              record(STACK, struct.pack(f"<III{len(alike)}Q", 8, len(alike), 2, *alike)),
              record(STACK, struct.pack("<III1Q", 9, 1, 2, 0x8000000000000009)),  # its own id
              record(SCRIPT, struct.pack("<IIHHB7x", 1, 1, 1, 1, 1) + b"fg"),
              record(SCRIPT, struct.pack("<IIHHB7x", 1, 2, 1, 1, 1) + b"ab")]
    trace = Trace(whole.data()).add(*stacks)
    for n, body in enumerate(trace.all(CALL)):
        struct.pack_into("<I", body, 56, 7 + n % 4)  # 10 is not there
    folder = reported(here, trace.data(), "20 calls", blind=None)
    same(len(calls(folder)), 20, "calls")
    check("damaged" not in report_text(folder), "nothing is damaged", report_text(folder))
    trace = Trace(whole.data())  # streams that wait for each other, and for themselves
    loop = []
    for n, body in enumerate(trace.all(CALL)):
        correlation, = struct.unpack_from("<I", body, 52)
        at = start + n * 1000
        loop += [device(correlation, at, at + 5000, 50 + n % 3),
                 record(EVENT, struct.pack("<IQIII", correlation, 0, 1, 50 + n % 3, n % 2)),
                 stream_wait(correlation, 50 + (n + 1) % 3, n % 2),
                 stream_wait(correlation, 50 + n % 3, n % 2)]
    reported(here, trace.add(*loop).data(), "20 calls", blind=False)
    for body in trace.all(CALL, DEVICE, SYNC, EVENT, OVERHEAD):
        struct.pack_into("<I", body, 52 if body[0] == CALL else 4, 1)  # all join each other
    reported(here, trace.data(), "20 calls", blind=None)


@trust("reader string not terminated")
def reader_terminated(here):
    """Texts that fill their field, each with another text right behind it."""
    trace = Trace.of(real(here))
    trace.header[48:112], trace.header[112:128] = b"P" * 64, b"V" * 16
    names = [record(STRING, struct.pack("<II", 1, 52) + b"K" * 52),
             record(STRING, struct.pack("<II", 2, 52) + b"G" * 52),
             record(MODULE, struct.pack("<IQQQQII32x", 48, 0, 1 << 40, 1 << 41, 0, 0, 0) + b"M" * 48),
             record(SCRIPT, struct.pack("<IIHHB7x", 1, 5, 20, 20, 1) + b"F" * 20 + b"N" * 20),
             record(STACK, struct.pack("<III6Q", 5, 6, 1, 0x8000000000000001, *[1 << 40] * 5)),
             record(NOTE, struct.pack("<HHQQ", 1, 40, 0, 0) + b"W" * 40),
             record(NOTE, struct.pack("<HHQQ", 7, 40, 0, 0) + b"H" * 40)]
    for body in trace.all(THREAD):
        body[16:64] = b"T" * 48
    for body in trace.all(GPU):
        struct.pack_into("<I", body, 36, 2)
    for body in trace.all(API):
        body[2] = 0
        struct.pack_into("<H", body, 6, 52)
        body[12:64] = b"A" * 52
    for body in trace.all(CALL):
        struct.pack_into("<I", body, 56, 5)
    for body in trace.all(DEVICE):
        struct.pack_into("<I", body, 32, 1)
        body[42] = 1
    folder = reported(here, trace.add(*names).data(), f"cutrace: {'P' * 63} (pid", f" {'G' * 52}\n",
                      f"device times: {'W' * 40}\n")
    for file, wanted in (("device.csv", "K" * 52), ("report.txt", "T" * 16),
                         ("calls.csv", f"{'F' * 20}:5 {'N' * 20}")):
        text = (folder / file).read_text()
        check(re.search(f"(?<![A-Z]){wanted}(?![A-Z])", text), f"{file}: {wanted}", text[:2000])


@trust("reader time going back")
def reader_back(here):
    """No wait, span or duration comes out of it that is not there."""
    whole = Trace.of(real(here))
    folder = reported(here, whole.data(), blind=False)
    span = sum(int(row["Duration (ns)"]) for row in calls(folder))
    turned = Trace(whole.data())
    for body in turned.all(CALL, DEVICE, SYNC, OVERHEAD):
        body[8:16], body[16:24] = body[16:24], body[8:16]
    folder = reported(here, turned.data(), "5 device records whose times cannot be")
    same({row["Duration (ns)"] for row in calls(folder)}, {"0"}, "durations of calls that end first")
    reverse = Trace(whole.data())  # the file's order is not that of time
    reverse.chunks = [chunk[:1] + chunk[:0:-1] for chunk in reverse.chunks[::-1]]
    folder = reported(here, reverse.data(), "20 calls", blind=False)
    same(sum(int(row["Duration (ns)"]) for row in calls(folder)), span, "time in calls")
    same(len(calls(folder)), 20, "calls")
    overlapping = Trace(whole.data())  # calls of one thread, each within the one before
    first, last = overlapping.all(CALL)[0][8:16], overlapping.all(CALL)[-1][16:24]
    for body in overlapping.all(CALL):
        body[8:16], body[16:24] = first, last
    folder = reported(here, overlapping.data(), "20 calls", blind=False)
    before = Trace(whole.data())  # everything happened before the trace began
    struct.pack_into("<QQ", before.header, 32, 1 << 62, 1 << 62)
    reported(here, before.data(), "20 calls", blind=False)


TIMES = {CALL: (8, 16), DEVICE: (8, 16), SYNC: (8, 16), OVERHEAD: (8, 16), THREAD: (8,),
         STREAM: (24,), CONTEXT: (16,), NOTE: (8, 16), MODULE: (8, 16, 24, 32)}
NUMBERS = (CALL, DEVICE, SYNC, EVENT, OVERHEAD, STREAM, CONTEXT, GPU, TOTAL)


@trust("reader extreme values")
def reader_extreme(here):
    """Every number of the trace by itself, all times at once, and all numbers of a type."""
    with gzip.open(GOLDEN / "free_idle.trace.gz") as file:
        both = Trace(file.read()).shorten(6)
    bytes_of(here, "extreme", both.save(here.folder() / "trace"))
    limit = Trace.of(here.traced(victim("work", "3000"), CUTRACE_LIMIT="512K",
                                 CUTRACE_STACKS="0").trace()).shorten()
    for value in (0, 2**63, MOST):
        for whole in (both, limit):
            trace = Trace(whole.data())
            for body in trace.all(*TIMES):
                for at in TIMES[body[0]]:
                    struct.pack_into("<Q", body, at, value)
            reported(here, trace.data(), blind=None, commands=["report"])
            for kind in NUMBERS if value else ():
                trace = Trace(whole.data())
                for body in trace.all(kind):
                    body[8:64] = struct.pack("<Q", value) * 7
                reported(here, trace.data(), blind=None, commands=["report"])


@trust("reader over 4 GiB")
def reader_large(here):
    """Chunks, damage and gaps behind 4 GiB, in a file that is mostly a hole."""
    whole = Trace.of(real(here))
    data, far = whole.data(), 5 << 30
    trace = save(here.folder() / "trace", data[:UNIT])
    with open(trace / "trace.cutrace", "r+b") as file:
        file.seek(far)
        file.write(data[UNIT:])
        file.seek(far + (1 << 32))
        file.write(b"oops")
        file.seek(128)
        file.write(struct.pack("<Q", far + (1 << 32) + UNIT))
        file.truncate(far + (1 << 32) + UNIT)
    run = here.bare(cutrace("report", trace))
    same(run.status, 0, "status")
    check(f"65536 damaged bytes of the trace, the first at offset {far + (1 << 32)}" in run.out,
          "the damage, and where", run.out)
    same(len(calls(trace)), 20, "calls")
    dump = here.bare(cutrace("dump", trace))
    check(f"{far + SLOT} " in dump.out, "records are where they are", dump.out[:500])
    same(here.bare(cutrace("pack", trace)).status, 0, "pack")
    check((trace / "trace.cutrace").stat().st_size < len(data), "packed, it is small")
    again = here.bare(cutrace("report", trace))
    same(again.out, run.out, "the report of the packed trace")
    same(here.bare(cutrace("pack", "--unpack", trace)).status, 0, "unpack")
    same((trace / "trace.cutrace").stat().st_size, far + (1 << 32) + UNIT, "size")
    same(here.bare(cutrace("dump", trace)).out, dump.out, "the records, unpacked")
