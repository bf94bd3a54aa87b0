#!/usr/bin/env python3
# SPDX-License-Identifier: MIT-0
"""A plugin that is built anew while the program runs: the workers that have the old code are killed.

    reload.py EDITION-ONE EDITION-TWO
"""

import os
import shutil
import sys
import tempfile

import gi

gi.require_version('Loky', '1')
from gi.repository import GLib, Loky  # noqa: E402


def install(edition, plugin):
    # Renamed into place: a file that a process runs is never written into.
    shutil.copy(edition, plugin + '.new')
    os.rename(plugin + '.new', plugin)


def greet(folder, reloads):
    config = Loky.ExecutorConfig(max_workers=1, plugin_path=[folder])
    executor = Loky.get_reusable_executor(
        config, Loky.Reuse.NEVER if reloads else Loky.Reuse.AUTO, reloads)
    greeting = executor.call_sync('greeting.greet', GLib.Variant('s', 'Ada'), None, None).unpack()
    print(f'  {greeting}')
    return greeting


edition_one, edition_two = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    plugin = os.path.join(folder, 'greeting.so')

    print('Edition one')
    install(edition_one, plugin)
    first = greet(folder, False)

    print('Edition two, in a worker that has edition one')
    install(edition_two, plugin)
    second = greet(folder, False)

    print('Edition two, in a new worker')
    third = greet(folder, True)

expected = ('Good morning, Ada', 'Good morning, Ada', 'Good evening, Ada')
sys.exit(0 if (first, second, third) == expected else 1)
