#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints the table of `loky-bench --json FILE` in Markdown, as docs/performance.md has it.

    table.py FILE.json
"""

import json
import sys


def number(value):
    if value is None:
        return '–'
    return f'{value:,.0f}' if abs(value) >= 1000 else f'{value:.3g}'


def is_met(row):
    return row['ratio'] <= row['goal'] if row['bound'] == 'max' else row['ratio'] >= row['goal']


def main():
    with open(sys.argv[1], encoding='utf-8') as file:
        rows = json.load(file)
    print('| row | ours | unit | compared with | ratio | goal | | others |\n|---|---|---|---|---|---|---|---|')
    for row in rows:
        against = row['against']
        other = ', '.join(f'{name} {number(value)}' for name, value in row['peers'].items()
                          if name != against and value is not None)
        compared = f'{against} {number(row["peers"][against])}' if against else ''
        verdict = 'unknown' if row['ratio'] is None else 'met' if is_met(row) else 'missed'
        print(f'| {row["name"]} | {number(row["ours"])} | {row["unit"]} | {compared} | {number(row["ratio"])} | '
              f'{"≤" if row["bound"] == "max" else "≥"} {row["goal"]:g} | {verdict} | {other} |')


main()
