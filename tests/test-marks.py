#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a program as sysprof does, and looks for the marks of its tasks.

    test-marks.py TASK PROGRAM [ARGUMENT…]    TAP

sysprof gives a program one end of a socket, on which it asks for ring buffers in shared memory.
"""

import array
import mmap
import os
import socket
import struct
import subprocess
import sys
import threading

REQUEST = b'CreatRing\0'
SIZE = 1 << 20


def make_ring():
    """A header of one page (head, tail, offset and size of what follows), and the ring."""
    fd = os.memfd_create('ring')
    os.ftruncate(fd, mmap.PAGESIZE + SIZE)
    os.pwrite(fd, struct.pack('IIII', 0, 0, mmap.PAGESIZE, SIZE), 0)
    return fd


def serve(end, rings):
    while end.recv(len(REQUEST)) == REQUEST:
        rings.append(make_ring())
        end.sendmsg([b'\0'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [rings[-1]]))])


def main():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    rings = []
    server = threading.Thread(target=serve, args=(ours, rings))
    server.start()
    environment = dict(os.environ, SYSPROF_CONTROL_FD=str(theirs.fileno()))
    status = subprocess.run(sys.argv[2:], env=environment, pass_fds=[theirs.fileno()], stdout=sys.stderr).returncode
    theirs.close()
    server.join()
    marks = [ring for ring in rings
             if b'loky\0' in os.pread(ring, SIZE, mmap.PAGESIZE) and
             sys.argv[1].encode() + b'\0' in os.pread(ring, SIZE, mmap.PAGESIZE)]
    print('1..1')
    print('ok' if status == 0 and marks else 'not ok', '1 /loky/marks/of-each-task')
    if not marks:
        print(f'{len(rings)} rings, {len(marks)} with marks', file=sys.stderr)


main()
