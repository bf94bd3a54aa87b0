#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What other process pools take for the work that loky-bench measures.

    peers.py PEER WORK FACTOR

PEER: loky (of python3-joblib), multiprocessing, concurrent.futures or pebble; WORK: round-trip (µs), submit
(tasks/s), compute:USEC (tasks of so many µs of processor time a second), map (items/s), first-result (ms),
payload (GiB/s, both ways), idle-memory (MiB); FACTOR: by which counts of repetitions are multiplied, 0 for
once. Prints one number; ends with status 1 if the peer is missing.
"""

import os
import statistics
import sys
import time

N_WORKERS = 2


def nop(value):
    return value


def increment(value):
    return value + 1


def compute(usec):
    end = time.thread_time() + usec / 1e6
    while time.thread_time() < end:
        pass


class Executor:
    """A pool with submit() and shutdown(), as concurrent.futures has them."""

    def __init__(self, pool):
        self.pool = pool

    def submit(self, value, func=nop):
        return self.pool.submit(func, value)

    def result(self, future):
        return future.result()

    def shutdown(self):
        self.pool.shutdown()


class Multiprocessing(Executor):
    def submit(self, value, func=nop):
        return self.pool.apply_async(func, (value,))

    def result(self, future):
        return future.get()

    def shutdown(self):
        self.pool.terminate()
        self.pool.join()


class Pebble(Executor):
    def submit(self, value, func=nop):
        return self.pool.schedule(func, args=(value,))

    def shutdown(self):
        self.pool.stop()
        self.pool.join()


def make_pool(peer, n_workers):
    if peer == 'loky':
        from joblib.externals.loky import ProcessPoolExecutor
        return Executor(ProcessPoolExecutor(max_workers=n_workers))
    if peer == 'multiprocessing':
        import multiprocessing
        return Multiprocessing(multiprocessing.Pool(n_workers))
    if peer == 'concurrent.futures':
        import concurrent.futures
        return Executor(concurrent.futures.ProcessPoolExecutor(max_workers=n_workers))
    if peer == 'pebble':
        import pebble
        return Pebble(pebble.ProcessPool(max_workers=n_workers))
    raise SystemExit(f'there is no peer {peer}')


def call(pool, value):
    return pool.result(pool.submit(value))


def round_trip(peer, count):
    pool = make_pool(peer, 1)
    times = []
    for i in range(count(2000) + 10):
        start = time.perf_counter()
        call(pool, 1)
        if i >= 10:
            times.append(time.perf_counter() - start)
    pool.shutdown()
    return statistics.median(times) * 1e6


def run(peer, func, value, n):
    pool = make_pool(peer, N_WORKERS)
    call(pool, 1)
    start = time.perf_counter()
    for future in [pool.submit(value, func) for _ in range(n)]:
        pool.result(future)
    taken = time.perf_counter() - start
    pool.shutdown()
    return n / taken


def submit(peer, count):
    return run(peer, nop, 1, count(20000))


def computing(usec):
    return lambda peer, count: run(peer, compute, usec, min(20000, count(1000000 // max(usec, 10))))


def map_items(peer, count):
    """The best of some chunk sizes."""
    pool = make_pool(peer, N_WORKERS)
    n = count(2000000)
    best = 0
    for chunk in (1000, 10000, 100000):
        start = time.perf_counter()
        pool.pool.map(increment, range(n), chunk)
        best = max(best, n / (time.perf_counter() - start))
    pool.shutdown()
    return best


def first_result(peer, count):
    times = []
    for _ in range(count(10)):
        start = time.perf_counter()
        pool = make_pool(peer, 1)
        call(pool, 1)
        times.append(time.perf_counter() - start)
        pool.shutdown()
    return statistics.median(times) * 1e3


def payload(peer, count):
    pool = make_pool(peer, 1)
    value = b'\1' * (64 << 20)
    call(pool, b'')
    rates = []
    for _ in range(count(3)):
        start = time.perf_counter()
        call(pool, value)
        rates.append(2 * len(value) / (1 << 30) / (time.perf_counter() - start))
    pool.shutdown()
    return statistics.median(rates)


def idle_memory(peer, count):
    pool = make_pool(peer, 1)
    call(pool, 1)
    with open(f'/proc/self/task/{os.getpid()}/children', encoding='ascii') as file:
        pids = file.read().split()
    total = 0
    for pid in pids:
        with open(f'/proc/{pid}/smaps_rollup', encoding='ascii') as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith('Private_'))
    pool.shutdown()
    return total / 1024


WORKS = {'round-trip': round_trip, 'submit': submit, 'map': map_items, 'first-result': first_result,
         'payload': payload, 'idle-memory': idle_memory}


def main():
    peer, work, factor = sys.argv[1], sys.argv[2], float(sys.argv[3])
    measure = computing(int(work[8:])) if work.startswith('compute:') else WORKS[work]
    print(measure(peer, lambda n: max(1, int(n * factor))))


if __name__ == '__main__':
    main()
