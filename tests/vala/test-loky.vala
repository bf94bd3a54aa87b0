/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* libloky through Vala. */

Loky.Executor executor;

delegate void Start (owned AsyncReadyCallback callback);

/* Starts an asynchronous call and iterates the main context until it has ended. */
AsyncResult run (Start start) {
    AsyncResult? result = null;

    start ((source, ended) => result = ended);
    while (result == null)
        MainContext.default ().iteration (true);
    return result;
}

void submit_and_wait () {
    try {
        var future = executor.submit ("demo.echo", new Variant ("(si)", "text", 7), null);

        assert (future.wait (-1));
        assert (future.is_done ());
        assert (future.task == "demo.echo");
        assert (future.state == Loky.FutureState.SUCCEEDED);
        assert (future.dup_error () == null);
        assert (future.dup_result ().print (true) == "('text', 7)");
    } catch (Error e) {
        Test.message ("%s", e.message);
        Test.fail ();
    }
}

async uint64 count_primes () throws Error {
    var args = new Variant ("(tt)", (uint64) 0, (uint64) 100);
    var result = yield executor.call_async ("demo.primes", args, null, null);

    return result.get_uint64 ();
}

void call_async () {
    try {
        assert (count_primes.end (run ((callback) => count_primes.begin ((owned) callback))) == 25);
    } catch (Error e) {
        Test.message ("%s", e.message);
        Test.fail ();
    }
}

void partial_results () {
    try {
        var options = new Loky.TaskOptions ();
        options.partial_results = true;
        var future = executor.submit ("demo.count", new Variant.uint32 (3), options);
        Variant? value;
        uint sum = 0;

        while ((value = future.next_partial (-1)) != null)
            sum = 10 * sum + value.get_uint32 ();
        assert (sum == 123);
    } catch (Error e) {
        Test.message ("%s", e.message);
        Test.fail ();
    }
}

void captured_output () {
    try {
        var options = new Loky.TaskOptions ();
        options.capture_output = true;
        var future = executor.submit ("demo.crash", new Variant.string ("abort"), options);
        var heard = 0;
        var done = false;

        future.output.connect ((stream, bytes, n_dropped) => heard += bytes.length);
        future.done.connect (() => done = true);
        while (!done)
            MainContext.default ().iteration (true);
        assert (heard == future.get_output_size (Loky.Stream.STDOUT) + future.get_output_size (Loky.Stream.STDERR));
        assert (heard > 0);
        assert (future.dup_output (Loky.Stream.STDERR).length > 0);
    } catch (Error e) {
        Test.message ("%s", e.message);
        Test.fail ();
    }
}

void done_signal () {
    try {
        var future = executor.submit ("demo.sleep", new Variant.double (0.05), null);
        var done = false;

        future.done.connect (() => done = true);
        while (!done)
            MainContext.default ().iteration (true);
        assert (future.dup_result ().get_double () == 0.05);
    } catch (Error e) {
        Test.message ("%s", e.message);
        Test.fail ();
    }
}

async Loky.FutureState wait_for_echo () throws Error {
    var future = executor.submit ("demo.echo", new Variant.string ("hello"), null);

    yield future.wait_async (null);
    assert (future.dup_result ().get_string () == "hello");
    return future.state;
}

void wait_async () {
    try {
        var result = run ((callback) => wait_for_echo.begin ((owned) callback));

        assert (wait_for_echo.end (result) == Loky.FutureState.SUCCEEDED);
    } catch (Error e) {
        Test.message ("%s", e.message);
        Test.fail ();
    }
}

void error_of_a_task () {
    try {
        executor.call_sync ("demo.fail", new Variant.string ("no luck"), null);
        Test.fail ();
    } catch (IOError.FAILED e) {
        assert (e.message.contains ("no luck"));
    } catch (Error e) {
        Test.message ("%s", e.message);
        Test.fail ();
    }
}

void error_of_the_library () {
    try {
        executor.call_sync ("demo.sleep", new Variant.string ("abc"), null);
        Test.fail ();
    } catch (Loky.Error e) {
        assert (e is Loky.Error.INVALID_ARGUMENT);
    } catch (Error e) {
        Test.message ("%s", e.message);
        Test.fail ();
    }
}

void dead_worker () {
    try {
        var future = executor.submit ("demo.crash", new Variant.string ("segv"), null);

        assert (future.wait (-1));
        assert (future.get_term_signal () == ProcessSignal.SEGV);
        assert (future.dup_error ().matches (Loky.Error.quark (), Loky.Error.WORKER_DIED));
        assert (future.dup_stderr_tail ().contains ("demo.crash"));
    } catch (Error e) {
        Test.message ("%s", e.message);
        Test.fail ();
    }
}

void wait_for_several () {
    try {
        Loky.Future[] futures = {
            executor.submit ("demo.sleep", new Variant.double (3600), null),
            executor.submit ("demo.sleep", new Variant.double (0.01), null)
        };

        assert (Loky.wait (futures, Loky.WaitMode.FIRST_COMPLETED, -1));
        assert (!futures[0].is_done () && futures[1].is_done ());
        futures[0].cancel ();

        var completions = Loky.as_completed (futures);

        assert (completions.next (-1) == futures[1]);
        assert (completions.next (-1) == futures[0]);
        assert (completions.next (-1) == null);
    } catch (Error e) {
        Test.message ("%s", e.message);
        Test.fail ();
    }
}

