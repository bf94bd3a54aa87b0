#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# test-curves.sh LOKY-BENCH PLOT.PY: whether what --curves writes can be drawn: two plots, of at least two and of
# three lines.

set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$1" --seconds 0 --curves "$folder/curves.json"
python3 "$2" "$folder/curves.json" "$folder/curves.svg"
python3 - "$folder/curves.svg" <<'END'
import sys
import xml.etree.ElementTree
lines = list(xml.etree.ElementTree.parse(sys.argv[1]).iter('{http://www.w3.org/2000/svg}polyline'))
sys.exit(None if len(lines) >= 5 and all(line.get('points') for line in lines) else f'{len(lines)} lines')
END
