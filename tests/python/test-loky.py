#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""libloky through PyGObject. Prints TAP."""

import os
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback

import gi

gi.require_version('Loky', '1')
from gi.repository import Gio, GLib, GObject, Loky  # noqa: E402

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
def partial_results(executor):
    options = Loky.TaskOptions(partial_results=True)
    future = executor.submit('demo.count', GLib.Variant('u', 5), options)
    heard = []
    future.connect('partial', lambda emitter, value: heard.append(value.get_uint32()))
    run(lambda callback: future.connect('done', callback))
    assert heard == [1, 2, 3, 4, 5], heard
    taken = executor.submit('demo.count', GLib.Variant('u', 2), options)
    assert [taken.next_partial(-1, None).get_uint32() for _ in range(2)] == [1, 2]
    assert taken.next_partial(-1, None) is None
    assert taken.dup_result().get_uint32() == 2
    expect_error(Loky.error_quark(), Loky.Error.INVALID_ARGUMENT,
                 executor.call_sync, 'demo.count', GLib.Variant('u', 1), options, None)


@test
def captured_output(executor):
    future = executor.submit('demo.crash', GLib.Variant('s', 'abort'), Loky.TaskOptions(capture_output=True))
    heard = {Loky.Stream.STDOUT: b'', Loky.Stream.STDERR: b''}

    def output(emitter, stream, data, n_dropped):
        assert n_dropped == 0
        heard[stream] += data.get_data()

    future.connect('output', output)
    run(lambda callback: future.connect('done', callback))
    for stream, data in heard.items():
        assert (future.dup_output(stream).get_data() or b'') == data
        assert future.get_output_size(stream) == len(data)
    assert b'demo.crash' in heard[Loky.Stream.STDERR], heard
    assert 'demo.crash' in future.dup_error().message
    assert executor.submit('demo.echo', None, None).dup_output(Loky.Stream.STDOUT) is None


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
def start_methods(executor):
    forked = Loky.Executor(max_workers=1, start_method='forkserver', preload=['demo'])
    assert forked.get_property('start-method') == 'forkserver'
    assert forked.call_sync('demo.echo', GLib.Variant('s', 'x'), None, None).get_string() == 'x'
    forked.shutdown_sync(Loky.ShutdownMode.DRAIN, -1, None)
    error = expect_error(Loky.error_quark(), Loky.Error.INVALID_ARGUMENT,
                         Loky.Executor(start_method='threads').submit, 'demo.echo', None, None)
    assert 'forkserver' in error.message
    # The program is the interpreter, which is no worker.
    expect_error(Loky.error_quark(), Loky.Error.WORKER_START,
                 Loky.Executor(start_method='loky-init-main').submit, 'demo.echo', None, None)
    before = Loky.get_start_method()
    assert Loky.set_start_method('forkserver', False)
    assert Loky.get_start_method() == 'forkserver'
    expect_error(Loky.error_quark(), Loky.Error.FAILED, Loky.set_start_method, 'loky', False)
    assert Loky.set_start_method(None, True)
    assert Loky.get_start_method() == before


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
def map_over_several_inputs(executor):
    numbers, words = GLib.Variant('ai', [1, 2, 3]), ['a', 'b', 'c']
    both = Loky.Input.new_zip([Loky.Input.new_for_array(numbers), Loky.Input.new_for_strv(words)])
    taken = take_all(executor.map('demo.echo', both, None))
    assert [future.dup_result().unpack() for _, future in taken] == [(1, 'a'), (2, 'b'), (3, 'c')]


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


def submit_sleeps(executor, *seconds):
    return [executor.submit('demo.sleep', GLib.Variant('d', time), None) for time in seconds]


@test
def wait_for_several(executor):
    futures = submit_sleeps(executor, 3600, 0.01)
    assert Loky.wait(futures, Loky.WaitMode.FIRST_COMPLETED, -1, None)
    assert [future.is_done() for future in futures] == [False, True]
    expect_error(Gio.io_error_quark(), Gio.IOErrorEnum.TIMED_OUT, Loky.wait, futures,
                 Loky.WaitMode.ALL_COMPLETED, 10, None)
    futures[0].cancel()
    _, result, *_ = run(lambda callback: Loky.wait_async(
        futures, Loky.WaitMode.ALL_COMPLETED, None, callback))
    assert Loky.wait_finish(result)
    assert all(future.is_done() for future in futures)


