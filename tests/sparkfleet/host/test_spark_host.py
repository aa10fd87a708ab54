"""The Pulumi resource of a host: what Pulumi may ask of its provider, and what stands in the state."""

from __future__ import annotations

import base64
import pickletools
import socket
import subprocess
import sys
import types
from contextlib import nullcontext
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from pulumi.dynamic.dynamic import serialize_provider

from sparkfleet.errors import SparkfleetError, UnreachableError
from sparkfleet.host import converge as converging
from sparkfleet.host import lock, sources, spark_host
from sparkfleet.host import reset as resetting
from sparkfleet.host.observe import Observed
from sparkfleet.host.spark_host import SparkHostProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sparkfleet.host.connection import Target
    from sparkfleet.model import Fleet

MACHINE = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def port() -> Iterator[int]:
    """A port that is taken and does not listen."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def provider(fleet: Fleet, tmp_path: Path) -> SparkHostProvider:
    """A provider that was configured for a fleet."""
    made = SparkHostProvider()
    controller = fleet.controller.model_copy(update={"folder": tmp_path})
    made._fleet = fleet.model_copy(update={"controller": controller})
    return made


def props(**other: Any) -> dict[str, Any]:
    """What Pulumi records of a host."""
    return {
        "host": "spark-01",
        "addresses": ["127.0.0.1"],
        "port": 22.0,
        "user": "sparkfleet",
        "sysfs": "/sys",
        "settings": {"file:/etc/x": "0123456789abcdef 0644 root:root"},
        **other,
    }


@pytest.fixture
def converged(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let a converge succeed without a host, on the machine of that id."""

    def on(machine: str) -> None:
        monkeypatch.setattr(spark_host, "converge", lambda *_, **__: Observed({}, {"machine_id": machine}, "127.0.0.1"))

    return on


def test_the_provider_is_pickled_by_reference_and_holds_nothing() -> None:
    """What stands in every user's state is the class's import path and no value: the path is for good."""
    fresh = SparkHostProvider()
    text = serialize_provider(fresh)
    strings = [argument for _, argument, _ in pickletools.genops(base64.b64decode(text)) if isinstance(argument, str)]

    assert vars(fresh) == {}
    assert len(text) < 200
    assert {"sparkfleet.host.spark_host", "SparkHostProvider"} <= set(strings)
    assert not SparkHostProvider.serialize_as_secret_always


def test_other_settings_are_a_change(provider: SparkHostProvider) -> None:
    """The settings map is what is compared: recorded against described."""
    other = props(settings={"file:/etc/x": "fedcba9876543210 0644 root:root"})

    assert provider.diff(MACHINE, props(), other).changes is True
    assert provider.diff(MACHINE, props(), props()).changes is False


@pytest.mark.parametrize("key", spark_host.OUTSIDE_THE_DIFF)
def test_where_a_host_is_is_no_change(key: str, provider: SparkHostProvider) -> None:
    """A laptop that reaches it by another address must not make the fleet look changed; nothing is ever replaced."""
    diff = provider.diff(MACHINE, props(), props(**{key: "other"}))

    assert diff.changes is False
    assert not diff.replaces


def test_a_host_that_cannot_be_read_is_an_error(provider: SparkHostProvider, port: int) -> None:
    """`pulumi refresh` must not drop a host from the state because it is switched off."""
    described = provider._fleet.hosts["spark-01"].model_copy(update={"addresses": ["127.0.0.1"], "port": port})
    provider._fleet = provider._fleet.model_copy(update={"hosts": {**provider._fleet.hosts, "spark-01": described}})

    with pytest.raises(UnreachableError, match="spark-01 cannot be reached"):
        provider.read(MACHINE, props(port=float(port)))


