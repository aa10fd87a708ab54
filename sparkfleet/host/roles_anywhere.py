"""The host's certificate → an AWS session of at most an hour, as a credential_process answers. Runs ON the host, alone.

    roles-anywhere.py session CONFIG   signs with the host's key, so for root alone
    roles-anywhere.py ask SOCKET       for who may not read the key: root answers at the other end
    roles-anywhere.py serve CONFIG     that other end, on the sockets that systemd hands over

CONFIG says which role, profile and trust anchor: no secret. The request is signed as the IAM Roles Anywhere user guide
has it ("Signing process", AWS4-X509-ECDSA-SHA256); openssl signs, so that nothing has to be installed for it. Keys are
of elliptic curves, as the fleet's authority makes them. Standard library only.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
import json
import os
import select
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Any
from urllib.parse import urlsplit

CERTIFICATE, KEY = "host.crt", "host.key"  # beside the configuration; the first of the chain is the host's own
ALGORITHM, SERVICE = "AWS4-X509-ECDSA-SHA256", "rolesanywhere"
SESSION_S = 3600
TIMEOUT_S, TRIES, PAUSE_S = 10, 3, 1.0
PASSING = {429, 500, 502, 503, 504}
MOST_BYTES = 65536  # of an answer
IDLE_S, FIRST_HANDED = 30, 3  # sd_listen_fds(3)
REMEDY = "`systemctl start sparkfleet-identity.service` renews the certificate; its journal says why it was not."


class SessionError(Exception):
    """There is no session; the message says what happened, what it usually means and what to do next."""

    code = 1

    def __init__(self, what: str, usually: str, next_step: str) -> None:
        self.parts = [what, usually, next_step]
        super().__init__(f"{what}\n  This usually means: {usually}\n  Next: {next_step}")


class SilentError(SessionError):
    """Nobody answered: a later try may be let through."""

    code = os.EX_TEMPFAIL


class RefusedError(Exception):
    """The service said no, in these words."""


@dataclass(frozen=True)
class Identity:
    """A certificate with what stands in it, the chain above it, and its key."""

    chain: tuple[bytes, ...]  # DER, the host's own first
    key: bytes
    name: str
    serial: int
    begins: dt.datetime
    ends: dt.datetime


def session(config: Path) -> dict[str, Any]:
    """What a credential_process answers with; raises SessionError."""
    told = configuration(config)
    identity = read_identity(config.parent)
    try:
        answer = create(told, identity)
    except RefusedError as refusal:
        newer = read_identity(config.parent)  # a renewal between two reads: key and certificate did not belong together
        if newer == identity:
            raise explained(refusal, identity) from None
        try:
            answer = create(told, newer)
        except RefusedError as again:
            raise explained(again, newer) from None
    try:
        given = answer["credentialSet"][0]["credentials"]
        return {
            "Version": 1,
            "AccessKeyId": given["accessKeyId"],
            "SecretAccessKey": given["secretAccessKey"],
            "SessionToken": given["sessionToken"],
            "Expiration": given["expiration"],
        }
    except (LookupError, TypeError):
        raise SessionError(
            f"{told['endpoint']} gave no session",
            "something else than IAM Roles Anywhere answers there",
            "look at the endpoint in the configuration, and at proxies in between.",
        ) from None


def configuration(file: Path) -> dict[str, str]:
    """Where to ask and for what; raises SessionError. The endpoint is the region's own unless one is named."""
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
        told = {name: str(read[name]) for name in ("region", "trust_anchor_arn", "profile_arn", "role_arn")}
        told["endpoint"] = str(read.get("endpoint") or f"https://{SERVICE}.{told['region']}.amazonaws.com")
        told["ca_bundle"] = str(read.get("ca_bundle") or "")
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise SessionError(
            f"{file} cannot be used: {type(error).__name__}",
            "the host was not told its role yet",
            "`pulumi up` on the controller tells it.",
        ) from None
    if not told["endpoint"].startswith("https://"):
        raise SessionError(
            f"{file}: the endpoint is not https", "somebody edited the file", "`pulumi up` on the controller mends it."
        )
    return told


