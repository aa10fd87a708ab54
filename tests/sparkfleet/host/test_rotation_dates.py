"""Keys on a host → dates as metrics: the program runs as on a host, on a folder that stands for one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sparkfleet.host import rotation_dates

PROGRAM = Path(rotation_dates.__file__)
KEYS = [f"AAAAC3NzaC1lZDI1NTE5AAAAI{letter * 43}" for letter in "ABC"]
NODE = "nodekey:" + "7" * 64
DAY_S = 86400
TOLD = "sparkfleet_rotation_{}_timestamp_seconds"


@dataclass
class Machine:
    """A folder with the files of a host, and the program beside it."""

    root: Path

    @property
    def state(self) -> Path:
        """Where the program notes what it saw."""
        return self.root / "state.json"

    def authorize(self, *keys: str) -> None:
        """Let these keys log in as the automation user."""
        lines = [f'restrict,from="192.0.2.1" ssh-ed25519 {key} of the controller' for key in keys]
        self._file("etc/ssh/authorized_keys/sparkfleet").write_text("# exact\n" + "\n".join(lines) + "\n")

    def host_key(self, key: str, days_old: float) -> None:
        """Give the host this key, made so many days ago."""
        file = self._file("etc/ssh/ssh_host_ed25519_key.pub")
        file.write_text(f"ssh-ed25519 {key} root@host\n")
        os.utime(file, times=(0, time.time() - days_old * DAY_S))

    def store_key(self, text: str) -> None:
        """Put what a credential_process reads."""
        self._file("etc/sparkfleet/s3.json").write_text(text)

    def tailscale(self, answer: str, code: int = 0) -> None:
        """Put a program in the place of tailscale."""
        program = self._file("bin/tailscale")
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\nexit {code}\n")
        program.chmod(0o755)

    def age(self, days: float) -> None:
        """Let everything that was noted be so many days older."""
        noted = json.loads(self.state.read_text())
        for dates in noted["dates"].values():
            dates.update({key: date - days * DAY_S for key, date in dates.items()})
        self.state.write_text(json.dumps(noted))

    def run(self, *, code: int = 0, **days: int) -> dict[str, tuple[float, float]]:
        """Run the program; by kind: days since it is in use, and days until it is due."""
        config = self._file("rotation.json")
        config.write_text(json.dumps({"user": "sparkfleet", "days": {k.replace("_", "-"): n for k, n in days.items()}}))
        out = self.root / "metrics/rotation.prom"
        flags = {"--config": config, "--state": self.state, "--out": out, "--root": self.root}
        words = [str(word) for pair in flags.items() for word in pair]
        environment = {"PATH": f"{self.root / 'bin'}:/usr/bin:/bin"}
        done = subprocess.run([sys.executable, "-IS", PROGRAM, *words], env=environment, check=False)
        assert done.returncode == code
        found = {family.name: family.samples for family in text_string_to_metric_families(out.read_text())}
        now = time.time()
        last = {s.labels["kind"]: (now - s.value) / DAY_S for s in found[TOLD.format("last")]}
        due = {s.labels["kind"]: (s.value - now) / DAY_S for s in found[TOLD.format("due")]}
        return {kind: (round(last[kind], 2), round(due[kind], 2)) for kind in last}

    def _file(self, name: str) -> Path:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        return file


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A host with a key of each kind."""
    machine = Machine(tmp_path)
    machine.authorize(KEYS[0])
    machine.host_key(KEYS[1], days_old=400)
    machine.store_key('{"Version": 1, "AccessKeyId": "AKIAEXAMPLE", "SecretAccessKey": "do-not-tell"}')
    machine.tailscale(json.dumps({"Self": {"PublicKey": NODE}}))
    return machine


def test_each_key_has_its_date(machine: Machine) -> None:
    """A key first seen is new; a host key is as old as its file; each is due after the described days."""
    assert machine.run(ssh=90, host_keys=365, s3=60, tailnet=180) == {
        "ssh": (0, 90),
        "host-keys": (400, -35),
        "s3": (0, 60),
        "tailnet": (0, 180),
    }


def test_dates_stay_until_the_key_changes(machine: Machine) -> None:
    """Ten days later each date is ten days old; a new store key has a date of its own, the others stay."""
    machine.run(ssh=90, s3=60)
    machine.age(10)
    assert machine.run(ssh=90, s3=60) == {"ssh": (10, 80), "s3": (10, 50)}

    machine.store_key('{"AccessKeyId": "AKIAOTHER", "SecretAccessKey": "do-not-tell"}')
    assert machine.run(ssh=90, s3=60) == {"ssh": (10, 80), "s3": (0, 60)}


