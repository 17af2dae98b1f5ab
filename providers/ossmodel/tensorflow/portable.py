"""Rewrites a SavedModel directory so that an older TensorFlow loads it; the variables and the
answers stay what they were.

    python -m providers.ossmodel.tensorflow.portable MODEL_DIRECTORY --tensorflow 1.15.0

TensorFlow 2.13 and newer write two things that serving doesn't need and that older versions refuse:
the attribute `debug_name` on every VarHandleOp (2.4 and older: "NodeDef mentions attr 'debug_name'
not in Op<name=VarHandleOp", newer ones ignore it), and the op DisableCopyOnRead in the function
that saves the variables (up to 2.9: "Op type not registered"). The attribute is a name to read in a
debugger; the function is only called by `tf.saved_model.save`. Both are removed, nothing else of
the graph is touched. TensorFlow itself isn't needed. What the older version lacks beyond these
can't be rewritten: the model must be exported without it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .check import check, first_loading
from .graph import node_of
from .messages import message

COSMETIC = {"VarHandleOp": ("debug_name",)}
"""Attributes that change nothing in what an op computes, by op."""


def rewrite(directory: Path, version: str) -> None:
    """Rewrite `directory`/saved_model.pb in place for TensorFlow `version`. Raises OSError or
    DecodeError if it can't be read.
    """
    path = directory / "saved_model.pb"
    path.write_bytes(_rewritten(path, version).SerializeToString(deterministic=True))
    (directory / "fingerprint.pb").unlink(
        missing_ok=True
    )  # it is the hash of the graph as it was; no loader needs it


def would_load(directory: Path, version: str) -> bool:
    """Whether TensorFlow `version` would load the model after `rewrite`; nothing is written."""
    path = directory / "saved_model.pb"
    return (
        path.is_file()
        and not check(directory, version, checksums=False, model=_rewritten(path, version)).refusals
    )


def remedies(directory: Path, version: str) -> str:
    """What to do about a model that TensorFlow `version` refuses for its ops or attributes."""
    found = first_loading(directory, version)
    ways = [f"serve with an image of TensorFlow {found} or newer"] if found else []
    if would_load(directory, version):
        ways.append(
            f"rewrite the model: python -m providers.ossmodel.tensorflow.portable {directory} --tensorflow {version}"
        )
    else:
        ways.append(f"export the model with TensorFlow {version}, or without what it doesn't know")
    return "; or ".join(ways)


def _rewritten(path: Path, version: str) -> Any:
    model = message("SavedModel").FromString(path.read_bytes())
    for meta in model.meta_graphs:
        _drop_saving(meta)
        for node in _nodes(meta):
            for name in COSMETIC.get(node.op, ()):
                node.attr.pop(name, None)
        used = {node.op for node in _nodes(meta)}
        operations = [
            operation
            for operation in meta.meta_info_def.stripped_op_list.op
            if operation.name in used
        ]
        del meta.meta_info_def.stripped_op_list.op[:]
        meta.meta_info_def.stripped_op_list.op.extend(operations)
        meta.meta_info_def.tensorflow_version = version
        meta.meta_info_def.tensorflow_git_version = "rewritten"
    return model


def _drop_saving(meta: Any) -> None:
    """Remove the node that saves the variables, and the functions that only it calls."""
    graph = meta.graph_def
    name = meta.saver_def.save_tensor_name.rpartition(":")[0]
    saving = next((node for node in graph.node if node.name == name), None)
    if saving is None or any(
        name in (node_of(source) for source in node.input) for node in graph.node
    ):
        return
    graph.node.remove(saving)
    meta.saver_def.save_tensor_name = ""
    functions = {function.signature.name: function for function in graph.library.function}
    needed = _called_by(graph.node, functions) | _called_by_objects(meta, functions)
    kept = [
        function
        for name, function in functions.items()
        if name in needed or name not in _called_by([saving], functions)
    ]
    del graph.library.function[:]
    graph.library.function.extend(kept)


def _called_by(nodes: Any, functions: dict[str, Any]) -> set[str]:
    """Names of all functions that `nodes` call, directly or through others."""
    found: set[str] = set()
    waiting = list(nodes)
    while waiting:
        for value in waiting.pop().attr.values():
            for call in (value.func, *value.list.func):
                if call.name in functions and call.name not in found:
                    found.add(call.name)
                    waiting += functions[call.name].node_def
    return found


def _called_by_objects(meta: Any, functions: dict[str, Any]) -> set[str]:
    """Names of all functions that a program which loads the model as a Python object can call."""
    roots = {name for name in meta.object_graph_def.concrete_functions if name in functions}
    return roots | _called_by(
        [node for name in roots for node in functions[name].node_def], functions
    )


def _nodes(meta: Any) -> Any:
    yield from meta.graph_def.node
    for function in meta.graph_def.library.function:
        yield from function.node_def


def main() -> None:
    """Rewrites the SavedModel named on the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "directory", type=Path, help="version directory with saved_model.pb; it is changed in place"
    )
    parser.add_argument(
        "--tensorflow", required=True, help="version that is to load it, such as 1.15.0"
    )
    options = parser.parse_args()
    rewrite(options.directory, options.tensorflow)
    report = check(options.directory, options.tensorflow)
    for finding in report.refusals:
        print(
            f"still refused by TensorFlow {options.tensorflow}: {finding.where}: expected {finding.expected}"
        )
    if report.refusals:
        raise SystemExit(f"what helps: {remedies(options.directory, options.tensorflow)}")
    print(f"{options.directory}: TensorFlow {options.tensorflow} and newer load it")


if __name__ == "__main__":
    main()
