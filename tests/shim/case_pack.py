# SPDX-License-Identifier: Apache-2.0
"""`cutrace pack`: traces on disk, while they are written and after."""
import os
import re
import signal
import subprocess
import time

from case_commands import wait_for
from harness import PATHS, case, check, cutrace, environment, one_line, same, says_blind, victim


def magic(trace):
    with open(trace / "trace.cutrace", "rb") as file:
        return file.read(8)


def files(trace):
    return {path.name: path.read_bytes() for path in trace.iterdir()
            if path.name != "trace.cutrace"}


@case
def pack_keeps_the_rest(here):
    """The mode, the results; there and back, and neither twice."""
    trace = here.traced(victim("work", "200")).trace()
    os.chmod(trace / "trace.cutrace", 0o640)
    raw, before = (trace / "trace.cutrace").read_bytes(), files(trace)
    packed = here.bare(cutrace("pack", trace))
    same((packed.status, packed.err), (0, ""), "cutrace pack")
    check(" MB -> " in packed.out, "sizes are told", packed.out)
    check((trace / "trace.cutrace").stat().st_size < len(raw) / 10, "a tenth")
    same((trace / "trace.cutrace").stat().st_mode & 0o777, 0o640, "mode")
    same(here.bare(cutrace("report", "--write-only", trace)).status, 0, "report")
    same(files(trace), before, "results, and nothing else left")
    same(magic(trace), b"CUTRACEZ", "packed")
    same(here.bare(cutrace("pack", trace)).out, f"{trace}: packed already\n", "twice")
    same(here.bare(cutrace("pack", "--unpack", trace)).status, 0, "unpack")
    same((trace / "trace.cutrace").read_bytes(), raw, "the trace, unpacked")
    same(here.bare(cutrace("pack", "--unpack", trace)).out, f"{trace}: not packed already\n",
         "twice")


@case
def pack_while_it_is_written(here):
    """Refused as long as the program runs; packed when it has been killed, as what it is."""
    folder = here.folder()
    counter = folder / "counter"
    counter.write_bytes(bytes(4096))
    child = subprocess.Popen(victim("until_killed", str(counter)), cwd=folder,
                             env=environment(LD_PRELOAD=PATHS["LIB"], CUTRACE_QUIET="1"))
    wait_for(lambda: any(counter.read_bytes()[:4]))
    trace = next(folder.glob("cutrace.*"))
    busy = here.bare(cutrace("pack", trace))
    child.kill()
    child.wait()
    same((busy.status, busy.err, busy.out),
         (1, f"cutrace: {trace}: the trace is still being written\n", ""), "while it runs")
    same([path.name for path in trace.iterdir()], ["trace.cutrace"], "files")
    same(magic(trace), b"CUTRACE\n", "as it was")
    same(here.bare(cutrace("report", "--write-only", trace)).status, 0, "report")
    before = files(trace)
    same(here.bare(cutrace("pack", trace)).status, 0, "when it was killed")
    same(magic(trace), b"CUTRACEZ", "packed")
    same(here.bare(cutrace("report", "--write-only", trace)).status, 0, "report")
    same(files(trace), before, "results")
    says_blind(trace, "cut off")


@case
def pack_says_what_is_damaged(here):
    """Before it was packed or after: no report looks clean."""
    trace = here.traced(victim("work", "2000")).trace()
    file = trace / "trace.cutrace"
    raw = bytearray(file.read_bytes())
    raw[65536 * 2:65536 * 2 + 4] = b"oops"  # a chunk's header
    file.write_bytes(raw)
    packed = here.bare(cutrace("pack", trace))
    same(packed.status, 0, "cutrace pack")
    check(re.search(r"damaged, and so still: \d+ bytes? of the trace", packed.out), "it says so", packed.out)
    here.bare(cutrace("report", "--write-only", trace))
    says_blind(trace, "damaged bytes of the trace")
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    here.bare(cutrace("report", "--write-only", trace))
    says_blind(trace, "damaged bytes of the trace")
    unpack = here.bare(cutrace("pack", "--unpack", trace))
    same((unpack.status, unpack.err),
         (1, f"cutrace: {trace}: damaged: it stays as it is\n"), "unpack")
    same(sorted(path.name for path in trace.glob("trace*")), ["trace.cutrace"], "files left")
    same(file.read_bytes(), whole[:-100], "the trace")
    file.write_bytes(whole[:50] + b"x" + whole[51:])
    broken = here.bare(cutrace("report", trace))
    same((broken.status, broken.out), (1, ""), "a damaged header")
    one_line(broken, "header is damaged")


@case
def pack_is_killed(here):
    """At any moment: what is there is the trace, packed or not."""
    trace = here.traced(victim("work", "3000")).trace()
    dump = here.bare(cutrace("dump", trace)).out
    check(dump.count("\n") > 3000, "the trace has records")
    for after_ms in (0, 1, 2, 4, 8, 16, 32, 64):
        option = ["--unpack"] if magic(trace) == b"CUTRACEZ" else []
        child = subprocess.Popen(cutrace("pack", *option, trace), stdout=subprocess.DEVNULL,
                                 env=environment())
        time.sleep(after_ms / 1000)
        child.kill()
        child.wait()
        same(here.bare(cutrace("dump", trace)).out, dump, f"the trace after {after_ms} ms")
    same(here.bare(cutrace("pack", trace)).status, 0, "not killed")
    same(magic(trace), b"CUTRACEZ", "packed")
    same(here.bare(cutrace("dump", trace)).out, dump, "the trace in the end")


@case
def pack_is_interrupted(here):
    """It takes its unfinished file with it."""
    trace = here.traced(victim("long", "200000"), CUTRACE_REPORT="0").trace()
    for number in (signal.SIGINT, signal.SIGTERM):
        child = subprocess.Popen(cutrace("pack", trace), stdout=subprocess.DEVNULL,
                                 env=environment())
        wait_for(lambda: len(list(trace.iterdir())) > 1)
        child.send_signal(number)
        same(child.wait(), -number, "status")
        same([path.name for path in trace.iterdir()], ["trace.cutrace"], "files")
        same(magic(trace), b"CUTRACE\n", "the trace is not packed")


@case
def pack_usage(here):
    same(here.bare(cutrace("pack")).status, 2, "no directory")
    same(here.bare(cutrace("pack", "--level", "3")).status, 2, "no such option")
    missing = here.bare(cutrace("pack", "/nonexistent"))
    same(missing.status, 1, "a directory that is not there")
    one_line(missing, "/nonexistent: ")


@case
def pack_is_no_business_of_the_program(here):
    """What enters the traced program needs libc; zstd and the rest are the command's."""
    dynamic = here.bare(["readelf", "--dynamic", PATHS["LIB"]])
    same(dynamic.status, 0, "readelf")
    needed = [line for line in dynamic.out.splitlines() if "NEEDED" in line]
    check(needed, "readelf names what the library needs")
    check(not any(name in line for line in needed for name in ("zstd", "libdw", "libelf", "cuda")),
          "libcutrace.so needs nothing of the command's", needed)