@test
def as_completed(executor):
    slow, fast = submit_sleeps(executor, 0.3, 0.01)
    completions = Loky.as_completed([slow, fast])
    assert completions.next(-1, None) == fast
    _, result, *_ = run(lambda callback: completions.next_async(None, callback))
    assert completions.next_finish(result) == slow
    assert completions.next(-1, None) is None


@test
def config(executor):
    config = Loky.ExecutorConfig(max_workers=1, environment=['WHO=config'])
    assert config.equal(config.copy())
    assert not config.equal(Loky.ExecutorConfig.new())
    other = Loky.Executor.new_with_config(config)
    assert other.dup_config().equal(config)
    assert other.props.environment == ['WHO=config']
    assert other.shutdown_sync(Loky.ShutdownMode.KILL, -1, None)


@test
def reusable_executor(executor):
    config = Loky.ExecutorConfig(max_workers=1)
    first = Loky.get_reusable_executor(config, Loky.Reuse.AUTO, False)
    assert first.call_sync('demo.echo', GLib.Variant('i', 1), None, None).get_int32() == 1
    assert Loky.get_reusable_executor(None, Loky.Reuse.ALWAYS, False) == first
    config.props.max_workers = 2
    assert Loky.get_reusable_executor(config, Loky.Reuse.AUTO, False) == first
    assert first.get_max_workers() == 2
    config.props.idle_timeout = 5000
    second = Loky.get_reusable_executor(config, Loky.Reuse.AUTO, True)
    assert second != first
    expect_error(Loky.error_quark(), Loky.Error.SHUT_DOWN, first.submit, 'demo.echo', None, None)
    assert second.shutdown_sync(Loky.ShutdownMode.KILL, -1, None)


@test
def statistics(executor):
    other = Loky.Executor.new(1)
    assert other.call_sync('demo.echo', None, None, None) is not None
    statistics = other.dup_statistics('demo.echo')
    assert statistics.get_n_succeeded() == other.dup_statistics(None).get_n_submitted() == 1
    assert statistics.get_run_time(50) >= 0 and statistics.get_queue_time(99) >= 0
    assert other.dup_task_names() == ['demo.echo']
    assert other.shutdown_sync(Loky.ShutdownMode.KILL, -1, None)


@test
def backlog(executor):
    other = Loky.Executor(max_workers=1, max_backlog=1)
    futures = submit_sleeps(other, 3600)
    while other.props.n_running == 0:
        GLib.usleep(1000)
    futures += submit_sleeps(other, 3600)
    expect_error(Loky.error_quark(), Loky.Error.BACKLOG_FULL, other.submit, 'demo.echo', None, None)
    GLib.idle_add(lambda: futures[1].cancel() and GLib.SOURCE_REMOVE)
    _, result, *_ = run(lambda callback: other.submit_async('demo.echo', None, None, None, callback))
    assert other.submit_finish(result).get_task() == 'demo.echo'
    assert other.shutdown_sync(Loky.ShutdownMode.KILL, -1, None)


@test
def cpu_counts(executor):
    assert 1 <= Loky.cpu_count_physical() <= Loky.cpu_count()


@test
def worker_life(executor):
    told = []
    other = Loky.Executor(max_workers=1, max_tasks_per_worker=1, memory_growth_limit=1 << 30,
                          memory_check_interval=0)
    other.connect('worker-grown', lambda *arguments: told.append(arguments))
    for _ in range(3):
        assert other.call_sync('demo.echo', None, None, None) is not None
    assert not told
    assert other.shutdown_sync(Loky.ShutdownMode.KILL, -1, None)


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
def sockets(executor):
    # The worker writes back what it reads.
    def submit_socket(far):
        return executor.submit_values('descriptor.echo-socket', [Gio.Socket.new_from_fd(far.detach())], None)

    def submit_descriptor(far):
        descriptor = Loky.Descriptor.new(far.fileno())
        far.close()
        return executor.submit('descriptor.echo', GLib.Variant('(h)', (descriptor.get_handle(),)), None)

    for submit in submit_socket, submit_descriptor:
        near, far = socket.socketpair()
        future = submit(far)
        near.sendall(b'over there')
        near.shutdown(socket.SHUT_WR)
        assert near.makefile('rb').read() == b'over there'
        assert future.wait(-1, None)
        assert future.dup_result() is not None
        near.close()
    closed = Gio.Socket.new(Gio.SocketFamily.UNIX, Gio.SocketType.STREAM, Gio.SocketProtocol.DEFAULT)
    closed.close()
    expect_error(Loky.error_quark(), Loky.Error.REDUCER, executor.submit_values,
                 'descriptor.echo-socket', [closed], None)


