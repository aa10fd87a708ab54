"""What a Machine's properties ask a host → all answers in one round trip, over the one connection; each is kept.

    @answer("ss -lntupH")
    def listeners(self, said: str) -> list[Listener]: ...

declares a command. The first property that is read sends the commands of all of them in one script, which runs them
side by side; a command that fails fails only the checks that need its answer.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

ALL_S = 120  # seconds that a host may take for all of them
MOST = 64 << 20  # bytes of all answers; a ruleset of many containers is the longest
# Over stdin: neither the process list nor sudo's log of commands is filled with it.
SCRIPT = """
import json, subprocess, sys
from concurrent.futures import ThreadPoolExecutor
MOST, ONE_S = 8 << 20, 50  # a busy host builds the cache of its packages anew for half a minute
client, _, server, _ = (sys.argv[1].split() + [""] * 4)[:4]
def said(command):
    command = command.replace("{controller}", client)
    try:
        done = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, timeout=ONE_S)
    except subprocess.TimeoutExpired:
        return [124, "", "no answer within %d s" % ONE_S]
    return [done.returncode, done.stdout[:MOST].decode(errors="replace"), done.stderr[:2000].decode(errors="replace")]
names, commands = zip(*COMMANDS.items())
with ThreadPoolExecutor(8) as pool:
    print(json.dumps([client, server, dict(zip(names, pool.map(said, commands)))]))
"""
REMOTE = 'exec sudo -n /usr/bin/python3 -IS - "$SSH_CONNECTION"'


class LostError(Exception):
    """The host could not be asked: ssh itself failed, or it answered with something else."""


@dataclass(frozen=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Answers:
    """All of a host's answers by name; `controller` and `address`: the ends of the connection as the host sees them."""

    controller: str
    address: str
    said: dict[str, Said]


COMMANDS: dict[str, Any] = {}


def answer(command: Any) -> Callable[[Callable[[Any, str], T]], cached_property[T]]:
    """A property that is what its function makes of what `command` prints: shell words, or a function of `wanted`.

    Line breaks in it are blanks; {controller} in it is the controller's address as the host sees it.
    """

    def declare(read: Callable[[Any, str], T]) -> cached_property[T]:
        name = read.__name__
        COMMANDS[name] = command

        def get(self: Any) -> T:
            return read(self, self.told(name))

        get.__doc__ = read.__doc__
        return cached_property(get)

    return declare


def ask(ssh: list[str], wanted: dict[str, Any]) -> Answers:
    """Ask everything that was declared; raises LostError. `ssh`: the words that reach the host."""
    asked = {name: command if isinstance(command, str) else command(wanted) for name, command in COMMANDS.items()}
    commands = {name: " ".join(command.split()) for name, command in asked.items()}
    code, out, err = exchange([*ssh, REMOTE], f"COMMANDS = {commands!r}\n{SCRIPT}")
    if code:
        raise LostError(err.strip()[-300:] or f"ssh ended with code {code}")
    try:
        controller, address, said = json.loads(out)
        return Answers(str(controller), str(address), {str(name): Said(*of_it) for name, of_it in said.items()})
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise LostError(f"its answer is not what was asked for: {out[:100]!r}") from None


def exchange(command: list[str], text: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command that is given a text; raises LostError beyond `ALL_S` or `MOST`."""
    pipe = subprocess.PIPE
    with tempfile.TemporaryFile() as err, subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=err) as process:
        assert process.stdin
        assert process.stdout
        late = threading.Timer(ALL_S, process.kill)
        late.start()
        try:
            with contextlib.suppress(BrokenPipeError), process.stdin:
                process.stdin.write(text.encode())
            out = process.stdout.read(MOST + 1)
            if len(out) > MOST:
                process.kill()
                raise LostError(f"it answers without end: more than {MOST >> 20} MiB")
            code = process.wait()
        finally:
            late.cancel()
        if code == -signal.SIGKILL:
            raise LostError(f"no answer within {ALL_S} s")
        err.seek(0)
        return code, out.decode(errors="replace"), err.read(2000).decode(errors="replace")
