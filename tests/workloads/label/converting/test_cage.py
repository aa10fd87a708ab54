"""What a worker can still do once its cage is closed, tried by a process that closes one: nothing but compute."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lab.instance import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

TRIES = """
import ctypes, json, os, signal, socket, subprocess, sys, threading
from pathlib import Path
from workloads.label.converting import cage
own, outside, secret = map(Path, sys.argv[1:4])
listener = socket.create_server(("127.0.0.1", 0))
local = socket.socket(socket.AF_UNIX); local.bind(str(outside / "local")); local.listen()
letters = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); letters.bind(str(outside / "letters"))
held = cage.close(own, cage.own_code(), 512 << 20, os.getppid())
def thread():
    started = threading.Thread(target=lambda: None); started.start(); started.join()
def callers():
    own = socket.socket(socket.AF_UNIX); own.bind("\\0own"); own.listen(); own.setblocking(False); own.accept()
def own_file():
    (own / "mine").write_text("x"); (own / "folder").mkdir(); (own / "mine").rename(own / "folder" / "mine")
tries = {
    "thread": thread,
    "own file": own_file,
    "thread's name": lambda: Path(f"/proc/self/task/{os.getpid()}/comm").write_text("x"),
    "tcp": lambda: socket.create_connection(listener.getsockname(), 1),
    "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53)),
    "unix socket": lambda: socket.socket(socket.AF_UNIX).connect(str(outside / "local")),
    "letter": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"x", str(outside / "letters")),
    "message": lambda: socket.socket(1, socket.SOCK_DGRAM).sendmsg([b"x"], (), 0, str(outside / "letters")),
    "callers": callers,
    "socket elsewhere": lambda: socket.socket(socket.AF_UNIX).bind(str(outside / "mine")),
    "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "program": lambda: subprocess.run(["/bin/true"], check=True),
    "fork": lambda: os.fork() or os._exit(0),
    "write": lambda: (outside / "new").write_text("x"),
    "overwrite": lambda: secret.write_text("x"),
    "truncate": lambda: os.truncate(secret, 0),
    "remove": lambda: secret.unlink(),
    "rename": lambda: secret.rename(own / "taken"),
    "link": lambda: os.link(secret, own / "linked"),
    "read": lambda: secret.read_text(),
    "through a link": lambda: ((own / "way").symlink_to(secret), (own / "way").read_text()),
    "list": lambda: os.listdir("/root" if os.getuid() == 0 else "/home"),
    "signal": lambda: os.kill(os.getppid(), 0),
    "memory": lambda: bytearray(600 << 20),
    "environment of others": lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
    "old call table": lambda: ctypes.CDLL(None, use_errno=True).syscall(0x40000000 + 41, 2, 1, 0) < 0 and 1 / 0,
}
done = []
for name, act in tries.items():
    try:
        act()
        done.append(name)
    except BlockingIOError:
        done.append(name)
    except (OSError, MemoryError, ZeroDivisionError):
        pass
print(json.dumps({"held": held, "done": done}))
"""


@pytest.fixture(scope="module")
def caged(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, list[str]], Path]:
    """What it could do, and the secret that it was after."""
    folder = tmp_path_factory.mktemp("cage")
    own, outside = folder / "own", folder / "outside"
    own.mkdir()
    outside.mkdir()
    secret = outside / "secret"
    secret.write_text("secret")
    told = subprocess.run(
        [sys.executable, "-c", TRIES, own, outside, secret], cwd=CHECKOUT, check=True, capture_output=True,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )  # fmt: skip
    return json.loads(told.stdout), secret


def test_a_closed_cage_allows_threads_and_files_of_its_own_and_nothing_else(
    caged: tuple[dict[str, list[str]], Path],
) -> None:
    """No network of any family, no program, no process, no file of others, no signal, no more memory."""
    told, secret = caged
    assert told["done"] == ["thread", "own file", "thread's name"]
    assert secret.read_text() == "secret"


def test_the_cage_tells_everything_that_holds_here(caged: tuple[dict[str, list[str]], Path]) -> None:
    """This kernel can do all of it; where one cannot, the stage's report names what is missing."""
    assert sorted(caged[0]["held"]) == [
        "capabilities", "files", "memory", "network", "programs", "sockets", "tcp",
    ]  # fmt: skip