@test
def descriptors_of_results(executor):
    assert not executor.props.accept_descriptors
    accepting = Loky.Executor(max_workers=1, accept_descriptors=True)
    future = accepting.submit('descriptor.make-socket', GLib.Variant('s', 'here'), None)
    assert future.wait(-1, None)
    returned = future.lookup_descriptor(future.dup_result().get_handle())
    with socket.socket(fileno=returned.steal_fd()) as near:
        assert near.recv(16) == b'here'
    future = accepting.submit('descriptor.make-value', GLib.Variant('s', 'GSocket'), None)
    assert future.wait(-1, None)
    assert isinstance(future.dup_value().value, Gio.Socket)
    accepting.shutdown_sync(Loky.ShutdownMode.DRAIN, -1, None)


@test
def resources(executor):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'file')
        with open(path, 'w') as file:
            file.write('text')
        resource = Loky.Resource.new(Gio.File.new_for_path(path), Loky.ResourceKind.FILE)
        assert resource.get_file().get_path() == resource.props.file.get_path() == path
        assert resource.get_kind() == Loky.ResourceKind.FILE
        future = executor.submit('demo.echo', resource.to_variant(), None)
        del resource
        assert future.wait(-1, None)
        same = future.lookup_resource(future.dup_result())
        assert same.get_file().get_path() == path
        assert same.forget()
        del same, future

        resource = Loky.Resource.new(Gio.File.new_for_path(path), Loky.ResourceKind.FILE)
        future = executor.submit_values('resource.give-value-back', [resource], None)
        del resource
        assert future.wait(-1, None)
        same = future.dup_value()
        del future
        assert os.path.exists(path)
        del same
        while os.path.exists(path):
            time.sleep(0.001)
    expect_error(Loky.error_quark(), Loky.Error.INVALID_ARGUMENT, Loky.Resource.new,
                 Gio.File.new_for_path('/'), Loky.ResourceKind.FOLDER)


@test
def locks(executor):
    acquired, not_held = Loky.AcquireResult.ACQUIRED, Loky.Error.NOT_HELD
    lock = Loky.Lock.new()
    assert lock.acquire(-1, None) == acquired
    expect_error(Gio.io_error_quark(), Gio.IOErrorEnum.TIMED_OUT, lock.acquire, 0, None)
    future = executor.submit('demo.echo', lock.to_variant(), None)
    assert future.wait(-1, None)
    same = future.lookup_synchronizer(future.dup_result().get_handle(), Loky.Lock)
    assert isinstance(same, Loky.Lock)
    assert same.release()
    expect_error(Loky.error_quark(), not_held, lock.release)

    recursive = Loky.Lock.new_recursive()
    assert recursive.is_recursive()
    assert recursive.acquire(0, None) == recursive.acquire(0, None) == acquired
    assert recursive.release() and recursive.release()

    semaphore = Loky.Semaphore.new_bounded(1)
    assert semaphore.get_value() == 1
    assert semaphore.acquire(0, None) == acquired
    assert semaphore.release()
    expect_error(Loky.error_quark(), not_held, semaphore.release)


@test
def waiting(executor):
    condition = Loky.Condition.new(None)
    lock = condition.get_lock()
    woken = []

    def wait():
        assert lock.acquire(-1, None) != Loky.AcquireResult.FAILED
        waits.set()
        woken.append(condition.wait(-1, None))
        lock.release()

    waits = Loky.Event.new()
    thread = threading.Thread(target=wait)
    thread.start()
    assert waits.wait(-1, None) and waits.is_set()
    assert lock.acquire(-1, None) == Loky.AcquireResult.ACQUIRED
    assert condition.wake_one() and condition.wake_all()
    assert lock.release()
    thread.join()
    assert woken == [Loky.AcquireResult.ACQUIRED]
    waits.clear()
    expect_error(Gio.io_error_quark(), Gio.IOErrorEnum.TIMED_OUT, waits.wait, 0, None)

    barrier = Loky.Barrier.new(2)
    indices = []
    thread = threading.Thread(target=lambda: indices.append(barrier.wait(-1, None)))
    thread.start()
    indices.append(barrier.wait(-1, None))
    thread.join()
    assert sorted(indices) == [0, 1]
    barrier.abort()
    expect_error(Loky.error_quark(), Loky.Error.BARRIER_BROKEN, barrier.wait, -1, None)
    barrier.reset()
    assert not barrier.is_broken()


