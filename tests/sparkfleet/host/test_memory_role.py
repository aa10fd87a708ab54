"""The role memory: what a host gets, and that both rules let people ask for what the guard understands, and no more."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sparkfleet import config
from sparkfleet.errors import ConfigError
from sparkfleet.host.desired import Desired, desired
from sparkfleet.host.parts.memory import SUDO_COMMAND
from tests.sparkfleet.host.conftest import description
from workloads.memguard.config import Config, load
from workloads.memguard.request import from_instance

if TYPE_CHECKING:
    from pathlib import Path

    from sparkfleet.host.sources import Sources

POLKIT, SUDO = "/etc/polkit-1/rules.d/50-sparkfleet-memguard.rules", "/etc/sudoers.d/91-sparkfleet-memguard"
FILE = "/etc/sparkfleet/memguard.json"
UNITS = st.from_regex(r"(spark-memguard@[0-9]{1,6}[KMGTx]?(-slab|-watch|-force|-x){0,4}|check|ssh)\.(service|socket)")


def rendered(sources: Sources, **memory: Any) -> Desired:
    """What spark-01 should be with the guard on it."""
    raw = description()
    raw["hosts"]["spark-01"]["roles"].append("memory")
    raw["memory"] = memory
    return desired(config.parse(raw), "spark-01", sources)


def text(host: Desired, path: str) -> str:
    """A file of the host's."""
    return host.files[path].content.decode()


def test_the_guard_reads_what_is_described(project_sources: Sources, tmp_path: Path) -> None:
    """The host's file is one that the guard's own reader takes, with every figure in its unit."""
    host = rendered(project_sources, floor="4G", every_s=30, serving=["vllm@*.service"], folders=["/srv/models"])
    (tmp_path / "memguard.json").write_text(text(host, FILE))

    assert load(tmp_path / "memguard.json") == Config(
        4 << 30, 30, 900, ("vllm@*.service",), ("/srv/models",), sudo=False
    )


def test_a_stand_in_is_told_apart(project_sources: Sources, tmp_path: Path) -> None:
    """Where figures are replayed, switches are files beside them, and every report says so."""
    raw = description()
    raw["hosts"]["spark-01"] |= {"roles": ["memory"], "procfs": "/var/lib/gb10/proc"}
    (tmp_path / "c").write_text(text(desired(config.parse(raw), "spark-01", project_sources), FILE))

    assert load(tmp_path / "c").simulated
    assert str(load(tmp_path / "c").vm) == "/var/lib/gb10/proc/sys/vm"


@pytest.mark.parametrize(("rule", "there", "absent"), [("polkit", POLKIT, SUDO), ("sudo", SUDO, POLKIT)])
def test_people_get_one_rule(project_sources: Sources, rule: str, there: str, absent: str) -> None:
    """Polkit's or sudo's; the described people and the described services' users stand in it, nobody else."""
    host = rendered(project_sources, rule=rule, callers=["vllm"])

    assert absent not in host.files
    assert ("package:polkitd" in host.settings) == (rule == "polkit")
    if rule == "polkit":
        assert json.loads(re.search(r"people = (.*);", text(host, there))[1]) == ["alice", "bob", "vllm"]
    else:
        rules = [line for line in text(host, there).splitlines() if not line.startswith("#")]
        assert rules == [f"{user} ALL=(root) NOPASSWD: {SUDO_COMMAND}" for user in ("alice", "bob", "vllm")]


@pytest.fixture(scope="module")
def patterns(project_sources: Sources) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What polkit's rule allows as a unit, and sudo's as arguments of systemctl."""
    rule = re.search(r"/(\^.*\$)/;", text(rendered(project_sources), POLKIT))
    assert rule
    return re.compile(rule[1]), re.compile(SUDO_COMMAND.removeprefix("/usr/bin/systemctl "))


@given(unit=UNITS)
@example("spark-memguard@40G-slab-watch.service")
@example("spark-memguard@40G-force.service")
@example("spark-memguard@check.service")
def test_both_rules_allow_what_a_person_may_ask_for(
    patterns: tuple[re.Pattern[str], re.Pattern[str]], unit: str
) -> None:
    """Every request without force, and nothing else: the guard and both rules agree on the words."""
    try:
        request = from_instance(unit.removeprefix("spark-memguard@").removesuffix(".service"))
        may = unit == f"spark-memguard@{request.instance}.service" and bool(request.need) and not request.force
    except ValueError:
        may = False
    polkit, sudo = patterns

    assert bool(polkit.search(unit)) == may
    assert bool(sudo.search(f"start {unit}")) == may


@pytest.mark.parametrize("more", [" ssh.service", "\nssh.service", " --now"])
def test_no_word_passes_beside_it(patterns: tuple[re.Pattern[str], re.Pattern[str]], more: str) -> None:
    """Another unit, or a flag, after an allowed one: sudo's rule covers the whole line."""
    assert not patterns[1].fullmatch(f"start spark-memguard@40G.service{more}")


@pytest.mark.parametrize(
    ("memory", "said"),
    [
        ({"floor": "8 GB"}, "memory.floor"),
        ({"serving": ["vllm"]}, "a unit such as"),
        ({"serving": ["a.service; reboot"]}, "a unit such as"),
        ({"folders": ["models"]}, "memory.folders"),
        ({"callers": ["Alice"]}, "memory.callers"),
        ({"every_s": 1}, "memory.every_s"),
    ],
)
def test_a_fault_is_told_by_its_key(memory: dict[str, Any], said: str) -> None:
    """Nothing of it reaches a unit file or a rule."""
    raw = description() | {"memory": memory}

    with pytest.raises(ConfigError, match=said):
        config.parse(raw)
