"""The commands' tests know no lab of the user's: `make up` may have left one running."""

import pathlib
from collections.abc import Iterator

import pytest

from ops.preview_comment import github
from tests.ops.github_double import Hub


@pytest.fixture(autouse=True)
def _no_lab(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "no-lab"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub()
    monkeypatch.setenv("GITHUB_API_URL", f"http://127.0.0.1:{hub.server.server_port}")
    monkeypatch.setenv("GITHUB_TOKEN", "t0ken")
    monkeypatch.setenv("GITHUB_REPOSITORY", "o/r")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(github, "WAIT_SECONDS", 0)
    yield hub
    hub.server.shutdown()
    hub.server.server_close()


@pytest.fixture
def own_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """The credentials are the stack's (tests/ops/test_account.py is about others)."""
    for module in ("run", "pending_operations"):
        monkeypatch.setattr(f"ops.engine.{module}.require_account", lambda stack: None)
