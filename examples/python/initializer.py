#!/usr/bin/env python3
# SPDX-License-Identifier: MIT-0
"""A task that each worker runs before all others, and what it leaves there for them."""

import sys

import gi

gi.require_version('Loky', '1')
from gi.repository import GLib, Loky  # noqa: E402

executor = Loky.Executor(max_workers=2, initializer='hello.set-language',
                         initializer_args=GLib.Variant('s', 'fr'))

language = executor.call_sync('hello.language', None, None, None).get_string()
greeting = executor.call_sync('hello.greet', GLib.Variant('s', 'Ada'), None, None).get_string()
print(f'hello.language: {language}')
print(f'hello.greet: {greeting}')
sys.exit(0 if language == 'fr' and greeting.startswith('Bonjour Ada from worker ') else 1)
