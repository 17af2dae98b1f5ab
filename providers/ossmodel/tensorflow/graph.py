"""A meta graph as a check looks at it: nodes by name, functions, what runs when the model is loaded
and what a signature runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

CALLS = ("PartitionedCall", "StatefulPartitionedCall")
"""Ops whose function TensorFlow opens while it imports the graph, to infer shapes; bodies of If,
While or Map it opens when they run.
"""
INIT_SIGNATURE = "__saved_model_init_op"
HANDLES = ("VarHandleOp", "VariableV2", "Variable", "_VarHandlesOp")
PLACEHOLDERS = ("Placeholder", "PlaceholderV2")
TABLE_READERS = ("InitializeTableFromTextFile", "InitializeTableFromTextFileV2")
"""Ops that fail on a file without content; ReadFile gives an empty string."""
FILE_READERS = (*TABLE_READERS, "ReadFile")


@dataclass(frozen=True)
class Reached:
    """What a run of some nodes executes."""

    nodes: dict[str, Any]
    """Nodes of the graph itself, by name."""
    functions: dict[str, Any]
    """Functions called, directly or through others, by name."""
    missing_functions: dict[str, str]
    """Functions called that the model doesn't have, with the node that calls them."""
    missing_nodes: set[str]
    """Names asked for that are no nodes."""


class Graph:
    """A meta graph of a SavedModel."""

    def __init__(self, meta: Any) -> None:
        self.meta = meta
        self.nodes: dict[str, Any] = {node.name: node for node in meta.graph_def.node}
        self.functions: dict[str, Any] = {
            function.signature.name: function for function in meta.graph_def.library.function
        }

    def init_op(self) -> str | None:
        """Name of the node that is run once after the variables are there, "" for none, None if the
        model names several, or none where it says that there is one.
        """
        signature = self.meta.signature_def.get(INIT_SIGNATURE)
        if signature is not None:
            return (
                node_of(signature.outputs[INIT_SIGNATURE].name)
                if INIT_SIGNATURE in signature.outputs
                else None
            )
        for key in ("saved_model_main_op", "legacy_init_op"):
            if key in self.meta.collection_def:
                values = self.meta.collection_def[key].node_list.value
                return node_of(values[0]) if len(values) == 1 else None
        return ""

    def opened_at_import(self, missing: dict[str, str]) -> dict[str, Any]:
        """Functions that TensorFlow opens while it imports the graph, by name; `missing` takes
        those that a node of the graph lacks.
        """
        found: dict[str, Any] = {}
        waiting = list(self.nodes.values())
        top = len(waiting)
        for place, node in enumerate(waiting):
            name = (
                node.attr["f"].func.name
                if node.op in CALLS and "f" in node.attr
                else node.op
                if node.op in self.functions
                else ""
            )
            if not name or name in found:
                continue
            if name in self.functions:
                found[name] = self.functions[name]
                waiting += found[name].node_def
            elif place < top:
                missing[name] = node.name
        return found

    def reached(self, names: Iterable[str], fed: Collection[str] = ()) -> Reached:
        """What a run that fetches `names` (nodes or tensors) executes; nodes that are `fed` are
        among it, what is before them isn't.
        """
        result = Reached({}, {}, {}, set())
        waiting = [node_of(name) for name in names]
        while waiting:
            name = waiting.pop()
            node = self.nodes.get(name)
            if node is None:
                result.missing_nodes.add(name)
            elif name not in result.nodes:
                result.nodes[name] = node
                if name in fed:
                    continue
                waiting += [node_of(source) for source in node.input]
        pending = list(result.nodes.values())
        while pending:
            node = pending.pop()
            for called in called_functions(node, self.functions):
                if called not in self.functions:
                    result.missing_functions[called] = node.name
                elif called not in result.functions:
                    result.functions[called] = self.functions[called]
                    pending += self.functions[called].node_def
        return result

    def reads_at_load(self, asset: str, reached: Reached, readers: Sequence[str]) -> str | None:
        """Name of the node with one of the ops `readers` that opens the file whose path the tensor
        `asset` holds when the nodes of `reached` run; None if none does.
        """
        return self._reader(list(reached.nodes.values()), {node_of(asset)}, set(), readers)

    def first_reader(self, reached: Reached, readers: Sequence[str]) -> str | None:
        """Name of any node that opens a file when the nodes of `reached` run: for assets whose way
        through variables isn't followed.
        """
        nodes = [
            *reached.nodes.values(),
            *(node for function in reached.functions.values() for node in function.node_def),
        ]
        return next((node.name for node in nodes if node.op in readers), None)

    def _reader(
        self,
        nodes: list[Any],
        tainted: set[str],
        visited: set[tuple[str, frozenset[str]]],
        readers: Sequence[str],
    ) -> str | None:
        """Follows `tainted` names through nodes in any order and into the functions that they
        call.
        """
        grown = True
        while grown:
            grown = False
            for node in nodes:
                fed = [
                    place
                    for place, source in enumerate(data_inputs(node))
                    if node_of(source) in tainted
                ]
                if not fed:
                    continue
                if node.op in readers:
                    return node.name
                for called in called_functions(node, self.functions):
                    function = self.functions.get(called)
                    if function is None:
                        continue
                    names = [argument.name for argument in function.signature.input_arg]
                    inner = frozenset(names[place] for place in fed if place < len(names))
                    if inner and (called, inner) not in visited:
                        visited.add((called, inner))
                        found = self._reader(list(function.node_def), set(inner), visited, readers)
                        if found:
                            return found
                if node.name not in tainted:
                    tainted.add(node.name)
                    grown = True
        return None


