"""An address with TLS → POST /sessions answered as IAM Roles Anywhere's CreateSession does. SIMULATED.

Source of the form: IAM Roles Anywhere API reference, CreateSession.
"""

from __future__ import annotations

import datetime as dt
import json
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from lab.rolesanywhere import trust
from lab.rolesanywhere.request import RefusedError, Request, check

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cryptography import x509

MOST_BYTES = 65536
SESSION_S = range(900, 43201)  # CreateSession, durationSeconds


@dataclass(frozen=True)
class Account:
    """What stands on the other side: one trust anchor, one profile with one role, and who gives its sessions keys."""

    region: str
    anchor_arn: str
    profile_arn: str
    role_arn: str
    anchors: Sequence[x509.Certificate]
    trust_policy: dict[str, Any]
    grant: Callable[[str, int], dict[str, str]]
    """Common name, seconds → accessKeyId, secretAccessKey, sessionToken, expiration."""

    most_s: int = 3600
    """The profile's durationSeconds: a session lasts no longer."""


@dataclass
class Endpoint:
    """A running service; `asked` are the names that it gave a session, in order, `refused` its refusals."""

    account: Account
    asked: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)

    def start(self, certificate: Path, key: Path, address: str = "127.0.0.1", port: int = 0) -> str:
        """Answer from now on; returns the URL. `certificate` and `key` are the service's own, for TLS."""
        self._server = ThreadingHTTPServer((address, port), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, name="rolesanywhere", daemon=True).start()
        return f"https://{address}:{self._server.server_port}"

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: Request) -> tuple[int, dict[str, Any]]:
        """Status and body."""
        if (request.method, request.path.partition("?")[0]) != ("POST", "/sessions"):
            return 404, {"message": "There is no such operation"}
        try:
            return 201, self._session(request)
        except RefusedError as no:
            self.refused.append(no.said)
            return no.status, {"message": no.said}

    def _session(self, request: Request) -> dict[str, Any]:
        account, now = self.account, self.clock()
        presented = check(request, account.region, now)
        trust.check_chain(presented, account.anchors, now)
        name, seconds = trust.common_name(presented.certificate), self._wanted(request)
        trust.check_role(account.trust_policy, account.anchor_arn, name)
        self.asked.append(name)
        role = {"arn": f"{account.role_arn}/{presented.certificate.serial_number:x}"}
        given = {"assumedRoleUser": role, "credentials": account.grant(name, seconds), "sourceIdentity": f"CN={name}"}
        return {"credentialSet": [given], "subjectArn": account.anchor_arn.replace("trust-anchor", "subject")}

    def _wanted(self, request: Request) -> int:
        account = self.account
        try:
            body = json.loads(request.body)
            arns, seconds = [body[n] for n in ("trustAnchorArn", "profileArn", "roleArn")], body["durationSeconds"]
        except (ValueError, LookupError, TypeError):
            raise RefusedError("The request cannot be read", 400) from None
        if seconds not in SESSION_S:
            raise RefusedError("durationSeconds is out of range", 400)
        if arns != [account.anchor_arn, account.profile_arn, account.role_arn]:
            raise RefusedError("There is no such trust anchor, profile or role", 404)
        return min(int(seconds), account.most_s)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10

            def do_POST(self) -> None:
                body = self.rfile.read(min(int(self.headers.get("content-length", 0)), MOST_BYTES))
                headers = {name.lower(): value.strip() for name, value in self.headers.items()}
                status, answer = endpoint.answer(Request("POST", self.path, headers, body))
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                """What it did stands in `asked` and `refused`; nothing of a session is written anywhere."""

        return Handler
