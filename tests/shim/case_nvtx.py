# SPDX-License-Identifier: Apache-2.0
"""Ranges of NVTX: nvtx_user.c has NVIDIA's own headers in it."""
import collections
import json
import re
import signal
import sqlite3

from harness import PATHS, calls, case, check, cutrace, quiet, report_text, same, says_blind, says_clean, table

RECORD = re.compile(r"nvtx_(range|open) kind=(\d) begin=(\d+) end=(\d+) tid=(\d+) end_tid=(\d+) name=(\d+) "
                    r"domain=(\d+) category=(\d+) color=(\w+) cut=(\d)")


def user(*arguments):
    return [PATHS["NVTX"], *map(str, arguments)]


def ranges(here, folder):
    """Records of ranges in a trace: dictionaries with names in place of their numbers."""
    text = here.bare(cutrace("dump", folder)).out
    names = {"0": ""}
    for line in text.splitlines():
        if " nvtx_name " in line:
            number, name = re.search(r"id=(\d+) (.*)", line).groups()
            names.setdefault(number, name)
    found = []
    for kind in RECORD.finditer(text):
        found.append({"open": kind[1] == "open", "kind": int(kind[2]), "begin": int(kind[3]), "end": int(kind[4]),
                      "tid": kind[5], "end_tid": kind[6], "name": names.get(kind[7], "?"),
                      "domain": names.get(kind[8], "?"), "category": kind[9], "color": kind[10],
                      "cut": kind[11] == "1"})
    return [one for one in found if one["begin"]]


@case
def nvtx_ranges(here):
    """Every way to mark a range is recorded, once; the program gets what it would without us."""
    folder = quiet(here.both(user("ways"))).trace()
    says_clean(folder)
    found = {one["name"]: one for one in ranges(here, folder)}
    same(sorted(found), sorted(["before the first call", "wïde", "ex", "registered", "outer span", "inner span",
                                "left open"]), "ranges that were under way once there was a trace")
    same(len(ranges(here, folder)), len(found), "each once, none open at the end")
    for one in found.values():
        check(one["begin"] < one["end"], "a range has a length", one)
        same(one["kind"], 2 if "span" in one["name"] else 1, "kind")
        same(one["domain"], "solver" if one["name"] == "registered" else "", "domain")
        same((one["category"], one["color"]), ("7", "0xff112233") if one["name"] in ("ex", "registered") else
             ("0", "0x0"), "category and colour")
        same(one["cut"], one["name"] == "left open", "whether its thread had ended")
        same(one["tid"] != one["end_tid"], one["name"] == "outer span", "ended by another thread")
    check(found["ex"]["begin"] < found["registered"]["begin"] < found["ex"]["end"] < found["registered"]["end"],
          "a pop is of its domain", found)


@case
def nvtx_old(here):
    """Versions before 3 come by another name, and with fewer functions."""
    folder = quiet(here.both(user("old"))).trace()
    same({row["NVTX Range"] for row in calls(folder)}, {"old"}, "ranges of calls")


@case
def nvtx_payloads(here):
    """The extension for payloads ends ranges, too; what a range is called may be in its payload."""
    run = quiet(here.both(user("payloads")))
    if "no payloads" in run.out:
        return
    found = ranges(here, run.trace())
    same([(one["name"], one["kind"], one["domain"]) for one in found], [
        ("before the first call", 1, ""), ("init", 1, "NCCL"), ("", 1, "NCCL"), ("", 2, "NCCL")], "ranges")
    same([one["name"] for one in found if one["open"]], [], "ranges that never ended")
    same(sorted({row["NVTX Range"] for row in calls(run.trace())}),
         sorted(["", "before the first call", "NCCL:init", "NCCL:(unnamed)"]), "ranges of calls")


@case
def nvtx_constructor(here):
    """NVTX finds us without the loader, whose lock the thread has that waits for NVTX's first use."""
    says_clean(quiet(here.both(user("load", PATHS["NVTX_WAITS"]))).trace())


@case
def nvtx_requests(here):
    """Hundreds of started ranges may be open, and no other one is lost for it."""
    folder = quiet(here.both(user("requests", 900))).trace()
    says_clean(folder)
    found = ranges(here, folder)
    same(sum(one["name"] == "request" for one in found), 1100, "those that ended")
    same(sum(one["open"] for one in found), 900, "those under way")
    says_blind(quiet(here.both(user("requests", 1030))).trace(), f"{6 + 1100} NVTX ranges not kept")


