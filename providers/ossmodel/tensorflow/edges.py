"""Do the edges of a graph fit? How many inputs a node takes, of which types, and which outputs
there are, by what the release's ops say.

Two rules, since TensorFlow has two: in the graph itself an input is `node:number`
(graph/graph_constructor.cc), in a function it is `node:output:number` or an argument's name
(framework/function.cc). What an attribute leaves open (a placeholder, an op whose arguments aren't
known here) fits everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from .bundle import SIZES, varint
from .messages import type_names
from .operations import Argument, Release

ANY = -1
"""A type that isn't known here."""
ModelError = tuple[str, str, str]
"""Op, what was expected, node."""
_REFERENCE = 100
_STRING = 7


def output_types(node: Any, release: Release, functions: dict[str, Any]) -> list[int] | None:
    """Types of a node's outputs in their order; None if their number isn't known."""
    known = _arguments(node.op, release, functions)
    return None if known is None else _flat(known[1], node)


def graph_problems(
    nodes: list[Any], release: Release, functions: dict[str, Any]
) -> Iterator[ModelError]:
    """What doesn't fit among the nodes of the graph itself."""
    outputs = {node.name: output_types(node, release, functions) for node in nodes}
    for node in nodes:
        yield from _late_inputs(node)
        given: list[tuple[str, int]] = []
        for source in (source for source in node.input if not source.startswith("^")):
            name, port = tensor_of(source)
            known = outputs.get(name)
            if known is not None and port >= len(known):
                yield (
                    node.op,
                    f"its input {source!r} to be an output of {name!r}, which has {len(known)}",
                    node.name,
                )
            given.append((source, ANY if known is None or port >= len(known) else known[port]))
        yield from _misfits(node, given, release, functions)


def function_problems(
    function: Any, release: Release, functions: dict[str, Any]
) -> Iterator[ModelError]:
    """What doesn't fit in a function's body."""
    signature, where = function.signature, f"function {function.signature.name!r}"
    known: dict[str, list[int] | None] = {
        argument.name: _types(declared(argument), None) for argument in signature.input_arg
    }
    seen: set[str] = set()
    for node in function.node_def:
        if node.name in seen or node.name in known:
            yield node.op, f"a name that occurs once in {where}", node.name
        seen.add(node.name)
        arguments = _arguments(node.op, release, functions)
        for argument in arguments[1] if arguments else ():
            known[f"{node.name}:{argument.name}"] = _types(argument, node)
    for node in function.node_def:
        yield from _late_inputs(node)
        given: list[tuple[str, int]] | None = []
        for source in (source for source in node.input if not source.startswith("^")):
            types, found = _look_up(source, known, function, release, functions)
            if not found:
                yield node.op, f"its input {source!r} among the outputs of {where}", node.name
            given = (
                None
                if types is None or given is None
                else given + [(source, kind) for kind in types]
            )
        yield from _misfits(node, given, release, functions)
    for argument in signature.output_arg:
        source = function.ret.get(argument.name)
        if source is None:
            yield where, f"a node that gives its output {argument.name!r}", argument.name
            continue
        types, found = _look_up(source, known, function, release, functions)
        wanted = _types(declared(argument), None)
        if not found:
            yield (
                where,
                f"the tensor {source!r}, its output {argument.name!r}, among its nodes",
                argument.name,
            )
        elif types and wanted and len(types) == len(wanted) == 1 and not _fits(types[0], wanted[0]):
            yield (
                where,
                f"{_name(wanted[0])} as its output {argument.name!r}; {source!r} is {_name(types[0])}",
                argument.name,
            )


_CALLS = {
    "PartitionedCall": (("f", "Tin", "Tout"),), "StatefulPartitionedCall": (("f", "Tin", "Tout"),),
    "While": (("cond", "T", ""), ("body", "T", "T")), "StatelessWhile": (("cond", "T", ""), ("body", "T", "T")),
    "If": (("then_branch", "Tin", "Tout"), ("else_branch", "Tin", "Tout")),
    "StatelessIf": (("then_branch", "Tin", "Tout"), ("else_branch", "Tin", "Tout")),
}  # fmt: skip
"""By op: the attributes with the function, the types of its arguments and those of its results."""


def call_problems(nodes: Iterable[Any], functions: dict[str, Any]) -> Iterator[ModelError]:
    """Calls whose arguments aren't those of the function."""
    for node in nodes:
        for place, inputs, outputs in _CALLS.get(node.op, ()):
            called = functions.get(node.attr[place].func.name) if place in node.attr else None
            if called is not None:
                yield from _call_problems(node, called, inputs, outputs)


