"""A policy document, whoever wrote it → what must not stand in it, and what is missing in it.

Reading alone: whether AWS would decide so is shown by an evaluator (tests/sparkfleet/cloud/test_decisions_aws.py).
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KEYS = ("policy", "policyDocument", "assumeRolePolicy")
"""The properties of resources under which documents stand."""

NAME_TAG = "aws:PrincipalTag/x509Subject/CN"
ROLES_ANYWHERE = "rolesanywhere.amazonaws.com"


class Purpose(StrEnum):
    """Which question a document answers; not on which resource it stands."""

    TRUST = "who gets a role"
    BUCKET = "who may do what in a bucket"
    RESOURCE = "who may use another resource"
    KEY = "who may use a key"
    IDENTITY = "what its holder may do"


def purpose(typ: str, key: str) -> Purpose:
    """What the document is for that a resource of type `typ` has under `key`."""
    kind = typ.rpartition(":")[2]
    if key == "assumeRolePolicy":
        return Purpose.TRUST
    if typ.startswith("aws:iam/"):
        return Purpose.IDENTITY
    return {"BucketPolicy": Purpose.BUCKET, "Key": Purpose.KEY}.get(kind, Purpose.RESOURCE)


def faults(of: Purpose, text: str) -> Iterator[str]:
    """Every fault of the document `text`."""
    statements = _statements(text)
    if statements is None:
        yield "its policy is no policy document"
        return
    for number, statement in enumerate(statements, 1):
        name = f"statement {statement.get('Sid') or number}"
        if statement.get("Effect") == "Deny":
            continue
        for said in _allowance(of, statement):
            yield f"{name} {said}"
    if of is Purpose.BUCKET and not any(_refuses_plain_text(statement) for statement in statements):
        yield "its policy does not refuse requests without TLS, for the bucket and all objects"


def _statements(text: str) -> list[Mapping[str, Any]] | None:
    """The statements of a policy; None for a text that is none, or has a form that nothing here could judge."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    statements: list[Any] = _several(found.get("Statement")) if isinstance(found, dict) else [None]
    return statements if all(_well_formed(statement) for statement in statements) else None


def _well_formed(statement: Any) -> bool:
    if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):  # a list has no hash
        return False
    principal, conditions = statement.get("Principal", {}), statement.get("Condition", {})
    if not isinstance(conditions, dict) or not all(isinstance(keys, dict) for keys in conditions.values()):
        return False
    named = list(principal.values()) if isinstance(principal, dict) else [principal]
    said = [*named, *(statement.get(key, []) for key in ("Action", "Resource"))]
    said += [values for keys in conditions.values() for values in keys.values()]
    return all(isinstance(word, str) for words in said for word in _several(words))


def _allowance(of: Purpose, statement: Mapping[str, Any]) -> Iterator[str]:
    if backwards := [key for key in ("NotPrincipal", "NotAction", "NotResource") if key in statement]:
        yield f"allows all but what it names ({', '.join(backwards)})"
    principals = _principals(statement)
    if any("*" in who for _, who in principals):
        yield "allows everybody"
    actions = _several(statement.get("Action", []))
    if any(action == "*" or action.endswith(":*") for action in actions) and of is not Purpose.KEY:
        yield "allows every action"
    if of is Purpose.IDENTITY and "*" in _several(statement.get("Resource", [])) and not statement.get("Condition"):
        yield "allows it on every resource, without a condition"
    if of is Purpose.TRUST:
        yield from _trust(statement, principals)


def _trust(statement: Mapping[str, Any], principals: list[tuple[str, str]]) -> Iterator[str]:
    """A role is for machines with a certificate, or for one service of AWS that acts for one resource of ours."""
    conditions = _conditions(statement)
    if not _exact(conditions, {"ArnEquals", "StringEquals"}, "aws:SourceArn"):
        yield "names no resource for which the role is assumed (aws:SourceArn)"
    if any(who == ROLES_ANYWHERE for _, who in principals) and not _exact(conditions, {"StringEquals"}, NAME_TAG):
        yield f"gives the role to every certificate of the authority: no condition on its common name ({NAME_TAG})"
    if any(kind != "Service" for kind, _ in principals):
        yield "gives the role to somebody who is no service of AWS"


def _exact(conditions: Mapping[tuple[str, str], list[str]], operators: set[str], key: str) -> bool:
    """Whether a condition names the values of `key` one by one; a pattern that matches everything names none."""
    values = [value for (operator, found), named in conditions.items() if operator in operators and found == key.lower()
              for value in named]  # fmt: skip
    return bool(values) and not any("*" in value or "?" in value for value in values)


def _conditions(statement: Mapping[str, Any]) -> dict[tuple[str, str], list[str]]:
    """Operator and key → values. IAM reads the names of keys without regard to case."""
    found = statement.get("Condition") or {}
    return {
        (operator, key.lower()): _several(values) for operator, keys in found.items() for key, values in keys.items()
    }


def _principals(statement: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each principal with its kind; everybody, who can be written in four ways, has the kind AWS."""
    principal = statement.get("Principal", {})
    if not isinstance(principal, dict):
        return [("AWS", who) for who in _several(principal)]
    return [(kind, who) for kind, named in principal.items() for who in _several(named)]


def _refuses_plain_text(statement: Mapping[str, Any]) -> bool:
    everybody = all("*" in who for _, who in _principals(statement)) and bool(_principals(statement))
    everything = "s3:*" in _several(statement.get("Action", [])) or "*" in _several(statement.get("Action", []))
    both = {resource.endswith("/*") for resource in _several(statement.get("Resource", []))} == {True, False}
    plain = _conditions(statement) == {("Bool", "aws:securetransport"): ["false"]}
    return statement.get("Effect") == "Deny" and everybody and everything and both and plain


def _several(value: Any) -> list[Any]:
    """A policy may say one thing for a list of one."""
    return list(value) if isinstance(value, list) else [value]
