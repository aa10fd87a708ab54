"""Values for JSON files that are not ours: as settings, as the probe tells them, in the plan, and to Ansible."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkfleet.errors import ApplyError
from sparkfleet.host import inventory, merged
from sparkfleet.host.converge import refuse_broken
from sparkfleet.host.desired import Desired
from sparkfleet.host.observe import checked
from sparkfleet.host.parts import Parts
from sparkfleet.host.plan import plan, roles_of
from sparkfleet.model import Role
from tests.sparkfleet.host.probed import Probed

if TYPE_CHECKING:
    from pathlib import Path

FILE = "/etc/docker/daemon.json"
KEY = f"json:{FILE}#/features/cdi"
DESIRED = Desired("spark-01", (Role.BASE,), {}, {}, {}, {})
VALUES = st.none() | st.booleans() | st.integers() | st.text('{%#}a\n"é\\', max_size=6) | st.lists(st.integers())
WITH_VALUES = dataclasses.replace(
    DESIRED,
    roles=(Role.BASE, Role.CONTAINERS),
    parts={Role.BASE: Parts(), Role.CONTAINERS: Parts(merged={FILE: {"/features/cdi": True, "/debug": False}})},
    role_digests={Role.BASE: "b", Role.CONTAINERS: "c"},
)


def without_roles(observed: dict[str, str]) -> dict[str, str]:
    """A host on which the roles themselves are as described."""
    return {**observed, "role:base": "b", "role:containers": "c"}


def test_nested_maps_are_single_settings() -> None:
    """Each leaf by its pointer, slashes and tildes escaped; a list is one value, an empty map says nothing."""
    found = dict(merged.flat({"a/b": {"~": 1}, "list": [{"x": 1}], "empty": {}}))

    assert found == {"/a~1b/~0": 1, "/list": [{"x": 1}]}


@settings(max_examples=15)
@given(st.dictionaries(st.sampled_from(["a", "b~1c", "d"]), VALUES, min_size=1))
def test_the_probe_tells_a_value_as_it_is_described(
    tmp_path_factory: pytest.TempPathFactory, value: dict[str, Any]
) -> None:
    """The same text on both sides, whatever the value; a template engine finds nothing in it."""
    host = Probed(tmp_path_factory.mktemp("host"))
    document = {"x": {key.replace("~1", "/"): each for key, each in value.items()}}
    path = host.path("daemon.json", json.dumps(document))

    wanted = merged.settings({path: {f"/x/{key}": each for key, each in value.items()}})

    assert host.settings(*(f"json:{name}" for name in wanted)) == {f"json:{n}": v for n, v in wanted.items()}
    inventory_text = json.dumps(wanted)
    assert not any(mark in inventory_text for mark in ("{{", "{%", "{#"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"features": {"cdi": false}}', "false"),
        ('{"features": {}}', None),
        ('{"features": []}', None),
        ("", None),
        ('{\n "mtu": 9000,\n}', "broken: line 3 column 1: Expecting property name enclosed in double quotes"),
        ("[]", "broken: line 1 column 1: expected an object"),
    ],
)
def test_what_the_probe_says_of_a_file(tmp_path: Path, text: str, told: str | None) -> None:
    """The value, nothing when it is not there, or where the file is broken."""
    host = Probed(tmp_path)
    key = f"json:{host.path('daemon.json', text)}#/features/cdi"

    assert host.settings(key).get(key) == told
    assert host.settings("json:/no/such.json#/a") == {}


def test_a_broken_file_is_refused_before_anything_is_touched() -> None:
    """The plan says why, and an apply ends with file, line and column; nothing else is refused."""
    changes = plan(without_roles({KEY: "broken: line 3 column 1: Expecting value"}), WITH_VALUES)

    assert changes[-1].reason == "its file is no JSON: mend it on the host, it is not overwritten"
    with pytest.raises(ApplyError, match=r"nothing was touched, .*daemon\.json: line 3 column 1"):
        refuse_broken("spark-01", changes)
    refuse_broken("spark-01", plan(without_roles({KEY: "false"}), WITH_VALUES))


def test_only_what_differs_is_merged() -> None:
    """With the role whose follow-ups let the engine read it, and a command that must accept the file first."""
    changes = plan(without_roles({KEY: "false", f"json:{FILE}#/debug": "false"}), WITH_VALUES)

    variables = inventory.variables(WITH_VALUES, changes)

    assert [(c.key, c.before, c.after) for c in changes] == [(KEY, "false", "true")]
    assert variables["sparkfleet_merged"] == {
        FILE: {"role": "containers", "put": {"/features/cdi": "true"}, "drop": [], "validate": ""}
    }
    assert variables["sparkfleet_managed"][KEY] == "true"


def test_what_is_no_longer_described_is_dropped_by_the_files_role() -> None:
    """As long as that role describes other values of the file; else by base, which every host has."""
    gone = f"json:{FILE}#/log-opts/max-size"
    as_described = {key: value for key, value in WITH_VALUES.settings.items() if key.startswith("json:")}

    changes = plan(without_roles({**as_described, gone: '"1m"'}), WITH_VALUES)

    assert roles_of(changes) == [Role.CONTAINERS]
    assert inventory.variables(WITH_VALUES, changes)["sparkfleet_merged"][FILE]["drop"] == ["/log-opts/max-size"]
    assert roles_of(plan({gone: '"1m"'}, DESIRED)) == [Role.BASE]


def test_a_host_may_name_only_settings_of_that_form() -> None:
    """What a host's marker names becomes a variable of Ansible."""
    good, bad = "json:/etc/docker/daemon.json#/log-opts/max-size", "json:/etc/x#/{{ lookup('pipe', 'id') }}"

    assert checked({"settings": {good: "1"}, "facts": {}}, {})[0] == {good: "1"}
    with pytest.raises(ValueError, match="nobody asked for"):
        checked({"settings": {bad: "1"}, "facts": {}}, {})
