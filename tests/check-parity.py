#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks that docs/parity.md answers for each behaviour of Python's loky, by tests that ran.

    check-parity.py PARITY.md [TESTLOG.json…]    TAP

The logs are those of `meson test`. Without one only the page itself is looked at. Fails if an id is missing, is there
twice, or says neither which test shows it nor what is instead; or if a test that it names is not among those that
passed.
"""

import json
import re
import sys

# How many there are of each letter.
IDS = {'A': 12, 'B': 23, 'C': 7, 'D': 29, 'E': 16, 'F': 17, 'G': 5, 'H': 4, 'I': 4, 'J': 5, 'K': 10, 'L': 10, 'M': 9,
       'N': 8, 'O': 8, 'P': 4, 'Z': 17}

ROW = re.compile(r'^\| ([A-Z]\d+) \|(.*)\|(.*)\|(.*)\|$')
TEST = re.compile(r'`(/loky/[^`]+)`')
PASSED = re.compile(r'^ok \d+ -?\s*(/loky/\S+)(?!.*# SKIP)')

# What a row says at the least where no test is named.
SHORTEST_ANSWER = 10


def read_rows(path):
    rows = {}
    errors = []
    with open(path, encoding='utf-8') as page:
        for line in page:
            match = ROW.match(line.rstrip())
            if match is None:
                continue
            name, _, answer, tests = match.groups()
            if name in rows:
                errors.append(f'{name} is there twice')
            rows[name] = (answer.strip(), TEST.findall(tests))
            if re.sub(TEST, '', tests).strip():
                errors.append(f'{name} names something that is no test: {tests.strip()}')
    return rows, errors


def check_rows(rows):
    expected = [f'{letter}{number}' for letter, count in IDS.items() for number in range(1, count + 1)]
    for name in expected:
        if name not in rows:
            yield f'{name} is missing'
    for name, (answer, tests) in rows.items():
        if name not in expected:
            yield f'{name} is no behaviour of loky'
        if not tests and len(answer) < SHORTEST_ANSWER:
            yield f'{name} says neither what shows it nor what is instead'


def read_passed(paths):
    passed = set()
    for path in paths:
        with open(path, encoding='utf-8') as log:
            for line in log:
                for output in (json.loads(line).get('stdout') or '').splitlines():
                    match = PASSED.match(output)
                    if match is not None:
                        passed.add(match.group(1))
    return passed


def check_tests(rows, passed):
    for name, (_, tests) in rows.items():
        for test in tests:
            if test not in passed:
                yield f'{name} names {test}, which did not run or did not pass'


def report(number, path, errors):
    for error in errors:
        print('#', error)
    print('not ok' if errors else 'ok', number, path)
    return bool(errors)


def main():
    rows, errors = read_rows(sys.argv[1])
    logs = sys.argv[2:]
    failed = report(1, '/loky/parity/each-behaviour', errors + list(check_rows(rows)))
    if logs:
        failed |= report(2, '/loky/parity/tests-ran', list(check_tests(rows, read_passed(logs))))
    print(f'1..{2 if logs else 1}')
    return int(failed)


sys.exit(main())
