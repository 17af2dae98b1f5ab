"""Would a TensorFlow of a given release load this SavedModel, and answer? Said before anything is
paid for.

The steps are those of TensorFlow's loader (cc/saved_model/loader.cc and what it calls): find the
meta graph, import it, restore the variables, run the init op. What is refused in which step, and
what only fails when a request runs it, was measured with the loaders of all releases from 1.14 to
2.21 (`make prove ITEM=R2` holds this check against some of them, also with models damaged at
random). Not computed are shapes and which types an op has a kernel for: what a program exported is
consistent in these.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from google.protobuf.message import DecodeError

from . import bundle, cut, edges, operations
from .graph import (
    FILE_READERS,
    HANDLES,
    INIT_SIGNATURE,
    PLACEHOLDERS,
    TABLE_READERS,
    Graph,
    Reached,
    cycle,
    data_inputs,
    needed_in,
    node_of,
    strings_of,
)
from .messages import message, type_names
from .operations import Release

SERVE = "serve"
"""The tag that TensorFlow Serving asks for (--saved_model_tags)."""
_NODE_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_>./\\-]*")
_DEVICE = re.compile(
    r"(?:/job:localhost|/replica:0|/task:0|/device:(?:CPU|GPU|\*):(?P<device>\d+|\*)|/(?:cpu|gpu):(?P<short>\d+|\*))*"
)

_DEVICE_SYNTAX = re.compile(
    r"(?:/(?:job:[A-Za-z][A-Za-z0-9_]*|(?:replica|task):(?:\d+|\*)|(?:device:[A-Za-z]\w*|cpu|gpu|CPU|GPU):(?:\d+|\*)))*"
)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with the model."""

    where: str
    """Where in the directory: a file, or a node and its op."""
    expected: str
    consequence: str
    """What TensorFlow Serving would do."""
    remedy: str = ""
    """What to do; empty: another release, see `remedies`."""


@dataclass
class Report:
    """What the check found in a SavedModel."""

    refusals: list[Finding] = field(default_factory=list)
    """With any of these the loader refuses the model, and the pod never becomes ready."""
    failing: list[Finding] = field(default_factory=list)
    """The model loads, the pod becomes ready, and each request that needs this fails."""
    notes: list[str] = field(default_factory=list)
    """Allowed, and worth knowing."""
    signatures: dict[str, str] = field(default_factory=dict)
    """By name: inputs and outputs with their types and shapes."""
    written_by: str = ""
    """TensorFlow that exported the model, as it says."""


def check(
    directory: Path,
    version: str | None = None,
    *,
    checksums: bool = True,
    gpus: int = 0,
    model: Any = None,
) -> Report:
    """Check a version directory for TensorFlow `version`, such as 1.15.0; None: only what holds in
    every version.

    `checksums` also compares the variables' bytes with the index, which reads the shards. `gpus`
    are the devices a pod has. `model` is the SavedModel message if it isn't to be read from the
    directory. Raises OSError if a file can't be read.
    """
    report = Report()
    if model is None:
        model = _model(directory, version, report)
    if model is None:
        return report
    meta = next(
        (meta for meta in model.meta_graphs if set(meta.meta_info_def.tags) == {SERVE}), None
    )
    if meta is None:
        tags = ", ".join(
            "{" + ", ".join(sorted(set(meta.meta_info_def.tags))) + "}"
            for meta in model.meta_graphs
        )
        report.refusals.append(
            Finding(
                "saved_model.pb",
                f"a graph whose only tag is 'serve'; the model has {tags or 'no graph at all'}",
                "TensorFlow Serving looks for exactly this tag and refuses the model",
                "export it for serving, with tf.saved_model.save, or with tags=['serve']",
            )
        )
        return report
    report.written_by = meta.meta_info_def.tensorflow_version
    report.signatures = {
        name: _signature_text(entry)
        for name, entry in sorted(meta.signature_def.items())
        if name != INIT_SIGNATURE
    }
    if not report.signatures:
        report.notes.append(
            "the model has no signature, so that no request can name what is to be computed"
        )
    release = operations.release(version) if version else None
    _Check(directory, Graph(meta), release, report, checksums, gpus).run()
    if version and release:
        _compare_versions(version, release, report)
    return report