@test
def bulk_bytes(executor):
    contents = GLib.Bytes.new(os.urandom(4 << 20))
    args = GLib.Variant.new_from_bytes(GLib.VariantType('ay'), contents, True)
    result = executor.call_sync('demo.echo', args, None, None)
    assert result.get_data_as_bytes().equal(contents)


class Photo(GObject.Object):
    __gtype_name__ = 'Photo'

    def __init__(self, name):
        super().__init__()
        self.name = name


def rebuild_photo(form, *_):
    return Photo(form.get_string())


@test
def values(executor):
    future = executor.submit_values('demo.echo', [1, 'two', 3.5], None)
    assert future.wait(-1, None)
    assert future.dup_result().unpack() == (1, 'two', 3.5)
    # Of any other type than those of values, a variant.
    assert future.dup_value().value.unpack() == (1, 'two', 3.5)
    for value in (7, 'seven', True, 0.5):
        future = executor.submit('demo.echo', Loky.ReducerRegistry.get_default().reduce(value), None)
        assert future.wait(-1, None)
        assert future.dup_value().value == value


@test
def own_reducers(executor):
    registry = Loky.ReducerRegistry.new()
    registry.set_reduce_func(Photo, lambda photo, *_: GLib.Variant('s', photo.name))
    registry.set_rebuild_func(Photo, rebuild_photo)
    reduced = registry.reduce(Photo('a'))
    assert registry.rebuild(reduced).value.name == 'a'

    other = Loky.Executor(max_workers=1, job_reducers=registry)
    file = Gio.File.new_for_path('/a b')
    for value in (Photo('b'), file):
        future = other.submit('demo.echo', registry.reduce(value), None)
        assert future.wait(-1, None)
        back = future.dup_value().value
        assert back.equal(file) if value is file else back.name == 'b'
    # The other executor has no such reducers.
    expect_error(Loky.error_quark(), Loky.Error.REDUCER, executor.submit_values,
                 'demo.echo', [Photo('c')], None)
    assert other.shutdown_sync(Loky.ShutdownMode.DRAIN, -1, None)


@test
def reducers_that_throw(executor):
    def throw(*_):
        raise GLib.Error.new_literal(Gio.io_error_quark(), 'not this one',
                                     Gio.IOErrorEnum.INVALID_DATA)

    registry = Loky.ReducerRegistry.new()
    registry.set_reduce_func(Photo, throw)
    registry.set_rebuild_func(GObject.TYPE_INT, throw)
    expect_error(Gio.io_error_quark(), Gio.IOErrorEnum.INVALID_DATA, registry.reduce, Photo('a'))
    expect_error(Gio.io_error_quark(), Gio.IOErrorEnum.INVALID_DATA, registry.rebuild,
                 GLib.Variant('i', 1))
    registry.set_reduce_func(Photo, lambda *_: None)
    expect_error(Loky.error_quark(), Loky.Error.REDUCER, registry.reduce, Photo('a'))


@test
def serializers(executor):
    assert Loky.get_serializer() == 'gvariant'
    expect_error(Loky.error_quark(), Loky.Error.SERIALIZER, Loky.set_serializer, 'absent')
    assert Loky.set_serializer('test')
    assert Loky.get_serializer() == 'test'
    assert executor.call_sync('demo.echo', GLib.Variant('s', 'x'), None, None).get_string() == 'x'
    assert Loky.set_serializer(None)
    wrapper = Loky.wrap_object(Gio.File.new_for_path('/a b'), 'test')
    assert wrapper.get_serializer() == 'test'
    registry = Loky.ReducerRegistry.get_default()
    assert registry.rebuild(registry.reduce(wrapper)).value.get_path() == '/a b'
    assert Loky.get_serializer() == 'gvariant'


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
