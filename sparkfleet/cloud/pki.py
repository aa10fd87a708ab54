"""The fleet's name and a key → the certificates of its authority: a root, and the issuing one that hosts' come from.

Pure but for the randomness of keys and serial numbers. What AWS asks of a trust anchor and of what it signed (X.509 v3,
CA, keyCertSign, SHA-256 or better): IAM Roles Anywhere, "Trust model", and `anchor_faults` says where one falls short.
The root's key signs issuing certificates alone and never leaves the controller; the anchor is the issuing certificate,
so that a stolen issuing key is replaced without a new root.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from sparkfleet.errors import SparkfleetError

Key = ec.EllipticCurvePrivateKey
Extension = TypeVar("Extension", bound=x509.ExtensionType)

ROOT_YEARS, ISSUING_YEARS = 20, 10
YEAR = dt.timedelta(days=365)
SKEW = dt.timedelta(hours=1)
"""A certificate is valid so much earlier than it was made: the clock of a host may be behind."""

CURVE_BITS, RSA_BITS = 256, 2048
STRONG = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


@dataclass(frozen=True)
class Above:
    """The authority that signs another one's certificate."""

    certificate: x509.Certificate
    key: Key


def new_key() -> Key:
    """A key on the curve P-256, which AWS, OpenSSL and step-ca all know."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: Key) -> str:
    """A private key as PKCS #8, without a password: its file is what protects it."""
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def key_of(pem: str) -> Key:
    """The key in a PEM text; raises SparkfleetError, which never quotes it, when there is none on a curve."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise SparkfleetError("a file of the fleet's authority holds no private key") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise SparkfleetError("a file of the fleet's authority holds a key of another kind than expected")
    return key


def pem_of(certificate: x509.Certificate) -> str:
    """A certificate as text."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def certificate_of(pem: str) -> x509.Certificate:
    """The first certificate in a PEM text; raises SparkfleetError when there is none."""
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError as error:
        raise SparkfleetError(f"a file of the fleet's authority holds no certificate: {error}") from error


def fingerprint(pem: str) -> str:
    """SHA-256 over a certificate, in hex: what step-ca and openssl call its fingerprint."""
    return certificate_of(pem).fingerprint(hashes.SHA256()).hex()


def root(fleet: str, key: Key, now: dt.datetime) -> x509.Certificate:
    """The certificate that everything hangs on; it signs itself."""
    return _authority(_name(f"{fleet} root"), key, None, now)


def issuing(name: str, key: Key, above: Above, now: dt.datetime) -> x509.Certificate:
    """The certificate of the key that signs hosts' certificates, and nothing below them."""
    return _authority(_name(name), key, above, now)


def signed_by(certificate: x509.Certificate, above: x509.Certificate) -> bool:
    """Whether `above` signed it, by name and by key."""
    try:
        certificate.verify_directly_issued_by(above)
    except Exception:  # noqa: BLE001  (ValueError, TypeError, InvalidSignature: all of them mean no)
        return False
    return True


def anchor_faults(certificate: x509.Certificate, now: dt.datetime) -> list[str]:
    """What keeps a certificate from being a trust anchor, one sentence each."""
    faults = []
    if certificate.version is not x509.Version.v3:
        faults.append("it is not an X.509 v3 certificate")
    constraints = _extension(certificate, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        faults.append("it is no authority: basicConstraints has no CA:TRUE")
    usage = _extension(certificate, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        faults.append("its keyUsage has no keyCertSign")
    if not isinstance(certificate.signature_hash_algorithm, STRONG):
        faults.append("it is signed with a hash below SHA-256")
    public = certificate.public_key()
    curve = isinstance(public, ec.EllipticCurvePublicKey) and public.key_size >= CURVE_BITS
    if not curve and not (isinstance(public, rsa.RSAPublicKey) and public.key_size >= RSA_BITS):
        faults.append(f"its key is neither on a curve of {CURVE_BITS} bits nor RSA of {RSA_BITS}, or more")
    if now < certificate.not_valid_before_utc:
        faults.append(f"it is valid from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC on; is the clock right?")
    if now >= certificate.not_valid_after_utc:
        faults.append(f"it expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC")
    return faults


def _authority(subject: x509.Name, key: Key, above: Above | None, now: dt.datetime) -> x509.Certificate:
    """An authority's certificate, signed by the one above, or by itself; below a root it may not have its own."""
    signer, years = (above.key, ISSUING_YEARS) if above else (key, ROOT_YEARS)
    usages = {"digital_signature": False, "content_commitment": False, "key_encipherment": False}
    usages |= {"data_encipherment": False, "key_agreement": False, "encipher_only": False, "decipher_only": False}
    signer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above.certificate.subject if above else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + years * YEAR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0 if above else 1), critical=True)
        .add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usages), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(signer_id, critical=False)
        .sign(signer, hashes.SHA256())
    )


def _name(common: str) -> x509.Name:
    parts = ((NameOID.ORGANIZATION_NAME, "sparkfleet"), (NameOID.COMMON_NAME, common))
    return x509.Name([x509.NameAttribute(oid, text) for oid, text in parts])


def _extension(certificate: x509.Certificate, kind: type[Extension]) -> Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
