#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A world that was broken on purpose is found out, and what is printed is short and fails again.
sim=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo 1..4
number=0

check()
{
  number=$((number + 1))
  if [ "$1" -eq 0 ]; then echo "ok $number $2"; else echo "not ok $number $2"; fi
}

for defect in 1 2; do
  "$sim" --schedules 20000 --seed 1 --defect $defect >"$folder/found" && status=1 || status=0
  sed '1,/sim --replay/d' "$folder/found" >"$folder/script"
  steps=$(grep -vc '^workers \|^mad \|^end \|^$' "$folder/script")
  [ $status -eq 0 ] && [ "$steps" -ge 1 ] && [ "$steps" -le 12 ]
  check $? "defect-$defect-is-found-and-shrunk-to-$steps-steps"
  "$sim" --defect $defect --replay "$folder/script" | grep -q '^It fails: task' &&
    "$sim" --replay "$folder/script" >/dev/null
  check $? "defect-$defect-is-seen-again-and-only-with-it"
done
