#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How `cutrace export` treats files, users' mistakes, losses, hostile names and several processes.

files_test.py CUTRACE TRACE.gz
"""
import gzip
import json
import os
import pathlib
import re
import resource
import signal
import sqlite3
import stat
import struct
import subprocess
import sys
import tempfile
import time

import pftrace

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "trust"))
import trace_file  # noqa: E402

FORMATS = ("folded", "jsonl", "sqlite", "perfetto", "html")
PID, PROGRAM, LOST = 28, 48, 152  # in the file's header
ACTIVITY = "start end deviceId contextId streamId correlationId globalPid "
NSYS = {  # columns that are recorded, in its order; cutrace's own come behind them
    "StringIds": "id value",
    "ThreadNames": "nameId priority globalTid",
    "PROCESSES": "globalPid pid name",
    "TARGET_INFO_SESSION_START_TIME": "utcEpochNs utcTime",
    "TARGET_INFO_GPU": "id name totalMemory smCount computeMajor computeMinor",
    "TARGET_INFO_CUDA_CONTEXT_INFO": "nullStreamId processId deviceId contextId",
    "TARGET_INFO_CUDA_STREAM": "streamId processId contextId priority flag",
    "META_DATA_EXPORT": "name value",
    "ENUM_CUDA_MEMCPY_OPER": "id name label",
    "ENUM_CUDA_MEM_KIND": "id name label",
    "ENUM_CUDA_DEV_MEM_EVENT_OPER": "id name label",
    "ENUM_CUPTI_SYNC_TYPE": "id name label",
    "ENUM_NSYS_EVENT_CLASS": "id name label",
    "ENUM_NSYS_EVENT_TYPE": "id name label",
    "NVTX_EVENTS": "start end eventType category color text globalTid endGlobalTid domainId",
    "CUPTI_ACTIVITY_KIND_RUNTIME":
        "start end eventClass globalTid correlationId nameId returnValue callchainId",
    "CUPTI_ACTIVITY_KIND_KERNEL":
        ACTIVITY + "demangledName shortName registersPerThread gridX gridY gridZ blockX blockY blockZ",
    "CUPTI_ACTIVITY_KIND_MEMCPY": ACTIVITY + "bytes copyKind srcKind dstKind srcDeviceId dstDeviceId",
    "CUPTI_ACTIVITY_KIND_MEMSET": ACTIVITY + "value bytes memKind",
    "CUPTI_ACTIVITY_KIND_GRAPH_TRACE": ACTIVITY + "graphId",
    "CUPTI_ACTIVITY_KIND_SYNCHRONIZATION": ACTIVITY + "syncType eventId eventSyncId",
    "CUDA_GPU_MEMORY_USAGE_EVENTS": "start globalPid deviceId contextId address bytes memKind "
                                    "memoryOperationType correlationId",
    "CUDA_CALLCHAINS": "id symbol stackDepth",
}
NVTX_RANGE, NVTX_NAME, CALL_TIMES = 17, 19, 8  # types of records, and where a call has its times
BAD_NAME = b"a\x01\x1b[31m;\"\\\xff\xe2\x28 <b>"


class Case:
    def __init__(self, cutrace, packed, folder):
        self.cutrace, self.folder = cutrace, folder
        self.trace = gzip.open(packed).read()
        self.directory = self.write("run", self.trace)

    def write(self, name, trace):
        (self.folder / name).mkdir()
        (self.folder / name / "trace.cutrace").write_bytes(trace)
        return self.folder / name

    def run(self, *arguments, **options):
        return subprocess.run([self.cutrace, "export", *arguments], capture_output=True, check=False, **options)

    def export(self, name, *directories, status=0):
        path = self.folder / f"out.{name}"
        done = self.run(f"--{name}", "--force", "-o", path, *directories)
        assert done.returncode == status, (name, done.returncode, done.stderr)
        return path


def page_data(path):
    """What the page is told; that it shows it is for tests/html."""
    before, rest = path.read_text(encoding="utf-8").split('<script type="application/json" id="data">')
    assert "<script>" not in before
    return json.loads(rest[:rest.index("</script>")])


def texts_of(case, name, *directories, status=0):
    """What is missing, as each format says it."""
    path = case.export(name, *directories, status=status)
    if name == "sqlite":
        rows = sqlite3.connect(path).execute("SELECT ifnull(count, '') || ' ' || text FROM CUTRACE_LOSSES")
        return [text for text, in rows]
    if name == "perfetto":
        trace = pftrace.Trace(path)
        losses = [piece for piece in trace.slices if piece.category == "loss"]
        assert all(trace.name(piece.track) == "NOT SEEN" for piece in losses)
        return [piece.name for piece in losses]
    if name == "jsonl":
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return [f"{line['count']} {line['text']}" for line in lines if line["type"] == "loss"]
    if name == "html":
        data = page_data(path)
        texts = [f"{count} {text}" for process in data["processes"] for count, text in process["losses"]]
        return texts + [f"{data['leftOut']} traces that could not be used"]
    return [line for line in path.read_text().splitlines() if ";NOT SEEN;" in line and line.endswith(" 0")]


def check_existing(case):
    """A file that is there is left alone, whatever it is, unless --force is given."""
    for name in FORMATS:
        path = case.folder / f"there.{name}"
        target = case.folder / "target"
        target.write_text("precious")
        for make in (lambda: path.write_text("precious"), lambda: path.symlink_to(target),
                     lambda: path.symlink_to("nowhere")):
            make()
            done = case.run(f"--{name}", "-o", path, case.directory)
            assert done.returncode == 1 and b"--force" in done.stderr, done
            assert path.is_symlink() or path.read_text() == "precious"
            done = case.run(f"--{name}", "--force", "-o", path, case.directory)
            assert done.returncode == 0 and not path.is_symlink(), done
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert target.read_text() == "precious", "a link is replaced, not followed"
            path.unlink()
        for make in (lambda: os.mkfifo(path), lambda: path.symlink_to("/proc/self/fd/1")):
            make()
            kind = stat.S_IFMT(path.lstat().st_mode)
            done = case.run(f"--{name}", "--force", "-o", path, case.directory)
            assert done.returncode == 1 and b"is no file" in done.stderr, done
            assert stat.S_IFMT(path.lstat().st_mode) == kind, "what is no file, as /dev/null, stays"
            path.unlink()


def nothing_left(case):
    left = [path.name for path in case.folder.iterdir() if "part." in path.name]
    assert not left, f"left behind: {left}"


def check_failures(case):
    """Where writing fails there is no file, and the reason is given."""
    def small():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    for name in FORMATS:
        if name == "folded":
            continue  # is smaller than that
        done = case.run(f"--{name}", "-o", case.folder / f"part.{name}", case.directory, preexec_fn=small)
        assert done.returncode == 1 and b"cutrace: " in done.stderr, (name, done)
        nothing_left(case)
    for name in ("folded", "jsonl", "perfetto"):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([case.cutrace, "export", f"--{name}", case.directory], stdout=full,
                                  stderr=subprocess.PIPE, check=False)
        assert done.returncode == 1 and b"No space left" in done.stderr, done
    done = case.run("--jsonl", "-o", case.folder / "run" / "trace.cutrace" / "such", case.directory)
    assert done.returncode == 1 and b"Not a directory" in done.stderr, done
    done = case.run("--jsonl", "-o", case.folder / "no" / "such", case.directory)
    assert done.returncode == 0 and (case.folder / "no" / "such").stat().st_size > 0, done


def check_killed(case):
    """Whoever interrupts an export finds no half of one."""
    trace = case.folder / "run" / "trace.cutrace"
    many = [case.write(f"many{i}", trace.read_bytes()) for i in range(30)]
    process = subprocess.Popen([case.cutrace, "export", "--jsonl", "-o", case.folder / "part.jsonl", *many])
    while process.poll() is None and not list(case.folder.glob(".part.jsonl.*")):
        time.sleep(0.001)
    process.send_signal(signal.SIGTERM)
    assert process.wait() in (-signal.SIGTERM, 0)
    assert process.returncode == 0 or not (case.folder / "part.jsonl").exists()
    (case.folder / "part.jsonl").unlink(missing_ok=True)
    nothing_left(case)


def check_race(case):
    """A file that comes into being meanwhile is left alone as well."""
    many = [case.write(f"many{i}", case.trace) for i in range(10)]
    path = case.folder / "late.jsonl"
    with subprocess.Popen([case.cutrace, "export", "--jsonl", "-o", path, *many], stderr=subprocess.PIPE) as process:
        while process.poll() is None and not list(case.folder.glob(".late.jsonl.*")):
            time.sleep(0.001)
        path.write_text("precious")
        message = process.stderr.read()
        assert process.wait() == 1 and b"--force" in message, message
    assert path.read_text() == "precious" and not list(case.folder.glob(".late.jsonl.*"))


def check_overlap(case):
    """Operations of a stream that overlap do not nest: each is a slice all the same."""
    trace, count = bytearray(case.trace), 0
    for at in range(4096, len(trace) - 63, 64):
        if trace[at:at + 4] != b"\x03\x01\0\0" or trace[at + 42] != 1:  # a DEVICE record, of a kernel
            continue
        end, = struct.unpack_from("<Q", trace, at + 16)
        struct.pack_into("<Q", trace, at + 16, end + (20_000_000 if count % 2 else 7_000_000))
        count += 1
    kernels = [piece for piece in pftrace.Trace(case.export("perfetto", case.write("long", bytes(trace)))).slices
               if piece.category == "kernel"]
    assert len(kernels) == count > 50 and len({piece.track for piece in kernels}) > 2
    assert all(piece.depth == 0 for piece in kernels)


def check_schema(case):
    """Tables and columns that Nsight Systems has, too, as its user guide names them."""
    db = sqlite3.connect(case.export("sqlite", case.directory))
    for table, columns in NSYS.items():
        ours = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        assert ours[:len(columns.split())] == columns.split(), (table, ours)


def check_keys(case):
    """The keys of every line of JSON are those that the page has."""
    page = (pathlib.Path(__file__).parents[2] / "docs" / "exports.md").read_text()
    table = page[page.index("| type | keys"):page.index("## Folded stacks")]
    keys = {row.split("`")[1]: set(re.findall("`(\\w+)`", row)[1:]) for row in table.splitlines()[2:] if "`" in row}
    keys["call"] = set(json.loads("".join(re.search(r'\n    \{"type":"call".*?\}\n', page, re.S)[0].split("\n    "))))
    assert "A call or wait in an NVTX range has `nvtx_range` besides" in page
    for kind in ("call", "wait"):
        keys[kind].add("nvtx_range")
    trace, seen = trace_file.Trace(case.trace), set()
    tid, = struct.unpack_from("<I", trace.all(trace_file.THREAD)[0], 4)
    begin, end = struct.unpack_from("<QQ", trace.all(trace_file.CALL)[0], CALL_TIMES)
    name = b"a range"
    trace.add(trace_file.record(NVTX_NAME, struct.pack("<II", 1, len(name)) + name), trace_file.record(
        NVTX_RANGE, struct.pack("<IQQIIIIIB", tid, begin, end, 1, 0, tid, 0, 0, 1)))
    for line in case.export("jsonl", trace.save(case.folder / "with_range")).read_text().splitlines():
        line = json.loads(line)
        unknown = set(line) - keys[line["type"]] - {"type", "process"}
        assert not unknown, (line["type"], unknown)
        seen.add(line["type"])
    assert seen == set(keys), set(keys) ^ seen


def check_usage(case):
    for arguments in ([], [case.directory], ["--jsonl"], ["--sqlite", case.directory], ["--nonsense", case.directory],
                      ["--jsonl", "--folded", case.directory], ["--jsonl", "-o"]):
        done = case.run(*arguments)
        assert done.returncode == 2 and b"cutrace export --help" in done.stderr and not done.stdout, (arguments, done)
    assert b"--perfetto" in case.run("--help").stdout


def check_losses(case):
    """What was lost is in every format; so is that a trace is missing."""
    lossy = bytearray(case.trace)
    struct.pack_into("<Q", lossy, LOST, 12345)
    directory = case.write("lossy", bytes(lossy))
    for name in FORMATS:
        texts = texts_of(case, name, directory)
        assert any("12345 records dropped" in text for text in texts), (name, texts)
        assert not any("12345" in text for text in texts_of(case, name, case.directory))
        texts = texts_of(case, name, directory, case.folder / "nowhere", status=1)
        assert any("1 trace that could not be used" in text or "1 traces that could not be used" in text
                   for text in texts), (name, texts)  # tables and lines have number and things apart


def check_names(case):
    """Names are anybody's: no format breaks, and no control character gets through."""
    bad = bytearray(case.trace)
    bad[PROGRAM:PROGRAM + 64] = BAD_NAME.ljust(64, b"\0")
    kernel = b"_Z4spinx"
    assert kernel in bad
    directory = case.write("named", bytes(bad).replace(kernel, b"k\x02\xff\"\\;<\n"))
    renamed = os.fsencode(case.folder) + b"/b\x07d;\xe2\x82"
    os.rename(directory, renamed)
    directory = renamed
    for name in FORMATS:
        path = case.export(name, directory)
        if name == "sqlite":
            db = sqlite3.connect(path)
            texts = [text for table in ("StringIds", "PROCESSES") for row in db.execute(f"SELECT * FROM {table}")
                     for text in row if isinstance(text, str)]
        elif name == "perfetto":
            trace = pftrace.Trace(path)
            texts = [piece.name for piece in trace.slices]
            texts += [t["process"][0]["process_name"][0] for t in trace.tracks.values() if "process" in t]
        elif name == "html":
            data = page_data(path)
            texts = data["names"] + [process["label"] for process in data["processes"]]
        else:
            text = path.read_bytes().decode()
            texts = text.splitlines()
            assert all("\x1f" < c != "\x7f" for line in text.split("\n") for c in line), name
        assert texts and (name in ("jsonl", "folded") or all("\x1f" < c for text in texts for c in text)), name
    lines = [json.loads(line) for line in (case.folder / "out.jsonl").read_text().splitlines()]
    process, = (line for line in lines if line["type"] == "process")
    assert process["program"].startswith("a??[31m;\"\\"), process
    assert process["directory"].endswith("/b\x07d;\ufffd\ufffd"), process