def _call_problems(node: Any, called: Any, inputs: str, outputs: str) -> Iterator[ModelError]:
    for attribute, arguments in (
        (inputs, called.signature.input_arg),
        (outputs, called.signature.output_arg),
    ):
        if attribute:
            given = list(node.attr[attribute].list.type)
            wanted = [_types(declared(argument), None) for argument in arguments]
            if any(types is None or len(types) != 1 for types in wanted):
                continue
            if len(given) != len(wanted) or not all(
                types and _fits(kind, types[0]) for kind, types in zip(given, wanted, strict=True)
            ):
                text = f"{attribute!r} as the function {called.signature.name!r} has it, which is {len(wanted)} tensors of its own types"
                yield node.op, text, node.name


SIZES_OF = {
    "Reshape": (1,), "StridedSlice": (1, 2, 3), "ExpandDims": (1,), "Tile": (1,), "Fill": (0,), "Transpose": (1,), "Pad": (1,),
    "PadV2": (1,),
    "Slice": (1, 2), "Range": (0, 1, 2), "GatherV2": (2,), "Split": (0,), "SplitV": (1, 2), "ArgMax": (1,), "ArgMin": (1,), "OneHot": (1,),
    "BroadcastTo": (1,), "ConcatV2": (-1,), "Concat": (0,), "Sum": (1,), "Mean": (1,), "Max": (1,), "Min": (1,), "Prod": (1,), "All": (1,),
    "Any": (1,), "ReverseV2": (1,), "TopKV2": (1,), "Pack": (),
}  # fmt: skip
"""By op: the inputs whose values its shape function asks for."""


def size_problems(bodies: Iterable[list[Any]]) -> Iterator[ModelError]:
    """Constants that can't be read and from which a shape is computed while the graph is imported;
    each body is a graph's or function's.
    """
    for nodes in bodies:
        bad = {node.name: fault for node in nodes if (fault := constant_problem(node))}
        if not bad:
            continue
        packed = {
            node.name: {_node(source) for source in node.input} & bad.keys()
            for node in nodes
            if node.op == "Pack"
        }
        for node in nodes:
            sources = [_node(source) for source in node.input if not source.startswith("^")]
            for place in SIZES_OF.get(node.op, ()):
                name = sources[place] if -len(sources) <= place < len(sources) else ""
                for constant in sorted({name} & bad.keys() | packed.get(name, set())):
                    yield "Const", bad[constant], constant


def shape_problems(nodes: Iterable[Any]) -> Iterator[ModelError]:
    """Constants of the graph itself whose shape isn't the one that the exporter has noted beside
    it.
    """
    for node in nodes:
        noted = (
            node.attr["_output_shapes"].list.shape
            if node.op == "Const" and "_output_shapes" in node.attr
            else ()
        )
        if not noted or noted[0].unknown_rank:
            continue
        shape = [dimension.size for dimension in node.attr["value"].tensor.tensor_shape.dim]
        wanted = [dimension.size for dimension in noted[0].dim]
        if len(shape) != len(wanted) or any(
            size != other for size, other in zip(shape, wanted, strict=True) if other >= 0
        ):
            yield (
                node.op,
                f"a value of the shape {wanted} that its '_output_shapes' notes, not {shape}",
                node.name,
            )


def _node(source: str) -> str:
    return source.removeprefix("^").partition(":")[0]


def constant_problem(node: Any) -> str | None:
    """What is wrong with a constant's value, which TensorFlow reads when the node first runs."""
    if node.op != "Const" or node.attr["value"].WhichOneof("value") != "tensor":
        return None
    tensor, wanted = node.attr["value"].tensor, node.attr["dtype"].type
    if wanted and tensor.dtype != wanted:
        return f"a value of type {_name(wanted)}, as its dtype says, not {_name(tensor.dtype)}"
    elements = 1
    for dimension in tensor.tensor_shape.dim:
        elements *= dimension.size
    content = tensor.tensor_content
    if content and tensor.dtype in SIZES and len(content) != elements * SIZES[tensor.dtype]:
        return f"{elements} elements of {_name(tensor.dtype)}, as its shape says, not {len(content)} bytes"
    if content and tensor.dtype == _STRING and not _holds_strings(content, elements):
        return f"{elements} strings, as its shape says"
    return None


