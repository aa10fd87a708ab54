"""Certificates as the fleet's authority makes them, and as it never would, for whoever has to tell them apart."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

DAY = dt.timedelta(days=1)
USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """A certificate, its key, and the authorities above it but for the last."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    above: tuple[x509.Certificate, ...] = ()

    @property
    def key_pem(self) -> bytes:
        """The key alone."""
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())

    @property
    def chain_pem(self) -> bytes:
        """The certificate and those above it."""
        return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (self.certificate, *self.above))

    def write(self, folder: Path, name: str = "host") -> Path:
        """`name`.crt and `name`.key in `folder`, which is made; returns it."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.crt").write_bytes(self.chain_pem)
        (folder / f"{name}.key").write_bytes(self.key_pem)
        return folder


def issue(
    name: str,
    by: Pair | None = None,
    *,
    ca: bool = False,
    begins: dt.timedelta = -DAY,
    ends: dt.timedelta = 30 * DAY,
    usage: str | None = "digital_signature",
    address: str = "",
) -> Pair:
    """A certificate for `name`, signed by `by` or itself; times are from now on."""
    now, key = dt.datetime.now(dt.UTC), ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if ca or usage:
        named = {"key_cert_sign", "crl_sign"} if ca else {usage}
        bits = {each: each in named for each in USAGES}
        builder = builder.add_extension(x509.KeyUsage(**bits), critical=True)
    if address:
        alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = builder.add_extension(alternative, critical=False)
    made = builder.sign(by.key if by else key, hashes.SHA256())
    above = (by.certificate, *by.above) if by and by.certificate.issuer != by.certificate.subject else ()
    return Pair(made, key, above)
