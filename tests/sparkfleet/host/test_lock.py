"""Two runs and one host → one has it, the other is told who; however a run ends, the host is free soon after.

Real processes and real SSH to a server in this process, which runs the host's half here. sshd and sudo are met on
stand-ins.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.errors import LockedError, SparkfleetError
from sparkfleet.host import lock
from sparkfleet.host.lock import Holder, held
from tests.sparkfleet.ssh_server import Server, described, here
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    import paramiko

    from sparkfleet.host.connection import Target

DEADLINE_S = 10.0
RUN = """
import pathlib, sys
from sparkfleet.host import lock
from sparkfleet.host.connection import Target
folder, port, key, known, silence_s, purpose = sys.argv[1:]
lock.FOLDER, lock.SILENCE_S, lock.BEAT_S = folder, int(silence_s), 0.2
target = Target("spark-01", ("127.0.0.1",), int(port), "sparkfleet", pathlib.Path(key), pathlib.Path(known), 5.0)
with lock.held(target, purpose) as held:
    print("in", flush=True)
    sys.stdin.readline()
    held.check()
"""


@pytest.fixture
def server() -> Iterator[Server]:
    """A host that runs what it is told, here."""
    server = Server()
    server.answer = here
    yield server
    server.close()


@pytest.fixture
def target(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    """That host, with a folder of the test's for its lock."""
    monkeypatch.setattr(lock, "FOLDER", str(tmp_path / "run"))
    monkeypatch.setattr(lock, "BEAT_S", 0.2)
    return described(server, tmp_path)


@contextmanager
def running(target: Target, purpose: str, silence_s: int = 30) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the host until its stdin says a word."""
    words = [lock.FOLDER, str(target.port), str(target.private_key), str(target.known_hosts), str(silence_s), purpose]
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    try:
        assert process.stdout.readline() == "in\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def soon_held(target: Target, said: list[str]) -> float:
    """Try until the host is ours; how many seconds that took."""
    begin = time.monotonic()
    while True:
        try:
            with held(target, "pulumi up", say=said.append):
                return time.monotonic() - begin
        except LockedError:
            assert time.monotonic() - begin < DEADLINE_S
            time.sleep(0.05)


def test_the_second_run_is_told_who_has_the_host_and_since_when(target: Target) -> None:
    """The holder's purpose, person, machine, process and time, as people write them; exit code 10."""
    with (
        running(target, "spark rotate ssh") as other,
        pytest.raises(LockedError) as refused,
        held(target, "pulumi up"),
    ):
        pass

    who = re.escape(f"{getpass.getuser()}@{socket.gethostname()}")
    wanted = (
        rf'spark-01 is held by "spark rotate ssh" of {who} \(process {other.pid}\) since \d\d:\d\d:\d\d, for \d s\.'
    )
    assert re.fullmatch(wanted, refused.value.what)
    assert refused.value.exit_code == 10


def test_a_run_that_ends_leaves_the_host_at_once_and_without_a_word(target: Target) -> None:
    """The next one neither waits nor hears of it; nothing but the empty lock stays on the host."""
    said: list[str] = []
    for _ in range(3):
        with held(target, "pulumi up", say=said.append):
            pass

    assert said == []
    assert [file.name for file in Path(lock.FOLDER).iterdir()] == ["lock"]


def test_a_run_that_fails_leaves_the_host_too(target: Target) -> None:
    """Its own error comes through, and the next run is let in."""
    with pytest.raises(ZeroDivisionError), held(target, "pulumi up"):
        raise ZeroDivisionError

    with held(target, "pulumi up"):
        pass


def test_a_killed_run_leaves_the_host_within_seconds_and_is_named(target: Target) -> None:
    """Kill -9 closes its connection, which is all that the lock lives on; the next run says what it took over."""
    said: list[str] = []
    with running(target, "spark lockdown") as other:
        other.send_signal(signal.SIGKILL)

        assert soon_held(target, said) < 5.0

    [line] = said
    assert line.startswith('spark-01: took over from "spark lockdown" of ')
    assert line.endswith(", which was killed or cut off")


