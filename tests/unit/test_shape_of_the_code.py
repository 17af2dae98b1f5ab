"""Rules of the program's own code that a reviewer would otherwise check by eye."""

import ast
import dataclasses
import importlib
import inspect
from collections.abc import Iterator
from typing import Any, get_type_hints

import pytest
from pydantic import BaseModel

from components.component import Component
from settings.core import doc, translate
from settings.core.rule import RULES
from settings.root import GROUPS, KEYS, Settings
from tests.unit.program import ROOT

PARTS = ("components", "settings", "interruption_handler")
FILES = [path for part in PARTS for path in sorted((ROOT / part).rglob("*.py"))] + [
    ROOT / "__main__.py"
]
MODULES = [
    importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for path in sorted((ROOT / "components").rglob("*.py"))
    if path.stem != "__init__"
]
ARGS: set[type[Any]] = {
    kind
    for module in MODULES
    for name, kind in vars(module).items()
    if name.endswith("Args") and isinstance(kind, type) and dataclasses.is_dataclass(kind)
}


def test_there_is_one_args_class_per_component() -> None:
    components = {
        kind
        for module in MODULES
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, Component)
    }
    assert {kind.__name__ for kind in ARGS} == {
        f"{kind.__name__}Args" for kind in components - {Component}
    }
    assert len(ARGS) == 18


@pytest.mark.parametrize(
    "args", [pytest.param(kind, id=kind.__name__) for kind in sorted(ARGS, key=str)]
)
def test_args_are_frozen_and_every_field_has_a_docstring(args: type[Any]) -> None:
    assert args.__dataclass_params__.frozen
    (declared,) = ast.parse(inspect.getsource(args)).body
    assert isinstance(declared, ast.ClassDef)
    body = declared.body
    for statement, follower in zip(body, [*body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign):
            documented = (
                isinstance(follower, ast.Expr)
                and isinstance(follower.value, ast.Constant)
                and isinstance(follower.value.value, str)
            )
            assert documented, ast.unparse(statement)


def parsed() -> Iterator[tuple[str, ast.Module]]:
    """Every file of the program with its syntax tree."""
    for path in FILES:
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def words(node: ast.AST) -> set[str]:
    """Names, attributes and strings in an expression."""
    return {
        word
        for part in ast.walk(node)
        for word in (
            getattr(part, "id", None),
            getattr(part, "attr", None),
            getattr(part, "value", None),
        )
        if isinstance(word, str)
    }


def test_the_program_does_not_know_where_it_runs() -> None:
    for name, tree in parsed():
        for node in ast.walk(tree):
            if isinstance(node, ast.If | ast.IfExp | ast.While):
                asked = {
                    w for w in words(node.test) if w in ("local", "lab") or w.startswith("LAB_")
                }
                assert not asked, (
                    f"{name}:{node.lineno} decides by {asked}: a lab would prove nothing"
                )


def test_configuration_is_read_in_one_place() -> None:
    readers = {
        name
        for name, tree in parsed()
        if not name.startswith("interruption_handler/")  # runs in the cluster, by its settings.json
        and any(
            ast.unparse(node) in ("pulumi.Config", "os.environ")
            or ast.unparse(node).startswith("engine_config.")
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
        )
    }
    # by_hand.py asks who started the program, which is no setting
    assert readers == {"settings/current.py", "components/by_hand.py"}


def test_the_settings_page_and_the_declared_configuration_are_current() -> None:
    assert doc.main(["--check"]) == 0


def test_every_setting_is_declared_described_and_explained() -> None:
    declared = doc.schema()
    for key in KEYS:
        assert f"\n  {key}:\n" in declared
    for group in (Settings, *(doc._group(doc._field(key)[1]) for key in GROUPS)):
        for name, field in group.model_fields.items():
            if field.alias not in ("project", "stack"):
                said = field.json_schema_extra
                assert (
                    field.description
                    and isinstance(said, dict)
                    and said["expected"]
                    and said["consequence"]
                ), f"{group.__name__}.{name}"


@pytest.mark.parametrize("check", [check for _, check in RULES], ids=lambda check: check.__name__)
def test_the_parameters_of_a_rule_are_settings_of_the_type_that_they_say(check) -> None:  # type: ignore[no-untyped-def]
    declared = get_type_hints(Settings)
    hints = get_type_hints(check)
    for name in inspect.signature(check).parameters:
        attribute = inspect.getattr_static(Settings, name, None)
        expected = (
            get_type_hints(attribute.fget)["return"]
            if isinstance(attribute, property)
            else declared[name]
        )
        assert hints[name] == expected, f"{check.__name__}: {name}"


def test_a_rule_reads_only_settings_that_exist() -> None:
    """A rule that names a setting by another name would still run where that setting is wrong."""
    for reads, check in RULES:
        for path in reads:
            group: type[BaseModel] | None = Settings
            for step in path.removeprefix("alicloud:").split("."):
                assert group is not None, (check.__name__, path)
                fields = {field.alias or key: key for key, field in group.model_fields.items()}
                assert step in fields, (check.__name__, path)
                group = translate._model_of(group, fields[step])
    assert len(RULES) >= 45


READ_ELSEWHERE = {
    "model.request": "ops/trial.py",
    "node_pool.vswitch_ids": "components/compute/prerequisites.py, by the cluster's context",
}


def test_every_setting_is_read_by_name_where_the_graph_is_built() -> None:
    """No dead setting: an attribute of its name is read by a component or by the derived values."""
    sources = [
        *(ROOT / "components").rglob("*.py"),
        ROOT / "__main__.py",
        ROOT / "settings" / "root.py",
    ]
    sources += [
        ROOT / "settings" / f"{name}.py"
        for name in Settings.model_fields
        if (ROOT / "settings" / f"{name}.py").exists()
    ]
    read = {
        node.attr
        for path in sources
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
    }
    for key in GROUPS:
        group = doc._group(doc._field(key)[1])
        dead = {f"{key}.{name}" for name in group.model_fields if name not in read}
        assert dead - READ_ELSEWHERE.keys() == set()


def test_no_settings_reach_a_component_as_an_untyped_dictionary() -> None:
    """A setting can be followed from the stack's file to the resource's argument by its name."""
    for path in [*(ROOT / "components").rglob("*.py"), ROOT / "__main__.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) != "pulumi.Output.all":
                unpacked = [keyword for keyword in node.keywords if keyword.arg is None]
                assert not unpacked, f"{path.name}:{node.lineno}"