void reusable_executor () {
    try {
        var config = new Loky.ExecutorConfig ();

        config.max_workers = 1;
        config.environment = { "WHO=config" };
        assert (config.equal (config.copy ()));

        var first = Loky.get_reusable_executor (config, Loky.Reuse.AUTO, false);

        assert (first == Loky.get_reusable_executor (null, Loky.Reuse.ALWAYS, false));
        assert (first.call_sync ("demo.echo", new Variant.int32 (1), null).get_int32 () == 1);
        assert (first != Loky.get_reusable_executor (config, Loky.Reuse.NEVER, true));
    } catch (Error e) {
        Test.message ("%s", e.message);
        Test.fail ();
    }
}

void map () {
    string[] values = { "one", "two", "three" };

    try {
        var results = executor.map ("demo.echo", new Loky.Input.for_strv (values), null);
        Loky.Future? future;

        foreach (var value in values) {
            future = results.next ();
            assert (future != null && future.dup_result ().get_string () == value);
        }
        assert (results.next () == null);
    } catch (Error e) {
        Test.message ("%s", e.message);
        Test.fail ();
    }
}

async uint take_all (Loky.Results results) throws Error {
    Loky.Future? future;
    uint taken = 0;

    while ((future = yield results.next_async (null)) != null)
        assert (future.dup_result ().get_uint32 () == taken++);
    return taken;
}

void input_function () {
    uint next = 0;
    var input = new Loky.Input ((input) => {
        if (next == 500)
            input.end ();
        else
            input.push (new Variant.uint32 (next++));
        return true;
    });
    var results = executor.map ("demo.echo", input, null);

    try {
        assert (take_all.end (run ((callback) => take_all.begin (results, (owned) callback))) == 500);
    } catch (Error e) {
        Test.message ("%s", e.message);
        Test.fail ();
    }
}

void input_function_that_throws () {
    var results = executor.map ("demo.echo", new Loky.Input ((input) => {
        throw new IOError.BROKEN_PIPE ("torn tape");
    }), null);

    try {
        results.next ();
        Test.fail ();
    } catch (IOError.BROKEN_PIPE e) {
        assert (e.message.contains ("torn tape"));
    } catch (Error e) {
        Test.message ("%s", e.message);
        Test.fail ();
    }
}

void buffer () {
    try {
        var contents = new Bytes ("some bytes".data);
        var future = executor.submit ("demo.echo", new Loky.Buffer.from_bytes (contents).to_variant (),
                                      null);

        assert (future.wait (-1));
        assert (future.lookup_buffer (future.dup_result ().get_handle ()).dup_bytes ()
                .compare (contents) == 0);
    } catch (Error e) {
        Test.message ("%s", e.message);
        Test.fail ();
    }
}

void descriptors () {
    try {
        var descriptor = new Loky.Descriptor (2);
        var future = executor.submit ("descriptor.examine",
                                      new Variant.tuple ({ descriptor.to_variant () }), null);

        assert (future.wait (-1));
        assert (future.dup_result ().get_boolean ());

        var accepting = (Loky.Executor) GLib.Object.new (typeof (Loky.Executor), "max-workers", 1,
                                                         "accept-descriptors", true);
        assert (accepting.accept_descriptors && !executor.accept_descriptors);
        var made = accepting.submit ("descriptor.make-socket", "here", null);
        assert (made.wait (-1));
        var returned = made.lookup_descriptor (made.dup_result ().get_handle ());
        var stream = new UnixInputStream (returned.steal_fd (), true);
        assert (stream.read_bytes (16).compare (new Bytes ("here".data)) == 0);
        stream.close ();
        accepting.shutdown_sync (Loky.ShutdownMode.DRAIN, -1, null);

        descriptor.steal_fd ();
        Test.fail ();
    } catch (Loky.Error.INVALID_ARGUMENT e) {
    } catch (Error e) {
        Test.message ("%s", e.message);
        Test.fail ();
    }
}

void resources () {
    try {
        FileIOStream stream;
        var file = File.new_tmp ("loky-vala-XXXXXX", out stream);
        var resource = new Loky.Resource (file, Loky.ResourceKind.FILE);
        var future = executor.submit ("demo.echo", resource.to_variant (), null);

        assert (future.wait (-1));
        var same = future.lookup_resource (future.dup_result ());
        assert (same.get_file ().equal (file));
        assert (same.forget ());
        file.delete ();
        new Loky.Resource (File.new_for_path ("/"), Loky.ResourceKind.FOLDER);
        Test.fail ();
    } catch (Loky.Error.INVALID_ARGUMENT e) {
    } catch (Error e) {
        Test.message ("%s", e.message);
        Test.fail ();
    }
}

