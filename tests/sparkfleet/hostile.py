"""What a host that was taken over does and says, and what must then be true of the controller."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet.errors import SparkfleetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import paramiko

    from tests.sparkfleet.ssh_server import Server

# Title, clear screen, hyperlink, clipboard, C1's CSI, direction override, accents, a line that poses as ours.
ACCENTS = "\u0301" * 300
POISON = (
    "\x1b]0;owned\x07\x1b[2J\x1b[31m\x1b]8;;https://evil.example\x07[link=https://evil.example]x[/link]"
    f"\x1b]52;c;cm0gLXJm\x07\x9b1;1H\u202eexe.gpj\u2066e{ACCENTS}\r\nspark: all is well\n\x00\x7f\u2028"
)
COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # rich's own, on a terminal
CLI = """
import pathlib, sys
from sparkfleet import cli
whole, folder = cli.Project, pathlib.Path(sys.argv.pop(1))
cli.Project = lambda stack: whole(stack, folder)
cli.main()
"""


@contextlib.contextmanager
def harmless(folder: Path, most_s: float) -> Iterator[None]:
    """Inside it a host attacks: it is over in time, and no file of the controller's has come, gone or changed."""
    before, begin = files(folder), time.monotonic()
    yield
    assert time.monotonic() - begin < most_s
    assert files(folder) == before


def files(folder: Path) -> dict[str, bytes]:
    """Everything below a folder but the audit log, which is the controller's own word of what it did."""
    found = (file for file in folder.rglob("*") if file.is_file() and file.parent.name != "audit")
    return {str(file.relative_to(folder)): file.read_bytes() for file in found}


def fails(act: Callable[[], object]) -> str:
    """The words of the error that `act` ends with: one of ours, fit for a terminal."""
    with pytest.raises(SparkfleetError) as caught:
        act()
    assert str(caught.value).replace("\n", "").isprintable()
    assert len(str(caught.value)) < 2000
    return str(caught.value)


def says(server: Server, stdout: bytes = b"", *, stderr: bytes = b"", code: int = 0) -> None:
    """From now on every command is answered with this."""

    def answer(channel: paramiko.Channel, _: str) -> None:
        with contextlib.suppress(OSError, EOFError):
            channel.makefile("rb").read()
            channel.sendall_stderr(stderr)
            channel.sendall(stdout)
            channel.send_exit_status(code)
            channel.close()

    server.answer = answer


def asked(script: str) -> dict[str, Any]:
    """The request in a script that a host is sent: the JSON that stands in it as a Python string."""
    [text] = re.findall(r"json\.loads\(('.*')\)", script)
    return dict(json.loads(ast.literal_eval(text)))


def on_a_terminal(folder: Path, *words: str, most_s: float = 30.0) -> tuple[int, str]:
    """Run `spark` in a project's folder on a terminal of its own: exit code, and every byte that it wrote there."""
    controller, terminal = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), "TERM": "xterm-256color"}
    process = subprocess.Popen(
        [sys.executable, "-c", CLI, str(folder), "--stack", "office", *words],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environment,
        start_new_session=True,
    )
    os.close(terminal)
    said, until_s = b"", time.monotonic() + most_s
    with contextlib.suppress(OSError):  # how the end of a terminal reads
        while time.monotonic() < until_s:
            if select.select([controller], [], [], 0.2)[0]:
                said += os.read(controller, 65536)
    os.close(controller)
    if process.poll() is None and time.monotonic() >= until_s:
        os.killpg(process.pid, signal.SIGKILL)
    code = process.wait(timeout=10.0)
    assert time.monotonic() < until_s, "it was not done in time"
    return code, said.decode()


def assert_only_words(said: str) -> None:
    """Nothing on the terminal but text, line ends and colours."""
    left = COLOURS.sub("", said).replace("\r\n", "")
    assert left.isprintable(), repr([c for c in left if not c.isprintable()][:9])
    assert "\u0301" * 3 not in left
    assert not re.search(r"^spark: all is well", said, re.MULTILINE)
