"""Certificates that signed a request, a trust anchor, a role's trust policy → the caller's name, or why not. Pure.

Source: IAM Roles Anywhere user guide, "Trust model" (what an end entity's certificate and an authority's must be; which
tags a session gets) and "Signature validation".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID

from lab.rolesanywhere.request import RefusedError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from lab.rolesanywhere.request import Presented

MOST_LINKS = 5
CN_TAG = "aws:PrincipalTag/x509Subject/CN"


def check_chain(presented: Presented, anchors: Sequence[x509.Certificate], now: dt.datetime) -> None:
    """Raise RefusedError unless an anchor has signed the certificate, also by way of others, and all are valid now."""
    link = presented.certificate
    _check_leaf(link)
    for _ in range(MOST_LINKS):
        _check_time(link, now)
        if signers := [anchor for anchor in anchors if issued(link, anchor)]:
            _check_time(signers[0], now)
            return
        above = [one for one in presented.chain if one != link and is_authority(one) and issued(link, one)]
        if not above:
            break
        link = above[0]
    raise RefusedError("Untrusted certificate. No path leads to the trust anchor")


def issued(link: x509.Certificate, by: x509.Certificate) -> bool:
    """Whether the one has signed the other."""
    try:
        link.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may sign others."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _check_leaf(certificate: x509.Certificate) -> None:
    if certificate.version is not x509.Version.v3 or is_authority(certificate):
        raise RefusedError("Untrusted certificate. It is not one of an end entity")
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        raise RefusedError("Untrusted certificate. Its key usage is missing") from None
    if not usage.digital_signature:
        raise RefusedError("Untrusted certificate. Its key may not sign")


def _check_time(certificate: x509.Certificate, now: dt.datetime) -> None:
    if now < certificate.not_valid_before_utc:
        raise RefusedError("Untrusted certificate. It is not valid yet")
    if now > certificate.not_valid_after_utc:
        raise RefusedError("Untrusted certificate. Certificate has expired")


def common_name(certificate: x509.Certificate) -> str:
    """The subject's, by which a host is known; raises RefusedError when there is not exactly one."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) != 1:
        raise RefusedError("Untrusted certificate. It has no common name")
    return str(names[0].value)


def check_role(trust: dict[str, Any], anchor_arn: str, name: str) -> None:
    """Raise RefusedError unless a statement lets the service assume the role for this anchor and this name."""
    values = {"aws:SourceArn": anchor_arn, CN_TAG: name}
    for statement in trust["Statement"]:
        principal, actions = statement["Principal"], statement["Action"]
        if statement["Effect"] == "Allow" and principal == {"Service": "rolesanywhere.amazonaws.com"}:
            asked = {"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"}
            if asked <= {*([actions] if isinstance(actions, str) else actions)} and _holds(statement, values):
                return
    raise RefusedError(f"Unable to assume role: its trust policy does not name {json.dumps(name)}")


def _holds(statement: dict[str, Any], values: dict[str, str]) -> bool:
    """Only the two operators that the fleet's own policy has; another one is a fault of the lab, not a refusal."""
    for operator, conditions in statement.get("Condition", {}).items():
        if operator not in {"ArnEquals", "StringEquals"}:
            raise NotImplementedError(operator)
        for key, wanted in conditions.items():
            if values.get(key) not in ([wanted] if isinstance(wanted, str) else wanted):
                return False
    return True
