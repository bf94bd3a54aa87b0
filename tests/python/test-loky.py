#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""libloky through PyGObject. Prints TAP."""

import os
import signal
import sys
import traceback

import gi

gi.require_version('Loky', '1')
from gi.repository import Gio, GLib, Loky  # noqa: E402

tests = []


def test(function):
    tests.append(function)
    return function


def run(start):
    """Calls start(callback) and iterates the main context until callback was called."""
    answers = []
    start(lambda *answer: answers.append(answer))
    while not answers:
        GLib.MainContext.default().iteration(True)
    assert len(answers) == 1
    return answers[0]


def expect_error(domain, code, function, *arguments):
    try:
        function(*arguments)
    except GLib.Error as error:
        assert error.matches(domain, code), f'{error.domain} {error.code}: {error.message}'
        return error
    raise AssertionError('there was no error')


def take_all(results):
    taken = []
    while (future := results.next(None)) is not None:
        taken.append((results.get_index(), future))
    return taken


@test
def submit_and_wait(executor):
    future = executor.submit('demo.echo', GLib.Variant('(si)', ('text', 7)), None)
    assert future.get_task() == 'demo.echo'
    assert future.wait(-1, None)
    assert future.is_done()
    assert future.get_state() == Loky.FutureState.SUCCEEDED
    assert future.dup_result().unpack() == ('text', 7)
    assert future.dup_error() is None


@test
def call_async(executor):
    source, result, *_ = run(lambda callback: executor.call_async(
        'demo.primes', GLib.Variant('(tt)', (0, 100)), None, None, callback))
    assert source == executor
    assert executor.call_finish(result).get_uint64() == 25


@test
def done_signal(executor):
    future = executor.submit('demo.sleep', GLib.Variant('d', 0.05), None)
    (emitter,) = run(lambda callback: future.connect('done', callback))
    assert emitter == future
    assert future.dup_result().get_double() == 0.05
    assert future.get_progress() == 1


@test
def wait_async(executor):
    future = executor.submit('demo.echo', GLib.Variant('s', 'hello'), None)
    source, result, *_ = run(lambda callback: future.wait_async(None, callback))
    assert source.wait_finish(result)
    assert future.dup_result().get_string() == 'hello'


@test
def no_arguments(executor):
    assert executor.call_sync('demo.echo', None, None, None).get_type_string() == '()'


@test
def error_of_a_task_keeps_domain_and_code(executor):
    error = expect_error(Gio.io_error_quark(), Gio.IOErrorEnum.FAILED, executor.call_sync,
                         'demo.fail', GLib.Variant('s', 'no luck'), None, None)
    assert 'no luck' in error.message


@test
def error_of_the_library(executor):
    error = expect_error(Loky.error_quark(), Loky.Error.NO_SUCH_TASK, executor.call_sync,
                         'demo.ecko', GLib.Variant('s', ''), None, None)
    assert 'demo.echo' in error.message


@test
def error_of_an_asynchronous_call(executor):
    _, result, *_ = run(lambda callback: executor.call_async(
        'demo.sleep', GLib.Variant('s', 'abc'), None, None, callback))
    expect_error(Loky.error_quark(), Loky.Error.INVALID_ARGUMENT, executor.call_finish, result)


@test
def dead_worker(executor):
    future = executor.submit('demo.crash', GLib.Variant('s', 'segv'), None)
    assert future.wait(-1, None)
    error = future.dup_error()
    assert error.matches(Loky.error_quark(), Loky.Error.WORKER_DIED), error
    assert 'SIGSEGV' in error.message
    assert future.get_worker_pid() > 0
    assert future.get_term_signal() == signal.SIGSEGV
    assert 'demo.crash' in future.dup_stderr_tail()
    expect_error(Loky.error_quark(), Loky.Error.WORKER_DIED, future.dup_result)
    assert executor.call_sync('demo.echo', GLib.Variant('i', 1), None, None).get_int32() == 1


@test
def cancel(executor):
    cancellable = Gio.Cancellable()
    GLib.timeout_add(50, cancellable.cancel)
    _, result, *_ = run(lambda callback: executor.call_async(
        'demo.sleep', GLib.Variant('d', 3600), None, cancellable, callback))
    expect_error(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED, executor.call_finish, result)


@test
def options(executor):
    options = Loky.TaskOptions(timeout=100, priority=3)
    assert options.get_priority() == 3
    expect_error(Loky.error_quark(), Loky.Error.TIMED_OUT, executor.call_sync,
                 'demo.sleep', GLib.Variant('d', 3600), options, None)


@test
def map_in_order(executor):
    values = [f'item {i}' for i in range(100)]
    taken = take_all(executor.map('demo.echo', Loky.Input.new_for_strv(values), None))
    assert [index for index, _ in taken] == list(range(100))
    assert [future.dup_result().get_string() for _, future in taken] == values


@test
def map_as_completed(executor):
    array = GLib.Variant('ad', [0.2, 0.0, 0.0])
    results = executor.map('demo.sleep', Loky.Input.new_for_array(array),
                           Loky.MapOptions(ordered=False))
    taken = take_all(results)
    assert sorted(index for index, _ in taken) == [0, 1, 2]
    assert taken[-1][0] == 0


@test
def map_asynchronously(executor):
    results = executor.map('demo.echo', Loky.Input.new_for_strv(['a', 'b']), None)
    taken = []
    while True:
        _, result, *_ = run(lambda callback: results.next_async(None, callback))
        future = results.next_finish(result)
        if future is None:
            break
        taken.append(future.dup_result().get_string())
    assert taken == ['a', 'b']


