"""A key made on this host → a certificate from the fleet's authority, renewed in time. Runs ON the host, as root.

    identity.py state     one word: valid, absent, expired, foreign or refused
    identity.py enrol     makes the key if there is none, and gets a certificate for the token on standard input
    identity.py renew     gets the next one at two thirds of the present one's life, and tells both dates as metrics

Standard library, Python 3.10 or newer, and openssl, which reads certificates. The key never leaves the host and stays
the same; a certificate is looked at whole before one rename puts it in force, so whoever is killed, finds the disk full
or the authority away leaves the pair before it working. Ends with 1 when what was to be done could not be; the journal
has the reason.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(os.environ.get("SPARKFLEET_ROOT", "/"))  # tests have one of their own
FOLDER = ROOT / "etc/sparkfleet/identity"
KEY, CERTIFICATE, AUTHORITY = FOLDER / "host.key", FOLDER / "host.crt", FOLDER / "authority.crt"
REFUSED = FOLDER / "refused"  # why the authority would not renew; there until the next certificate is
METRICS = ROOT / "var/lib/sparkfleet/metrics/identity.prom"
RENEW_AT = 2 / 3
ANSWER_S = 20
STARTS_WITHIN_S = 30.0  # step-ca may have been started a moment ago
MOST_BYTES = 1 << 16
CLOCK = "certificate is not yet valid", "certificate has expired"


class IdentityError(Exception):
    """What happened, and what to do next."""


class RefusedError(IdentityError):
    """The authority said no."""


@dataclass(frozen=True)
class Certificate:
    """A certificate file as openssl reads it; times in seconds since 1970."""

    subject: str
    start_s: float
    end_s: float

    @property
    def renewal_s(self) -> float:
        """When two thirds of its life are over."""
        return self.start_s + RENEW_AT * (self.end_s - self.start_s)


def main(words: list[str]) -> int:
    """Do what the word says."""
    os.umask(0o022)
    config = json.loads((FOLDER / "identity.json").read_text(encoding="utf-8"))
    name, authorities = str(config["name"]), [str(one) for one in config["authorities"]]
    try:
        if words == ["state"]:
            print(state(name, time.time()))
        elif words == ["enrol"]:
            with alone():
                enrol(name, authorities, sys.stdin.read().strip())
                tell()
        elif words == ["renew"]:
            with alone():
                return renew(name, authorities)
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except IdentityError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def state(name: str, now: float) -> str:
    """What the host's certificate is; all but `valid` need another enrolment."""
    fault = judged(CERTIFICATE, name, now)
    return fault.partition(":")[0] if fault else "refused" if REFUSED.exists() else "valid"


def judged(path: Path, name: str, now: float) -> str:
    """Why a certificate is not this host's, first its state; empty when it is. One that begins later is in force."""
    if not path.exists():
        return "absent: there is no certificate"
    try:
        found = read(path)
        context().load_cert_chain(path, KEY)
    except (IdentityError, OSError, ValueError) as error:  # ssl.SSLError is an OSError
        return f"foreign: {error}"
    if found.subject != f"CN={name}":
        return f"foreign: it is made out to {found.subject}"
    if found.end_s <= now:
        return "expired: its time is over"
    # Times apart: this host's clock is not what decides about the authority's certificates.
    trust = ("-CAfile", str(AUTHORITY), "-untrusted", str(path))
    rc, said = openssl("verify", "-no_check_time", "-partial_chain", "-purpose", "sslclient", *trust, str(path))
    return "" if rc == 0 else f"foreign: the fleet's authority did not sign it: {said.strip()[-200:]}"


def renew(name: str, authorities: list[str]) -> int:
    """Get the next certificate when it is time; the exit code."""
    now = time.time()
    try:
        if fault := judged(CERTIFICATE, name, now):
            raise IdentityError(
                f"{CERTIFICATE}: {fault}. Next: `pulumi refresh`, then `pulumi up`: the host enrols again"
            )
        if now >= read(CERTIFICATE).renewal_s:
            install(ask(authorities, "/1.0/renew", {}, known=True), name)
    except RefusedError as error:
        write(REFUSED, f"{error}\n", 0o600)
        raise
    finally:
        tell()  # also when nothing came of it: the dates are what the alert reads
    return 0


def enrol(name: str, authorities: list[str], token: str) -> None:
    """Get a first certificate, or another one in the place of one that is of no use."""
    if not token:
        raise IdentityError("no token came on standard input")
    if not KEY.exists() or openssl("pkey", "-in", str(KEY), "-noout")[0]:
        new = KEY.with_name(".host.key.new")
        new.unlink(missing_ok=True)
        made = ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(new))
        _said(openssl(*made), "make a key")
        in_force(new, KEY)
    request = _said(openssl("req", "-new", "-key", str(KEY), "-subj", f"/CN={name}", "-batch"), "make a request")
    body = {"csr": request, "ott": token}
    until = time.monotonic() + STARTS_WITHIN_S
    while True:
        try:
            return install(ask(authorities, "/1.0/sign", body, known=False), name)
        except RefusedError:
            raise
        except IdentityError:
            if time.monotonic() >= until:
                raise
            time.sleep(1)


