// SPDX-License-Identifier: LGPL-2.1-or-later
// libloky through GJS. Prints TAP.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import Loky from 'gi://Loky?version=1';
import System from 'system';

Gio._promisify(Loky.Executor.prototype, 'call_async', 'call_finish');
Gio._promisify(Loky.Executor.prototype, 'shutdown_async', 'shutdown_finish');
Gio._promisify(Loky.Executor.prototype, 'warm_up_async', 'warm_up_finish');
Gio._promisify(Loky.Future.prototype, 'wait_async', 'wait_finish');
Gio._promisify(Loky.Results.prototype, 'next_async', 'next_finish');
Gio._promisify(Loky.Completions.prototype, 'next_async', 'next_finish');

function assert(condition, what) {
    if (!condition)
        throw new Error(`not so: ${what}`);
}

function assertEqual(found, expected) {
    assert(found === expected, `${JSON.stringify(found)} is ${JSON.stringify(expected)}`);
}

async function expectError(domain, code, start) {
    try {
        await start();
    } catch (error) {
        assert(error instanceof GLib.Error && error.matches(domain, code), `${error} is ${code}`);
        return error;
    }
    throw new Error('there was no error');
}

const text = string => GLib.Variant.new_string(string);
const number = value => GLib.Variant.new_double(value);

const Photo = GObject.registerClass({GTypeName: 'Photo'}, class Photo extends GObject.Object {});

function makePhoto(name) {
    const photo = new Photo();
    photo.label = name;
    return photo;
}