def test_a_run_that_is_cut_off_loses_the_host_and_learns_it(target: Target) -> None:
    """Its connection is open, its heartbeats stay away (a stopped process): the host waits so long and no longer."""
    with running(target, "spark rotate ssh", silence_s=1) as other, ExitStack() as stack:
        other.send_signal(signal.SIGSTOP)
        assert soon_held(target, []) < 5.0
        stack.enter_context(held(target, "pulumi up"))
        other.send_signal(signal.SIGCONT)
        time.sleep(1.0)  # several of its heartbeats: the first finds the lock gone and asks for it again

        _, told = other.communicate("go on\n", timeout=DEADLINE_S)

    assert "LockedError: spark-01 was lost while 'spark rotate ssh' was under way: spark-01 is held by" in told
    assert '"pulumi up"' in told


def test_a_broken_connection_is_made_again_and_the_lock_kept(target: Target, server: Server) -> None:
    """A flap of the network costs nobody the host, also while the host still believes in the old connection."""
    with held(target, "pulumi up") as mine:
        for transport in list(server.transports):
            transport.close()
        until(lambda: len(server.transports) >= 2, "another connection")
        time.sleep(0.5)
        mine.check()
        with pytest.raises(LockedError, match='"pulumi up"'):
            lock.Held(target, "spark lockdown")

    with held(target, "spark lockdown"):
        pass


def test_a_run_inside_a_run_has_the_host_already(target: Target, server: Server) -> None:
    """`spark rotate all` calls `spark rotate ssh`: no second connection, and the outer one gives the host back."""
    with held(target, "spark rotate all") as outer:
        with held(target, "spark rotate ssh") as inner:
            assert inner is outer
        with pytest.raises(LockedError, match="rotate all"):
            lock.Held(target, "pulumi up")

    assert len(server.transports) == 2  # the outer run's, and the one that was refused


def test_a_host_that_cannot_lock_says_why(target: Target, server: Server) -> None:
    """Sudo's last words, and what repairs it."""

    def refuse(channel: paramiko.Channel, _: str) -> None:
        channel.recv(1)
        channel.sendall_stderr(b"sudo: a password is required\n")
        channel.send_exit_status(1)
        channel.close()

    server.answer = refuse

    with pytest.raises(SparkfleetError, match="could not be locked: sudo: a password is required") as caught:
        lock.Held(target, "pulumi up")

    assert "spark adopt spark-01" in caught.value.next_step


@given(
    st.dictionaries(
        st.sampled_from(["purpose", "who", "process", "now_s", "began_s"]), st.from_type(object) | st.text()
    )
)
def test_a_holder_is_shown_whatever_a_host_makes_of_it(told: dict[str, object]) -> None:
    """Wrong types are unknown, long names are cut, nothing steers a terminal."""
    shown = str(Holder.read(told))

    assert shown.isprintable()
    assert len(shown) < 250


@pytest.mark.parametrize(
    ("began_s", "words"), [(0, ", for 11.6 d"), (999_880, ", for 2 min"), (2_000_000, ", for 0 s")]
)
def test_the_time_is_counted_by_the_hosts_clock_since_boot(began_s: float, words: str) -> None:
    """What its calendar says does not matter; after a day the date is told too."""
    shown = str(Holder.read({"now_s": 1_000_000, "began_s": began_s, "began": "1970-01-01T00:00:00Z"}))

    assert shown.endswith(words)
    assert re.search(r" since (\d{4}-\d\d-\d\d )?\d\d:\d\d", shown)


def test_the_name_is_beside_the_lock_for_people_on_the_host(target: Target, tmp_path: Path) -> None:
    """`cat /run/sparkfleet/holder.json` answers on the console who is at work."""
    with held(target, "pulumi up"):
        told = json.loads((tmp_path / "run/holder.json").read_text())

    assert told["purpose"] == "pulumi up"
    assert told["process"] == os.getpid()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told["began"])
