#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads the probes of libraries from their ELF notes and compares them with what the documentation says.

    test-probes.py TRACING.md LIBRARY...    TAP

Each probe of the table must be in one of the libraries, with as many arguments, and the other way round; and it must be a
nop, where it is known how that looks.
"""

import re
import struct
import sys

PROVIDER = 'loky'
SHT_NOBITS = 8
EM_X86_64 = 62
NOP = b'\x90'


class Library:
    """As much of a 64-bit ELF file as is needed."""

    def __init__(self, path):
        with open(path, 'rb') as file:
            self.data = file.read()
        if self.data[:5] != b'\x7fELF\x02':
            raise ValueError('no 64-bit ELF file')
        self.order = '<' if self.data[5] == 1 else '>'
        self.machine = self.unpack('H', 18)[0]
        offset = self.unpack('Q', 40)[0]
        size, count, names = self.unpack('HHH', 58)
        headers = [self.unpack('IIQQQQ', offset + i * size) for i in range(count)]
        text = headers[names][4]
        self.sections = {self.string(text + header[0]): header for header in headers}

    def unpack(self, form, offset):
        return struct.unpack_from(self.order + form, self.data, offset)

    def string(self, offset):
        return self.data[offset:self.data.index(b'\0', offset)].decode()

    def read(self, address):
        """The byte that is loaded at @address."""
        for _, kind, _, start, offset, size in self.sections.values():
            if kind != SHT_NOBITS and start and start <= address < start + size:
                return self.data[offset + address - start:][:1]
        return b''

    def probes(self):
        """Yields (provider, name, number of arguments, address)."""
        if '.note.stapsdt' not in self.sections:
            return
        _, _, _, _, offset, size = self.sections['.note.stapsdt']
        base = self.sections['.stapsdt.base'][3]
        end = offset + size
        while offset < end:
            name_size, size, _ = self.unpack('III', offset)
            start = offset + 12 + (name_size + 3 & ~3)
            address, linked_base, _ = self.unpack('QQQ', start)
            strings = self.data[start + 24:start + size].decode().split('\0')
            yield strings[0], strings[1], len(strings[2].split()), address + base - linked_base
            offset = start + (size + 3 & ~3)


def documented(path):
    """The probes of the table, with their numbers of arguments."""
    with open(path, encoding='utf-8') as file:
        text = file.read()
    rows = re.findall(r'^\| `(\w+)` \| (?:application|worker) \| [^|]* \|(.*)\|$', text, re.MULTILINE)
    return {name: sum(1 for cell in cells.split('|') if cell.strip()) for name, cells in rows}


def main():
    told = documented(sys.argv[1])
    libraries = [Library(path) for path in sys.argv[2:]]
    found = [(library, probe) for library in libraries for probe in library.probes() if probe[0] == PROVIDER]
    built = {name: count for _, (_, name, count, _) in found}
    print('1..3')
    print('ok' if set(built) == set(told) and told else 'not ok', '1 /loky/probes/all-are-there')
    print('ok' if built == told else 'not ok', '2 /loky/probes/arguments-are-documented')
    if libraries[0].machine != EM_X86_64:
        print('ok 3 /loky/probes/are-nops # SKIP another processor')
    else:
        is_good = all(library.read(address) == NOP for library, (_, _, _, address) in found)
        print('ok' if is_good and found else 'not ok', '3 /loky/probes/are-nops')
    if built != told:
        print(f'built: {built}\ndocumented: {told}', file=sys.stderr)


main()
