#!/usr/bin/env python3
# SPDX-License-Identifier: MIT-0
"""Fifty tasks by four workers, all of which take part."""

import sys

import gi

gi.require_version('Loky', '1')
from gi.repository import Loky  # noqa: E402

N_WORKERS = 4
N_TASKS = 50

executor = Loky.Executor.new(N_WORKERS)
# All are there before there is work: else who comes first could have done it.
executor.warm_up_sync(N_WORKERS, None)

names = ['world'] * N_TASKS
results = executor.map('hello.greet-slowly', Loky.Input.new_for_strv(names), None)
greetings = []
while (future := results.next(None)) is not None:
    greetings.append(future.dup_result().get_string())

# Equal questions: answers differ by who gave them.
for greeting in sorted(set(greetings)):
    print(greeting)
print(f'{len(greetings)} tasks by {len(set(greetings))} workers')
sys.exit(0 if len(greetings) == N_TASKS and len(set(greetings)) == N_WORKERS else 1)
