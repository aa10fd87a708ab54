"""A host's enrolment key → the provisioner that step-ca knows it by, and one-time tokens that it believes.

Each host has an enrolment key of its own, on the controller. What step-ca signed remembers by which provisioner it came
in, and is renewed only as long as that one is described: who is taken out gets nothing any more, and a new machine with
an old one's name has another key and so another provisioner. Forms: RFC 7517 (JWK), 7638 (its thumbprint), 7519 (JWT),
and step-ca's "Provisioners" and "Configuration" pages.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets as randomness
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sparkfleet.cloud.pki import Key

TOKEN_S = 300
"""So long a token may be used, once. The host is asked for its certificate within seconds."""

CREDENTIALS = "/run/credentials/sparkfleet-authority.service"
"""Where systemd puts what the unit loads (systemd.exec, LoadCredential=): step-ca's user cannot read the files."""

DATABASE = "/var/lib/sparkfleet-authority/tokens.db"


def jwk(key: Key) -> dict[str, str]:
    """The public half, with its thumbprint as its id."""
    numbers = key.public_key().public_numbers()
    members = {"crv": "P-256", "kty": "EC", "x": _coordinate(numbers.x), "y": _coordinate(numbers.y)}
    thumbprint = _base64(hashlib.sha256(_compact(members)).digest())
    return {**members, "kid": thumbprint, "use": "sig", "alg": "ES256"}


def provisioner_name(host: str, key: Key) -> str:
    """By host and key: step-ca finds a certificate's provisioner by its name alone."""
    return f"{host}/{jwk(key)['kid'][:12]}"


def token(host: str, key: Key, audience: str, now: float) -> str:
    """A JWT with which `host`, and nobody by another name, gets one certificate at `audience` (…/1.0/sign)."""
    identity = jwk(key)
    claims = {
        "iss": provisioner_name(host, key),
        "aud": audience,
        "sub": host,
        "sans": [host],
        "jti": randomness.token_hex(16),
        "iat": int(now),
        "nbf": int(now),
        "exp": int(now) + TOKEN_S,
    }
    header = {"alg": "ES256", "kid": identity["kid"], "typ": "JWT"}
    signed = f"{_base64(_compact(header))}.{_base64(_compact(claims))}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{_base64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def configuration(names: Sequence[str], port: int, lifetime_s: int, enrolled: Mapping[str, Key]) -> dict[str, Any]:
    """step-ca's ca.json: where it listens, by which names it is known, and which hosts it knows by which keys."""
    life = f"{lifetime_s}s"
    return {
        # Whoever comes is believed by the issuing certificate in force: what an earlier one signed, stolen key or not,
        # leads to the same root and must not be renewed.
        "root": f"{CREDENTIALS}/issuing.crt",
        "crt": f"{CREDENTIALS}/issuing.crt",
        "key": f"{CREDENTIALS}/issuing.key",
        "address": f":{port}",
        "dnsNames": list(names),
        "logger": {"format": "json"},
        "db": {"type": "bbolt", "dataSource": DATABASE},  # remembers which tokens were used
        "authority": {
            "claims": {
                # One life and no other. An expired certificate is not renewed: the host enrols again.
                "minTLSCertDuration": life,
                "maxTLSCertDuration": life,
                "defaultTLSCertDuration": life,
                "disableRenewal": False,
                "allowRenewalAfterExpiry": False,
            },
            "provisioners": [_provisioner(host, key) for host, key in sorted(enrolled.items())],
        },
        "tls": {"minVersion": 1.2, "maxVersion": 1.3, "renegotiation": False},
    }


def _provisioner(host: str, key: Key) -> dict[str, Any]:
    # Whatever a token or a request says: the subject is this host's name, and the certificate is a client's.
    template = {
        "subject": {"commonName": host},
        "sans": [{"type": "dns", "value": host}],
        "keyUsage": ["digitalSignature"],
        "extKeyUsage": ["clientAuth"],
    }
    name = provisioner_name(host, key)
    return {"type": "JWK", "name": name, "key": jwk(key), "options": {"x509": {"template": json.dumps(template)}}}


def _compact(members: Mapping[str, Any]) -> bytes:
    return json.dumps(members, separators=(",", ":"), sort_keys=True).encode()


def _coordinate(number: int) -> str:
    return _base64(number.to_bytes(32, "big"))


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