const tests = {
    async 'submit-and-wait'(executor) {
        const future = executor.submit('demo.echo', new GLib.Variant('(si)', ['text', 7]), null);
        assert(await future.wait_async(null), 'the wait ended well');
        assert(future.is_done(), 'the future is done');
        assertEqual(future.state, Loky.FutureState.SUCCEEDED);
        assertEqual(future.task, 'demo.echo');
        assertEqual(future.dup_error(), null);
        assertEqual(JSON.stringify(future.dup_result().deepUnpack()), '["text",7]');
    },

    async 'call-async'(executor) {
        const args = new GLib.Variant('(tt)', [0, 100]);
        const result = await executor.call_async('demo.primes', args, null, null);
        assertEqual(result.get_uint64(), 25);
    },

    async 'call-sync'(executor) {
        assertEqual(executor.call_sync('demo.echo', null, null, null).get_type_string(), '()');
    },

    async 'done-signal'(executor) {
        const future = executor.submit('demo.sleep', number(0.05), null);
        await new Promise(resolve => future.connect('done', resolve));
        assertEqual(future.dup_result().get_double(), 0.05);
    },

    async 'partial-results'(executor) {
        const options = new Loky.TaskOptions({partial_results: true});
        const future = executor.submit('demo.count', GLib.Variant.new_uint32(5), options);
        const heard = [];
        future.connect('partial', (_, value) => heard.push(value.get_uint32()));
        await new Promise(resolve => future.connect('done', resolve));
        assertEqual(heard.join(' '), '1 2 3 4 5');
        assertEqual(future.next_partial(-1, null), null);
    },

    async 'captured-output'(executor) {
        const options = new Loky.TaskOptions({capture_output: true});
        const future = executor.submit('demo.crash', text('abort'), options);
        let heard = '';
        future.connect('output', (_, stream, bytes) => {
            if (stream === Loky.Stream.STDERR)
                heard += new TextDecoder().decode(bytes.toArray());
        });
        await new Promise(resolve => future.connect('done', resolve));
        assert(heard.includes('demo.crash'), `${heard} is the output`);
        assertEqual(future.get_output_size(Loky.Stream.STDERR), heard.length);
    },

    async 'error-of-a-task-keeps-domain-and-code'(executor) {
        const error = await expectError(Gio.IOErrorEnum, Gio.IOErrorEnum.FAILED,
            () => executor.call_async('demo.fail', text('no luck'), null, null));
        assert(error.message.includes('no luck'), 'the message is that of the task');
    },

    async 'error-of-the-library'(executor) {
        await expectError(Loky.Error, Loky.Error.NO_SUCH_TASK,
            () => executor.call_sync('demo.ecko', text(''), null, null));
        await expectError(Loky.Error, Loky.Error.INVALID_ARGUMENT,
            () => executor.call_async('demo.sleep', text('abc'), null, null));
    },

    async 'dead-worker'(executor) {
        const future = executor.submit('demo.crash', text('abort'), null);
        await future.wait_async(null);
        const error = future.dup_error();
        assert(error.matches(Loky.Error, Loky.Error.WORKER_DIED), `${error} is WORKER_DIED`);
        assert(error.message.includes('SIGABRT'), 'the message names the signal');
        assert(future.dup_stderr_tail().includes('demo.crash'), 'the output is kept');
        await expectError(Loky.Error, Loky.Error.WORKER_DIED, () => future.dup_result());
    },

    async 'cancel'(executor) {
        const cancellable = new Gio.Cancellable();
        GLib.timeout_add(GLib.PRIORITY_DEFAULT, 50, () => {
            cancellable.cancel();
            return GLib.SOURCE_REMOVE;
        });
        await expectError(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED,
            () => executor.call_async('demo.sleep', number(3600), null, cancellable));
    },

    async 'options'(executor) {
        const options = new Loky.TaskOptions({timeout: 100, priority: 3});
        assertEqual(options.priority, 3);
        await expectError(Loky.Error, Loky.Error.TIMED_OUT,
            () => executor.call_async('demo.sleep', number(3600), options, null));
    },

    async 'map-in-order'(executor) {
        const values = Array.from({length: 100}, (_, i) => `item ${i}`);
        const results = executor.map('demo.echo', Loky.Input.new_for_strv(values), null);
        for (const [i, value] of values.entries()) {
            const future = await results.next_async(null);
            assertEqual(results.get_index(), i);
            assertEqual(future.dup_result().unpack(), value);
        }
        assertEqual(await results.next_async(null), null);
    },

    async 'map-as-completed'(executor) {
        const input = Loky.Input.new_for_array(new GLib.Variant('ad', [0.2, 0, 0]));
        const results = executor.map('demo.sleep', input, new Loky.MapOptions({ordered: false}));
        const indices = [];
        while (results.next(null) !== null)
            indices.push(results.get_index());
        assertEqual(JSON.stringify([...indices].sort()), '[0,1,2]');
        assertEqual(indices[2], 0);
    },

    async 'wait-for-several'(executor) {
        const futures = [3600, 0.01].map(time => executor.submit('demo.sleep', number(time), null));
        assert(Loky.wait(futures, Loky.WaitMode.FIRST_COMPLETED, -1, null), 'one has ended');
        assertEqual(futures[0].is_done(), false);
        futures[0].cancel();
        const ended = await new Promise((resolve, reject) => {
            Loky.wait_async(futures, Loky.WaitMode.ALL_COMPLETED, null, (_, result) => {
                try {
                    resolve(Loky.wait_finish(result));
                } catch (error) {
                    reject(error);
                }
            });
        });
        assert(ended && futures.every(future => future.is_done()), 'all have ended');
    },

    async 'as-completed'(executor) {
        const [slow, fast] = [0.3, 0.01].map(time => executor.submit('demo.sleep', number(time), null));
        const completions = Loky.as_completed([slow, fast]);
        assertEqual(await completions.next_async(null), fast);
        assertEqual(completions.next(-1, null), slow);
        assertEqual(completions.next(-1, null), null);
    },

    async 'reusable-executor'(executor) {
        const config = new Loky.ExecutorConfig({max_workers: 1, environment: ['WHO=config']});
        assert(config.equal(config.copy()), 'the copy is equal');
        const first = Loky.get_reusable_executor(config, Loky.Reuse.AUTO, false);
        assertEqual(Loky.get_reusable_executor(null, Loky.Reuse.ALWAYS, false), first);
        assert(first.dup_config().equal(config), 'it has these settings');
        await first.call_async('demo.echo', null, null, null);
        assert(Loky.get_reusable_executor(config, Loky.Reuse.NEVER, true) !== first, 'it is another');
    },

    async 'input-function'(executor) {
        let next = 0;
        const input = Loky.Input.new(source => {
            if (next === 500)
                source.end();
            else
                source.push(GLib.Variant.new_int32(next++));
            return true;
        });
        const results = executor.map('demo.echo', input, null);
        let taken = 0;
        for (let future; (future = await results.next_async(null)) !== null; taken++)
            assertEqual(future.dup_result().get_int32(), taken);
        assertEqual(taken, 500);
    },

    async 'input-function-that-throws'(executor) {
        const input = Loky.Input.new(() => {
            throw new GLib.Error(Gio.IOErrorEnum, Gio.IOErrorEnum.BROKEN_PIPE, 'torn tape');
        });
        const results = executor.map('demo.echo', input, null);
        await expectError(Gio.IOErrorEnum, Gio.IOErrorEnum.BROKEN_PIPE,
            () => results.next_async(null));
    },

    async 'input-of-a-list-model'(executor) {
        const model = new Gio.ListStore({item_type: Gio.SimpleAction});
        for (const name of ['one', 'two'])
            model.append(new Gio.SimpleAction({name}));
        const input = Loky.Input.new_for_model(model, item => text(item.name));
        const results = executor.map('demo.echo', input, null);
        assertEqual(results.next(null).dup_result().unpack(), 'one');
        assertEqual(results.next(null).dup_result().unpack(), 'two');
        assertEqual(results.next(null), null);
    },

    async 'buffer'(executor) {
        const contents = new Uint8Array(1 << 20).map((_, i) => i * 7 + 3);
        const buffer = Loky.Buffer.new_from_bytes(new GLib.Bytes(contents));
        const future = executor.submit('demo.echo', buffer.to_variant(), null);
        await future.wait_async(null);
        const returned = future.lookup_buffer(future.dup_result().get_handle());
        assert(returned.is_sealed(), 'what comes is sealed');
        assert(returned.dup_bytes().equal(new GLib.Bytes(contents)), 'it is what was sent');
    },

    async 'descriptors'(executor) {
        const descriptor = Loky.Descriptor.new(2);
        const future = executor.submit('descriptor.examine',
            GLib.Variant.new_tuple([descriptor.to_variant()]), null);
        await future.wait_async(null);
        assert(future.dup_result().get_boolean(), 'it was copied and taken');
        await expectError(Loky.Error, Loky.Error.INVALID_ARGUMENT, () => descriptor.steal_fd());

        const accepting = new Loky.Executor({max_workers: 1, accept_descriptors: true});
        assert(accepting.accept_descriptors && !executor.accept_descriptors, 'only if it is wanted');
        const made = accepting.submit('descriptor.make-socket', new GLib.Variant('s', 'here'), null);
        await made.wait_async(null);
        const returned = made.lookup_descriptor(made.dup_result().get_handle());
        const stream = new Gio.UnixInputStream({fd: returned.steal_fd(), close_fd: true});
        assert(stream.read_bytes(16, null).equal(new GLib.Bytes('here')), 'it is what the task wrote');
        stream.close(null);
        accepting.shutdown_sync(Loky.ShutdownMode.DRAIN, -1, null);
    },

    async 'resources'(executor) {
        const [file, stream] = Gio.File.new_tmp('loky-js-XXXXXX');
        stream.close(null);
        const resource = Loky.Resource.new(file, Loky.ResourceKind.FILE);
        assert(resource.get_file().equal(file), 'it is where it was made');
        const future = executor.submit('demo.echo', resource.to_variant(), null);
        await future.wait_async(null);
        const same = future.lookup_resource(future.dup_result());
        assert(same.forget(), 'it is left alone');
        assert(file.delete(null), 'it is still there');
        await expectError(Loky.Error, Loky.Error.INVALID_ARGUMENT,
            () => Loky.Resource.new(Gio.File.new_for_path('/'), Loky.ResourceKind.FOLDER));
    },

    async 'synchronizers'(executor) {
        const {ACQUIRED} = Loky.AcquireResult;
        const lock = Loky.Lock.new();
        assertEqual(lock.acquire(-1, null), ACQUIRED);
        await expectError(Gio.IOErrorEnum, Gio.IOErrorEnum.TIMED_OUT, () => lock.acquire(0, null));
        const future = executor.submit('demo.echo', lock.to_variant(), null);
        await future.wait_async(null);
        const same = future.lookup_synchronizer(future.dup_result().get_handle(), Loky.Lock.$gtype);
        assert(same instanceof Loky.Lock, 'it is a lock');
        assert(same.release(), 'anybody may release it');
        await expectError(Loky.Error, Loky.Error.NOT_HELD, () => lock.release());

        const condition = Loky.Condition.new(null);
        assertEqual(condition.get_lock().acquire(0, null), ACQUIRED);
        assert(condition.wake_all(), 'nobody has to wait');
        await expectError(Gio.IOErrorEnum, Gio.IOErrorEnum.TIMED_OUT, () => condition.wait(0, null));
        assert(condition.get_lock().release(), 'it was held again');

        const event = Loky.Event.new();
        event.set();
        assert(event.wait(-1, null) && event.is_set(), 'it is set');
        const semaphore = Loky.Semaphore.new(0);
        assert(semaphore.release(), 'it counts');
        assertEqual(semaphore.get_value(), 1);
        const barrier = Loky.Barrier.new(1);
        assertEqual(barrier.wait(-1, null), 0);
    },

    async 'values'(executor) {
        const future = executor.submit_values('demo.echo', [1, 'two', 3.5], null);
        await future.wait_async(null);
        assertEqual(JSON.stringify(future.dup_result().deepUnpack()), '[1,"two",3.5]');
        const text = executor.submit('demo.echo', GLib.Variant.new_string('three'), null);
        await text.wait_async(null);
        assertEqual(text.dup_value()[1], 'three');
    },

    async 'own-reducers'(executor) {
        const registry = Loky.ReducerRegistry.new();
        registry.set_reduce_func(Photo.$gtype, photo => GLib.Variant.new_string(photo.label));
        registry.set_rebuild_func(Photo.$gtype, form => makePhoto(form.get_string()[0]));
        const other = new Loky.Executor({max_workers: 1, job_reducers: registry});
        const future = other.submit('demo.echo', registry.reduce(makePhoto('a')), null);
        await future.wait_async(null);
        const back = future.dup_value()[1];
        assert(back instanceof Photo, 'a photo came back');
        assertEqual(back.label, 'a');
        await expectError(Loky.Error, Loky.Error.REDUCER,
            () => executor.submit_values('demo.echo', [makePhoto('b')], null));
        assert(await other.shutdown_async(Loky.ShutdownMode.DRAIN, -1, null), 'it ended');
    },

    async 'serializers'(executor) {
        assertEqual(Loky.get_serializer(), 'gvariant');
        await expectError(Loky.Error, Loky.Error.SERIALIZER, () => Loky.set_serializer('absent'));
        assert(Loky.set_serializer('test'), 'it is there');
        assertEqual((await executor.call_async('demo.echo', text('x'), null, null)).unpack(), 'x');
        assert(Loky.set_serializer(null), 'the default is there');
    },

    async 'shut-down'(executor) {
        assert(await executor.warm_up_async(2, null), 'the workers are ready');
        assertEqual(executor.n_workers, 2);
        assert(await executor.shutdown_async(Loky.ShutdownMode.DRAIN, -1, null), 'it ended');
        assertEqual(executor.state, Loky.ExecutorState.SHUT_DOWN);
        await expectError(Loky.Error, Loky.Error.SHUT_DOWN,
            () => executor.submit('demo.echo', null, null));
    },
};

async function runAll() {
    const executor = Loky.Executor.new(2);
    let failed = 0;
    print(`1..${Object.keys(tests).length}`);
    for (const [i, name] of Object.keys(tests).entries()) {
        try {
            await tests[name](executor);
            print(`ok ${i + 1} /loky/js/${name}`);
        } catch (error) {
            failed++;
            print(`# ${error}\n# ${error.stack?.replaceAll('\n', '\n# ')}`);
            print(`not ok ${i + 1} /loky/js/${name}`);
        }
    }
    return failed;
}

const loop = GLib.MainLoop.new(null, false);
const seconds = 60 * Number(GLib.getenv('LOKY_TEST_TIMEOUT_MULTIPLIER') ?? '1');
let status = 1;

GLib.timeout_add_seconds(GLib.PRIORITY_DEFAULT, seconds, () => {
    print('Bail out! A test took too long');
    loop.quit();
    return GLib.SOURCE_REMOVE;
});
runAll().then(failed => {
    status = failed > 0 ? 1 : 0;
}).catch(logError).finally(() => loop.quit());
loop.run();
System.exit(status);
