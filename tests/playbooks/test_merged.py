"""The module `merged` as a process: values into and out of files that stand for an engine's, their originals kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.playbooks.machine import Machine

BY_HAND = '{\n  "log-driver": "syslog",\n  "mtu": 9000\n}\n'


@pytest.fixture
def engine(machine: Machine) -> Path:
    """An engine's settings, made by hand."""
    file = machine.root / "docker/daemon.json"
    file.parent.mkdir()
    file.write_text(BY_HAND)
    file.chmod(0o640)
    return file


def merge(machine: Machine, file: Path, *drop: str, check: bool = False, validate: str = "", **put: Any) -> Any:
    """Put values, by pointer with _ for each slash, and drop pointers."""
    values = {"/" + key.replace("_", "/"): json.dumps(value) for key, value in put.items()}
    entry = {"role": "containers", "put": values, "drop": list(drop), "validate": validate}
    return machine.run("merged", check=check, files={str(file): entry})


def test_settings_made_by_hand_survive(machine: Machine, engine: Path) -> None:
    """What is described is added behind them, in their indentation; owner and mode stay."""
    answer = merge(machine, engine, features_cdi=True, runtimes_nvidia_path="nvidia-container-runtime")

    assert engine.read_text() == (
        '{\n  "log-driver": "syslog",\n  "mtu": 9000,\n  "features": {\n    "cdi": true\n  },\n'
        '  "runtimes": {\n    "nvidia": {\n      "path": "nvidia-container-runtime"\n    }\n  }\n}\n'
    )
    assert engine.stat().st_mode & 0o777 == 0o640
    assert (answer["changed"], answer["touched"]) == (True, ["containers"])


def test_the_second_time_nothing_changes(machine: Machine, engine: Path) -> None:
    """Not even the time of the file."""
    merge(machine, engine, features_cdi=True)
    written = engine.stat().st_mtime_ns

    answer = merge(machine, engine, features_cdi=True)

    assert (answer["changed"], answer["touched"], engine.stat().st_mtime_ns) == (False, [], written)


def test_what_is_no_longer_described_goes_key_by_key(machine: Machine, engine: Path) -> None:
    """And the objects that were made for it; in the end the file is what it was, byte for byte."""
    merge(machine, engine, features_cdi=True, runtimes_nvidia_path="x")

    merge(machine, engine, "/runtimes/nvidia/path")
    assert json.loads(engine.read_text()) == {**json.loads(BY_HAND), "features": {"cdi": True}}

    merge(machine, engine, "/features/cdi")
    assert engine.read_text() == BY_HAND


def test_a_value_that_was_another_before_us_comes_back(machine: Machine, engine: Path) -> None:
    """The owner's own choice, from the original that was kept before the first change; later keys of theirs stay."""
    merge(machine, engine, mtu=1500)
    engine.write_text(engine.read_text().replace("\n}", ',\n  "debug": true\n}'))

    merge(machine, engine, "/mtu")

    assert json.loads(engine.read_text()) == {**json.loads(BY_HAND), "debug": True}


def test_what_was_there_as_described_before_us_stays(machine: Machine, engine: Path) -> None:
    """A vendor's own setting is not taken away because somebody described it for a while."""
    merge(machine, engine, mtu=9000)

    answer = merge(machine, engine, "/mtu")

    assert (answer["changed"], engine.read_text()) == (False, BY_HAND)


def test_a_file_of_ours_alone_goes_with_its_last_value(machine: Machine) -> None:
    """Where there was none, one is made for all to read; it goes again, unless others have put something into it."""
    file = machine.root / "new/daemon.json"

    merge(machine, file, features_cdi=True)
    assert (json.loads(file.read_text()), file.stat().st_mode & 0o777) == ({"features": {"cdi": True}}, 0o644)
    assert file.parent.stat().st_mode & 0o777 == 0o755

    merge(machine, file, "/features/cdi")
    assert not file.exists()


def test_a_link_stays_a_link(machine: Machine, engine: Path) -> None:
    """The file that it leads to is changed."""
    link = machine.root / "daemon.json"
    link.symlink_to(engine)

    merge(machine, link, debug=True)

    assert link.is_symlink()
    assert json.loads(engine.read_text())["debug"] is True


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{\n  "mtu": 9000,\n}\n', "line 3 column 1"),
        (b'{\n  "labels": ["caf\xe9"]\n}\n', "line 2: no UTF-8 text"),
        (b'{"mtu": {}}', None),
    ],
)
def test_a_broken_file_is_refused_and_left(machine: Machine, engine: Path, content: bytes, words: str | None) -> None:
    """With the line to mend; a sound one is not."""
    engine.write_bytes(content)

    answer = merge(machine, engine, features_cdi=True)

    assert bool(answer.get("failed")) is bool(words)
    if words:
        assert f"{engine} was left as it is: {words}" in answer["msg"]
        assert engine.read_bytes() == content


def test_what_the_engine_would_not_read_is_refused(machine: Machine, engine: Path) -> None:
    """Its own validator is asked about the new file first; an old one that knows no validation is no obstacle."""
    machine.program("dockerd", 'echo "unable to configure the Docker daemon with file $3: bad" >&2; exit 1')

    validate = "dockerd --validate --config-file=%s"
    answer = merge(machine, engine, features_cdi=True, validate=validate)

    assert "dockerd refuses what would stand there: unable to configure the Docker daemon" in answer["msg"]
    assert engine.read_text() == BY_HAND
    machine.program("dockerd", 'echo "unknown flag: --validate" >&2; exit 125')
    assert merge(machine, engine, features_cdi=True, validate=validate)["changed"]


def test_check_mode_writes_nothing(machine: Machine, engine: Path) -> None:
    """It tells what it would change; a broken file is refused then, too."""
    answer = merge(machine, engine, features_cdi=True, check=True)

    assert (answer["changed_paths"], engine.read_text()) == ([str(engine)], BY_HAND)
    engine.write_text("{")
    assert merge(machine, engine, features_cdi=True, check=True)["failed"]