def condensed(findings: Iterable[Finding], limit: int = 3) -> list[Finding]:
    """The findings; those that only another release helps against are put together, the first
    `limit` in full: they have one remedy.
    """
    single = [finding for finding in findings if finding.remedy]
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        if not finding.remedy:
            groups.setdefault(finding.consequence, []).append(finding)
    for consequence, group in groups.items():
        others = [f"{finding.where}: {finding.expected}" for finding in group[1:limit]]
        more = [f"{len(group) - limit} more of this kind"] if len(group) > limit else []
        single.append(
            Finding(group[0].where, "; ".join([group[0].expected, *others, *more]), consequence)
        )
    return single


def first_loading(directory: Path, version: str) -> str | None:
    """The oldest release newer than `version` that loads the model; None if no known one does."""
    model = _model(directory, None, Report())
    later = [
        entry.name
        for entry in operations.releases()
        if operations.number(entry.name) > operations.number(version)
    ]
    return next(
        (
            name
            for name in later
            if not check(directory, name, checksums=False, model=model).refusals
        ),
        None,
    )


def _model(directory: Path, version: str | None, report: Report) -> Any:
    """The SavedModel message, or None with the reason in the report."""
    binary, text, chunked = (
        directory / f"saved_model.{suffix}" for suffix in ("pb", "pbtxt", "cpb")
    )
    try:
        if binary.is_file():
            return _whole(binary.read_bytes(), version, report)
        if text.is_file():
            return text_format.Parse(text.read_bytes(), message("SavedModel")())
    except (DecodeError, text_format.ParseError, UnicodeDecodeError) as error:
        name = binary.name if binary.is_file() else text.name
        reason = (
            str(error).splitlines()[0]
            if isinstance(error, text_format.ParseError)
            else "it is cut off, damaged or not a protobuf"
        )
        report.refusals.append(
            Finding(
                name,
                f"a whole SavedModel message; {reason}",
                "loading would fail with 'Can't parse'",
                "copy or export the model again",
            )
        )
        return None
    release = operations.release(version) if version else None
    if chunked.is_file() and (release is None or release.reads_chunked):
        report.notes.append("saved_model.cpb is a split graph; its content isn't looked into")
    elif chunked.is_file():
        report.refusals.append(
            Finding(
                chunked.name,
                f"saved_model.pb: TensorFlow {version} doesn't read split graphs",
                "TensorFlow Serving finds no model",
                "serve with an image of TensorFlow 2.15 or newer",
            )
        )
    else:
        report.refusals.append(
            Finding(
                binary.name,
                "a file saved_model.pb or saved_model.pbtxt",
                "TensorFlow Serving finds no model",
                "export the model again",
            )
        )
    return None


def _whole(data: bytes, version: str | None, report: Report) -> Any:
    """The message in `data`. Raises DecodeError."""
    try:
        return message("SavedModel").FromString(data)
    except DecodeError:
        release = operations.release(version) if version else None
        mended = (
            cut.completed(data, message("SavedModel").DESCRIPTOR)
            if release and release.takes_cut_graphs
            else None
        )
        if mended is None:
            raise
        model = message("SavedModel").FromString(mended)
        report.notes.append(
            f"saved_model.pb is cut off after {len(data)} bytes, between two fields: TensorFlow {version} takes it for whole, newer ones "
            "refuse it, and what stood behind is missing; copy or export the model again"
        )
        return model


def _compare_versions(version: str, release: Release, report: Report) -> None:
    if operations.number(report.written_by) > operations.number(version):
        report.notes.append(
            f"the model was written by TensorFlow {report.written_by}, and the image has {version}: "
            "ops and attributes were compared, but an op may compute what it didn't in the older version; compare some answers"
        )
    if operations.number(version) > operations.number(release.name):
        report.notes.append(
            f"TensorFlow {version} is newer than what is known here; the model was compared with {release.name}"
        )