def check_several(case):
    """Processes stay apart, those with one pid as well; times are from the first of them."""
    later = bytearray(case.trace)
    start, = struct.unpack_from("<Q", later, 40)
    struct.pack_into("<Q", later, 40, start + 5000)
    both = [case.directory, case.write("later", bytes(later))]
    db = sqlite3.connect(case.export("sqlite", *both))
    assert db.execute("SELECT count(DISTINCT globalPid) FROM PROCESSES").fetchone() == (2,)
    starts = db.execute("SELECT min(start), count(*) FROM CUPTI_ACTIVITY_KIND_RUNTIME GROUP BY globalTid >> 48")
    (first, calls), (second, calls_of_second) = starts.fetchall()
    assert second - first == 5000 and calls == calls_of_second
    processes = [t["process"][0]["pid"][0] for t in pftrace.Trace(case.export("perfetto", *both)).tracks.values()
                 if "process" in t]
    assert len(processes) == len(set(processes)) == 2
    lines = [json.loads(line) for line in case.export("jsonl", *both).read_text().splitlines()]
    assert {line["process"] for line in lines if line["type"] == "call"} == {0, 1}
    done = case.run("--jsonl", case.folder)  # a directory of them
    assert b'"type":"end"' in done.stdout.splitlines()[-1]


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: files_test.py CUTRACE TRACE.gz")
    for check in (check_usage, check_schema, check_keys, check_existing, check_failures, check_losses, check_names,
                  check_overlap, check_several, check_race, check_killed):
        with tempfile.TemporaryDirectory(prefix="cutrace-export.") as folder:
            check(Case(os.path.abspath(sys.argv[1]), sys.argv[2], pathlib.Path(folder)))
        print(f"{check.__name__}: held")


if __name__ == "__main__":
    main()
