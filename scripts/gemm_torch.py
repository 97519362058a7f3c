"""Multiplies with torch.mm the shapes whose names stand on standard input, one
per line: MxKxN, with -AT or -BT where that operand lies transposed in memory.
Prints "NAME/threads=T GFLOP/s" for 1 and 2 threads: the median of nine stretches
of at least SECONDS / 9 each, as Go's benchmarks take the mean of one stretch.

usage: gemm_torch.py SECONDS <names
"""
import statistics
import sys
import time

import torch


def stretch(step, seconds):
    """The time per call over calls that together take at least so many seconds."""
    calls = 1
    while True:
        begin = time.perf_counter()
        for _ in range(calls):
            step()
        took = time.perf_counter() - begin
        if took >= seconds:
            return took / calls
        calls = max(2 * calls, int(1.2 * calls * seconds / took))


def main():
    seconds = float(sys.argv[1])
    names = sys.stdin.read().split()
    torch.set_num_interop_threads(1)
    for name in names:
        shape, _, flip = name.partition("-")
        m, k, n = (int(d) for d in shape.split("x"))
        a = torch.rand(k, m).t() if flip == "AT" else torch.rand(m, k)
        b = torch.rand(n, k).t() if flip == "BT" else torch.rand(k, n)
        c = torch.empty(m, n)
        for threads in 1, 2:
            torch.set_num_threads(threads)
            step = lambda: torch.mm(a, b, out=c)
            stretch(step, seconds / 9)
            per_call = statistics.median(stretch(step, seconds / 9) for _ in range(9))
            print(f"{name}/threads={threads} {2 * m * n * k / per_call / 1e9:.4g}", flush=True)


main()