def _signature_text(signature: Any) -> str:
    def side(tensors: Any) -> str:
        return (
            ", ".join(f"{name} {_tensor_text(tensors[name])}" for name in sorted(tensors))
            or "nothing"
        )

    method = signature.method_name.rpartition("/")[2]
    return (
        f"{method}: " if method and method != "predict" else ""
    ) + f"{side(signature.inputs)} -> {side(signature.outputs)}"


def _tensor_text(info: Any) -> str:
    """`int32[?,128]`; `[…]` for an unknown rank."""
    shape = info.tensor_shape
    sizes = (
        "…"
        if shape.unknown_rank
        else ",".join("?" if dimension.size < 0 else str(dimension.size) for dimension in shape.dim)
    )
    return f"{_type_name(info.dtype)}[{sizes}]"


def _type_name(number: int) -> str:
    return type_names().get(number, f"type {number}")


@dataclass
class _Check:
    directory: Path
    graph: Graph
    release: Release | None
    report: Report
    checksums: bool
    gpus: int

    def run(self) -> None:
        """All steps; later ones aren't looked at where an earlier one already refuses
        everything.
        """
        self._versions()
        self._import()
        loaded = self._load()
        self._signatures(loaded)

    # Step 1: the graph's versions.

    def _versions(self) -> None:
        versions = self.graph.meta.graph_def.versions
        if self.release is None:
            return
        if versions.min_consumer > self.release.graph_version:
            self._refuse(
                "saved_model.pb",
                f"a graph that TensorFlow {self.release.name} may read (graph version {self.release.graph_version}); "
                f"it asks for version {versions.min_consumer} or newer",
            )
        if self.release.graph_version in versions.bad_consumers:
            self._refuse(
                "saved_model.pb",
                f"a graph that doesn't exclude TensorFlow {self.release.name} as faulty, as this one does",
            )

    # Step 2: the import of the graph.

    def _import(self) -> None:
        nodes = list(self.graph.meta.graph_def.node)
        for name, count in Counter(node.name for node in nodes).items():
            if count > 1:
                self._refuse(
                    f"node {name}", f"node names that occur once; it occurs {count} times", _AGAIN
                )
            if not _NODE_NAME.fullmatch(name):
                self._refuse(
                    f"node {name}", "letters, digits and _ > . / \\ - in a node's name", _AGAIN
                )
        self._functions()
        missing: dict[str, str] = {}
        opened = self.graph.opened_at_import(missing)
        for name, caller in missing.items():
            self._refuse(
                f"node {caller}",
                f"the function {name!r}, which it calls, in the model's library",
                _AGAIN,
            )
        problems = [problem for node in nodes for problem in self._node(node, "graph")]
        if self.release:
            problems += edges.graph_problems(nodes, self.release, self.graph.functions)
        for function in opened.values():
            problems += [
                problem for node in function.node_def for problem in self._node(node, "opened")
            ]
            if self.release:
                problems += edges.function_problems(function, self.release, self.graph.functions)
        problems += edges.shape_problems(nodes)
        if self.release and self.release.evaluates_constants:
            problems += edges.size_problems(
                [nodes, *(list(function.node_def) for function in opened.values())]
            )
        for problem in _grouped(problems):
            self._refuse(*problem)
        self._edges(nodes, None)
        for function in opened.values():
            self._edges(list(function.node_def), function)
        for node in nodes:
            if fault := self._device(node):
                self._refuse(
                    f"node {node.name} (op {node.op})",
                    fault,
                    "export the model with clear_devices=True",
                )
        everything = [
            *nodes,
            *(node for function in self.graph.functions.values() for node in function.node_def),
        ]
        for node in everything:
            if node.op == "Const" and any(
                dimension.size < 0 for dimension in node.attr["value"].tensor.tensor_shape.dim
            ):
                self._refuse(
                    f"node {node.name} (op Const)",
                    "a constant whose shape has no negative sizes",
                    _AGAIN,
                )

    def _functions(self) -> None:
        seen: dict[str, Any] = {}
        for function in self.graph.meta.graph_def.library.function:
            name = function.signature.name
            if self.release and self.release.operation(name):
                self._refuse(
                    f"function {name!r}",
                    f"another name: TensorFlow {self.release.name} has an op of this name",
                    _AGAIN,
                )
            if name in seen and seen[name] != function:
                self._refuse(
                    f"function {name!r}",
                    "one function of this name; there are two that differ",
                    _AGAIN,
                )
            seen[name] = function

    def _edges(self, nodes: list[Any], function: Any) -> None:
        known = {node.name for node in nodes} | (
            {argument.name for argument in function.signature.input_arg} if function else set()
        )
        for node in nodes:
            for source in node.input:
                if node_of(source) not in known:
                    self._refuse(
                        f"node {node.name} (op {node.op})",
                        f"its input {source!r} among the graph's nodes",
                        _AGAIN,
                    )
        waiting = cycle(nodes)
        if waiting:
            self._refuse(
                f"node {waiting[0]}",
                f"a graph without a cycle; {len(waiting)} nodes wait for each other",
                _AGAIN,
            )

    def _device(self, node: Any) -> str | None:
        """What is wrong with a node's device: TensorFlow Serving doesn't place softly, and one that
        isn't there is an error.
        """
        if not node.device:
            return None
        found = _DEVICE.fullmatch(node.device)
        wanted = (found["device"] or found["short"] or "*") if found else ""
        gpu = "gpu:" in node.device.lower()
        least = 0 if wanted == "*" else int(wanted or 0)
        if not found or (gpu and least >= self.gpus) or (not gpu and least > 0):
            has = f"{self.gpus} GPUs and one CPU" if self.gpus else "one CPU and no GPU"
            return f"a device that the pod has ({has}), not {node.device!r}"
        return None

    def _node(self, node: Any, step: str) -> Iterator[tuple[str, str, str]]:
        """(op, what is wrong, node) for one node: in the `graph` itself, in a function `opened` at
        import, or as it is `run`.
        """
        release = self.release
        if release is None:
            return
        operation = release.operation(node.op)
        if operation is None:
            if node.op not in self.graph.functions:
                since = operations.first_with(node.op)
                yield (
                    node.op,
                    f"an op that TensorFlow {release.name} has{_since(since, release)}",
                    node.name,
                )
            return
        for name, attribute in operation.attributes.items():
            value = node.attr.get(name)
            if value is None:
                if not attribute.optional and (
                    step != "opened" or attribute.kind in ("type", "list(type)")
                ):
                    yield (
                        node.op,
                        f"the attribute {name!r}, which TensorFlow {release.name} asks for",
                        node.name,
                    )
            elif step == "opened":
                if attribute.kind == "func" and (fault := _kind_fault(name, attribute, value)):
                    yield node.op, fault, node.name
            else:
                fault = _kind_fault(name, attribute, value) or _value_fault(
                    name, attribute, value, release
                )
                if fault:
                    yield node.op, fault, node.name
        if step == "opened":
            return
        if (
            operation.removed_in
            and self.graph.meta.graph_def.versions.producer >= operation.removed_in
            and step == "graph"
        ):
            yield (
                node.op,
                f"an op that isn't removed from graphs of version {operation.removed_in} on",
                node.name,
            )
        if release.refuses_unknown_attributes:
            for name in sorted(node.attr):
                if name not in operation.attributes and not name.startswith("_"):
                    yield (
                        node.op,
                        f"no attribute {name!r}: TensorFlow {release.name} doesn't know it",
                        node.name,
                    )

    # Step 3: the variables and the init op.

    def _load(self) -> Reached:
        """Checks what the loader runs; gives all of it."""
        graph, saver = self.graph, self.graph.meta.saver_def
        index = self.directory / "variables" / "variables.index"
        restores = index.is_file() and (
            graph.meta.HasField("saver_def")
            or self.release is None
            or not self.release.skips_without_saver
        )
        targets = []
        fed = {node_of(asset.tensor_info.name) for asset in graph.meta.asset_file_def}
        if restores:
            if (
                node_of(saver.filename_tensor_name) not in graph.nodes
                or node_of(saver.restore_op_name) not in graph.nodes
            ):
                self._refuse(
                    "saved_model.pb",
                    "a saver that names the nodes which restore the variables",
                    _AGAIN,
                )
            else:
                targets.append(saver.restore_op_name)
                fed.add(node_of(saver.filename_tensor_name))
        init = graph.init_op()
        if init is None:
            self._refuse(
                "saved_model.pb",
                f"exactly one init op: in the output {INIT_SIGNATURE!r} of the signature of this name, or in the collection of main ops",
                _AGAIN,
            )
        elif init and init not in graph.nodes:
            self._refuse("saved_model.pb", f"the init op {init!r} among the graph's nodes", _AGAIN)
        elif init:
            targets.append(init)
        loaded = graph.reached(targets, fed)
        for name in sorted({*loaded.nodes} - fed | {*map(node_of, targets)} & {*loaded.nodes}):
            if loaded.nodes[name].op in PLACEHOLDERS:
                self._refuse(
                    f"node {name}",
                    "a value for this placeholder, which runs when the model is loaded and nothing feeds",
                    _AGAIN,
                )
        for name, caller in loaded.missing_functions.items():
            self._refuse(
                f"node {caller}",
                f"the function {name!r}, which it calls, in the model's library",
                _AGAIN,
            )
        for problem in self._run(loaded, fed):
            self._refuse(*problem)
        if restores:
            self._variables(
                index,
                graph.reached(
                    targets[:1] if targets and targets[0] == saver.restore_op_name else []
                ),
            )
        if targets:
            self._assets(loaded)
        return loaded

    def _run(self, reached: Reached, fed: Collection[str]) -> Iterator[tuple[str, str]]:
        """What is wrong with the functions that run, and with the constants; the graph's own nodes
        were looked at when it was imported.
        """
        nodes = [node for function in reached.functions.values() for node in function.node_def]
        problems = [problem for node in nodes for problem in self._node(node, "run")]
        needed = [node for name, node in reached.nodes.items() if name not in fed]
        needed += [node for function in reached.functions.values() for node in needed_in(function)]
        problems += [
            (node.op, fault, node.name)
            for node in needed
            if (fault := edges.constant_problem(node))
        ]
        if self.release:
            for function in reached.functions.values():
                problems += edges.function_problems(function, self.release, self.graph.functions)
            problems += edges.call_problems((*reached.nodes.values(), *nodes), self.graph.functions)
        problems += [
            (node.op, f"a device name, not {node.device!r}", node.name)
            for node in nodes
            if node.device and not _DEVICE_SYNTAX.fullmatch(node.device)
        ]
        return _grouped(problems)

    def _variables(self, index: Path, restored: Reached) -> None:
        """What the restore function asks for, against the index; the index against the shards."""
        wanted = self._restored_names(restored)
        if wanted is None:
            return
        try:
            held = bundle.read(index)
        except bundle.DamagedError as error:
            self._refuse("variables/variables.index", f"a whole index; {error}", _COPY)
            return
        missing = [name for name, _, _ in wanted if name not in held.entries]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            self._refuse(
                "variables/variables.index",
                f"the variable {missing[0]!r}{more}, which the graph restores; the index has {len(held.entries)} others",
                "copy graph and variables of the same export",
            )
        for name, kind, part in wanted:
            entry = held.entries.get(name)
            if entry is None:
                continue
            stored = [dimension.size for dimension in entry.shape.dim]
            if part and _sliced_shape(part) != stored:
                self._refuse(
                    "variables/variables.index",
                    f"{name!r} in the shape {_sliced_shape(part)} of which the graph restores a part; the index has {stored}",
                    "copy graph and variables of the same export",
                )
                continue
            if kind and entry.dtype != kind:
                self._refuse(
                    "variables/variables.index",
                    f"{name!r} as {_type_name(kind)}, which the graph restores; the index has {_type_name(entry.dtype)}",
                    "copy graph and variables of the same export",
                )
                continue
            for stored_part in bundle.parts(held, entry):
                if not self._lies_whole(held, name, stored_part):
                    return

    def _lies_whole(self, held: bundle.Bundle, name: str, entry: Any) -> bool:
        """Whether the shard holds what the index says; one finding is enough."""
        file = bundle.shard_name(held, entry)
        path = self.directory / "variables" / file
        if not path.is_file():
            self._refuse(f"variables/{file}", f"the file that holds the variable {name!r}", _COPY)
            return False
        size = path.stat().st_size
        if entry.offset + entry.size > size:
            self._refuse(
                f"variables/{file}",
                f"at least {entry.offset + entry.size} bytes, as the index says, not {size}: it is cut off",
                _COPY,
            )
            return False
        exact = bundle.expected_size(entry)
        if (exact is not None and entry.size != exact) or (
            self.checksums and not bundle.intact(path, entry)
        ):
            self._refuse(
                f"variables/{file}",
                f"the variable {name!r} with the checksum that the index gives: it is damaged",
                _COPY,
            )
            return False
        return True

    def _restored_names(self, restored: Reached) -> list[tuple[str, int, str]] | None:
        """(name, element type, slice) of every tensor that the restore ops read; type 0 and slice
        "" where the graph doesn't say. None if nothing reads one: the index isn't opened then.
        """
        found, reads = [], False
        for nodes in (
            list(restored.nodes.values()),
            *(needed_in(function) for function in restored.functions.values()),
        ):
            by_name = {node.name: node for node in nodes}
            for node in nodes:
                inputs = data_inputs(node)
                reads = reads or node.op in ("RestoreV2", "Restore", "RestoreSlice")
                if node.op != "RestoreV2" or len(inputs) < 3:
                    continue
                names, slices = (_constant_strings(by_name, source) for source in inputs[1:3])
                types = list(node.attr["dtypes"].list.type)
                for what, given in (("names", names), ("slices", slices)):
                    if given and len(given) != len(types):
                        self._refuse(
                            f"node {node.name} (op RestoreV2)",
                            f"{len(types)} {what} of variables, not {len(given)}",
                            _AGAIN,
                        )
                found += [
                    (name, kind, part)
                    for name, kind, part in zip(
                        names, types, slices or [""] * len(names), strict=False
                    )
                ]
        return found if reads else None

    def _assets(self, loaded: Reached) -> None:
        """Files that the init op opens must be there; the loader puts their paths into the
        graph.
        """
        for asset in self.graph.meta.asset_file_def:
            tensor, file = asset.tensor_info.name, f"assets/{asset.filename}"
            if fault := self._no_output(tensor):
                self._refuse(
                    "saved_model.pb",
                    f"the tensor {tensor!r} that takes the path of {file}; {fault}",
                    _AGAIN,
                )
                continue
            if node_of(tensor) not in self.graph.nodes:
                self._refuse(
                    "saved_model.pb",
                    f"the node {node_of(tensor)!r} that takes the path of {file}",
                    _AGAIN,
                )
            elif (
                not (self.directory / file).is_file() or not (self.directory / file).stat().st_size
            ):
                readers = TABLE_READERS if (self.directory / file).is_file() else FILE_READERS
                reader = self.graph.reads_at_load(
                    tensor, loaded, readers
                ) or self.graph.first_reader(loaded, readers)
                if reader:
                    expected = (
                        f"a file with content, which node {reader!r} reads when the model is loaded"
                    )
                    self._refuse(file, expected, "copy the whole directory of the model")
                elif not (self.directory / file).is_file():
                    self.report.notes.append(
                        f"{file} isn't there; nothing opens it when the model is loaded"
                    )

    # Step 4: what requests run.

    def _signatures(self, loaded: Reached) -> None:
        ready = set(loaded.nodes)
        for name in self.report.signatures:
            signature = self.graph.meta.signature_def[name]
            inputs = {edges.tensor_of(tensor)[0] for tensor in _tensors(signature.inputs)}
            reached = self.graph.reached(
                (edges.tensor_of(tensor)[0] for tensor in _tensors(signature.outputs)), inputs
            )
            for tensor in sorted({*_tensors(signature.inputs), *_tensors(signature.outputs)}):
                if tensor.startswith("^"):
                    self._fail(
                        name,
                        "saved_model.pb",
                        f"a tensor in the signature, not the control input {tensor!r}",
                        _AGAIN,
                    )
                elif fault := self._no_output(tensor):
                    self._fail(
                        name,
                        "saved_model.pb",
                        f"the tensor {tensor!r}, which the signature names; {fault}",
                        _AGAIN,
                    )
            for alias, info in sorted(signature.inputs.items()):
                kind = self._type_of(info.name) if info.WhichOneof("encoding") == "name" else None
                if info.dtype == 0 or (kind not in (None, edges.ANY) and info.dtype != kind % 100):
                    is_what = (
                        "it has none"
                        if info.dtype == 0
                        else f"{info.name!r} is {_type_name(kind or 0)}"
                    )
                    self._fail(
                        name,
                        "saved_model.pb",
                        f"the type of the input {alias!r} in the signature, {_type_name(info.dtype)}, as in the graph: {is_what}",
                        _AGAIN,
                    )
            for node in reached.nodes.values():
                if node.op in PLACEHOLDERS and node.name not in inputs:
                    self._fail(
                        name,
                        f"node {node.name}",
                        "this placeholder among the signature's inputs: nothing else gives it a value",
                        _AGAIN,
                    )
            absent = reached.missing_nodes | inputs - set(self.graph.nodes)
            if absent:
                self._fail(
                    name,
                    "saved_model.pb",
                    f"the node {sorted(absent)[0]!r} in the graph, which the signature names",
                    _AGAIN,
                )
            for function, caller in reached.missing_functions.items():
                self._fail(
                    name,
                    f"node {caller}",
                    f"the function {function!r}, which it calls, in the model's library",
                    _AGAIN,
                )
            bare = [
                node.name
                for node in reached.nodes.values()
                if node.op in HANDLES and node.name not in ready
            ]
            if bare:
                more = f" and {len(bare) - 1} more" if len(bare) > 1 else ""
                self._fail(
                    name,
                    "variables/variables.index",
                    f"the variable {bare[0]!r}{more} in it; nothing sets it when the model is loaded",
                    _COPY,
                )
            for problem in self._run(reached, inputs):
                self._fail(name, *problem)

    def _no_output(self, tensor: str) -> str:
        """Why a tensor's name means no output of the graph; "" if it means one, or if the node is
        missing, which is said elsewhere.
        """
        name, port = edges.tensor_of(tensor)
        node = self.graph.nodes.get(name)
        outputs = (
            edges.output_types(node, self.release, self.graph.functions)
            if node is not None and self.release
            else None
        )
        return (
            f"{name!r} has {len(outputs)} outputs"
            if outputs is not None and port >= len(outputs)
            else ""
        )

    def _type_of(self, tensor: str) -> int | None:
        """Number of a tensor's element type; None if it isn't known."""
        name, port = edges.tensor_of(tensor)
        node = self.graph.nodes.get(name)
        outputs = (
            edges.output_types(node, self.release, self.graph.functions)
            if node is not None and self.release
            else None
        )
        return outputs[port] if outputs is not None and port < len(outputs) else None

    def _refuse(self, where: str, expected: str, remedy: str = "") -> None:
        finding = Finding(
            where,
            expected,
            "TensorFlow Serving refuses to load the model and the pod never becomes ready",
            remedy,
        )
        if finding not in self.report.refusals:
            self.report.refusals.append(finding)

    def _fail(self, signature: str, where: str, expected: str, remedy: str = "") -> None:
        if any(
            (found.where, found.expected) == (where, expected) for found in self.report.refusals
        ):
            return
        consequence = f"the model loads and the pod becomes ready, but each request to the signature {signature!r} fails"
        self.report.failing.append(Finding(where, expected, consequence, remedy))


