"""R2: SavedModels of many kinds, each judged by the check, loaded and asked by TensorFlow's own
libraries, and served by the lab's server, which is asked over REST and gRPC: one verdict, one
answer.

The models are exported by two TensorFlow releases, each in a virtual environment of its own in the
cache (2 to 4 minutes the first time); to these come damaged ones, ones rewritten for TensorFlow
1.15.0, and two that are published on PyPI.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.serving.errors import StatusError
from lab.testing.figures import figure, measure
from lab.testing.tensorflow_process import TensorFlowProcess
from lab.toolchain import tensorflow as libraries
from providers.ossmodel.tensorflow.check import check
from providers.ossmodel.tensorflow.portable import rewrite
from tests.plugins.ossmodel.mutations import request_of
from tests.prove.lab_server import LabCase, LabServer, farthest, questions
from tests.prove.savedmodels import exported, published

EXPORTERS = ("2.15.1", "2.21.0")
REWRITTEN = (
    "bert_like",
    "keras_dense",
    "keras_lstm",
    "several_signatures",
    "jpeg",
    "vocabulary",
    "while_loop",
    "bfloat16",
)


@dataclass
class Case:
    """One model with requests and the exporter's answers."""

    name: str
    directory: Path
    requests: dict[str, Any] = field(default_factory=dict)


def cases(folder: Path) -> Iterator[Case]:
    """Every model."""
    for version in EXPORTERS:
        for file in sorted(exported(version).glob("*/request.json")):
            yield Case(
                f"{file.parent.name} by {version}", file.parent / "1", json.loads(file.read_text())
            )
    newest = exported(EXPORTERS[-1])
    for name in REWRITTEN:
        target = folder / "rewritten" / name / "1"
        shutil.copytree(newest / name / "1", target)
        rewrite(target, "1.15.0")
        yield Case(
            f"{name} rewritten", target, json.loads((newest / name / "request.json").read_text())
        )
    for name, content in (("asset missing", None), ("asset empty", b"")):
        target = folder / name / "1"
        shutil.copytree(newest / "vocabulary" / "1", target)
        rewrite(target, "1.15.0")
        (asset,) = (target / "assets").iterdir()
        asset.unlink() if content is None else asset.write_bytes(content)
        yield Case(f"vocabulary, {name}", target)
    for title, directory in published():
        yield Case(title, directory)


def value_of(plain: dict[str, Any]) -> np.ndarray:
    """A tensor from its JSON."""
    if plain["type"] == "string":
        data = np.empty(len(plain["data"]), object)
        data[:] = [base64.b64decode(text) for text in plain["data"]]
        return data.reshape(plain["shape"])
    return np.frombuffer(base64.b64decode(plain["data"]), plain["type"]).reshape(plain["shape"])


def inputs_of(case: Case) -> dict[str, dict[str, np.ndarray]]:
    """Inputs by signature: the exporter's, or zeros where it gave none."""
    if case.requests:
        return {
            name: {key: value_of(value) for key, value in sides["inputs"].items()}
            for name, sides in case.requests.items()
        }
    return request_of(case.directory)


def tensorflows_verdict(
    process: TensorFlowProcess, case: Case, directory: Path
) -> tuple[str, str, float]:
    """(verdict, message, largest difference from the exporter's answers) of the case's model at
    `directory`.
    """
    try:
        process.load(directory)
    except StatusError as error:
        return "refused", error.message, 0.0
    widest = 0.0
    for signature, sides in case.requests.items():
        try:
            answer = process.predict(
                directory,
                {name: value_of(value) for name, value in sides["inputs"].items()},
                signature,
            )
        except StatusError as error:
            return "fails", f"{signature}: {error.message}", widest
        widest = max(
            [
                widest,
                *(
                    farthest(np.asarray(answer[name]), value_of(value))
                    for name, value in sides["outputs"].items()
                ),
            ]
        )
    return "answers" if case.requests else "loads", "", widest


def checks_verdict(version: str, case: Case) -> tuple[str, str]:
    """The check's verdict and its first reason."""
    report = check(case.directory, version)
    if report.refusals:
        return "refused", report.refusals[0].expected
    if case.requests and report.failing:
        return "fails", report.failing[0].expected
    return ("answers" if case.requests else "loads"), ""


def refusals_reason(message: str, root: Path) -> str:
    """The part of TensorFlow's message that is the same in every process, with the container's
    paths.
    """
    return (
        message.replace(f"{root}/", "/").partition(" with these attrs")[0].partition("\n")[0][:300]
    )


def test_the_check_tensorflow_and_the_labs_server_agree_on_every_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        models = list(cases(tmp_path))
    rows: dict[str, list[str]] = {case.name: [] for case in models}
    differ: list[str] = []
    widest, asked = 0.0, Counter[str]()
    for version in libraries.TESTED:
        libraries.ensure(version)
        root = tmp_path / f"root-{version}"
        process, lab = TensorFlowProcess(version), LabServer(version, root)
        lab_cases: list[LabCase] = []
        for number, case in enumerate(models):
            directory = lab.put(f"m{number}", case.directory)
            theirs, message, distance = tensorflows_verdict(process, case, directory)
            ours, reason = checks_verdict(version, case)
            widest = max(widest, distance)
            if ours != theirs or distance > 1e-4:
                differ.append(
                    f"{case.name}, TensorFlow {version}: check {ours} ({reason}), loader {theirs} ({message[:300]}), off by {distance}"
                )
            rows[case.name] += [ours, theirs]
            if theirs == "refused":
                lab_cases.append(
                    LabCase(f"m{number}", case.name, refused=refusals_reason(message, root))
                )
            else:
                lab_cases.append(
                    LabCase(
                        f"m{number}",
                        case.name,
                        questions=questions(process, directory, inputs_of(case)),
                    )
                )
        process.end()
        for case in lab.judge(lab_cases):
            rows[case.title].append(case.verdict)
            widest = max(widest, case.widest)
            asked.update(case.asked)
            differ += [
                f"{case.title}, TensorFlow {version}: the lab's server: {fault}"
                for fault in case.faults
            ]
    with capsys.disabled():
        heads = "".join(
            f"check {version:<8}TF {version:<11}{'lab server':<14}" for version in libraries.TESTED
        )
        print("\n" + "model".ljust(44) + heads)
        for name, verdicts in rows.items():
            print(name.ljust(44) + "".join(f"{verdict:<14}" for verdict in verdicts))
    measure("SavedModels judged", len(models))
    measure(
        "agreement of check, loader and the lab's server, %",
        100 * (1 - len(differ) / (len(models) * len(libraries.TESTED))),
    )
    measure("largest difference of an answer", widest)
    figure(
        "the lab's server was asked "
        + ", ".join(f"{count} {what}" for what, count in sorted(asked.items()))
    )
    assert len(models) >= 40 and not differ, "\n".join(differ)