void synchronizers () {
    try {
        var sem = new Loky.Semaphore.bounded (1);
        var mutex = new Loky.Lock ();

        assert (mutex.acquire (-1) == Loky.AcquireResult.ACQUIRED);
        var future = executor.submit ("demo.echo", mutex.to_variant (), null);
        assert (future.wait (-1));
        var same = (Loky.Lock) future.lookup_synchronizer (future.dup_result ().get_handle (),
                                                           typeof (Loky.Lock));
        assert (same.release ());
        assert (sem.acquire (0) == Loky.AcquireResult.ACQUIRED);
        assert (sem.get_value () == 0);

        var condition = new Loky.Condition (mutex);
        assert (condition.get_lock () == mutex);
        assert (new Loky.Barrier (1).wait (-1) == 0);
        var event = new Loky.Event ();
        event.set ();
        assert (event.wait (-1));
        mutex.release ();
        Test.fail ();
    } catch (Loky.Error.NOT_HELD e) {
    } catch (Error e) {
        Test.message ("%s", e.message);
        Test.fail ();
    }
}

class Photo : Object {
    public string name;
}

Variant reduce_photo (Value value) throws Error {
    return new Variant.string (((Photo) value.get_object ()).name);
}

void rebuild_photo (Variant form, out Value value) throws Error {
    var photo = new Photo ();

    photo.name = form.get_string ();
    value = photo;
}

Value make_photo (string name) {
    var photo = new Photo ();

    photo.name = name;
    return photo;
}

void values () {
    try {
        var registry = new Loky.ReducerRegistry ();
        Value[] values = { 1, "two", make_photo ("three") };
        Value back;

        registry.set_reduce_func (typeof (Photo), reduce_photo);
        registry.set_rebuild_func (typeof (Photo), rebuild_photo);

        var other = (Loky.Executor) Object.new (typeof (Loky.Executor), "max-workers", 1, "job-reducers", registry);
        var future = other.submit_values ("demo.echo", values, null);

        assert (future.wait (-1));
        assert (future.dup_result ().print (false) == "(1, 'two', ('Photo', <'three'>))");
        assert (registry.rebuild (future.dup_result ().get_child_value (2), out back));
        assert (((Photo) back.get_object ()).name == "three");
        assert (future.dup_value (out back));
        assert (back.holds (typeof (Variant)));
        other.shutdown_sync (Loky.ShutdownMode.DRAIN, -1);
    } catch (Error e) {
        Test.message ("%s", e.message);
        Test.fail ();
    }
}

void serializers () {
    try {
        assert (Loky.set_serializer ("test"));
        assert (Loky.get_serializer () == "test");
        assert (executor.call_sync ("demo.echo", new Variant.string ("x"), null).get_string () == "x");
        assert (Loky.set_serializer (null));
        Loky.set_serializer ("absent");
        Test.fail ();
    } catch (Loky.Error.SERIALIZER e) {
        assert (e.message.contains ("absent"));
    } catch (Error e) {
        Test.message ("%s", e.message);
        Test.fail ();
    }
}

void shut_down () {
    try {
        executor.shutdown_async.end (run ((callback) => executor.shutdown_async.begin (
            Loky.ShutdownMode.DRAIN, -1, null, (owned) callback)));
        assert (executor.state == Loky.ExecutorState.SHUT_DOWN);
        executor.submit ("demo.echo", null, null);
        Test.fail ();
    } catch (Loky.Error.SHUT_DOWN e) {
    } catch (Error e) {
        Test.message ("%s", e.message);
        Test.fail ();
    }
}

int main (string[] args) {
    Test.init (ref args);
    executor = new Loky.Executor (2);

    Test.add_func ("/loky/vala/submit-and-wait", submit_and_wait);
    Test.add_func ("/loky/vala/call-async", call_async);
    Test.add_func ("/loky/vala/done-signal", done_signal);
    Test.add_func ("/loky/vala/partial-results", partial_results);
    Test.add_func ("/loky/vala/captured-output", captured_output);
    Test.add_func ("/loky/vala/wait-async", wait_async);
    Test.add_func ("/loky/vala/error-of-a-task", error_of_a_task);
    Test.add_func ("/loky/vala/error-of-the-library", error_of_the_library);
    Test.add_func ("/loky/vala/dead-worker", dead_worker);
    Test.add_func ("/loky/vala/wait-for-several", wait_for_several);
    Test.add_func ("/loky/vala/reusable-executor", reusable_executor);
    Test.add_func ("/loky/vala/map", map);
    Test.add_func ("/loky/vala/input-function", input_function);
    Test.add_func ("/loky/vala/input-function-that-throws", input_function_that_throws);
    Test.add_func ("/loky/vala/buffer", buffer);
    Test.add_func ("/loky/vala/descriptors", descriptors);
    Test.add_func ("/loky/vala/resources", resources);
    Test.add_func ("/loky/vala/synchronizers", synchronizers);
    Test.add_func ("/loky/vala/values", values);
    Test.add_func ("/loky/vala/serializers", serializers);
    Test.add_func ("/loky/vala/shut-down", shut_down);

    var status = Test.run ();
    executor = null;
    return status;
}