_AGAIN = "export the model again"
_COPY = "copy the whole variables directory of the model"


def _tensors(side: Any) -> Iterator[str]:
    """Tensor names of a signature's inputs or outputs; sparse and composite ones have several."""
    for info in side.values():
        kind = info.WhichOneof("encoding")
        if kind == "coo_sparse":
            yield from (
                info.coo_sparse.values_tensor_name,
                info.coo_sparse.indices_tensor_name,
                info.coo_sparse.dense_shape_tensor_name,
            )
        elif kind == "composite_tensor":
            yield from (component.name for component in info.composite_tensor.components)
        else:
            yield info.name


def _grouped(problems: Iterable[tuple[str, str, str]]) -> Iterator[tuple[str, str]]:
    """(where, expected), the same trouble of many nodes put together."""
    nodes: dict[tuple[str, str], list[str]] = {}
    for operation, expected, node in problems:
        nodes.setdefault((operation, expected), []).append(node)
    for (operation, expected), names in nodes.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield f"op {operation} (node {names[0]}{more})", expected


def _since(since: str | None, release: Release) -> str:
    if since is None:
        return "; no release of TensorFlow or TensorFlow Serving has it, it is the model's own"
    return (
        f"; TensorFlow {since} is the first that has it"
        if operations.number(since) > operations.number(release.name)
        else "; it was removed"
    )


