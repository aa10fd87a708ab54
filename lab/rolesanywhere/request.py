"""A request for a session → the certificates that came with it, once their signature holds; else why not. Pure.

Source: IAM Roles Anywhere user guide, "Signing process for IAM Roles Anywhere".
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256

if TYPE_CHECKING:
    from collections.abc import Mapping

ALGORITHM, SERVICE = "AWS4-X509-ECDSA-SHA256", "rolesanywhere"
AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Credential=(?P<serial>\d+)/(?P<scope>[\w/-]+), ?SignedHeaders=(?P<names>[a-z0-9;-]+), ?"
    r"Signature=(?P<signature>[0-9a-f]+)"
)
MUST_SIGN = {"host", "x-amz-date", "x-amz-x509"}
MOST_SKEW = dt.timedelta(minutes=5)  # as AWS has it for every signed request (SigV4)


class RefusedError(Exception):
    """The service's no."""

    def __init__(self, said: str, status: int = 403) -> None:
        self.said, self.status = said, status
        super().__init__(said)


@dataclass(frozen=True)
class Request:
    """What came over the wire; the names of headers in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Presented:
    """The caller's certificate, whose key has signed the request, and those that were sent along."""

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]


def check(request: Request, region: str, now: dt.datetime) -> Presented:
    """Whose request it is; raises RefusedError. Whether that certificate is trusted is another question."""
    parts = AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if not parts:
        raise RefusedError("Missing or unknown authorization")
    names, headers = parts["names"].split(";"), request.headers
    if MUST_SIGN - set(names) or set(names) - headers.keys() or names != sorted(names):
        raise RefusedError("Signed headers are not those that must be signed")
    if "x-amz-x509-chain" in headers and "x-amz-x509-chain" not in names:
        raise RefusedError("The chain is not signed")
    stamp = headers["x-amz-date"]
    if abs(_time(stamp) - now) > MOST_SKEW:
        raise RefusedError("Signature expired or not yet current")
    if parts["scope"] != f"{stamp[:8]}/{region}/{SERVICE}/aws4_request":
        raise RefusedError("Credential should be scoped to this region and service")
    presented = _presented(headers)
    if int(parts["serial"]) != presented.certificate.serial_number:
        raise RefusedError("Credential is not the certificate's serial number")
    text = "\n".join((ALGORITHM, stamp, parts["scope"], hashlib.sha256(_canonical(request, names)).hexdigest()))
    try:
        key = presented.certificate.public_key()
        if not isinstance(key, EllipticCurvePublicKey):
            raise RefusedError("Signature algorithm does not fit the certificate's key")
        key.verify(bytes.fromhex(parts["signature"]), text.encode(), ECDSA(SHA256()))
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        raise RefusedError("Signature does not match") from None
    return presented


def _canonical(request: Request, names: list[str]) -> bytes:
    url = urlsplit(request.path)
    lines = "".join(f"{name}:{' '.join(request.headers[name].split())}\n" for name in names)
    digest = hashlib.sha256(request.body).hexdigest()
    query = "&".join(sorted(url.query.split("&")))
    return f"{request.method}\n{quote(url.path)}\n{query}\n{lines}\n{';'.join(names)}\n{digest}".encode()


def _presented(headers: Mapping[str, str]) -> Presented:
    above = [part for part in headers.get("x-amz-x509-chain", "").split(",") if part]
    try:
        own, *chain = (x509.load_der_x509_certificate(base64.b64decode(t)) for t in [headers["x-amz-x509"], *above])
    except ValueError:
        raise RefusedError("Untrusted certificate. It cannot be read") from None
    return Presented(own, tuple(chain))


def _time(stamp: str) -> dt.datetime:
    try:
        return dt.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    except ValueError:
        raise RefusedError("X-Amz-Date cannot be read", 400) from None