def test_reading_tells_what_the_host_has(provider: SparkHostProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """The observed settings take the place of the recorded ones, in inputs and outputs alike: that is drift."""
    found = {"file:/etc/x": "fedcba9876543210 0666 root:root"}
    monkeypatch.setattr(spark_host, "observe", lambda *_, **__: Observed(found, {"machine_id": MACHINE}, "127.0.0.1"))

    result = provider.read(MACHINE, props(machine_id=MACHINE))

    assert result.id == MACHINE
    assert (result.outs or {})["settings"] == found
    assert (result.inputs or {})["settings"] == found


def test_a_new_host_is_known_by_its_machine_id(provider: SparkHostProvider, converged: Callable[[str], None]) -> None:
    """The id in the state is the machine's own, not the name somebody gave it."""
    converged(MACHINE)

    result = provider.create(props())

    assert (result.id, (result.outs or {})["machine_id"]) == (MACHINE, MACHINE)


def test_another_machine_under_the_same_name_is_refused_untouched(
    provider: SparkHostProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replaced box is a decision of its owner: nothing is applied, and the message says how to take it."""
    wanted = SimpleNamespace(host="spark-01", settings=props()["settings"])
    monkeypatch.setattr(sources, "read", lambda *_: None)
    monkeypatch.setattr(converging, "desired", lambda *_: wanted)
    monkeypatch.setattr(converging, "observe", lambda *_, **__: Observed({}, {"machine_id": "f" * 32}, "127.0.0.1"))
    monkeypatch.setattr(lock, "held", lambda *_, **__: nullcontext())
    monkeypatch.setattr(converging, "apply", lambda *_, **__: pytest.fail("the other machine was touched"))

    with pytest.raises(SparkfleetError, match=r"(?s)another machine.*nothing was touched.*pulumi state delete"):
        provider.update(MACHINE, props(), props())


def test_a_host_is_not_touched_when_files_changed_under_way(provider: SparkHostProvider, tmp_path: Path) -> None:
    """What was planned is what is applied: an edit between preview and apply stops the run before the host is asked."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/automation.pub").write_text("ssh-ed25519 AAAA sparkfleet")

    with pytest.raises(SparkfleetError, match=r"(?s)nothing was touched.*pulumi up"):
        provider.create(props())


def test_a_forgotten_host_is_left_as_it_is(provider: SparkHostProvider, capsys: pytest.CaptureFixture[str]) -> None:
    """`pulumi destroy` contacts no host, and says so."""
    provider.delete(MACHINE, props())

    assert capsys.readouterr().out == "spark-01 was left as it is; nothing on it was changed\n"


def test_a_host_that_is_to_be_reset_is_reset(provider: SparkHostProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it was when it left the description; what the reset could not do is told."""
    asked = []

    def reset(_fleet: Fleet, target: Target, *, say: Callable[[str], None]) -> resetting.Done:
        asked.append(target.addresses)
        say("under way")
        return resetting.Done(target.name, (), {"package jq": "needed by x"})

    monkeypatch.setattr(resetting, "reset", reset)
    hosts = {name: host for name, host in provider._fleet.hosts.items() if name != "spark-01"}
    provider._fleet = provider._fleet.model_copy(update={"hosts": hosts})

    provider.delete(MACHINE, props(reset=True, addresses=["192.0.2.9"]))

    assert asked == [("192.0.2.9",)]


def test_whether_a_host_will_be_reset_is_brought_into_the_state(provider: SparkHostProvider) -> None:
    """When the host leaves the description nobody else can tell; a state from before that is no change."""
    assert provider.diff(MACHINE, props(), props(reset=True)).changes is True
    assert provider.diff(MACHINE, props(), props(reset=False)).changes is False


def test_configuration_comes_from_the_engine(tmp_path: Path) -> None:
    """A provider process knows the fleet by what the engine hands over, and by nothing in the state."""
    made = SparkHostProvider()
    told = {
        "sparkfleet:fleet": "office",
        "sparkfleet:hosts": '{"spark-01": {"addresses": ["192.0.2.1"]}}',
        "sparkfleet:controller": f'{{"folder": "{tmp_path}"}}',
    }

    made.configure(types.SimpleNamespace(config=told))

    assert made._fleet.hosts["spark-01"].addresses == ["192.0.2.1"]
    assert made._fleet.controller.folder == tmp_path


def test_the_nearest_ancestor_of_a_name_is_found() -> None:
    """A provider leaves with the `pulumi` that started it, however many processes are in between."""
    script = "from sparkfleet.host import spark_host; print(spark_host._ancestor('pulumi'))"
    between = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {script!r}])"
    named = "import ctypes, subprocess, sys; ctypes.CDLL(None).prctl(15, b'pulumi'); "  # 15: PR_SET_NAME
    engine = subprocess.Popen(
        [sys.executable, "-c", f"{named} subprocess.run([sys.executable, '-c', {between!r}])"],
        stdout=subprocess.PIPE,
        text=True,
    )

    assert engine.communicate()[0].strip() == str(engine.pid)
    assert spark_host._ancestor("no-such-program") is None
