# SPDX-License-Identifier: Apache-2.0
"""
Calls CUDA from Python in many ways. Before each call, and on its line, say() prints the frames
as Python itself sees them: what a trace must hold. usage: victim_python.py MODE
"""
import ctypes
import functools
import json
import os
import sys
import threading

RUNTIME = os.environ.get("VICTIM_CUDART", "libcudart.so.13")  # to run it on a GPU
rt = ctypes.CDLL(RUNTIME)     # releases the GIL
held = ctypes.PyDLL(RUNTIME)  # keeps it
libc = ctypes.CDLL(None)


def say():
    frame, frames = sys._getframe(1), []
    while frame:
        code = frame.f_code
        frames.append([code.co_filename, frame.f_lineno, getattr(code, "co_qualname", code.co_name)])
        frame = frame.f_back
    print(json.dumps(frames), flush=True)


def nested():
    class Trainer:
        def step(self):
            say(); rt.cudaDeviceSynchronize()

        def run(self):
            self.step()
            (lambda: self.step())()
            functools.partial(self.step)()  # from C into Python again
            list(map(lambda _: self.step(), [1, 2]))
    Trainer().run()


def lines():
    """One native stack, and lines that differ from call to call; some are long, some far."""
    for _ in range(5):
        say(); rt.cudaDeviceSynchronize()
        say(); rt.cudaDeviceSynchronize()
        for call in rt.cudaDeviceSynchronize, held.cudaDeviceSynchronize:
            say(); call()
        if (_ +
                1):
            print(
                "the frame's line is that of the call",
                say(), rt.cudaDeviceSynchronize(),
                "and not the first")


def recursion(depth=60):
    if depth % 7 == 0:
        say(); rt.cudaDeviceSynchronize()
    if depth:
        recursion(depth - 1)


def native_recursion(depth=60):
    """Many eval loops of C upon each other: more native frames than a stack has room for."""
    if depth:
        return sorted([1], key=lambda _: native_recursion(depth - 1))
    say(); return [rt.cudaDeviceSynchronize()]


def deep():
    recursion(200)


def thread():
    for _ in range(3):
        one = threading.Thread(target=lines)
        one.start()
        one.join()
    lines()


def generator():
    def numbers():
        for i in range(4):
            say(); rt.cudaDeviceSynchronize()
            yield i

    def outer():
        yield from numbers()

    async def coroutine():
        say(); rt.cudaDeviceSynchronize()

    for _ in outer():
        say(); rt.cudaDeviceSynchronize()
    list(outer())
    try:
        coroutine().send(None)
    except StopIteration:
        pass


def gil():
    for _ in range(4):
        say(); held.cudaDeviceSynchronize()
        say(); rt.cudaDeviceSynchronize()


def unicode():
    names = ["ascii.py", "größe.py", "файл.py", "𝔘.py", "byte\udcff.py", "x" * 2000 + "/end.py"]
    for name in names:
        source = "\n\ndef übung_λ_函数():\n    say(); rt.cudaDeviceSynchronize()\nübung_λ_函数()\n"
        exec(compile(source, name, "exec"), {"say": say, "rt": rt})
    code = compile("say(); rt.cudaDeviceSynchronize()", "in a folder/with spaces.py", "exec")
    exec(code.replace(co_name="a name with spaces"), {"say": say, "rt": rt})


def recreated():
    """Code objects are freed and made anew, at the same addresses and of the same size."""
    for i in list(range(60)) * 2:
        source = "\n" * (i % 20) + "say(); rt.cudaDeviceSynchronize()" + "\n" * (i % 3)
        exec(compile(source, f"<made {i // 40}>", "exec"), {"say": say, "rt": rt})


def no_state():
    """A thread that Python knows nothing of."""
    call = ctypes.cast(rt.cudaDeviceSynchronize, ctypes.c_void_p)
    one = ctypes.c_void_p()
    for _ in range(3):
        if libc.pthread_create(ctypes.byref(one), None, call, None) == 0:
            libc.pthread_join(one, None)
    say(); rt.cudaDeviceSynchronize()


def callback():
    """A thread of C's that calls into Python: it gets a thread state for as long as that takes."""
    @ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
    def entry(_):
        say(); rt.cudaDeviceSynchronize()
        return None

    one = ctypes.c_void_p()
    for _ in range(3):
        if libc.pthread_create(ctypes.byref(one), None, entry, None) == 0:
            libc.pthread_join(one, None)


def tracing():
    """Instrumented code, and frames that a debugger has made objects of."""
    sys.settrace(lambda *_: None)
    sys.setprofile(lambda *_: None)
    lines()
    sys.settrace(None)
    sys.setprofile(None)
    lines()


def profiled():
    """Functions that have run no instruction yet, and ones that are about to return."""
    def profile(*_):
        say(); rt.cudaDeviceSynchronize()

    def called(
            number):
        return [number
                for _ in range(2)]

    def numbers():
        yield called(1)
    sys.setprofile(profile)
    list(numbers())
    sys.setprofile(None)


class Finalised:
    def __del__(self):
        say(); rt.cudaDeviceSynchronize()


def finaliser():
    def use():
        one = Finalised()
        return one.__class__
    for _ in range(4):
        use()
    try:
        Finalised().missing
    except AttributeError:
        pass


def hot():
    """The same calls often enough for the interpreter to specialise them."""
    def inner():
        say(); rt.cudaDeviceSynchronize()

    class Made:
        def __init__(self):
            inner()

        @property
        def value(self):
            return inner()
    for _ in range(40):
        Made().value


class Slow:
    def __init__(self):
        self.sleep, self.call = libc.usleep, rt.cudaDeviceSynchronize

    def __del__(self):
        self.sleep(600000)
        self.call()


def daemon():
    """The interpreter ends, and with it the state of a thread that is inside a call."""
    global slow
    slow = Slow()  # goes with the module, after the states of other threads
    sleep = ctypes.cast(libc.usleep, ctypes.c_void_p)
    rt.cudaLaunchHostFunc(None, sleep, ctypes.c_void_p(400000))
    threading.Thread(target=rt.cudaDeviceSynchronize, daemon=True).start()
    libc.usleep(100000)


def places():
    """Calls from so many thousand lines; in small functions, as each of a large one takes longer."""
    wait = {"wait": rt.cudaDeviceSynchronize}
    for code in [compile("wait()\n" * 100, str(i), "exec") for i in range(10 * int(sys.argv[2]))]:
        exec(code, wait)


def bench():
    """Time per call in a loop, at some depth of Python; printed for people."""
    import time
    rounds = int(sys.argv[2])

    def loop(depth):
        if depth:
            return loop(depth - 1)
        call = rt.cudaGetLastError if len(sys.argv) > 3 else rt.cudaDeviceSynchronize
        begin = time.thread_time_ns()
        for _ in range(rounds):
            call()
        return (time.thread_time_ns() - begin) / rounds
    for depth in 1, 10, 30, 100:
        print(depth, round(loop(depth)), file=sys.stderr)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
