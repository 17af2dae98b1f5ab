"""TensorFlow of one version in a process of its own, asked from a test: one process can hold one
version only.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lab.serving import tensorflow
from lab.serving.errors import StatusError

Answer = dict[str, np.ndarray]


def _serve(version: str, pipe: Any) -> None:

    library = tensorflow.open_library(version)
    models: dict[str, tensorflow.SavedModel] = {}

    def predict(folder: str, *arguments: Any) -> Answer:
        return models[folder].predict(*arguments)

    def load(folder: str, tags: Sequence[str]) -> list[str]:
        models[folder] = library.load(Path(folder), tags)
        return sorted(models[folder].signatures)

    def at_once(
        folder: str, threads: int, times: int, signature: str, inputs: Answer
    ) -> list[Answer]:
        results: list[Answer] = []

        def work() -> None:
            results.extend(models[folder].predict(signature, inputs) for _ in range(times))

        started = [threading.Thread(target=work) for _ in range(threads)]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()
        return results

    def memory(folder: str, times: int, signature: str, inputs: Answer) -> int:
        """Bytes by which the process grew over many runs and loads."""
        before = 0
        for turn in range(times):
            if turn == times // 2:
                before = _resident()
            models[folder] = library.load(Path(folder))
            for _ in range(20):
                models[folder].predict(signature, inputs)
        return _resident() - before

    known = {
        "predict": predict,
        "load": load,
        "at_once": at_once,
        "memory": memory,
        "version": lambda: library.version,
    }
    while True:
        try:
            name, arguments = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send((known[name](*arguments), None))
        except StatusError as error:
            pipe.send((None, (error.code, error.message)))


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


class TensorFlowProcess:
    """The other side of the process. Every call raises the StatusError that TensorFlow ended
    with.
    """

    def __init__(self, version: str) -> None:
        self.version = version
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(version, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def _ask(self, name: str, *arguments: Any) -> Any:
        self._pipe.send((name, arguments))
        result, error = self._pipe.recv()
        if error:
            raise StatusError(*error)
        return result

    def load(self, folder: Path, tags: Sequence[str] = ("serve",)) -> list[str]:
        """Loads a SavedModel; the names of its signatures."""
        return self._ask("load", str(folder), tags)

    def predict(
        self,
        folder: Path,
        inputs: Mapping[str, np.ndarray],
        signature: str = "",
        wanted: Sequence[str] | None = None,
    ) -> Answer:
        """Runs a signature of a model that was loaded."""
        return self._ask("predict", str(folder), signature, dict(inputs), wanted)

    def at_once(
        self,
        folder: Path,
        threads: int,
        times: int,
        inputs: Mapping[str, np.ndarray],
        signature: str = "",
    ) -> list[Answer]:
        """Runs a signature `times` in each of several threads."""
        return self._ask("at_once", str(folder), threads, times, signature, dict(inputs))

    def memory(
        self, folder: Path, times: int, inputs: Mapping[str, np.ndarray], signature: str = ""
    ) -> int:
        """Bytes by which the process grew in the second half of `times` loads with twenty runs
        each.
        """
        return self._ask("memory", str(folder), times, signature, dict(inputs))

    def reported_version(self) -> str:
        """What TensorFlow calls itself."""
        return self._ask("version")

    def end(self) -> None:
        """Ends the process."""
        self._pipe.close()
        self._process.kill()
        self._process.join()