def ask(authorities: list[str], path: str, body: dict[str, str], *, known: bool) -> str:
    """The certificate with those above it, PEM, from the first authority that answers; `known`: we show our own.

    Raises RefusedError when one says no, IdentityError when none answers.
    """
    said = []
    for authority in authorities:
        (host, _, port), secured = authority.rpartition(":"), context(AUTHORITY)
        if known:
            secured.load_cert_chain(CERTIFICATE, KEY)
        line = http.client.HTTPSConnection(host.strip("[]"), int(port), timeout=ANSWER_S, context=secured)
        try:
            line.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            answer = line.getresponse()
            text = answer.read(MOST_BYTES).decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            said.append(f"{authority}: {error or type(error).__name__}")
            continue
        finally:
            line.close()
        if answer.status in {200, 201}:
            return "".join(json.loads(text)["certChain"])
        if 400 <= answer.status < 500:
            raise RefusedError(
                f"the authority at {authority} refused ({answer.status}): {_words(text)}. This usually means: the host "
                "was retired. Next: if it belongs to the fleet, `pulumi refresh`, then `pulumi up`: it enrols again"
            )
        said.append(f"{authority}: {answer.status} {_words(text)}")
    hint = " Is the clock right (timedatectl)?" if any(word in one for word in CLOCK for one in said) else ""
    next_step = "`systemctl status sparkfleet-authority` on its host; the timer of this one tries again"
    raise IdentityError(f"no authority answered: {'; '.join(said)}.{hint} Next: {next_step}")


def install(chain: str, name: str) -> None:
    """Put a certificate in force, if it is this host's; else raise IdentityError, and nothing changed."""
    new = CERTIFICATE.with_name(".host.crt.new")
    write(new, chain, 0o644, rename=False)
    fault = judged(new, name, time.time())
    if fault:
        new.unlink()
        raise IdentityError(f"the authority sent another certificate than asked for: {fault}")
    in_force(new, CERTIFICATE)
    REFUSED.unlink(missing_ok=True)
    print(f"a certificate until {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime(read(CERTIFICATE).end_s))}")


def tell() -> None:
    """The dates of the host's certificate and of its authority's as metrics; what there is not has none."""
    found = {}
    for kind, path in {"host": CERTIFICATE, "authority": AUTHORITY}.items():
        with contextlib.suppress(IdentityError):
            found[kind] = read(path)
    METRICS.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    write(METRICS, metrics(found), 0o644)


def metrics(found: dict[str, Certificate]) -> str:
    """Pure: what is told of certificates, by whose they are."""
    name, due = "sparkfleet_certificate_not_after_timestamp_seconds", "sparkfleet_certificate_renewal_timestamp_seconds"
    lines = [f"# HELP {name} When the certificate ends.", f"# TYPE {name} gauge"]
    lines += [f'{name}{{kind="{kind}"}} {each.end_s:.0f}' for kind, each in found.items()]
    lines += [f"# HELP {due} When two thirds of its life are over.", f"# TYPE {due} gauge"]
    lines += [f'{due}{{kind="{kind}"}} {each.renewal_s:.0f}' for kind, each in found.items()]
    return "\n".join(lines) + "\n"


def read(path: Path) -> Certificate:
    """The first certificate of a PEM file; raises IdentityError when there is none."""
    said = _said(
        openssl("x509", "-in", str(path), "-noout", "-subject", "-dates", "-nameopt", "RFC2253"), f"read {path}"
    )
    found = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    start, end = (ssl.cert_time_to_seconds(found[key]) for key in ("notBefore", "notAfter"))
    return Certificate(found["subject"], start, end)


def context(trusted: Path | None = None) -> ssl.SSLContext:
    """TLS to servers that a certificate of `trusted` vouches for."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the issuing certificate is trusted, not its root
    if trusted:
        made.load_verify_locations(trusted)
    return made


def write(path: Path, text: str, mode: int, *, rename: bool = True) -> None:
    """Write a file, whole and on disk; with `rename` under a name of its own first. Raises IdentityError."""
    new = path.with_name(f".{path.name}.unfinished") if rename else path
    try:
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, mode)  # whatever the umask is
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        if rename:
            in_force(new, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise IdentityError(f"{path} could not be written: {error.strerror}; what was there stays in force") from error


def in_force(new: Path, path: Path) -> None:
    """The one rename; on disk when this returns."""
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    with contextlib.suppress(OSError):
        os.fsync(folder)
    os.close(folder)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One of us at a time: the timer and an apply may meet."""
    with (FOLDER / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def openssl(*words: str) -> tuple[int, str]:
    """How openssl ends, and what it says; nothing of a key is ever among it."""
    done = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout if done.returncode == 0 else done.stderr


def _said(answer: tuple[int, str], what: str) -> str:
    rc, said = answer
    if rc:
        raise IdentityError(f"openssl could not {what}: {said.strip()[-300:]}")
    return said


def _words(text: str) -> str:
    """What step-ca says, in one line that a terminal may show."""
    with contextlib.suppress(ValueError):
        told: Any = json.loads(text)
        text = str(told.get("message", text)) if isinstance(told, dict) else text
    return "".join(c if c.isprintable() else " " for c in text)[:300].strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