def called_functions(node: Any, functions: dict[str, Any]) -> Iterator[str]:
    """Names of all functions that a node calls: by its op, or by its attributes."""
    if node.op in functions:
        yield node.op
    for value in node.attr.values():
        for call in (value.func, *value.list.func):
            if call.name:
                yield call.name


def needed_in(function: Any) -> list[Any]:
    """Nodes of a function that its results wait for; TensorFlow leaves out the others, also those
    that read files.
    """
    nodes = {node.name: node for node in function.node_def}
    waiting = [
        node_of(source) for source in (*function.ret.values(), *function.control_ret.values())
    ]
    found: dict[str, Any] = {}
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in found:
            found[name] = nodes[name]
            waiting += [node_of(source) for source in nodes[name].input]
    return list(found.values())


def data_inputs(node: Any) -> list[str]:
    """Inputs without the control ones."""
    return [source for source in node.input if not source.startswith("^")]


def node_of(source: str) -> str:
    """The node of a tensor or input: `name:0`, `^name` and `name:out:0` belong to `name`."""
    return source.removeprefix("^").partition(":")[0]


def strings_of(node: Any) -> list[str] | None:
    """Content of a string constant; None if the node is no such constant."""
    if node is None or node.op != "Const":
        return None
    tensor = node.attr["value"].tensor
    count = 1
    for dimension in tensor.tensor_shape.dim:
        count *= dimension.size
    values = [value.decode("utf-8", "replace") for value in tensor.string_val]
    return values + values[-1:] * (count - len(values)) if len(values) < count else values


def cycle(nodes: Iterable[Any]) -> list[str]:
    """Nodes that wait for each other; loops of a while are none, they go through NextIteration."""
    by_name = {node.name: node for node in nodes}
    waits: dict[str, set[str]] = {}
    for name, node in by_name.items():
        sources = {node_of(source) for source in node.input} & by_name.keys()
        waits[name] = {
            source
            for source in sources
            if by_name[source].op not in ("NextIteration", "RefNextIteration")
        }
    users: dict[str, list[str]] = {}
    for name, sources in waits.items():
        for source in sources:
            users.setdefault(source, []).append(name)
    ready = [name for name, sources in waits.items() if not sources]
    while ready:
        done = ready.pop()
        for user in users.get(done, ()):
            waits[user].discard(done)
            if not waits[user]:
                ready.append(user)
        del waits[done]
    return sorted(waits)
