#!/usr/bin/env python3
# SPDX-License-Identifier: MIT-0
"""Two batches that know nothing of each other, over the workers of one executor, which leave when
there was nothing to do for two seconds."""

import sys

import gi

gi.require_version('Loky', '1')
from gi.repository import GLib, Loky  # noqa: E402

N_WORKERS = 2
N_TASKS = 8


def run_batch(title):
    """Returns who answered."""
    config = Loky.ExecutorConfig(max_workers=N_WORKERS, idle_timeout=2000)
    executor = Loky.get_reusable_executor(config, Loky.Reuse.AUTO, False)
    futures = [executor.submit('hello.greet-slowly', GLib.Variant('s', 'again'), None)
               for _ in range(N_TASKS)]
    completions = Loky.as_completed(futures)
    greetings = set()

    print(title)
    while (future := completions.next(-1, None)) is not None:
        greeting = future.dup_result().get_string()
        print(f'  {greeting}')
        greetings.add(greeting)
    return greetings


greetings = run_batch('First batch') | run_batch('Second batch')

# The one that there is, whatever its settings.
executor = Loky.get_reusable_executor(None, Loky.Reuse.ALWAYS, False)
executor.connect('notify::n-workers', lambda *_: print('Workers:', executor.get_n_workers()))
while executor.get_n_workers() > 0:
    GLib.MainContext.default().iteration(True)

print(f'{len(greetings)} workers did both batches, and {executor.get_n_workers()} are left')
sys.exit(0 if len(greetings) <= N_WORKERS else 1)
