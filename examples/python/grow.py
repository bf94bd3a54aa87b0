#!/usr/bin/env python3
# SPDX-License-Identifier: MIT-0
"""From two workers to four: who asks for more of them gets the same executor, whose workers stay."""

import sys

import gi

gi.require_version('Loky', '1')
from gi.repository import GLib, Loky  # noqa: E402


def ask_all(n_workers):
    """Who answers: each of the workers, as it is asked while the others are busy."""
    config = Loky.ExecutorConfig(max_workers=n_workers)
    executor = Loky.get_reusable_executor(config, Loky.Reuse.AUTO, False)
    executor.warm_up_sync(n_workers, None)
    futures = [executor.submit('hello.greet-slowly', GLib.Variant('s', 'you'), None)
               for _ in range(n_workers)]
    Loky.wait(futures, Loky.WaitMode.ALL_COMPLETED, -1, None)
    answers = {future.dup_result().get_string() for future in futures}

    print(f'With {n_workers} workers:')
    for answer in sorted(answers):
        print(f'  {answer}')
    return answers


two = ask_all(2)
four = ask_all(4)
print(f'{len(two)} became {len(four)}, and {len(two & four)} of them stayed')
sys.exit(0 if len(two) == 2 and len(four) == 4 and two < four else 1)