@test
def input_function(executor):
    numbers = iter(range(1000))

    def supply(source, *_):
        number = next(numbers, None)
        if number is None:
            source.end()
        else:
            source.push(GLib.Variant('i', number))
        return True

    taken = take_all(executor.map('demo.echo', Loky.Input.new(supply), None))
    assert [future.dup_result().get_int32() for _, future in taken] == list(range(1000))


@test
def input_function_from_the_main_loop(executor):
    source = Loky.Input.new(lambda *_: True)
    results = executor.map('demo.echo', source, None)

    def push():
        source.push(GLib.Variant('s', 'late'))
        source.end()
        return GLib.SOURCE_REMOVE

    GLib.timeout_add(50, push)
    _, result, *_ = run(lambda callback: results.next_async(None, callback))
    assert results.next_finish(result).dup_result().get_string() == 'late'


@test
def input_that_fails(executor):
    source = Loky.Input.new(lambda *_: True)
    source.push(GLib.Variant('s', 'first'))
    source.fail(GLib.Error.new_literal(Gio.io_error_quark(), 'torn tape', Gio.IOErrorEnum.BROKEN_PIPE))
    results = executor.map('demo.echo', source, None)
    assert results.next(None).dup_result().get_string() == 'first'
    error = expect_error(Gio.io_error_quark(), Gio.IOErrorEnum.BROKEN_PIPE, results.next, None)
    assert 'torn tape' in error.message


@test
def input_function_that_raises(executor):
    def supply(*_):
        raise ValueError('this is expected')

    hook, sys.excepthook = sys.excepthook, lambda *_: None
    try:
        results = executor.map('demo.echo', Loky.Input.new(supply), None)
        try:
            results.next(None)
        except (GLib.Error, ValueError):
            return
    finally:
        sys.excepthook = hook
    raise AssertionError('there was no error')


@test
def input_of_a_list_model(executor):
    model = Gio.ListStore.new(Gio.SimpleAction)
    for name in ('one', 'two', 'three'):
        model.append(Gio.SimpleAction.new(name, None))
    source = Loky.Input.new_for_model(model, lambda item, *_: GLib.Variant('s', item.get_name()))
    taken = take_all(executor.map('demo.echo', source, None))
    assert [future.dup_result().get_string() for _, future in taken] == ['one', 'two', 'three']


@test
def buffer(executor):
    contents = bytes(range(256)) * 4096
    buffer = Loky.Buffer.new_from_bytes(GLib.Bytes.new(contents))
    future = executor.submit('demo.echo', buffer.to_variant(), None)
    assert future.wait(-1, None)
    result = future.dup_result()
    assert result.get_type_string() == 'h'
    returned = future.lookup_buffer(result.get_handle())
    assert returned.is_sealed()
    assert returned.dup_bytes().get_data() == contents


@test
def bulk_bytes(executor):
    contents = GLib.Bytes.new(os.urandom(4 << 20))
    args = GLib.Variant.new_from_bytes(GLib.VariantType('ay'), contents, True)
    result = executor.call_sync('demo.echo', args, None, None)
    assert result.get_data_as_bytes().equal(contents)


@test
def properties(executor):
    assert executor.props.max_workers == 2
    assert executor.props.state == Loky.ExecutorState.OPEN
    assert executor.props.n_workers in (1, 2)
    assert bool(executor)
    other = Loky.Executor(max_workers=1, plugin_path=['/nowhere'], environment=['A=B'],
                          crash_policy=Loky.CrashPolicy.BREAK)
    assert other.dup_plugin_path() == ['/nowhere']
    assert other.props.crash_policy == Loky.CrashPolicy.BREAK
    expect_error(Loky.error_quark(), Loky.Error.NO_SUCH_TASK, other.call_sync,
                 'demo.echo', None, None, None)
    assert other.shutdown_sync(Loky.ShutdownMode.KILL, -1, None)


@test
def state_is_notified(executor):
    other = Loky.Executor.new(1)
    states = []
    other.connect('notify::state', lambda source, _: states.append(source.props.state))
    assert other.warm_up_sync(1, None)
    assert other.shutdown_sync(Loky.ShutdownMode.DRAIN, -1, None)
    while Loky.ExecutorState.SHUT_DOWN not in states:
        GLib.MainContext.default().iteration(True)


@test
def shut_down(executor):
    _, result, *_ = run(lambda callback: executor.shutdown_async(
        Loky.ShutdownMode.DRAIN, -1, None, callback))
    assert executor.shutdown_finish(result)
    assert executor.get_state() == Loky.ExecutorState.SHUT_DOWN
    expect_error(Loky.error_quark(), Loky.Error.SHUT_DOWN, executor.submit, 'demo.echo', None, None)


def main():
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    failed = 0
    executor = Loky.Executor.new(2)
    print(f'1..{len(tests)}')
    for number, function in enumerate(tests, 1):
        signal.alarm(60 * int(os.environ.get('LOKY_TEST_TIMEOUT_MULTIPLIER', '1')))
        name = '/loky/python/' + function.__name__.replace('_', '-')
        try:
            function(executor)
            print(f'ok {number} {name}', flush=True)
        except Exception:
            failed += 1
            print('# ' + traceback.format_exc().replace('\n', '\n# '))
            print(f'not ok {number} {name}', flush=True)
    return 1 if failed else 0


sys.exit(main())
