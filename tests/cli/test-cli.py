#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The `loky` command from outside: what it prints, how it exits, what it leaves behind.

    test-cli.py LOKY [WORD…]    runs all tests, or those with one of the words in their names
"""

import contextlib
import hashlib
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback

LOKY = os.path.abspath(sys.argv[1])
DEADLINE = 30 * float(os.environ.get('LOKY_TEST_TIMEOUT_MULTIPLIER', '1'))
MARK = f'LOKY_CLI_TEST={os.getpid()}'
os.environ['LOKY_CLI_TEST'] = str(os.getpid())
os.environ['LC_ALL'] = 'C.UTF-8'

tests = []


class Skip(Exception):
    pass


def test(function):
    tests.append(function)
    return function


class Outcome:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def check(self, status, out=None, err=()):
        """`out` is all of stdout, `err` words that must be in stderr, each."""
        said = f'status {self.status}\nstdout {self.out[:2000]!r}\nstderr {self.err[:2000]!r}'
        assert self.status == status, f'expected status {status}: {said}'
        if out is not None:
            expected = out if isinstance(out, bytes) else out.encode()
            assert self.out == expected, f'expected stdout {expected[:2000]!r}: {said}'
        for word in (err,) if isinstance(err, (str, bytes)) else err:
            expected = word if isinstance(word, bytes) else word.encode()
            assert expected in self.err, f'expected in stderr {expected!r}: {said}'
        return self


def loky(*words, stdin=b'', **options):
    done = subprocess.run([LOKY, *words], input=stdin, capture_output=True, timeout=DEADLINE,
                          **options)
    return Outcome(done.returncode, done.stdout, done.stderr)


def start(*words, **options):
    return subprocess.Popen([LOKY, *words], **options)


def end(process):
    """Waits for a process that has pipes; kills it if it does not end."""
    try:
        out, err = process.communicate(timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Outcome(process.returncode, out or b'', err or b'')


def find_workers():
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        with contextlib.suppress(OSError):
            with open(f'/proc/{pid}/comm') as comm, open(f'/proc/{pid}/environ', 'rb') as environ:
                if comm.read().strip() == 'loky-worker' and MARK.encode() in environ.read():
                    found.append(int(pid))
    return found


def wait_until(condition, what):
    limit = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < limit, f'waited in vain: {what}'
        time.sleep(0.02)


def need_checksum():
    if 'checksum' not in os.environ.get('LOKY_PLUGIN_PATH', ''):
        raise Skip('the checksum plugin was not built')


def read_line(process):
    ready, _, _ = select.select([process.stdout], [], [], DEADLINE)
    assert ready, 'no line came'
    return process.stdout.readline()


# Finding one's way


@test
def help_of_each():
    for words in ((), ('list',), ('describe',), ('run',), ('map',), ('new-plugin',), ('version',)):
        outcome = loky(*words, '--help').check(0)
        assert outcome.out.startswith(b'Usage:') and outcome.err == b'', words


@test
def version():
    for word in ('version', '--version'):
        outcome = loky(word).check(0)
        assert outcome.out.startswith(b'loky '), outcome.out


@test
def unknown_command():
    loky('lsit').check(2, '', ('lsit', '“list”'))
    loky().check(2, '')
    loky('--nonsense').check(2, '', '--nonsense')


@test
def unknown_option():
    for command in ('list', 'describe', 'run', 'map', 'new-plugin', 'version'):
        loky(command, '--nonsense').check(2, '', ('--nonsense', f'loky {command} --help'))


@test
def usage_errors():
    for words in (('run',), ('map',), ('map', 'demo.echo'), ('describe',), ('list', 'x'),
                  ('version', 'x'), ('new-plugin',), ('map', '-j', '-1', 'demo.echo', 'a'),
                  ('map', '--ordered', '--unordered', 'demo.echo', 'a'),
                  ('map', '--fail-fast', '--keep-going', 'demo.echo', 'a'),
                  ('map', '--progress', 'maybe', 'demo.echo', 'a'),
                  ('run', '--timeout', '-1', 'demo.echo', 'a'),
                  ('run', '--timeout', 'nan', 'demo.echo', 'a'),
                  ('run', '--memory-limit', '0', 'demo.echo', 'a'),
                  ('run', '--memory-limit', '5X', 'demo.echo', 'a'),
                  ('map', '--memory-limit', '9999999999T', 'demo.echo', 'a'),
                  ('run', '--retries', '-1', 'demo.echo', 'a')):
        loky(*words).check(2, '', 'loky: ')


# list and describe


@test
def list_tasks():
    outcome = loky('list').check(0)
    lines = outcome.out.decode().splitlines()
    assert lines[0].split() == ['TASK', 'ARGUMENTS', 'RESULT', 'SUMMARY'], lines[0]
    assert any(line.split()[:3] == ['demo.sleep', 'd', 'd'] for line in lines), outcome.out


@test
def list_reports_a_bad_plugin():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'broken.so')
        with open(path, 'w') as file:
            file.write('not a library')
        outcome = loky('list', '--plugin-path', folder).check(1, None, ('loky: ', path))
        assert b'demo.sleep' in outcome.out, outcome.out


@test
def describe_task():
    outcome = loky('describe', 'demo.primes').check(0)
    for word in (b'demo.primes', b'(tt)', b'loky run demo.primes', b'FROM TO'):
        assert word in outcome.out, outcome.out
    loky('describe', 'demo.primse').check(1, '', 'demo.primes')
    loky('describe', b'demo.\xff').check(1, '', '\\xff')


@test
def describe_plugin():
    outcome = loky('describe', 'demo').check(0)
    for word in (b'demo.so', b'demo.echo', b'demo.sleep'):
        assert word in outcome.out, outcome.out
    loky('describe', 'no-such-plugin').check(1, '', 'no-such-plugin')


# run


@test
def run_echo():
    loky('run', 'demo.echo', 'hello').check(0, 'hello\n')
    loky('run', 'demo.echo', '').check(0, '\n')
    loky('run', 'demo.echo', '--', '--help').check(0, '--help\n')
    loky('run', 'demo.echo', 'naïve “ß”').check(0, 'naïve “ß”\n')


@test
def run_sha256():
    need_checksum()
    with tempfile.NamedTemporaryFile() as file:
        file.write(b'abc' * 1000)
        file.flush()
        loky('run', 'checksum.sha256', file.name).check(
            0, hashlib.sha256(b'abc' * 1000).hexdigest() + '\n')


@test
def run_suggests():
    loky('run', 'demo.ehco', 'x').check(1, '', 'demo.echo')
    need_checksum()
    loky('run', 'checksum.sha265', '/etc/passwd').check(1, '', 'checksum.sha256')


@test
def run_names_the_type():
    loky('run', 'demo.sleep', 'abc').check(2, '', ('demo.sleep', 'type d (a double)', '“abc”'))
    loky('run', 'demo.sleep').check(2, '', 'type d (a double)')
    loky('run', 'demo.primes', '1').check(2, '', '(tt)')


@test
def run_tuple():
    loky('run', 'demo.primes', '0', '100').check(0, '25\n')
    loky('run', 'demo.primes', '(0, 100)').check(0, '25\n')


@test
def run_partial():
    loky('run', '--partial', 'demo.count', '3').check(0, '1\n2\n3\n3\n')
    loky('run', 'demo.count', '3').check(0, '3\n')
    loky('run', '--partial', 'demo.echo', 'x').check(0, 'x\n')
    # More than the context is told in one turn.
    many = ''.join(f'{i}\n' for i in range(1, 20001))
    loky('run', '--partial', 'demo.count', '20000').check(0, many + '20000\n')


@test
def run_failure():
    loky('run', 'demo.fail', 'on purpose').check(1, '', 'loky: on purpose')


@test
def run_crash():
    loky('run', 'demo.crash', 'segv').check(1, '', ('loky: ', 'SIGSEGV'))
    loky('run', 'demo.crash', 'exit:3').check(1, '', '3')


@test
def run_timeout():
    before = time.monotonic()
    loky('run', '--timeout', '0.2', 'demo.sleep', '600').check(1, '', 'loky: ')
    assert time.monotonic() - before < DEADLINE / 2


@test
def run_within_memory_limit():
    loky('run', '--memory-limit', '64M', 'demo.echo', 'a').check(0, 'a\n', '')


@test
def run_signals():
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        process = start('run', 'demo.sleep', '600', stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_until(find_workers, 'a worker')
        process.send_signal(number)
        end(process).check(status, '')
        wait_until(lambda: not find_workers(), 'no worker is left')


# map


@test
def map_arguments():
    loky('map', 'demo.echo', 'a', 'b', '', 'c').check(0, 'a\nb\n\nc\n')
    loky('map', 'demo.echo', '--', '-j', '-').check(0, '-j\n-\n')
    loky('map', 'demo.echo', '--', '-').check(0, '-\n')


@test
def map_stdin():
    loky('map', 'demo.echo', '-', stdin=b'a\nb\n\nc\n').check(0, 'a\nb\n\nc\n')
    loky('map', 'demo.echo', '-', stdin=b'a\nlast').check(0, 'a\nlast\n')
    loky('map', 'demo.echo', '-', stdin=b'').check(0, '', '')
    loky('map', 'demo.echo', '-', stdin=b'\n').check(0, '\n')


@test
def map_stdin_null():
    loky('map', '-0', 'demo.echo', '-', stdin=b'a\nb\0c\0').check(0, 'a\nb\nc\n')
    loky('map', '-0', '-z', 'demo.echo', '-', stdin=b'a\nb\0c').check(0, b'a\nb\0c\0')
    loky('map', '--print0', 'demo.echo', 'a', 'b').check(0, b'a\0b\0')


@test
def map_stdin_file():
    with tempfile.TemporaryFile() as file:
        file.write(b''.join(b'%d\n' % number for number in range(20000)))
        file.seek(0)
        expected = file.read()
        file.seek(0)
        process = start('map', 'demo.echo', '-', stdin=file, stdout=subprocess.PIPE)
        end(process).check(0, expected)
    with open('/dev/null', 'rb') as file:
        end(start('map', 'demo.echo', '-', stdin=file, stdout=subprocess.PIPE)).check(0, '')


@test
def map_stdin_that_cannot_be_read():
    folder = os.open('/', os.O_RDONLY)
    process = start('map', 'demo.echo', '-', stdin=folder, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE)
    os.close(folder)
    end(process).check(1, '', 'directory')


@test
def map_lazy_stdin():
    process = start('map', 'demo.echo', '-', stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    bufsize=0)
    for word in (b'first\n', b'second\n', b'third\n'):
        process.stdin.write(word)
        assert read_line(process) == word
    process.stdin.write(b'fourth')
    end(process).check(0, 'fourth\n')


@test
def map_long_line():
    line = b'x' * 100_000
    loky('map', 'demo.echo', '-', stdin=b'a\n' + line + b'\nb\n').check(0, b'a\n' + line + b'\nb\n')


@test
def map_many_lines():
    lines = b''.join(b'line %d\n' % number for number in range(50000))
    loky('map', 'demo.echo', '-', stdin=lines).check(0, lines)
    outcome = loky('map', '--unordered', 'demo.echo', '-', stdin=lines).check(0)
    assert sorted(outcome.out.splitlines()) == sorted(lines.splitlines())


@test
def map_order():
    words = ('demo.sleep', '1.0', '0.0')
    loky('map', '-j', '2', *words).check(0, '1.0\n0.0\n')
    loky('map', '-j', '2', '--unordered', *words).check(0, '0.0\n1.0\n')


@test
def map_failures():
    loky('map', 'demo.fail', 'one', 'two').check(1, '', ('loky: one: one\n', 'loky: two: two\n'))
    outcome = loky('map', 'demo.sleep', '0.0', 'abc', '0.5', 'def').check(1, '0.0\n0.5\n')
    assert outcome.err.index(b'loky: abc: ') < outcome.err.index(b'loky: def: ')


@test
def map_failures_in_order():
    process = start('map', '-j', '1', 'demo.sleep', '0.3', 'abc', '0.0', stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT)
    outcome = end(process).check(1)
    # stdout is buffered, so only what comes before the error is known to be in its place.
    assert outcome.out.index(b'abc') >= 0 and outcome.out.count(b'\n') == 3, outcome.out


@test
def map_many_failures():
    lines = b''.join(b'bad%d\n' % number for number in range(5000)) + b'0.0\n'
    outcome = loky('map', 'demo.sleep', '-', stdin=b'0.5\n' + lines).check(1, '0.5\n0.0\n')
    assert outcome.err.count(b'loky: bad') == 5000, outcome.err[-2000:]


@test
def map_fail_fast():
    before = time.monotonic()
    outcome = loky('map', '-j', '2', '--fail-fast', 'demo.sleep', '0.0', 'abc', '600', '600')
    outcome.check(1, '0.0\n', 'loky: abc: ')
    assert time.monotonic() - before < DEADLINE / 2
    outcome = loky('map', '--fail-fast', 'demo.fail', 'one', 'two', 'three').check(1, '')
    assert outcome.err == b'loky: one: one\n', outcome.err


@test
def map_fail_fast_loses_no_result():
    with tempfile.TemporaryFile() as file:
        file.write(b'0.0\n' * 30000 + b'abc\n' + b'0.0\n' * 10)
        file.seek(0)
        process = start('map', '--fail-fast', 'demo.sleep', '-', stdin=file,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    # The error comes while most of the results wait for a reader.
    assert select.select([process.stderr], [], [], DEADLINE)[0]
    end(process).check(1, b'0.0\n' * 30000, 'loky: abc: ')


@test
def map_template():
    loky('map', '--template', '{index}:{result}\\t{input}{{}}\\\\', 'demo.echo', 'a', 'b').check(
        0, '0:a\ta{}\\\n1:b\tb{}\\\n')
    for bad in ('{foo}', '{result', '\\x', '{}'):
        loky('map', '--template', bad, 'demo.echo', 'a').check(2, '', '--template')


@test
def map_crash():
    outcome = loky('map', '--stats', 'demo.crash', 'exit:1', 'bogus')
    outcome.check(1, '', ('loky: exit:1: ', 'loky: bogus: ', 'attempts  2'))
    outcome = loky('map', '--stats', '--retries', '2', 'demo.crash', 'exit:1', 'bogus')
    outcome.check(1, '', ('loky: exit:1: ', 'loky: bogus: ', 'attempts  4'))


@test
def map_timeout():
    outcome = loky('map', '-j', '2', '--timeout', '0.5', 'demo.sleep', '0.0', '600', '0.25')
    outcome.check(1, '0.0\n0.25\n', 'loky: 600: ')


@test
def map_unknown_task():
    outcome = loky('map', 'demo.ehco', 'a', 'b').check(1, '', 'demo.echo')
    assert outcome.err.count(b'\n') == 1, outcome.err


@test
def map_signals():
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        process = start('map', '-j', '2', 'demo.sleep', '0.0', '600', '600',
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert read_line(process) == b'0.0\n'
        process.send_signal(number)
        end(process).check(status, '')
        wait_until(lambda: not find_workers(), 'no worker is left')


@test
def map_interrupted_while_waiting_for_stdin():
    process = start('map', 'demo.echo', '-', stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE, bufsize=0)
    process.stdin.write(b'a\n')
    assert read_line(process) == b'a\n'
    process.send_signal(signal.SIGINT)
    process.wait(timeout=DEADLINE)
    end(process).check(130)


@test
def map_interrupted_while_nobody_reads():
    reader, writer = os.pipe()
    process = start('map', 'demo.echo', '-', stdin=subprocess.PIPE, stdout=writer,
                    stderr=subprocess.PIPE)
    os.close(writer)
    with contextlib.suppress(BlockingIOError):
        os.set_blocking(process.stdin.fileno(), False)
        while True:
            if not select.select([], [process.stdin], [], 1)[1]:
                break
            os.write(process.stdin.fileno(), b'0123456789abcde\n' * 200)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=DEADLINE) == 130
    os.close(reader)
    process.stdin.close()
    process.stderr.close()


@test
def map_progress():
    outcome = loky('map', '--progress', 'always', 'demo.sleep', '0.5', '0.5').check(0)
    assert b'\r' in outcome.err and b'done' in outcome.err, outcome.err
    outcome = loky('map', '--progress', 'never', 'demo.sleep', '0.5').check(0)
    assert outcome.err == b'', outcome.err
    outcome = loky('map', 'demo.sleep', '0.5').check(0)
    assert outcome.err == b'', outcome.err


@test
def map_stats():
    loky('map', '--stats', '-j', '1', 'demo.echo', 'a', 'b').check(
        0, 'a\nb\n', ('inputs    2', 'done      2', 'failed    0', 'workers   1', 'attempts  2',
                      'ms queued median ', 'ms run    median '))
    lines = loky('map', '--stats', '-j', '1', 'demo.sleep', '0.2', '0.2', '0.2').err.decode().splitlines()
    run = next(line for line in lines if line.startswith('ms run'))
    assert all(187 <= float(word) < 100000 for word in re.findall(r'(?:median|%) ([\d.e+]+)', run)), run


@test
def map_memory_is_bounded():
    process = start('map', 'demo.echo', '-', stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    block = b'some line of text\n' * 1000
    for _ in range(200):
        process.stdin.write(block)
    process.stdin.flush()
    with open(f'/proc/{process.pid}/status') as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith('VmHWM'))
    with open(f'/proc/{process.pid}/maps') as maps:
        sanitized = '/libasan' in (text := maps.read()) or '/libtsan' in text
    end(process).check(0)
    if sanitized:
        raise Skip('a sanitizer holds memory back')
    assert peak < 100 * 1024, f'{peak} KiB'


# Names that are not UTF-8


@test
def not_utf8():
    outcome = loky('map', 'demo.fail', '-', stdin=b'a\xff\nb\n')
    outcome.check(1, '', ('loky: a\\xff: ', 'UTF-8', 'loky: b: b'))


@test
def not_utf8_file_name():
    need_checksum()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder.encode(), b'bad\xffname')
        with open(path, 'wb') as file:
            file.write(b'abc')
        outcome = loky('map', '--template', '{result} {input}', 'checksum.sha256', '-',
                       stdin=path + b'\n')
        outcome.check(0, hashlib.sha256(b'abc').hexdigest().encode() + b' ' + path + b'\n')
        loky('run', 'checksum.sha256', path).check(0, hashlib.sha256(b'abc').hexdigest() + '\n')


# Where the output goes


@test
def closed_pipe():
    for words in (('map', 'demo.echo', '-'), ('list',), ('run', 'demo.echo', 'a'), ('--help',)):
        reader, writer = os.pipe()
        os.close(reader)
        process = start(*words, stdin=subprocess.PIPE, stdout=writer, stderr=subprocess.PIPE)
        os.close(writer)
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(b'line\n' * 100000)
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.stdin = None
        outcome = end(process).check(1)
        assert outcome.err == b'', (words, outcome.err)
    wait_until(lambda: not find_workers(), 'no worker is left')


@test
def full_disk():
    for words in (('map', 'demo.echo', 'a'), ('list',), ('run', 'demo.echo', 'a'), ('version',)):
        with open('/dev/full', 'w') as full:
            process = start(*words, stdout=full, stderr=subprocess.PIPE)
            end(process).check(1, None, 'No space left')


@test
def closed_stdout():
    for words in (('map', 'demo.echo', 'a'), ('run', 'demo.echo', 'a')):
        done = subprocess.run(['sh', '-c', '"$@" >&-', 'sh', LOKY, *words], capture_output=True,
                              timeout=DEADLINE)
        Outcome(done.returncode, done.stdout, done.stderr).check(1, '', 'Bad file descriptor')


# new-plugin


@test
def new_plugin():
    with tempfile.TemporaryDirectory() as folder:
        loky('new-plugin', 'my-plugin', cwd=folder).check(0, './my-plugin\n')
        files = sorted(os.listdir(os.path.join(folder, 'my-plugin')))
        assert files == ['LICENSE', 'README.md', 'meson.build', 'my-plugin.c',
                         'test-my-plugin.c'], files
        for name in files:
            with open(os.path.join(folder, 'my-plugin', name)) as file:
                assert '@' not in file.read(), name
        with open(os.path.join(folder, 'my-plugin', 'my-plugin.c')) as file:
            assert len(file.readlines()) <= 30


@test
def new_plugin_refuses():
    with tempfile.TemporaryDirectory() as folder:
        for name in ('loky', 'Upper', '1st', '', 'a/b', '../x', 'a.b', 'ä', 'x' * 65):
            loky('new-plugin', '--directory', folder, '--', name).check(2, '', 'loky: ')
        os.mkdir(os.path.join(folder, 'taken'))
        os.symlink('nowhere', os.path.join(folder, 'link'))
        for name in ('taken', 'link'):
            loky('new-plugin', '--directory', folder, name).check(1, '', (name, 'exists'))
        loky('new-plugin', '--directory', os.path.join(folder, 'none'), 'x').check(1, '', 'none')
        assert sorted(os.listdir(folder)) == ['link', 'taken'], os.listdir(folder)
        assert os.listdir(os.path.join(folder, 'taken')) == []


def main():
    chosen = [function for function in tests
              if len(sys.argv) < 3 or any(word in function.__name__ for word in sys.argv[2:])]
    print(f'1..{len(chosen)}', flush=True)
    failed = 0
    for number, function in enumerate(chosen, 1):
        name = function.__name__.replace('_', '-')
        try:
            function()
            left = find_workers()
            if left:
                wait_until(lambda: not find_workers(), f'workers {left} are gone')
            print(f'ok {number} {name}', flush=True)
        except Skip as reason:
            print(f'ok {number} {name} # SKIP {reason}', flush=True)
        except Exception:
            failed += 1
            for line in traceback.format_exc().splitlines():
                print(f'# {line}')
            print(f'not ok {number} {name}', flush=True)
    return 1 if failed else 0


sys.exit(main())
