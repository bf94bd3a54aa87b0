#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lists the public symbols, parameters and return values of a GIR that have no documentation.

    check-docs.py FILE.gir    TAP; fails if there are any
"""

import sys
import xml.etree.ElementTree as ElementTree

CORE = '{http://www.gtk.org/introspection/core/1.0}'
C = '{http://www.gtk.org/introspection/c/1.0}'
GLIB = '{http://www.gtk.org/introspection/glib/1.0}'

DOCUMENTED = {
    'alias', 'bitfield', 'callback', 'class', 'constant', 'constructor', 'enumeration', 'field',
    'function', 'function-macro', 'interface', 'member', 'method', 'parameter', 'property', 'record',
    'return-value', 'signal', 'union', 'virtual-method',
}


def get_tag(node):
    return node.tag.rsplit('}', 1)[1]


def is_documented_elsewhere(node, parent):
    tag = get_tag(node)
    if node.get(GLIB + 'is-gtype-struct-for') or node.get('moved-to'):
        return True
    if tag == 'return-value':
        kind = node.find(CORE + 'type')
        return kind is not None and kind.get('name') == 'none'
    if tag == 'field':
        # Those of a callback are documented with the structure, where the scanner does not look.
        return node.get('private') == '1' or node.get('name') in ('parent_class', 'parent_instance') \
            or node.find(CORE + 'callback') is not None
    return False


def find_undocumented(node, path):
    for child in node:
        tag = get_tag(child)
        if tag == 'parameters':
            yield from find_undocumented(child, path)
        if tag not in DOCUMENTED or is_documented_elsewhere(child, node):
            continue
        name = child.get('name', tag)
        child_path = f'{path}.{name}'
        if child.find(CORE + 'doc') is None:
            symbol = child.get(C + 'identifier') or child.get(C + 'type')
            yield f'{tag} {child_path}' + (f' ({symbol})' if symbol else '')
        yield from find_undocumented(child, child_path)


def main():
    namespace = ElementTree.parse(sys.argv[1]).getroot().find(CORE + 'namespace')
    undocumented = sorted(find_undocumented(namespace, namespace.get('name')))
    for line in undocumented:
        print('undocumented:', line, file=sys.stderr)
    print('not ok' if undocumented else 'ok', '1 /loky/docs/all-is-documented')
    print('1..1')
    return 1 if undocumented else 0


sys.exit(main())
