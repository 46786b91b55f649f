# SPDX-License-Identifier: Apache-2.0
"""Python workers that use CUDA through ctypes: victim_multi.py spawn|fork 0|1 (parent, too)."""
import ctypes
import multiprocessing
import sys

WORKERS = 3
ROUNDS = 4


def work(_):
    """Returns the number of calls that failed."""
    runtime = ctypes.CDLL("libcudart.so.13")
    memory = ctypes.c_void_p()
    return sum(bool(error) for _ in range(ROUNDS) for error in (
        runtime.cudaMalloc(ctypes.byref(memory), ctypes.c_size_t(4096)),
        runtime.cudaDeviceSynchronize(), runtime.cudaFree(memory)))


def work_and_tell(pipe, number):
    pipe.send(work(number))
    pipe.close()


def main():
    context = multiprocessing.get_context(sys.argv[1])
    if sys.argv[2] == "1":
        work(0)
    pipes = [context.Pipe(False) for _ in range(WORKERS)]
    workers = [context.Process(target=work_and_tell, args=(pipe[1], number))
               for number, pipe in enumerate(pipes)]
    for worker in workers:
        worker.start()
    print([pipe[0].recv() for pipe in pipes])
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main()
