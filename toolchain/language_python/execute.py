"""Runs a Pulumi program: `execute.py --monitor … --engine … --project … --stack … PROGRAM [ARGUMENT…]`.

Exit status: 0 done; 1 the program gave up (its reason is with the engine); 32 it failed with an exception that has been
reported; anything else is the program's own.
"""

import argparse
import asyncio
import atexit
import contextlib
import logging
import os
import runpy
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, NoReturn

_ALREADY_REPORTED = 32
_THREADS_PER_SLOT = 4


def main() -> int:
    """Connects the SDK to the engine, runs the program in the stack, and reports what it raised."""
    options = _options()
    _end_with_host()
    import debug_log
    import pulumi
    import pulumi.runtime
    from pulumi.runtime.proto import engine_pb2
    from pulumi.runtime.settings import get_engine

    settings: Any = pulumi.runtime.Settings(  # its attributes are made at run time
        monitor=options.monitor,
        engine=options.engine,
        project=options.project,
        stack=options.stack,
        parallel=options.parallel,
        dry_run=options.dry_run == "true",
        organization=options.organization,
        root_directory=options.root_directory,
    )
    pulumi.runtime.configure(settings)
    debug_messages = debug_log.install(get_engine(), engine_pb2.DEBUG)
    pulumi.runtime.set_all_config(pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env())
    if options.pwd:
        os.chdir(options.pwd)
    sys.argv = [options.program, *options.arguments]
    sys.path.insert(0, os.path.abspath(options.program if os.path.isdir(options.program) else os.path.dirname(options.program) or "."))
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # it repeats every failed task that is reported below
    try:
        return _run(options.program, options.parallel)
    finally:
        with contextlib.suppress(TimeoutError):  # a stuck engine is no reason to stay
            debug_messages.flush(seconds=5)
        sys.stdout.flush()
        sys.stderr.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("monitor", "engine", "project", "root_directory", "stack", "pwd", "dry_run", "organization", "tracing"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--parallel", type=int, default=0)
    parser.add_argument("program")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser.parse_args()


def _end_with_host() -> None:
    """Ends this process when the host's end of the lifeline closes, so that no program outlives its engine."""
    descriptor = os.environ.pop("PULUMI_LANGUAGE_PYTHON_LIFELINE", "")
    if not descriptor:
        return

    def wait() -> None:
        os.read(int(descriptor), 1)
        os._exit(1)

    os.set_inheritable(int(descriptor), False)
    threading.Thread(target=wait, daemon=True).start()


def _run(program: str, parallel: int) -> int:
    import pulumi
    from pulumi.runtime.stack import run_in_stack

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
        return _exit_status(error.code)
    except Exception as error:
        _report(error)
        return _ALREADY_REPORTED


def _program(program: str) -> None:
    runpy.run_path(program, run_name="__main__")


def _exit_status(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code
    print(code, file=sys.stderr)
    return 1


def _report(error: Exception) -> None:
    """Tells the engine about an exception, once; a failed RPC has been told by the engine itself."""
    import grpc
    import pulumi

    if isinstance(error, grpc.RpcError) and error.code() == grpc.StatusCode.UNAVAILABLE:  # type: ignore[attr-defined]
        return
    frames = traceback.format_exception(type(error), error, _own_frames_dropped(error.__traceback__))
    try:
        pulumi.log.error("Program failed with an unhandled exception:\n" + "".join(frames))
    except grpc.RpcError:
        sys.stderr.write("".join(frames))


def _own_frames_dropped(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the program's own first frame on; all of it if the exception came from elsewhere."""
    frame = trace
    while frame is not None and frame.tb_frame.f_code is not _program.__code__:
        frame = frame.tb_next
    while frame is not None and (frame.tb_frame.f_code is _program.__code__ or "runpy" in frame.tb_frame.f_code.co_filename):
        frame = frame.tb_next
    return frame or trace


def _end(status: int) -> NoReturn:
    """Ends the process as an ordinary exit would, but leaves the memory to the kernel: taking a large program's modules apart takes as
    long as declaring its resources."""
    threading._shutdown()  # type: ignore[attr-defined]  # waits for the threads that are no daemons
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    try:
        _end(main())
    except KeyboardInterrupt:
        # The engine asked for it and knows why. Threads that wait for the engine would keep an ordinary exit waiting.
        os._exit(_ALREADY_REPORTED)