def read_identity(folder: Path) -> Identity:
    """The certificate and its key; raises SessionError when there is none that can be read."""
    try:
        text, key = (folder / CERTIFICATE).read_text(encoding="ascii"), (folder / KEY).read_bytes()
        blocks = [block for block in text.split("-----BEGIN CERTIFICATE-----")[1:] if "-----END" in block]
        chain = tuple(base64.b64decode(block.partition("-----END")[0]) for block in blocks)
        words = ("x509", "-noout", "-subject", "-serial", "-dates", "-nameopt", "sep_multiline,sname")
        said = openssl(*words, data=text.encode()).decode()
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise SessionError(
            f"this host's certificate in {folder} cannot be read: {type(error).__name__}",
            "the host was not enrolled yet, or this is not root",
            f"`pulumi up` on the controller enrols it; {REMEDY}",
        ) from None
    lines = dict(line.strip().split("=", 1) for line in said.splitlines() if "=" in line)
    return Identity(
        chain=chain,
        key=key,
        name=lines.get("CN", ""),
        serial=int(lines["serial"], 16),
        begins=_date(lines["notBefore"]),
        ends=_date(lines["notAfter"]),
    )


def create(told: dict[str, str], identity: Identity) -> Any:
    """Ask for a session; raises RefusedError for a no, SessionError when nobody answers for a while."""
    for attempt in range(TRIES):
        request = signed(told, identity, dt.datetime.now(dt.timezone.utc))  # noqa: UP017  (Python 3.10 on hosts)
        try:
            context = ssl.create_default_context(cafile=told["ca_bundle"] or None)
            with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=context) as answer:  # noqa: S310  (https)
                return json.loads(answer.read(MOST_BYTES))
        except urllib.error.HTTPError as error:
            if error.code not in PASSING:
                raise RefusedError(f"{_words(error.read(MOST_BYTES))} ({error.code})") from None
            said = f"{error.code} {_words(error.read(MOST_BYTES))}"
        except (OSError, ValueError) as error:
            said = str(getattr(error, "reason", error))
        if attempt < TRIES - 1:
            sleep(PAUSE_S * 2**attempt)
    raise SilentError(
        f"{told['endpoint']} does not answer: {said}",
        "the network of this host, or its clock, is wrong; or the service is down",
        "the session at hand lasts up to an hour; the next try asks again.",
    )


def signed(told: dict[str, str], identity: Identity, now: dt.datetime) -> urllib.request.Request:
    """The request for a session, signed at `now`."""
    wanted = {
        "profileArn": told["profile_arn"],
        "roleArn": told["role_arn"],
        "trustAnchorArn": told["trust_anchor_arn"],
    }
    body = json.dumps({**wanted, "durationSeconds": SESSION_S}).encode()
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    headers = {
        "content-type": "application/json",
        "host": urlsplit(told["endpoint"]).netloc,
        "x-amz-date": stamp,
        "x-amz-x509": base64.b64encode(identity.chain[0]).decode(),
    }
    if above := identity.chain[1:]:
        headers["x-amz-x509-chain"] = ",".join(base64.b64encode(each).decode() for each in above)
    names, lines = ";".join(sorted(headers)), "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"POST\n/sessions\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{stamp[:8]}/{told['region']}/{SERVICE}/aws4_request"
    text = f"{ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = sign(identity.key, text.encode()).hex()
    credential = f"Credential={identity.serial}/{scope}"
    headers["authorization"] = f"{ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"
    return urllib.request.Request(f"{told['endpoint']}/sessions", body, headers)  # noqa: S310  (https)


