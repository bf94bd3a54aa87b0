#!/usr/bin/env python3
# SPDX-License-Identifier: MIT-0
"""Environment variables of workers, which the application itself does not have."""

import os
import sys

import gi

gi.require_version('Loky', '1')
from gi.repository import GLib, Loky  # noqa: E402

# The second one is a variable that libloky sets for workers by itself, if it is not given.
variables = {'HELLO_MOOD': 'merry', 'OMP_NUM_THREADS': '3'}
executor = Loky.Executor(
    max_workers=1, environment=[f'{name}={value}' for name, value in variables.items()])

told = {}
for name in variables:
    result = executor.call_sync('hello.variable', GLib.Variant('s', name), None, None)
    told[name] = result.get_string()
    print(f'{name} in the worker: {told[name]}, here: {os.environ.get(name, "not set")}')

sys.exit(0 if told == variables and 'HELLO_MOOD' not in os.environ else 1)
