#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the version script of the lower library.

    make-map.py API VERSION HEADER...

What the public HEADERs declare has the version of the API; all else that is not static is for the upper library of
the same VERSION only. Names that the lower library does not have do no harm.
"""

import re
import sys

FUNCTION = re.compile(r'\bLOKY_AVAILABLE_IN_\w+\s+(?:G_DECLARE_\w+ \(\w+, (\w+)|[^;(]*?\b(\w+) \()')


def main():
    api, version, *headers = sys.argv[1:]
    names = set()
    for path in headers:
        with open(path, encoding='utf-8') as file:
            for prefix, function in FUNCTION.findall(file.read()):
                names.add(function or f'{prefix}_get_type')
    print(f'LOKY_{api} {{\n  global:')
    print(''.join(f'    {name};\n' for name in sorted(names)), end='')
    print('};\n')
    print(f'LOKY_PRIVATE_{version} {{\n  global:\n    loky_*;\n  local:\n    *;\n}};')


main()