def sign(key: bytes, text: bytes) -> bytes:
    """The key goes by a file in memory: it was read once, with its certificate, and stands on no command line."""
    descriptor = os.memfd_create("key", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, key)
        return openssl("dgst", "-sha256", "-sign", f"/dev/fd/{descriptor}", data=text, keep=(descriptor,))
    except subprocess.SubprocessError:
        raise SessionError("this host's key cannot sign", "the file was damaged", REMEDY) from None
    finally:
        os.close(descriptor)


def openssl(*words: str, data: bytes, keep: tuple[int, ...] = ()) -> bytes:
    """What openssl prints; raises SubprocessError."""
    done = subprocess.run(
        ["/usr/bin/openssl", *words], input=data, capture_output=True, check=True, timeout=TIMEOUT_S, pass_fds=keep
    )
    return done.stdout


def explained(refusal: RefusedError, identity: Identity) -> SessionError:
    """A no, with what this host knows of its own certificate."""
    now = dt.datetime.now(dt.timezone.utc)  # noqa: UP017
    what = f"AWS refuses the certificate of {identity.name}: {refusal}"
    if identity.ends <= now:
        return SessionError(what, f"it has expired on {identity.ends:%Y-%m-%d %H:%M} UTC", REMEDY)
    if identity.begins > now:
        begins = f"it is valid from {identity.begins:%Y-%m-%d %H:%M} UTC on, and it is {now:%Y-%m-%d %H:%M} here"
        return SessionError(what, f"this host's clock is behind: {begins}", "set the clock: `timedatectl status`.")
    return SessionError(
        what,
        "another authority than the trust anchor's made it, or its name is not one of the role's hosts",
        "`pulumi up` on the controller brings role and trust anchor up to date and enrols the host again.",
    )


def _date(text: str) -> dt.datetime:
    return dt.datetime.strptime(text, "%b %d %H:%M:%S %Y %Z").replace(tzinfo=dt.timezone.utc)  # noqa: UP017


def _words(body: bytes) -> str:
    """The service's message, fit to be shown."""
    try:
        said = str(json.loads(body)["message"])
    except (ValueError, LookupError, TypeError):
        said = body.decode(errors="replace")
    return "".join(character if character.isprintable() else " " for character in said[:300]).strip() or "no words"


def ask(place: str) -> dict[str, Any]:
    """What root's `session` answers at the other end of a socket; raises SessionError."""
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.settimeout(TIMEOUT_S * (TRIES + 1))
            end.connect(place)
            answer = json.loads(b"".join(iter(lambda: end.recv(MOST_BYTES), b"")))
    except (OSError, ValueError) as error:
        raise SessionError(
            f"{place} gives no session: {type(error).__name__}",
            "this user has no use of the account, or the socket is not there",
            "`systemctl status 'sparkfleet-credentials*'` shows the sockets and who they are for.",
        ) from None
    if "Error" in answer:
        code, *parts = answer["Error"]
        raise (SilentError if code == SilentError.code else SessionError)(*parts)
    return dict(answer)


def serve(config: Path, sockets: list[socket.socket], idle_s: float = IDLE_S) -> None:
    """Answer one caller after another until nobody has come for a while; who may call is the sockets' mode."""
    while ready := select.select(sockets, [], [], idle_s)[0]:
        for end in ready:
            caller, _ = end.accept()
            with caller, contextlib.suppress(OSError):
                try:
                    answer = session(config)
                except SessionError as error:
                    print(error, file=sys.stderr)
                    answer = {"Error": [error.code, *error.parts]}
                caller.sendall(json.dumps(answer).encode())


def main(verb: str, place: str) -> int:
    """Print the answer, or the reason why there is none."""
    if verb == "serve":
        handed = range(FIRST_HANDED, FIRST_HANDED + int(os.environ["LISTEN_FDS"]))
        serve(Path(place), [socket.socket(fileno=descriptor) for descriptor in handed])
        return 0
    try:
        print(json.dumps(ask(place) if verb == "ask" else session(Path(place))))
    except SessionError as error:
        print(error, file=sys.stderr)
        return error.code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