@case
def nvtx_killed(here):
    """Of a killed program the ranges that were under way are known, those from before CUDA too."""
    run = here.traced(user("killed"))
    same(run.status, -signal.SIGKILL, "status")
    same([(one["name"], one["open"]) for one in ranges(here, run.trace())],
         [("before the first call", True), ("under way", True)], "ranges")
    run = here.traced(user("killed", "divers"))
    same([one["name"] for one in ranges(here, run.trace()) if one["open"]], ["before the first call", "under way"],
         "ranges under way, where other threads have had many")


@case
def nvtx_windows(here):
    """Of ranges, too, only what is in a window has a record, be it in part."""
    folder = quiet(here.both(user("windows"), CUTRACE_START="api")).trace()
    same(sorted(one["name"] for one in ranges(here, folder)),
         sorted(["before the first call", "around", "into it", "in it", "out of it"]), "ranges")


@case
def nvtx_windows_late(here):
    """However many names went by outside windows, those within have room."""
    folder = quiet(here.both(user("windows_late", 70000), CUTRACE_START="api")).trace()
    names = collections.Counter(one["name"] for one in ranges(here, folder))
    same(sum(names[f"inside {i}"] for i in range(1000)), 1000, "ranges with their name")
    same(names[""] + names["?"], 1, "and one without, which was begun outside")
    says_blind(folder, "1 NVTX range without a name")


@case
def nvtx_many(here):
    """What is too deep, and names beyond those that there is room for, is counted."""
    folder = quiet(here.both(user("deep", 200))).trace()
    found = ranges(here, folder)
    same(len(found), 128 + 128, "ranges of a thread, twice, with the one around")
    says_blind(folder, "75 NVTX ranges not kept")
    outer, after = (next(one for one in found if one["name"] == name) for name in ("outer", "next"))
    check(outer["end"] <= after["begin"], "a pop ends what is of its domain", found)
    flight = quiet(here.both(user("many", 20000), CUTRACE_LIMIT="1M")).trace()
    check("names, stacks and totals dropped" not in report_text(flight), "names of ranges crowd out others")
    folder = quiet(here.both(user("many", 70000))).trace()
    found = ranges(here, folder)
    same(len(found), 70101, "ranges")
    nameless = sum(one["name"] in ("", "?") for one in found)
    check(100 < nameless < 7000, "without a name", nameless)
    says_blind(folder, f"{nameless + 1} NVTX ranges without a name")  # and what was registered


@case
def nvtx_not_ours(here):
    """No ranges if they are not wanted or another tool has them: it says so. No CUDA, no trace."""
    folder = quiet(here.both(user("ways"), CUTRACE_NVTX="off")).trace()
    same(ranges(here, folder), [], "ranges")
    says_blind(folder, "NVTX ranges: they are switched off")
    same(ranges(here, here.both(user("ways"), CUTRACE_START="signal").trace()), [], "ranges outside of any window")
    run = quiet(here.both(user("ways"), NVTX_INJECTION64_PATH=PATHS["NVTX_TOOL"]))
    check("the other tool" in run.out, "the other tool is loaded", run.out)
    same(ranges(here, run.trace()), [], "ranges")
    says_blind(run.trace(), "NVTX_INJECTION64_PATH belongs to another tool")
    same(quiet(here.both(user("none"))).left(), [], "what is left without CUDA")
    check("NVTX" not in report_text(quiet(here.both([PATHS["PLAIN"]])).trace()), "nothing of NVTX without it")


IN_TURN = (["before the first call"] + ["wïde", "ex"] + ["solver:registered"] * 2 + ["before the first call"] +
           ["outer span"] + ["inner span"] * 2 + ["left open"])  # around each three calls of nvtx_user.c