def tensor_of(text: str) -> tuple[str, int]:
    """(node, output) of a tensor's name: what has no number behind it is the first output of a node
    of that name.
    """
    name, _, port = text.rpartition(":")
    return (name, int(port)) if name and port.isdecimal() else (text, 0)


def declared(argument: Any) -> Argument:
    """An argument of a function's signature."""
    return Argument(
        argument.name,
        argument.type,
        argument.type_attr,
        argument.type_list_attr,
        argument.number_attr,
        0,
        argument.is_ref,
    )


def _arguments(
    op: str, release: Release, functions: dict[str, Any]
) -> tuple[tuple[Argument, ...], tuple[Argument, ...]] | None:
    if op in functions:
        signature = functions[op].signature
        return tuple(map(declared, signature.input_arg)), tuple(map(declared, signature.output_arg))
    return release.arguments(op)


def _types(argument: Argument, node: Any | None) -> list[int] | None:
    """Types of the tensors that an argument stands for; None if their number isn't known. `node`
    has the attributes.
    """
    if argument.list_attribute:
        value = None if node is None else node.attr.get(argument.list_attribute)
        return (
            list(value.list.type)
            if value is not None and value.WhichOneof("value") == "list"
            else None
        )
    kind = argument.type or _attribute_type(argument, node)
    if argument.reference and kind != ANY:
        kind += _REFERENCE
    if not argument.count_attribute:
        return [kind]
    value = None if node is None else node.attr.get(argument.count_attribute)
    return [kind] * value.i if value is not None and value.WhichOneof("value") == "i" else None


def _attribute_type(argument: Argument, node: Any | None) -> int:
    value = None if node is None else node.attr.get(argument.type_attribute)
    if value is None:
        return argument.default or ANY
    kind = value.WhichOneof("value")
    return ANY if kind in (None, "placeholder") else value.type if kind == "type" else 0


def _flat(arguments: Iterable[Argument], node: Any) -> list[int] | None:
    result: list[int] = []
    for argument in arguments:
        types = _types(argument, node)
        if types is None:
            return None
        result += types
    return result


def _look_up(
    source: str,
    known: dict[str, list[int] | None],
    function: Any,
    release: Release,
    functions: dict[str, Any],
) -> tuple[list[int] | None, bool]:
    """(types of what a name in a function stands for, None if they can't be told; whether there is
    such a thing).
    """
    if source in known:
        return known[source], True
    whole, _, index = source.rpartition(":")
    if index.isdecimal() and whole in known:
        types = known[whole]
        return (
            (None, True)
            if types is None
            else ([types[int(index)]], True)
            if int(index) < len(types)
            else (None, False)
        )
    node = (
        next((node for node in function.node_def if node.name == source.partition(":")[0]), None)
        if ":" in source
        else None
    )
    return None, node is not None and _arguments(node.op, release, functions) is None


def _late_inputs(node: Any) -> Iterator[ModelError]:
    """Data inputs stand before control inputs."""
    controls = False
    for source in node.input:
        if controls and not source.startswith("^"):
            yield node.op, f"its input {source!r} before its control inputs", node.name
        controls = controls or source.startswith("^")


def _misfits(
    node: Any, given: list[tuple[str, int]] | None, release: Release, functions: dict[str, Any]
) -> Iterator[ModelError]:
    known = _arguments(node.op, release, functions)
    wanted = None if known is None else _flat(known[0], node)
    if wanted is None or given is None:
        return
    if len(wanted) != len(given):
        yield (
            node.op,
            f"{len(wanted)} inputs, as its op and attributes say, not {len(given)}",
            node.name,
        )
        return
    for (source, kind), expected in zip(given, wanted, strict=True):
        if not _fits(kind, expected):
            yield (
                node.op,
                f"{_name(expected)} as its input {source!r}, which is {_name(kind)}",
                node.name,
            )


def _fits(kind: int, expected: int) -> bool:
    """A reference can be read as a value; a value is no reference."""
    return ANY in (kind, expected) or kind == expected or kind == expected + _REFERENCE


@cache
def _name(number: int) -> str:
    return "nothing" if number == 0 else type_names().get(number, f"type {number}")


def _holds_strings(content: bytes, count: int) -> bool:
    """Whether these are as many strings behind their lengths (port::DecodeStringList)."""
    place = total = 0
    try:
        for _ in range(count):
            length, place = varint(content, place)
            total += length
    except IndexError:
        return False
    return len(content) == place + total
