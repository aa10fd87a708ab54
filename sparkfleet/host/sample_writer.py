"""Samples of Prometheus, unsigned, on loopback → the same request to AMP, signed with a session. Runs ON the monitor.

    sample-writer.py PORT URL REGION TOKEN_FILE COMMAND…   COMMAND answers as a credential_process does

Debian's Prometheus cannot sign: its patch 91-Disable_opentelemetry takes the line away that puts the signing transport
to use (seen in 2.42.0+ds-5, and on the wire). Source of the signature: IAM user guide, "Signature Version 4". Whoever
writes here must show the token of TOKEN_FILE, made at each start: other users of the host have nothing to write.
Standard library only.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import os
import secrets
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, urlsplit

PASSED_ON = ("content-type", "content-encoding", "user-agent", "x-prometheus-remote-write-version")
SERVICE, ALGORITHM = "aps", "AWS4-HMAC-SHA256"
TIMEOUT_S, COMMAND_S = 30, 60
RENEWED_BEFORE = dt.timedelta(minutes=10)
MOST_BYTES = 64 << 20
UNAVAILABLE = 503  # Prometheus tries again; after any 4xx it drops the samples
REFUSED = {401, 403}

Headers = dict[str, str]


@dataclass(frozen=True)
class Session:
    """What a credential_process answered."""

    key: str
    secret: str
    token: str
    ends: dt.datetime


@dataclass
class Sessions:
    """The session at hand, asked for again before it ends; while that fails the old one is used as long as it lasts."""

    command: list[str]
    kept: Session | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, now: dt.datetime) -> Session | None:
        """None while there is none; why, stands in the journal."""
        with self._lock:
            if not self.kept or now >= self.kept.ends - RENEWED_BEFORE:
                try:
                    done = subprocess.run(self.command, stdout=subprocess.PIPE, check=True, timeout=COMMAND_S)
                    read = json.loads(done.stdout)
                    # Python 3.10 on hosts does not read a Z.
                    ends = dt.datetime.fromisoformat(read["Expiration"].replace("Z", "+00:00"))  # noqa: FURB162
                    self.kept = Session(read["AccessKeyId"], read["SecretAccessKey"], read["SessionToken"], ends)
                except (OSError, subprocess.SubprocessError, ValueError, LookupError, AttributeError) as error:
                    print(f"no session: {type(error).__name__}", file=sys.stderr, flush=True)
            return self.kept if self.kept and now < self.kept.ends else None

    def forget(self) -> None:
        """It was refused: the next request asks for another."""
        self.kept = None


def signed(url: str, headers: Headers, body: bytes, session: Session, region: str, now: dt.datetime) -> Headers:  # noqa: PLR0913, PLR0917
    """`headers` and what makes the request one of the session's."""
    at, stamp = urlsplit(url), now.strftime("%Y%m%dT%H%M%SZ")
    own = {"host": at.netloc, "x-amz-date": stamp}
    if session.token:
        own["x-amz-security-token"] = session.token
    names, lines = ";".join(sorted(own)), "".join(f"{name}:{own[name]}\n" for name in sorted(own))
    path, digest = quote(at.path or "/"), hashlib.sha256(body).hexdigest()
    canonical = f"POST\n{path}\n{at.query}\n{lines}\n{names}\n{digest}"
    scope = f"{stamp[:8]}/{region}/{SERVICE}/aws4_request"
    text = f"{ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{session.secret}".encode()
    for word in scope.split("/"):
        key = hmac.digest(key, word.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    own["authorization"] = f"{ALGORITHM} Credential={session.key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**headers, **own}


@dataclass(frozen=True)
class Writer:
    """Where samples go, and with whose sessions."""

    url: str
    region: str
    token: str
    sessions: Sessions

    def write(self, headers: Headers, body: bytes) -> tuple[int, bytes]:
        """The answer for Prometheus: AMP's own, but a refusal is no reason to drop samples."""
        if not hmac.compare_digest(headers.get("authorization", "").encode(), f"Bearer {self.token}".encode()):
            return 403, b"this is for Prometheus alone\n"
        now = dt.datetime.now(dt.timezone.utc)  # noqa: UP017  (Python 3.10 on hosts)
        session = self.sessions.get(now)
        if not session:
            return UNAVAILABLE, b"there is no session; see the journal of sparkfleet-samples.service\n"
        passed = {name: headers[name] for name in PASSED_ON if name in headers}
        request = urllib.request.Request(  # noqa: S310  (the description's own address)
            self.url, body, signed(self.url, passed, body, session, self.region, now), method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
                return int(answer.status), b""
        except urllib.error.HTTPError as error:
            said = error.read(4096)
            if error.code not in REFUSED:
                return error.code, said
            self.sessions.forget()
            print(f"refused: {error.code} {said[:300]!r}", file=sys.stderr, flush=True)
            return UNAVAILABLE, said
        except OSError as error:
            return UNAVAILABLE, f"{error}\n".encode()


def serve(writer: Writer, port: int) -> ThreadingHTTPServer:
    """A server on loopback that is yet to be run."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = TIMEOUT_S

        def do_POST(self) -> None:
            size = int(self.headers.get("content-length", 0))
            if size > MOST_BYTES:
                return self.send_error(413)
            body = self.rfile.read(size)
            status, text = writer.write({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(status)
            self.send_header("content-length", "0" if status == 204 else str(len(text)))
            self.end_headers()
            return None if status == 204 else self._say(text)

        def _say(self, text: bytes) -> None:
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Prometheus' own metrics tell of its remote write."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main(port: str, url: str, region: str, token_file: str, *command: str) -> None:
    """Until it is ended."""
    token = secrets.token_urlsafe(32)
    descriptor = os.open(token_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(token)
    Path(token_file).chmod(0o600)
    serve(Writer(url, region, token, Sessions(list(command))), int(port)).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