@case
def nvtx_report(here):
    """Calls and waits name the innermost range of their thread, sums are by range, filters go by it."""
    folder = quiet(here.both(user("ways"))).trace()
    whole = calls(folder)
    same([row["NVTX Range"] for row in whole], [name for name in IN_TURN for _ in range(3)], "ranges of calls")
    by_start = {int(row["Start (ns)"]): row["NVTX Range"] for row in whole}
    for row in table(folder, "blocked"):
        start = max(start for start in by_start if start <= int(row["Start (ns)"]))
        same(row["NVTX Range"], by_start[start], "range of a wait")
    sums = {row["NVTX Range"]: row for row in table(folder, "nvtx")}
    same({name: int(row["Calls"]) for name, row in sums.items()},
         {**{name: 3 * IN_TURN.count(name) for name in IN_TURN}, "(in no range)": 0}, "calls by range")
    same({name: int(row["Calls At Any Depth"]) for name, row in sums.items()},
         {"before the first call": 27, "wïde": 3, "ex": 6, "solver:registered": 6, "outer span": 6, "inner span": 6,
          "left open": 3, "(in no range)": 0}, "calls at any depth")
    same(sum(int(row["Blocked (ns)"]) for row in sums.values()),
         sum(int(row["Blocked (ns)"]) for row in table(folder, "callsites")), "time blocked")
    check("in NVTX range before the first call" in report_text(folder), "the text names the range of a wait")
    first = (folder / "nvtx.csv").read_bytes()
    quiet(here.bare(cutrace("report", "--part-records=8", "--all-rows", "--write-only", folder)))
    same(calls(folder), whole, "calls, when analyzed in parts")
    same((folder / "nvtx.csv").read_bytes(), first, "sums, when analyzed in parts")
    for pattern, wanted, *more in (("registered", 6), ("before*", 27), ("*:*d", 6, "--part-records=8")):
        run = quiet(here.bare(cutrace("report", "--nvtx", pattern, *more, folder)))
        check(f"shown: {wanted} of 30 calls" in run.out, f"--nvtx {pattern} {more} shows {wanted}", run.out)


@case
def nvtx_report_killed(here):
    """A range that never ended lasts to the end."""
    folder = here.traced(user("killed")).trace()
    quiet(here.bare(cutrace("report", "--write-only", folder)))
    same([row["NVTX Range"] for row in calls(folder)], ["before the first call"] * 3 + ["under way"] * 3, "ranges")
    same({row["NVTX Range"]: row["Never Ended"] for row in table(folder, "nvtx") if row["Ranges"] != "0"},
         {"before the first call": "1", "under way": "1"}, "ranges that never ended")
    check("1 of 1 never ended" in " ".join(report_text(folder).split()), "the text says so", report_text(folder))


@case
def nvtx_exports(here):
    """SQLite has ranges as Nsight Systems has them, JSON lines and Perfetto have them too; calls name theirs."""
    folder = quiet(here.both(user("ways"))).trace()
    whole = sorted((one["name"], one["kind"], one["end"] - one["begin"]) for one in ranges(here, folder))
    run = here.bare(cutrace("export", "--sqlite", "-o", "x.sqlite", folder))
    db = sqlite3.connect(run.folder / "x.sqlite")
    same(sorted(db.execute("SELECT text, eventType - 58, end - start FROM NVTX_EVENTS WHERE end IS NOT NULL")),
         whole, "ranges in SQLite")
    domains = "SELECT r.text FROM NVTX_EVENTS AS r JOIN NVTX_EVENTS AS d ON r.domainId = d.domainId " \
              "WHERE d.eventType = 75 AND d.text = 'solver' AND r.eventType = 59"
    same(db.execute(domains).fetchall(), [("registered",)], "those of a domain")
    names = "SELECT value FROM CUPTI_ACTIVITY_KIND_RUNTIME JOIN StringIds ON id = nvtxRangeId ORDER BY start"
    same([name for name, in db.execute(names)], [row["NVTX Range"] for row in calls(folder)], "ranges of calls")
    run = here.bare(cutrace("export", "--jsonl", "--part-records=8", folder))
    lines = [json.loads(line) for line in run.out.splitlines()]
    same(sorted((line["name"], 1 + (line["kind"] == "started"), line["duration_ns"]) for line in lines
                if line["type"] == "nvtx_range"), whole, "ranges in JSON lines, in parts")
    same([line["nvtx_range"] for line in lines if line["type"] == "call"],
         [row["NVTX Range"] for row in calls(folder)], "ranges of calls in JSON lines")
    run = here.bare(cutrace("export", "--perfetto", "-o", "x.pftrace", folder))
    trace = (run.folder / "x.pftrace").read_bytes()
    check(b"NVTX ranges of thread" in trace and all(name.encode() in trace for name, _, _ in whole), "in Perfetto's")
