"""Bad settings: one clear message each, naming field, value, expectation, consequence and remedy;
all of them at once.
"""

import re

import pytest

from settings import Problem, Settings, SettingsError, load
from settings.root import SECRETS
from tests.unit.bad_cluster_inputs import ADOPTED, CREATED
from tests.unit.bad_elastic_inputs import ELASTIC
from tests.unit.bad_inputs import CLOUD, SERVING, Bad
from tests.unit.bad_pool_inputs import POOL
from tests.unit.cli_config import commands, follow
from tests.unit.program import PROJECT, USERS, failure, stack_values

pytestmark = pytest.mark.usefixtures("model_is_read_once")
SECRET = [f"{PROJECT}:{key}" for key in SECRETS]
ALL = POOL + CLOUD + SERVING + ELASTIC + ADOPTED + CREATED


def check(changes: dict, secret: tuple[str, ...] = (), stack: str = "local") -> Settings:
    """Load a stack with changes."""
    return load(
        stack_values(stack, changes),
        [f"{PROJECT}:{key}" for key in secret],
        project=PROJECT,
        stack=stack,
        environment={},
    )


def problems_of(changes: dict, secret: tuple[str, ...] = ()) -> SettingsError:
    """The error that loading with `changes` must raise."""
    with pytest.raises(SettingsError) as caught:
        check(changes, secret)
    return caught.value


@pytest.mark.parametrize(
    "bad", ALL, ids=[f"{number}-{bad.field}" for number, bad in enumerate(ALL)]
)
def test_a_bad_setting_is_named_with_its_value_what_was_expected_the_consequence_and_a_remedy(
    bad: Bad,
) -> None:
    error = problems_of(bad.changes)
    found = [problem for problem in error.problems if problem.field.startswith(bad.field)]
    assert found, f"{bad.field} is not named in:\n{error}"
    text = str(found[0])
    first = text.splitlines()[0]
    assert bad.found in first, first
    assert bad.expected in found[0].expected, found[0].expected
    assert len(found[0].consequence) > 10, "the consequence is not told"
    assert bad.remedy in found[0].remedy, found[0].remedy
    assert str(found[0]) in str(error)
    follow_to_the_end(bad, found[0])


def follow_to_the_end(bad: Bad, problem: Problem) -> None:
    """Runs the commands that the remedy prints, and those of what the same setting is told next: at
    the end it is not refused any more. A step that only the user can fill in ends it.
    """
    values = stack_values("local", bad.changes)
    for _ in range(12):
        steps = commands(problem.remedy)
        if not steps or any("<" in step or "--secret" in step for step in steps):
            return
        for step in steps:
            follow(step, values)
        try:
            load(values, SECRET, project=PROJECT, stack="local", environment={})
            return
        except SettingsError as error:
            left = [one for one in error.problems if one.field.startswith(bad.field)]
        if not left:
            return
        problem = left[0]
    raise AssertionError(f"still refused after what it says was done: {problem}")


def test_there_are_at_least_sixty_bad_inputs_and_no_two_alike() -> None:
    assert len(ALL) >= 60
    assert len({repr(bad.changes) for bad in ALL}) == len(ALL)


def test_no_single_mistake_drags_others_into_the_message() -> None:
    """A rule is left out where a setting it reads is already wrong; nothing is reported that the
    user did not do.
    """
    crowded = [bad for bad in ALL if len(problems_of(bad.changes).problems) > 2]
    assert crowded == []


def test_every_mistake_of_a_stack_is_told_at_once() -> None:
    error = problems_of(
        {
            "nodePool": {"minSize": "x", "maxSise": 1},
            "entry": {"auth": None},
            "server": {"graceSeconds": 5},
            "modelstore": {},
        }
    )
    assert {problem.field for problem in error.problems} == {
        "nodePool.minSize",
        "nodePool.maxSise",
        "entry.auth",
        "server.graceSeconds",
        "modelstore",
    }
    assert "5 settings of stack 'local' can't be used; nothing was changed." in str(error)


def test_a_secret_never_shows_in_a_message() -> None:
    error = problems_of(
        {"htpasswd": "user:hunter2", "tlsPrivateKey": "very-private"},
        secret=("htpasswd", "tlsPrivateKey"),
    )
    assert len(error.problems) >= 2
    assert "hunter2" not in str(error) and "very-private" not in str(error)


def test_the_program_stops_before_it_registers_or_asks_anything() -> None:
    message = failure(changes={"nodePool": {"minSize": 20}})
    assert re.search(r"1 setting of stack 'local'.*nodePool\.maxSize is 10", message, re.DOTALL)


@pytest.mark.parametrize("stack", ["local", "dev", "staging"])
def test_the_committed_stacks_are_good(stack: str) -> None:
    assert check({}, stack=stack).stack == stack


def test_prod_asks_for_its_users_first() -> None:
    with pytest.raises(SettingsError) as caught:
        check({}, stack="prod")
    assert [problem.field for problem in caught.value.problems] == ["htpasswd"]
    assert check({"htpasswd": USERS}, ("htpasswd",), "prod").model_store.protect


def test_settings_can_not_be_changed_after_loading() -> None:
    settings = check({})
    with pytest.raises(ValueError):
        settings.node_pool.max_size = 3  # type: ignore[misc]  # frozen: that is the test


def test_what_the_command_line_turns_into_numbers_and_truth_values_is_taken_as_text() -> None:
    settings = check(
        {
            "cluster": {"accountId": 1234567890123456},
            "server": {"cpu": 2},
            "nodePool": {"taint": {"value": True}, "labels": {"a": 1}},
        }
    )
    assert settings.cluster.account_id == "1234567890123456"
    assert settings.server.cpu == "2"
    assert (settings.node_pool.taint.value, settings.node_pool.labels) == ("true", {"a": "1"})


def test_the_region_may_come_from_the_environment() -> None:
    values = stack_values("local", {"alicloud:region": None})
    settings = load(
        values, [], project=PROJECT, stack="local", environment={"ALICLOUD_REGION": "cn-shanghai"}
    )
    assert settings.region == "cn-shanghai"


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    settings = check({"entry": {"auth": "basic"}, "htpasswd": USERS}, ("htpasswd",))
    assert USERS not in repr(settings) and USERS not in str(settings.model_dump())


def test_on_a_machine_that_maps_another_port_the_environment_says_which() -> None:
    def port(entry: dict, environment: dict[str, str]) -> int | None:
        values = stack_values("local", {"entry": entry})
        return load(
            values, [], project=PROJECT, stack="local", environment=environment
        ).entry.public_port

    assert port({}, {}) == 18080 and port({}, {"LAB_PUBLIC_PORT": "19080"}) == 19080
    assert port({}, {"EI_PUBLIC_PORT": "19080"}) == 19080, "its name until 0.1.0 is read as well"
    assert port({"publicPort": None}, {"LAB_PUBLIC_PORT": "19080"}) is None, (
        "nothing maps a port there"
    )
