"""The README's blocks for Alibaba Cloud, typed line by line by a user who has nothing else, against
the lab under the real host names.
"""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
from collections.abc import Iterator

import pytest

from lab.alicloud.seed import CLUSTER, SWITCHES
from lab.pki import ensure_lab_ca
from lab.testing.figures import figure
from tests.e2e.documents import blocks
from tests.e2e.harness import ROOT, Lab
from tests.e2e.user import PASSWORD, User, another_model

README = ROOT / "README.md"
POLICY = ROOT / "docs" / "ram-policy.json"
HOST = "bert.dev.example.com"


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """In a lab of their own: stack `dev` wants the cluster for itself."""
    directory = tmp_path_factory.mktemp("first")
    lab = Lab.create(directory)
    started = lab.python("lab", "up")
    assert started.returncode == 0, started.stdout + started.stderr
    try:
        yield User.create(lab, directory / "home")
    finally:
        lab.python("lab", "down")


def key_of_a_ram_user(lab: Lab) -> dict[str, str]:
    """A key of a RAM user who may do what docs/ram-policy.json says, and no more."""
    document = POLICY.read_text().replace("CLUSTER_ID", CLUSTER)
    (lab.home / "policy.json").write_text(document)
    done = lab.run("python", "-m", "tests.e2e.ram_user", str(lab.home / "policy.json"))
    return json.loads(done.stdout.splitlines()[-1])


def lines(user: User) -> Iterator[list[str]]:
    """The README's blocks with the user's own values where the dots are."""
    key = key_of_a_ram_user(user.lab)
    switches = iter(list(SWITCHES) * 2)
    own = {
        "ALICLOUD_ACCESS_KEY=...": f"ALICLOUD_ACCESS_KEY={key['id']}",
        "ALICLOUD_SECRET_KEY=...": f"ALICLOUD_SECRET_KEY={key['secret']}",
        "PULUMI_CONFIG_PASSPHRASE=...": "PULUMI_CONFIG_PASSPHRASE=mine",
        "cluster.id' c...": f"cluster.id' {CLUSTER}",
        "--cert tls.crt --key tls.key": f"--cert {user.home}/tls.crt --key {user.home}/tls.key",
    }
    for block in blocks(README, "sh real-cloud"):
        found = []
        for line in block.splitlines():
            filled = line
            for dots, value in own.items():
                filled = filled.replace(dots, value)
            if filled == "pulumi login":
                filled = f"mkdir -p {user.home}/state && pulumi login file://{user.home}/state"
            found.append(re.sub(r"vsw-\.\.\.", lambda _: next(switches), filled))
            assert "..." not in found[-1], f"{line}: the test has no value for the dots"
        yield found


def run(user: User, commands: list[str]) -> dict[str, str]:
    """Types the lines; what each showed. Every one ends with 0."""
    shown = {}
    for line in commands:
        code, shown[line] = user.type(line, secret=PASSWORD if "read -rs" in line else "")
        assert code == 0, f"{line}\n{shown[line]}"
        assert "Traceback (most recent call last)" not in shown[line], shown[line]
        assert PASSWORD not in shown[line] or "read" in line, line
    return shown


def test_the_readmes_blocks_bring_a_stack_up_with_users_with_a_certificate_with_another_model_and_down_again(
    user: User,
) -> None:
    first, users, certificate, down = lines(user)
    said = run(user, first)
    up = said["make up STACK=dev"]
    assert "dev is up after" in up and "is positive" in up, up
    assert f"there is no DNS record for {HOST} yet" in up and f"{HOST}. A 10.0.0.80" in up
    assert (
        "FAIL" not in said["make doctor STACK=dev"]
        and "is positive" in said["make smoke STACK=dev"]
    )

    said = run(user, users)
    assert (
        "dev is up after" in said["make up STACK=dev"]
        and "Set EI_USER and EI_PASSWORD" in said["make up STACK=dev"]
    )
    assert (
        "is positive" in said["make smoke STACK=dev"]
        and '-u "$EI_USER"' in said["make smoke STACK=dev"]
    )

    leaf(user)
    said = run(user, [kubeconfig(user), *certificate])
    assert "the ingress controller has no certificate" in said["make up STACK=dev"], said[
        "make up STACK=dev"
    ]
    assert (
        f"https://{HOST}/" in said["make smoke STACK=dev"]
        and "is positive" in said["make smoke STACK=dev"]
    )

    source = another_model(user.lab.program)
    said = run(
        user,
        [
            f"pulumi config set --stack dev --path elastic-inference:model.source {source}",
            "make up STACK=dev",
        ],
    )
    up = said["make up STACK=dev"]
    assert (
        "zeros for signature serving_default (my_input_ids int32[?,128]" in up and '"outputs"' in up
    ), up

    said = run(user, down)
    assert "nothing is left" in said["make destroy STACK=dev"], said["make destroy STACK=dev"]
    figure(
        "README's blocks for Alibaba Cloud end with 0: no DNS record, auth basic, a certificate made after the namespace, another model"
    )


def kubeconfig(user: User) -> str:
    """The line by which a user of kubectl says which cluster is meant; on a real cluster it comes
    from the console.
    """
    return f"export KUBECONFIG={user.lab.home}/kubeconfig"


def leaf(user: User) -> None:
    """A certificate for the host, of the authority that the user's machine trusts."""

    certificate, key = ensure_lab_ca(user.lab.home).leaf([HOST])
    (user.home / "tls.crt").write_bytes(certificate)
    (user.home / "tls.key").write_bytes(key)


def test_the_blocks_are_of_a_form_that_the_test_understands() -> None:
    assert len(blocks(README, "sh real-cloud")) == 4
    assert (
        subprocess.run(
            ["bash", "-n"], input="\n".join(blocks(README, "sh real-cloud")), text=True, check=False
        ).returncode
        == 0
    )
    assert json.loads(POLICY.read_text())["Version"] == "1" and pathlib.Path(POLICY).is_file()