def test_a_rotation_counts_once_the_old_key_is_gone(machine: Machine) -> None:
    """Between adding and removing the old key still opens: its date stands; put back, it has its old date again."""
    machine.run(ssh=90)
    machine.age(10)
    machine.authorize(KEYS[0], KEYS[2])
    assert machine.run(ssh=90) == {"ssh": (10, 80)}
    machine.authorize(KEYS[2])
    assert machine.run(ssh=90) == {"ssh": (0, 90)}
    machine.authorize(KEYS[0])
    assert machine.run(ssh=90) == {"ssh": (10, 80)}


def test_what_is_not_there_or_not_described_is_not_told(machine: Machine) -> None:
    """No store key, a node that has not joined, a kind without days: no series for it."""
    (machine.root / "etc/sparkfleet/s3.json").unlink()
    machine.tailscale(json.dumps({"Self": {"PublicKey": "nodekey:" + "0" * 64}}))

    assert set(machine.run(ssh=90, s3=60, tailnet=180)) == {"ssh"}


@pytest.mark.parametrize("answer", ["", "{}", '{"Self": null}', "[1]"])
def test_a_tailscaled_that_does_not_say_changes_no_date(machine: Machine, answer: str) -> None:
    """While tailscale fails or says nothing sensible the date that was known is told."""
    machine.run(tailnet=180)
    machine.age(5)
    machine.tailscale(answer, code=1 if not answer else 0)

    assert machine.run(tailnet=180) == {"tailnet": (5, 175)}


def test_a_date_from_a_clock_that_ran_ahead_becomes_now(machine: Machine) -> None:
    """Noted five years ahead, a key is not safe from its due date for so long; a file from the future is new."""
    machine.run(ssh=90)
    machine.age(-5 * 365)
    machine.host_key(KEYS[1], days_old=-30)

    assert machine.run(ssh=90, host_keys=365) == {"ssh": (0, 90), "host-keys": (0, 365)}


def test_a_clock_that_is_not_set_writes_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In 1970 nothing is noted and the run fails: its dates would all be wrong later."""
    config = machine._file("rotation.json")
    config.write_text('{"user": "sparkfleet", "days": {"ssh": 90}}')
    monkeypatch.setattr(time, "time", lambda: 60.0)
    flags = {"--config": config, "--state": machine.state, "--out": machine.root / "o", "--root": machine.root}
    monkeypatch.setattr(sys, "argv", ["x", *(str(word) for pair in flags.items() for word in pair)])

    assert rotation_dates.main() == 1
    assert "the clock is not set yet" in capsys.readouterr().err
    assert not machine.state.exists()


def test_a_state_that_is_broken_is_begun_anew(machine: Machine) -> None:
    """Half a state file, as a power cut leaves it on a bad disk, costs the dates and nothing else."""
    machine.state.write_text('{"dates": {"ssh"')

    assert machine.run(ssh=90) == {"ssh": (0, 90)}


def test_no_key_is_written_anywhere(machine: Machine) -> None:
    """State and metrics hold neither the secret nor the id nor any key; the state is root's alone, metrics are open."""
    machine.run(ssh=90, host_keys=365, s3=60, tailnet=180)

    out = machine.root / "metrics/rotation.prom"
    written = machine.state.read_text() + out.read_text()
    assert not [word for word in (*KEYS, NODE, "AKIAEXAMPLE", "do-not-tell") if word in written]
    assert (machine.state.stat().st_mode & 0o777, out.stat().st_mode & 0o777) == (0o600, 0o644)


def test_old_keys_are_forgotten_in_the_end() -> None:
    """Digests do not pile up: the oldest that are gone go first, those that are there stay."""
    dates = {f"old-{number}": float(number) for number in range(100)}

    known = rotation_dates.noted(dates, {"old-0": None, "new": None}, now=200.0)

    assert len(known) == rotation_dates.MOST_REMEMBERED
    assert {"old-0", "new", "old-99"} <= set(known)
    assert "old-1" not in known


def test_a_configuration_that_cannot_be_read_leaves_the_old_metrics(machine: Machine) -> None:
    """The dates of the last good run go on being told."""
    before = machine.run(ssh=90)

    assert machine.run(code=1, ssh="soon") == before
