"""Who may not read the host's key asks root at a socket, and learns as much as root does."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sparkfleet.host import roles_anywhere
from tests.lab.rolesanywhere.certificates import DAY, issue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lab.rolesanywhere.served import Anywhere


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[list[socket.socket]]:
    """Two sockets, as systemd would hand them over."""
    ends = [socket.socket(socket.AF_UNIX) for _ in range(2)]
    for number, end in enumerate(ends):
        end.bind(str(tmp_path / f"{number}.sock"))
        end.listen()
    yield ends
    for end in ends:
        end.close()


HAND_OVER = """
import os, sys
for number, descriptor in enumerate(sys.argv[1].split()):
    os.dup2(int(descriptor), 3 + number)
os.execv(sys.executable, sys.argv[2:])
"""


def start(config: Path, ends: list[socket.socket]) -> subprocess.Popen[str]:
    """The program as its unit runs it: descriptors from 3 on, and as many as LISTEN_FDS says."""
    words = [sys.executable, "-IS", roles_anywhere.__file__, "serve", str(config)]
    held = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in ends]  # clear of those from 3 on
    running = subprocess.Popen(
        [sys.executable, "-c", HAND_OVER, " ".join(map(str, held)), *words],
        env={"LISTEN_FDS": str(len(ends))}, pass_fds=held, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for descriptor in held:
        os.close(descriptor)
    return running


def ask(place: Path) -> subprocess.CompletedProcess[str]:
    """As an AWS SDK does for a user."""
    words = [sys.executable, "-IS", roles_anywhere.__file__, "ask", str(place)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def test_callers_get_sessions_one_after_another(
    anywhere: Anywhere, listening: list[socket.socket], tmp_path: Path
) -> None:
    """On either socket; the same answer as root's own."""
    running = start(anywhere.host(issue("spark-01", anywhere.issuing)), listening)
    try:
        answers = [ask(tmp_path / f"{number}.sock") for number in (0, 1, 0)]
    finally:
        running.kill()
        running.communicate()
    assert {json.loads(each.stdout)["AccessKeyId"] for each in answers} == {"ASIA-spark-01"}
    assert anywhere.endpoint.asked == ["spark-01"] * 3


def test_a_refusal_reaches_the_caller_in_root_s_words(
    anywhere: Anywhere, listening: list[socket.socket], tmp_path: Path
) -> None:
    """With what it means and what to do; the journal has it, too."""
    running = start(anywhere.host(issue("spark-01", anywhere.issuing, begins=-2 * DAY, ends=-DAY)), listening)
    try:
        refused = ask(tmp_path / "0.sock")
    finally:
        running.kill()
        journal = running.communicate()[1]
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "Next: `systemctl start sparkfleet-identity.service`" in refused.stderr
    assert refused.stderr.strip() in journal


def test_it_ends_when_nobody_comes(anywhere: Anywhere, listening: list[socket.socket]) -> None:
    """And when a caller goes away without its answer, the next is served."""
    config = anywhere.host(issue("spark-01", anywhere.issuing))
    gone = socket.socket(socket.AF_UNIX)
    gone.connect(listening[0].getsockname())
    gone.close()
    roles_anywhere.serve(config, listening, idle_s=0.2)
    assert anywhere.endpoint.asked == ["spark-01"]


def test_a_socket_that_is_not_there_is_told(tmp_path: Path) -> None:
    """With the command that shows them."""
    asked = ask(tmp_path / "none.sock")
    assert asked.returncode == 1
    assert "systemctl status 'sparkfleet-credentials*'" in asked.stderr
