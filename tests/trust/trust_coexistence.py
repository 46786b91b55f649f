# SPDX-License-Identifier: Apache-2.0
"""Checkers, allocators, debuggers and other tools in the same process."""
import functools
import pathlib
import shutil

from case_entry import BUSY, yields
from harness import (PATHS, check, has_rounds, one_line, quiet, same, says_blind, says_clean, trust,
                     victim)

SKIPPED = 77
ROUNDS = 200  # checked.c
SAYS = "200 of 200 rounds worked, child 3, libm 1\n"
STATUS = 24
SOURCE = pathlib.Path(__file__).with_name("checked.c")
CLANG_RUNTIMES = "/usr/lib/llvm-*/lib/clang/*/lib/linux"


def skip(why):
    print(f"skipped: {why}")
    return SKIPPED


@functools.cache
def build(here, compiler, *flags):
    """checked.c, or None where this compiler is not here or has no such runtime."""
    if not shutil.which(compiler):
        return None
    program = here.folder() / "checked"
    linked = here.bare([compiler, "-g", "-O1", *flags, f"-I{PATHS['CUDA']}/include", str(SOURCE),
                        "-o", str(program), f"-L{PATHS['FAKE']}", "-l:libcudart.so.13",
                        f"-Wl,-rpath-link,{PATHS['FAKE']}", "-lpthread", "-ldl"])
    print(linked.err, end="")
    return str(program) if linked.status == 0 else None


def beside(here, program, **variables):
    """The program runs as it does alone, and the trace is whole."""
    run = quiet(here.traced([program], **variables))
    same((run.out, run.status), (SAYS, STATUS), "what it says, and its status")
    has_rounds(run.trace(), ROUNDS)
    return run


def sanitized(here, ways, **variables):
    """Built in each of the ways that this machine can. Returns the programs."""
    built = [build(here, *way) for way in ways]
    for way, program in zip(ways, built):
        print(*way, "" if program else ": cannot be built here")
        if program:
            same(quiet(here.bare([program], **variables)).out, SAYS, "what it says alone")
        for mode in ("yield", "off") if program else ():
            beside(here, program, CUTRACE_CUPTI=mode, **variables)
    return [program for program in built if program]


@trust("coexistence ASan")
def asan(here):
    """Its shared runtime, which wants to come first, and its static one; both still check."""
    runtimes = sorted(map(str, pathlib.Path("/").glob(CLANG_RUNTIMES[1:])))
    path = ":".join([PATHS["FAKE"], *runtimes])
    programs = sanitized(here, [("gcc", "-fsanitize=address"),
                                ("gcc", "-fsanitize=address", "-static-libasan"),
                                ("clang", "-fsanitize=address"),
                                ("clang", "-fsanitize=address", "-shared-libasan")],
                         LD_LIBRARY_PATH=path)
    for program in programs:
        run = here.traced([program, "overflow"], LD_LIBRARY_PATH=path)
        check("heap-buffer-overflow" in run.err, f"{program} still finds errors", run.err)
    return 0 if programs else skip("no compiler with AddressSanitizer")


@trust("coexistence TSan")
def tsan(here):
    """It can see no atomics of ours, so it must see nothing of ours; and threads end in order."""
    programs = sanitized(here, [("gcc", "-fsanitize=thread"),
                                ("gcc", "-fsanitize=thread", "-static-libtsan"),
                                ("clang", "-fsanitize=thread")],
                         TSAN_OPTIONS="atexit_sleep_ms=50")  # else each end takes a second
    return 0 if programs else skip("no compiler with ThreadSanitizer")


def allocator(here, name):
    """Preloaded before us and behind us, with few calls, many, and many threads."""
    found = sorted(pathlib.Path("/usr/lib").glob(f"*/{name}"))
    if not found:
        return skip(f"no {name} here")
    program = build(here, "gcc")
    for order in f"{found[0]}:{PATHS['LIB']}", f"{PATHS['LIB']}:{found[0]}":
        if program:
            beside(here, program, LD_PRELOAD=order)
        run = quiet(here.traced(victim("work", "3000"), LD_PRELOAD=order))
        same(run.status, 12, f"status under {order}")
        has_rounds(run.trace(), 3000)
        says_clean(run.trace())
        run = quiet(here.traced(["/bin/ls", "/"], LD_PRELOAD=order))
        same(run.out, here.bare(["/bin/ls", "/"]).out, f"/bin/ls under {order}")
    return 0


@trust("coexistence jemalloc")
def jemalloc(here):
    return allocator(here, "libjemalloc.so.2")


@trust("coexistence tcmalloc")
def tcmalloc(here):
    return allocator(here, "libtcmalloc_minimal.so.4")


@trust("coexistence mimalloc")
def mimalloc(here):
    return allocator(here, "libmimalloc.so.2*")


