#!/usr/bin/env python3
# SPDX-License-Identifier: MIT-0
"""What workers remember is gone after a restart: another executor, and the workers of the old one
are killed."""

import sys

import gi

gi.require_version('Loky', '1')
from gi.repository import Loky  # noqa: E402


def ask(executor):
    count = executor.call_sync('hello.count', None, None, None).get_uint32()
    print(f'Call {count} of this worker')
    return count


config = Loky.ExecutorConfig(max_workers=1)
executor = Loky.get_reusable_executor(config, Loky.Reuse.AUTO, False)
counts = [ask(executor) for _ in range(3)]

print('Restart')
restarted = Loky.get_reusable_executor(config, Loky.Reuse.NEVER, True)
counts.append(ask(restarted))

# The old one takes no more tasks.
is_open = executor.get_state() == Loky.ExecutorState.OPEN
sys.exit(0 if counts == [1, 2, 3, 1] and not is_open else 1)
