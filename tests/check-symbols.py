#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Asks the dynamic linker for the symbols of the two libraries.

    check-symbols.py GIR UPPER LOWER VERSION    TAP

Each function of the public API is there, in the lower library with the version of the API. What is private is not
there under that version, nor without one in the upper library.
"""

import ctypes
import sys
from xml.etree import ElementTree

C = '{http://www.gtk.org/introspection/c/1.0}'
GLIB = '{http://www.gtk.org/introspection/glib/1.0}'
CORE = '{http://www.gtk.org/introspection/core/1.0}'
API = b'LOKY_1'
# One of each half.
PRIVATE_LOWER = b'loky_frame_decode'
PRIVATE_UPPER = b'loky_pool_new'

libc = ctypes.CDLL(None)
libc.dlvsym.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]
libc.dlvsym.restype = ctypes.c_void_p
libc.dlsym.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
libc.dlsym.restype = ctypes.c_void_p


def read_functions(path):
    names = set()
    for element in ElementTree.parse(path).iter():
        if element.tag in (CORE + kind for kind in ('function', 'method', 'constructor')):
            names.add(element.attrib[f'{C}identifier'])
        if element.attrib.get(f'{GLIB}get-type', '').startswith('loky_'):
            names.add(element.attrib[f'{GLIB}get-type'])
    return sorted(names)


def is_there(upper, lower, name):
    # What is asked of the upper one is looked for in the lower one as well, with which it is linked.
    if libc.dlsym(lower, name):
        return bool(libc.dlvsym(lower, name, API))
    return bool(libc.dlsym(upper, name))


def main():
    gir, upper_path, lower_path, version = sys.argv[1:]
    upper = ctypes.CDLL(upper_path)._handle
    lower = ctypes.CDLL(lower_path)._handle
    functions = read_functions(gir)
    lacking = [name for name in functions if not is_there(upper, lower, name.encode())]
    private = f'LOKY_PRIVATE_{version}'.encode()
    print('1..3')
    print('ok' if functions and not lacking else 'not ok', '1 /loky/symbols/public-ones-are-there')
    is_hidden = libc.dlvsym(lower, PRIVATE_LOWER, private) and not libc.dlvsym(lower, PRIVATE_LOWER, API)
    print('ok' if is_hidden else 'not ok', '2 /loky/symbols/private-ones-are-of-one-version')
    print('ok' if not libc.dlsym(upper, PRIVATE_UPPER) else 'not ok', '3 /loky/symbols/upper-library-hides-its-own')
    if lacking:
        print('lacking:', ' '.join(lacking), file=sys.stderr)


main()