def two_copies(here):
    """Of cutrace itself: the first records, once, and a line says which does not."""
    prefix = here.folder()
    for folder in "lib", "bin":
        (prefix / folder).mkdir()
    copy = shutil.copy(PATHS["LIB"], prefix / "lib")
    (prefix / "bin" / "cutrace").symlink_to(PATHS["CUTRACE"])
    for first, second in (PATHS["LIB"], copy), (copy, PATHS["LIB"]):
        run = here.traced(victim("work", "20"), LD_PRELOAD=f"{first}:{second}")
        one_line(run, "preloaded twice", f"not {second}")
        same(run.status, 12, "status under two copies")
        has_rounds(run.trace(), 20)
        says_clean(run.trace())
        run = quiet(here.traced(["/bin/ls", "/"], LD_PRELOAD=f"{first}:{second}"))
        check(not run.left(), "nothing is left", run.left())


@trust("coexistence second shim")
def second_shim(here):
    """Another tool's wrappers, before ours and behind them, see all that they saw without us."""
    other = PATHS["OTHER_SHIM"]
    for order in f"{other}:{PATHS['LIB']}", f"{PATHS['LIB']}:{other}":
        for mode in "yield", "off":
            run = quiet(here.traced(victim("work", "20"), LD_PRELOAD=order, CUTRACE_CUPTI=mode))
            same(run.out, "20 of 20 rounds worked\nother shim: 20 allocations, 20 frees\n",
                 f"what is said under {order}")
            same(run.status, 12, "status")
            has_rounds(run.trace(), 20)
    two_copies(here)


GDB = ["gdb", "-nx", "-batch", "-ex", "set startup-with-shell off", "-ex",
       "set confirm off", "-ex", "set debuginfod enabled off"]


@trust("coexistence gdb")
def gdb(here):
    """Breakpoints in wrappers and in the program, a backtrace through us, and a free run."""
    if not shutil.which("gdb"):
        return skip("no gdb here")
    settings = ["-ex", f"set env LD_PRELOAD {PATHS['LIB']}", "-ex", "set env CUTRACE_QUIET 1"]
    stops = ["-ex", "break cudaFree", "-ex", "run", "-ex", "backtrace", "-ex", "finish", "-ex",
             "delete", "-ex", "continue"]
    for commands in ["-ex", "run"], stops:
        run = here.bare([*GDB, *settings, *commands, "--args", *victim("work", "50")])
        check("exited with code 014" in run.out, "the program ended as ever", run.out + run.err)
        check("50 of 50 rounds worked" in run.out, "the program worked", run.out)
        has_rounds(run.trace(), 50)
        says_clean(run.trace())
    check("victim_cuda" in run.out and "main" in run.out, "the backtrace is whole", run.out)
    return 0


@trust("coexistence valgrind")
def valgrind(here):
    """Memcheck has no error to report that it does not report without us; nor lost memory."""
    if not shutil.which("valgrind"):
        return skip("no valgrind here")
    checker = ["valgrind", "-q", "--leak-check=full", "--show-leak-kinds=definite",
               "--errors-for-leak-kinds=definite", "--error-exitcode=99"]
    program = build(here, "gcc")
    for command in ([program], victim("work", "20"), [PATHS["STATIC"], "work", "20"]):
        if command[0]:
            checked = [*checker, *command]
            quiet(here.both(checked, CUTRACE_CUPTI="yield")).trace()
            run = quiet(here.traced(checked, CUTRACE_CUPTI="off"))
            run.trace()
            same((run.out, run.status), (SAYS, STATUS) if command == [program] else
                 ("20 of 20 rounds worked\n", 12), "what it says, and its status")
    return 0


@trust("coexistence CUPTI subscriber present")
def subscriber_present(here):
    """By default CUPTI is the program's own profiler's, before us, in the middle, and at once."""
    for program in "PROFILER", "PROFILER_LINKED":
        yields(here, program)
    copy = here.folder() / "libcupti.so.13"
    shutil.copy(f"{PATHS['FAKE']}/libcupti.so.13", copy)
    yields(here, "PROFILER", "late", str(copy))
    run = quiet(here.both([PATHS["PROFILER"], "early"]))
    check("the profiler saw all" in run.out, "it got its records", run.out)
    has_rounds(run.trace(), 2 * 5)
    says_blind(run.trace(), "own profiler uses CUPTI since before the first CUDA call")
    run = quiet(here.both([PATHS["PROFILER"], "busy"]))
    has_rounds(run.trace(), BUSY)
    run = one_line(here.both(victim("work", "20"), FAKE_CUPTI_FAIL="taken"), "another profiler")
    has_rounds(run.trace(), 20)
    says_blind(run.trace(), "another profiler")