_KINDS = {
    "type": "type",
    "int": "i",
    "float": "f",
    "bool": "b",
    "string": "s",
    "shape": "shape",
    "tensor": "tensor",
    "func": "func",
}


def _kind_fault(name: str, attribute: operations.Attribute, value: Any) -> str | None:
    """What is wrong with the kind of an attribute's value."""
    kind = value.WhichOneof("value")
    if kind in (None, "placeholder") or kind == _KINDS.get(attribute.kind, "list"):
        return None
    return f"the attribute {name!r} to be {attribute.kind!r}, as the op has it"


def _constant_strings(nodes: dict[str, Any], source: str) -> list[str]:
    """The strings that a node's input is; [] if they aren't constant."""
    found = nodes.get(node_of(source))
    while found is not None and found.op == "Identity" and found.input:
        found = nodes.get(node_of(found.input[0]))
    return strings_of(found) or []


def _sliced_shape(text: str) -> list[int]:
    """The whole variable's shape in a slice such as `96 2 0,48:0,2` (TensorSlice,
    ParseShapeAndSlice).
    """
    return [int(word) if word.isdecimal() else -1 for word in text.split(" ")[:-1]]


def _value_fault(
    name: str, attribute: operations.Attribute, value: Any, release: Release
) -> str | None:
    """What is wrong with an attribute's value; functions leave some to their caller
    (placeholders).
    """
    kind = value.WhichOneof("value")
    if kind in (None, "placeholder"):
        return None
    types = [value.type] if kind == "type" else list(value.list.type) if kind == "list" else []
    unknown = [entry for entry in types if entry % 100 not in release.types]
    if unknown:
        return f"an element type in {name!r} that TensorFlow {release.name} knows, not {_type_name(unknown[0])}"
    if kind == "s":
        given = [value.s.decode("utf-8", "replace")]
    elif kind == "list" and value.list.s:
        given = [entry.decode("utf-8", "replace") for entry in value.list.s]
    else:
        given = [str(entry) for entry in types]
    wrong = [entry for entry in given if attribute.allowed and entry not in attribute.allowed]
    if wrong:
        shown = _type_name(int(wrong[0])) if types else repr(wrong[0])
        return f"a value of {name!r} that TensorFlow {release.name} allows for this op, not {shown}"
    if attribute.minimum is not None:
        size = (
            value.i if kind == "i" else _length(value.list) if kind == "list" else attribute.minimum
        )
        if size < attribute.minimum:
            return f"{name!r} of at least {attribute.minimum}, not {size}"
    return None


def _length(values: Any) -> int:
    return sum(
        len(getattr(values, name))
        for name in ("s", "i", "f", "b", "type", "shape", "tensor", "func")
    )
