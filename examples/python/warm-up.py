#!/usr/bin/env python3
# SPDX-License-Identifier: MIT-0
"""Workers that are ready before the program reads its first line, so that its first call starts
none. A program with a main loop does the same by warm_up_async()."""

import sys
import time

import gi

gi.require_version('Loky', '1')
from gi.repository import GLib, Loky  # noqa: E402

N_WORKERS = 2


def greet(executor, name):
    start = time.monotonic()
    greeting = executor.call_sync('hello.greet', GLib.Variant('s', name), None, None).get_string()
    print(f'{greeting}, in {(time.monotonic() - start) * 1000:.2f} ms')


executor = Loky.Executor.new(N_WORKERS)
cold = Loky.Executor.new(N_WORKERS)
executor.warm_up_sync(N_WORKERS, None)

print('Your name? ', end='', flush=True)
name = sys.stdin.readline().strip() or 'nobody'
n_before = executor.get_n_workers()
print(f'Warm, with {n_before} workers: ', end='')
greet(executor, name)
print(f'Cold, with {cold.get_n_workers()} workers: ', end='')
greet(cold, name)
sys.exit(0 if n_before == N_WORKERS and executor.get_n_workers() == N_WORKERS else 1)
