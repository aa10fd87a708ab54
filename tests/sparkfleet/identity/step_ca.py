"""The fleet's authority as a host runs it, here beside the test: real step-ca, real TLS; and its hosts' side of it."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab import toolchain
from sparkfleet.cloud import enrolment, pki
from sparkfleet.cloud.authority_files import ensure
from sparkfleet.host.sources import PROJECT
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = PROJECT / "sparkfleet/host/identity.py"
ADDRESS = "127.0.0.1"
LIFETIME_S = 3600
DUE_S = LIFETIME_S * 2 / 3 + 60  # and a minute by which step-ca dates its certificates back


def free_port() -> int:
    """One that nobody has now."""
    with socket.socket() as line:
        line.bind((ADDRESS, 0))
        return int(line.getsockname()[1])


@dataclass
class StepCa:
    """One authority: `kept` is the controller's folder of it."""

    folder: Path
    hosts: list[str]
    lifetime_s: int = LIFETIME_S
    fleet: str = "test"
    generation: int = 1
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def kept(self) -> Path:
        """The controller's side."""
        return self.folder / "authority"

    def configure(self, hosts: list[str] | None = None) -> None:
        """As `pulumi up` makes the folder, for these hosts from now on."""
        self.hosts = self.hosts if hosts is None else hosts
        wanted = {"fleet": self.fleet, "folder": str(self.kept), "generation": self.generation, "hosts": self.hosts}
        wanted |= {"names": [ADDRESS], "port": self.port, "lifetime_s": self.lifetime_s}
        ensure(wanted, dt.datetime.now(dt.UTC))
        text = (self.kept / "ca.json").read_text()
        for there, here in (
            (f"{enrolment.CREDENTIALS}/issuing", self.kept / str(self.generation) / "issuing"),
            (enrolment.DATABASE, self.folder / "tokens.db"),
            (f":{self.port}", f"{ADDRESS}:{self.port}"),
        ):
            assert there in text
            text = text.replace(there, str(here))
        (self.folder / "ca.json").write_text(text)

    def start(self) -> None:
        """Answers when this returns."""
        program = toolchain.ensure(["step-ca"])["step-ca"]
        log = (self.folder / "log").open("ab")
        environment = {**os.environ, "STEPPATH": str(self.folder)}
        words = [str(program), str(self.folder / "ca.json")]
        self._process = subprocess.Popen(words, stdout=log, stderr=log, env=environment)
        until(self.answers, "step-ca")

    def answers(self) -> bool:
        """Whether somebody listens."""
        with socket.socket() as line:
            return line.connect_ex((ADDRESS, self.port)) == 0

    def stop(self) -> None:
        """Nobody answers any more."""
        if self._process:
            self._process.terminate()
            self._process.wait(20)
        self._process = None

    def token(self, host: str, *, enrolled_as: str = "", now: float | None = None) -> str:
        """A token for `host`, by the key of the host it was enrolled as."""
        key = pki.key_of((self.kept / "enrol" / f"{enrolled_as or host}.key").read_text())
        return enrolment.token(host, key, f"https://{ADDRESS}:{self.port}/1.0/sign", now or time.time())


@dataclass
class Host:
    """One machine's side of it: the program that runs on hosts, with a root folder of its own."""

    root: Path
    name: str
    ca: StepCa

    @property
    def folder(self) -> Path:
        """Where key and certificate are."""
        return self.root / "etc/sparkfleet/identity"

    def prepare(self, authorities: list[str] | None = None) -> None:
        """What the role ships."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = {"name": self.name, "authorities": authorities or [f"{ADDRESS}:{self.ca.port}"]}
        (self.folder / "identity.json").write_text(json.dumps(config))
        (self.folder / "authority.crt").write_text((self.ca.kept / str(self.ca.generation) / "issuing.crt").read_text())

    def run(self, word: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """The program with one word, as the unit starts it."""
        return self._run([sys.executable, "-IS", str(PROGRAM), word], stdin)

    def at(self, word: str, later_s: float, fault: str = "") -> subprocess.CompletedProcess[str]:
        """The same by a clock that is so much ahead of the authority's, or behind it: TLS keeps the right time.

        `fault`: lines of Python that go before the program's.
        """
        text = (
            "import runpy, sys, time\n"
            "right = time.time\n"
            f"time.time = lambda: right() + {later_s!r}\n"
            f"{fault}\n"
            f"sys.argv = [{str(PROGRAM)!r}, {word!r}]\n"
            f"runpy.run_path({str(PROGRAM)!r}, run_name='__main__')\n"
        )
        return self._run([sys.executable, "-IS", "-c", text], "")

    def enrol(self) -> None:
        """With a token that is good."""
        done = self.run("enrol", self.ca.token(self.name))
        assert done.returncode == 0, done.stderr

    def _run(self, words: list[str], stdin: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "SPARKFLEET_ROOT": str(self.root)}
        return subprocess.run(
            words, input=stdin, capture_output=True, text=True, env=environment, timeout=60, check=False
        )

    def files(self) -> dict[str, bytes]:
        """The pair."""
        return {name: (self.folder / name).read_bytes() for name in ("host.key", "host.crt")}

    def metrics(self) -> str:
        """What it tells the exporter."""
        return (self.root / "var/lib/sparkfleet/metrics/identity.prom").read_text()

    def is_renewed_by(self, ca: StepCa) -> bool:
        """Whether an authority renews for whoever holds the pair and asks it by himself, without any scruple."""
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        client.load_cert_chain(self.folder / "host.crt", self.folder / "host.key")
        line = http.client.HTTPSConnection(ADDRESS, ca.port, timeout=10, context=client)
        try:
            line.request("POST", "/1.0/renew", "{}")
            return line.getresponse().status < 300
        except (OSError, http.client.HTTPException):
            return False
        finally:
            line.close()

    def lets_in(self) -> str:
        """Whether a server that trusts the authority takes the pair: "" or why not."""
        server, client = (ssl.SSLContext(kind) for kind in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT))
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        client.load_cert_chain(self.folder / "host.crt", self.folder / "host.key")
        server.load_cert_chain(self.folder / "host.crt", self.folder / "host.key")
        server.verify_mode = ssl.CERT_REQUIRED
        server.load_verify_locations(self.ca.kept / "root.crt")
        return handshake(server, client)


def handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> str:
    """Both sides in this process, without a socket; "" or why the server refused."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = server.wrap_bio(up, down, server_side=True), client.wrap_bio(down, up)
    waiting = [*sides]
    for _ in range(20):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError as error:
                return str(error)
    return "" if not waiting else "no end"
