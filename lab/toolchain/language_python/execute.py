"""Runs a Pulumi program: `execute.py --monitor … --engine … --project … --stack … PROGRAM`.

The host (`host.go`) holds the other end of this process's standard input.

Exit status: 0 done; 1 the program gave up (its reason is with the engine); 32 it failed with an
exception that has been reported; anything else is the program's own.
"""

import argparse
import asyncio
import atexit
import logging
import os
import runpy
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor, wait

_ALREADY_REPORTED = 32
_THREADS_PER_SLOT = 4


def main():
    """Connects the SDK to the engine, runs the program in the stack, and reports what it raised."""
    parser = argparse.ArgumentParser()
    for name in (
        "monitor",
        "engine",
        "project",
        "stack",
        "root_directory",
        "organization",
        "dry_run",
    ):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--parallel", type=int, default=0)
    parser.add_argument("program")
    options = parser.parse_args()
    _end_with_host()
    import pulumi.runtime  # noqa: PLC0415 - the SDK takes 0.3 s: arguments are read, and the host is watched, before it
    from pulumi.runtime.settings import get_engine  # noqa: PLC0415 - the SDK takes 0.3 s: arguments are read, and the host is watched, before it

    settings = {name: value for name, value in vars(options).items() if name != "program"}
    pulumi.runtime.configure(
        pulumi.runtime.Settings(**{**settings, "dry_run": options.dry_run == "true"})
    )
    pulumi.runtime.set_all_config(
        pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env()
    )
    later = _send_debug_messages_later(get_engine())
    sys.argv = [options.program]
    sys.path.insert(0, os.path.abspath(options.program))
    logging.getLogger("asyncio").setLevel(
        logging.CRITICAL
    )  # it repeats every failed task that is reported below
    try:
        return _run(options.program, options.parallel)
    finally:
        wait(later, timeout=5)  # a stuck engine is no reason to stay


def _end_with_host():
    """Ends this process when its standard input does, so that no program outlives its engine; the
    program sees an empty one.
    """
    lifeline = os.dup(0)
    os.set_inheritable(lifeline, False)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    threading.Thread(target=lambda: os.read(lifeline, 1) or os._exit(1), daemon=True).start()


def _send_debug_messages_later(engine):
    """Has debug messages go out while the program continues; returns what is on its way.

    The SDK sends several for each resource and waits for each on the program's own thread: a fifth
    of a large preview's time.
    """
    from pulumi.runtime.proto import engine_pb2  # noqa: PLC0415 - the SDK takes 0.3 s: arguments are read, and the host is watched, before it

    send, one_by_one = engine.Log, ThreadPoolExecutor(1)  # in their order
    later = []

    def log(request):
        sent = one_by_one.submit(send, request)
        later.append(sent)
        return None if request.severity == engine_pb2.DEBUG else sent.result()

    engine.Log = log
    return later


def _run(program, parallel):
    import pulumi  # noqa: PLC0415 - the SDK takes 0.3 s: arguments are read, and the host is watched, before it
    from pulumi.runtime.stack import run_in_stack  # noqa: PLC0415 - the SDK takes 0.3 s: arguments are read, and the host is watched, before it

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    if parallel > 0:
        loop.set_default_executor(ThreadPoolExecutor(max_workers=_THREADS_PER_SLOT * parallel))
    try:
        loop.run_until_complete(run_in_stack(lambda: _program(program)))
        return 0
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return 1
    except SystemExit as error:
        if not isinstance(error.code, int | None):
            print(error.code, file=sys.stderr)
            return 1
        return error.code or 0
    except Exception as error:
        _report(error)
        return _ALREADY_REPORTED


def _program(program):
    runpy.run_path(program, run_name="__main__")


def _report(error):
    """Tells the engine about an exception, from the program's own first frame on; a failed call has
    been told by the engine itself.
    """
    import grpc  # noqa: PLC0415 - the SDK takes 0.3 s: arguments are read, and the host is watched, before it
    import pulumi  # noqa: PLC0415 - the SDK takes 0.3 s: arguments are read, and the host is watched, before it

    if isinstance(error, grpc.RpcError) and error.code() == grpc.StatusCode.UNAVAILABLE:  # type: ignore[attr-defined]
        return
    ours = (__file__, "<frozen runpy>", runpy.__file__)
    frames = traceback.TracebackException.from_exception(error)
    program = next(
        (
            place
            for place, frame in enumerate(frames.stack)
            if frame.name == "_program" and frame.filename == __file__
        ),
        -1,
    )
    kept = [frame for frame in frames.stack[program + 1 :] if frame.filename not in ours]
    if program >= 0 and kept:
        frames.stack = traceback.StackSummary.from_list(kept)
    text = "".join(frames.format())
    try:
        pulumi.log.error(f"Program failed with an unhandled exception:\n{text}")
    except grpc.RpcError:
        sys.stderr.write(text)


def _end(status):
    """Ends the process as an ordinary exit would, but leaves the memory to the kernel: taking a
    large program's modules apart takes as long as declaring its resources.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    try:
        status = main()
        threading._shutdown()  # type: ignore[attr-defined]  # waits for the threads that are no daemons
        atexit._run_exitfuncs()
        _end(status)
    except KeyboardInterrupt:
        # The engine asked for it and knows why. Threads that wait for the engine would keep an
        # ordinary exit waiting.
        os._exit(_ALREADY_REPORTED)
