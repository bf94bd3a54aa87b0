#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# test-install.sh SOURCE: installs the tree into an empty prefix and uses it as a stranger would,
# with pkg-config alone; then moves the prefix away and uses it again. Prints TAP.

set -uo pipefail

source=$1
folder=$(cd "$(dirname "$0")" && pwd)
cc=${CC:-cc}
number=0
failed=0

# Nothing of the build from which this is run may help.
unset LOKY_WORKER LOKY_PLUGIN_PATH LD_LIBRARY_PATH GI_TYPELIB_PATH
unset PKG_CONFIG_PATH DESTDIR CFLAGS LDFLAGS

for tool in meson ninja pkg-config readelf "$cc"; do
  if ! command -v "$tool" >/dev/null; then
    echo "1..0 # SKIP $tool is not installed"
    exit 0
  fi
done

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix

# check NAME COMMAND…: one test; what it prints is shown if it fails.
check()
{
  local name=$1
  shift
  number=$((number + 1))
  if "$@" >"$work/log" 2>&1; then
    echo "ok $number /loky/install/$name"
  else
    echo "not ok $number /loky/install/$name"
    sed "s/^/$name: /" "$work/log" >&2
    failed=1
  fi
}

install_tree()
{
  meson setup "$work/build" "$source" --prefix="$prefix" --buildtype=debugoptimized \
    -Dtests=false -Dexamples=false &&
    ninja -C "$work/build" -j2 &&
    meson install -C "$work/build" --no-rebuild
}

is_all_there()
{
  local path
  for path in bin/loky libexec/loky-worker include/loky-1/loky.h share/man/man1/loky.1; do
    if [ ! -e "$prefix/$path" ]; then
      echo "$path is missing"
      return 1
    fi
  done
}

is_nothing_private()
{
  ! find "$prefix" -name '*-private*' | grep .
}

is_introspected()
{
  [ -e "$(pkg-config --variable=girdir loky-1)/Loky-1.gir" ] &&
    [ -e "$(pkg-config --variable=typelibdir loky-1)/Loky-1.typelib" ]
}

is_short()
{
  [ "$(wc -l <"$folder/outside.c")" -le 30 ]
}

# shellcheck disable=SC2046 # pkg-config prints words
build_plugin()
{
  mkdir "$work/plugins" &&
    "$cc" -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers -Werror \
      -shared -fPIC -o "$work/plugins/outside.so" "$folder/outside.c" \
      $(pkg-config --cflags --libs loky-1)
}

# shellcheck disable=SC2046
build_program()
{
  "$cc" -Wall -Wextra -Werror -o "$work/program" "$folder/program.c" \
    $(pkg-config --cflags --libs loky-1)
}

# run_program LIBDIR PLUGINDIR
run_program()
{
  {
    echo loky
    sha256sum <"$source/COPYING" | cut -d ' ' -f 1
  } >"$work/expected"
  LD_LIBRARY_PATH=$1 "$work/program" "$work/plugins" "$2" "$source/COPYING" |
    diff "$work/expected" -
}

# run_command PREFIX
run_command()
{
  "$1/bin/loky" version &&
    "$1/bin/loky" list | grep checksum.sha256 &&
    "$1/bin/loky" run demo.echo hello &&
    find "$source/libloky" -type f -print0 |
    "$1/bin/loky" map checksum.sha256 -0 --template '{result}  {input}' - |
      sha256sum -c --quiet
}

# Linked with all that it could use, it needs both libraries, and nothing tells the dynamic linker where the one is
# that the worker has not loaded.
# shellcheck disable=SC2046
run_heavy_plugin()
{
  "$cc" -shared -fPIC -o "$work/plugins/outside.so" "$folder/outside.c" \
    -Wl,--no-as-needed $(pkg-config --cflags --libs loky-1) &&
    readelf -d "$work/plugins/outside.so" | grep -F 'libloky-1.so' &&
    LOKY_PLUGIN_PATH=$work/plugins "$prefix/bin/loky" run outside.reverse ykol | grep loky
}

# One that needs the lower library alone.
# shellcheck disable=SC2046
run_light_plugin()
{
  ! readelf -d "$workerdir/loky-worker" "$libdir/libloky-task-1.so" | grep -F libgio &&
    "$cc" -shared -fPIC -o "$work/plugins/outside.so" "$folder/outside.c" \
      -Wl,--as-needed $(pkg-config --cflags --libs loky-1) &&
    ! readelf -d "$work/plugins/outside.so" | grep -e 'libloky-1.so' -e libgio &&
    LOKY_PLUGIN_PATH=$work/plugins "$prefix/bin/loky" run outside.reverse ykol | grep loky
}

build_new_plugin()
{
  "$prefix/bin/loky" new-plugin hello --directory "$work" &&
    meson setup "$work/hello/build" "$work/hello" -Dwerror=true &&
    ninja -C "$work/hello/build"
}

test_new_plugin()
{
  meson test -C "$work/hello/build" --no-rebuild --print-errorlogs
}

install_new_plugin()
{
  meson setup --reconfigure "$work/hello/build" "$work/hello" --prefix "$prefix" &&
    meson install -C "$work/hello/build" &&
    "$prefix/bin/loky" run hello.greet world | grep 'Hello, world!'
}

check installs install_tree
if [ $failed -ne 0 ]; then
  echo 'Bail out! There is nothing to test'
  exit 1
fi

libdir=$(dirname "$(find "$prefix" -name 'libloky-1.so')")
export PKG_CONFIG_PATH=$libdir/pkgconfig
plugindir=$(pkg-config --variable=plugindir loky-1)
workerdir=$(pkg-config --variable=workerdir loky-1)

check all-is-there is_all_there
check nothing-private-is-installed is_nothing_private
check worker-is-where-pkg-config-says [ -x "$workerdir/loky-worker" ]
check plugins-are-where-pkg-config-says [ -e "$plugindir/demo.so" ]
if [ -e "$work/build/libloky/Loky-1.typelib" ]; then
  check introspection-data-is-where-pkg-config-says is_introspected
fi
check outside-plugin-is-short is_short
check outside-plugin-builds build_plugin
check program-builds build_program
check program-runs run_program "$libdir" "$plugindir"
check command-runs run_command "$prefix"
check heavy-plugin-runs run_heavy_plugin
check light-plugin-runs run_light_plugin
check new-plugin-builds build_new_plugin
check new-plugin-passes-its-test test_new_plugin
check new-plugin-is-installed-and-runs install_new_plugin

# The build goes, too: nothing may be found there.
mv "$prefix" "$work/moved"
mv "$work/build" "$work/gone"
check command-runs-from-a-moved-prefix run_command "$work/moved"
check program-runs-with-a-moved-prefix \
  run_program "${libdir/"$prefix"/"$work/moved"}" "${plugindir/"$prefix"/"$work/moved"}"

echo "1..$number"
exit $failed
