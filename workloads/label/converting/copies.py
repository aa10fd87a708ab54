"""Orders → workers, as copies of one template; it and the models' server are started anew when they are gone."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import ValidationError

import workloads
from workloads.errors import NodeError, printable
from workloads.label.converting import cage, serving, template
from workloads.label.converting.server import Setting as Serving

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workloads.label.converting.messages import Reader
    from workloads.label.converting.sizes import Sizes
    from workloads.label.converting.worker import Settings

START_WITHIN_S = 300.0  # libraries and models, from a cold disk
CODE = Path(workloads.__file__).resolve().parents[1]  # the folder, or the zipapp, that `workloads` lies in


@dataclass
class Process:
    """A child that another process made for us: what subprocess.Popen is for those of our own."""

    pid: int
    stdin: int
    stdout: int
    returncode: int | None = field(default=None)

    def poll(self) -> int | None:
        """How it ended, if it has."""
        return self.returncode if self.returncode is not None else self._waited(os.WNOHANG)

    def kill(self) -> int:
        """It and its group; how it ended, which may have been before."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)  # its number is ours until we wait
            self._waited(0)
        for pipe in (self.stdin, self.stdout):
            os.close(pipe)
        return self.returncode or 0

    def _waited(self, how: int) -> int | None:
        pid, status = os.waitpid(self.pid, how)
        if pid:
            self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


class Partner:
    """A process of ours that is spoken to over a socket, which is its stdin; it dies with us."""

    def __init__(self, module: str, setting: str, folder: Path, env: dict[str, str], kind: socket.SocketKind) -> None:
        folder.mkdir(exist_ok=True)
        self._log = folder.with_suffix(".log")
        self.line, other = socket.socketpair(socket.AF_UNIX, kind)
        self.line.settimeout(START_WITHIN_S)
        command = [sys.executable, "-P", "-m", f"workloads.label.converting.{module}", setting]
        with other, self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=other.fileno(), stdout=log, stderr=log, cwd=folder, env=env, start_new_session=True
            )

    def end(self) -> None:
        """Kill it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.line.close()

    def said(self) -> str:
        """Its last words, for people."""
        return printable(self._log.read_text(encoding="utf-8", errors="replace").strip()[-200:]) or "no word"


class Copies:
    """What makes workers. Use as a context."""

    def __init__(self, folder: Path, artifacts: Path, sizes: Sizes) -> None:
        self._folder, self._artifacts, self._sizes = folder, artifacts, sizes
        self._template: Partner | None = None
        self._server: Partner | None = None
        self._served: set[Reader] = set()
        self.loaded: set[Reader] = set()  # by the template that the next worker is a copy of
        self.generation = 0  # of the server: workers of an older one have nobody to ask

    def __enter__(self) -> Self:
        """Copies of our child become our children."""
        cage.adopt()
        return self

    def __exit__(self, *_: object) -> None:
        """End what makes them; they themselves are the pool's."""
        for each in (self._template, self._server):
            if each:
                each.end()

    def load(self, readers: Iterable[Reader]) -> None:
        """Have the next workers know these; raises NodeError, as that is no document's fault."""
        if wanted := [reader for reader in readers if reader not in self.loaded]:
            self._order(template.Order(warm=wanted), [])
            self.loaded |= set(wanted)

    def start(self, settings: Settings, log: int) -> Process:
        """A new worker."""
        tasks, stdin = os.pipe()
        stdout, answers = os.pipe()
        descriptors = [tasks, answers, log]
        try:
            if self._sizes.served:
                descriptors.append(self._connected())
            pid = self._order(template.Order(copy_as=settings), descriptors).pid
        finally:
            for each in (tasks, answers, *descriptors[3:]):
                os.close(each)
        os.set_blocking(stdout, False)
        return Process(pid, stdin, stdout)

    def serve(self, readers: Iterable[Reader]) -> None:
        """Have these models' server run; a dead one is replaced."""
        wanted = self._served | set(readers)
        if not self._sizes.served or not wanted:
            return
        if self._server and self._server.process.poll() is None and wanted == self._served:
            return
        self.forsake()
        self._served = wanted
        folder, sizes = self._folder / "server", self._sizes
        self._server = Partner("server", Serving(
            folder=folder, artifacts=self._artifacts, threads=sizes.threads, memory_bytes=sizes.server_bytes,
            parent=os.getpid(), readers=sorted(wanted), batch=sizes.batch,
        ).model_dump_json(), folder, environment(folder, sizes.threads), socket.SOCK_STREAM)  # fmt: skip
        try:
            if fault := serving.Told.model_validate_json(serving.receive(self._server.line)[0]).error:
                raise _not_loaded(fault)
        except (OSError, EOFError, ValueError):
            raise _not_loaded(self._server.said()) from None

    def forsake(self) -> None:
        """The server hangs or is dead: whoever asks it gets no answer."""
        if self._server:
            self._server.end()
            self._server, self.generation = None, self.generation + 1

    def _connected(self) -> int:
        """A worker's end of a line to the server."""
        own, other = socket.socketpair()
        with other:
            if self._server:
                with contextlib.suppress(OSError):  # dead: found out by whoever asks
                    socket.send_fds(self._server.line, [b"w"], [other.fileno()])
        return own.detach()

    def _order(self, order: template.Order, descriptors: Sequence[int]) -> template.Done:
        if self._template is None or self._template.process.poll() is not None:
            known, self.loaded = list(self.loaded), set()
            folder = self._folder / "template"
            if self._template:
                self._template.end()
            self._template = Partner("template", template.Setting(
                folder=folder, artifacts=self._artifacts, parent=os.getpid(), served=self._sizes.served,
            ).model_dump_json(), folder, environment(folder, 1) | {"CUDA_VISIBLE_DEVICES": ""},
                socket.SOCK_SEQPACKET)  # fmt: skip
            self.load(known)
        try:
            socket.send_fds(self._template.line, [order.model_dump_json().encode()], list(descriptors))
            done = template.Done.model_validate_json(self._template.line.recv(template.MOST_ORDER_BYTES))
        except (OSError, ValidationError):
            raise _not_loaded(self._template.said()) from None
        if done.error:
            raise _not_loaded(done.error)
        return done


def _not_loaded(why: str) -> NodeError:
    return NodeError(
        f"the reader {why}" if why.partition(" ")[0].islower() else f"readers cannot be loaded: {why}",
        usually="this environment or the model files are not what the project was tested with",
        next_step="no document was touched by it; mend that and run again.",
    )


def environment(folder: Path, threads: int) -> dict[str, str]:
    """Nothing of ours: no keys, no proxies; libraries write into the folder and ask no server.

    With one heap of the C library instead of eight a core, what Docling's threads free is used again.
    """
    own = {name: os.environ[name] for name in ("LANG", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES") if name in os.environ}
    return own | {
        "PATH": "/usr/bin:/bin", "HOME": str(folder), "TMPDIR": str(folder), "PYTHONPATH": str(CODE),
        "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1", "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder),
        "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "passive", "MALLOC_ARENA_MAX": "1",
        "MALLOC_MMAP_THRESHOLD_": str(32 << 20), "ARROW_DEFAULT_MEMORY_POOL": "system",
        "TOKENIZERS_PARALLELISM": "false",
    }  # fmt: skip
