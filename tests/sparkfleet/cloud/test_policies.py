"""Policy documents: the exact text that is handed to AWS or to a store, and what holds for every host name."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.cloud import policies
from sparkfleet.cloud.heirs import with_heirs
from sparkfleet.forms import HOST_NAME

GOLDEN = Path(__file__).parents[2] / "golden" / "cloud"
DATASETS, MODELS = (policies.bucket_arn(f"demo-{purpose}") for purpose in ("datasets", "models"))
KEY = "arn:aws:kms:eu-west-1:111122223333:key/5f0c"
DOCUMENTS = {
    "host_access": policies.host_access(DATASETS, MODELS, "spark-01"),
    "fleet_access": policies.with_key(policies.host_access(DATASETS, MODELS), KEY, "eu-west-1"),
    "promoting_host": policies.with_promotion(policies.host_access(DATASETS, MODELS, "spark-01"), MODELS, "calypso"),
    "promoting_hosts": policies.with_promotion(
        policies.host_access(DATASETS, MODELS), MODELS, "calypso", ["spark-02", "spark-01"]
    ),
    "host_with_runs": policies.with_runs(
        policies.host_access(DATASETS, MODELS, "spark-01"), policies.bucket_arn("demo-artifacts"), "spark-01"
    ),
    "heir": with_heirs(
        policies.host_access(DATASETS, MODELS, "spark-02"),
        policies.bucket_arn("demo-artifacts"),
        {"spark-02": "spark-01"},
        by_name=False,
    ),
    "heirs": with_heirs(
        policies.host_access(DATASETS, MODELS),
        policies.bucket_arn("demo-artifacts"),
        {"spark-02": "spark-01"},
        by_name=True,
    ),
    "calypso_access": policies.calypso_access(MODELS, "calypso"),
    "tls_only": policies.tls_only(DATASETS),
    "protected_bucket": policies.protected_bucket(DATASETS, KEY),
    "controller_access": policies.controller_access(policies.bucket_arn("demo-audit"), stamps=True),
    "audit_bucket": policies.audit_bucket(policies.bucket_arn("demo-audit"), tls=True, conditional=True),
    "key_administration": policies.key_administration("arn:aws:iam::111122223333:root"),
    "roles_anywhere_trust": policies.roles_anywhere_trust(
        "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/9a", ["spark-02", "spark-01"]
    ),
}
NAMES = st.from_regex(HOST_NAME, fullmatch=True)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_word_for_word_the_reviewed_one(name: str) -> None:
    """A changed policy shows as a changed file (REWRITE_GOLDEN=1 writes it): the difference is what gets reviewed."""
    path = GOLDEN / f"{name}.json"
    if os.environ.get("REWRITE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(DOCUMENTS[name], indent=2) + "\n")

    assert DOCUMENTS[name] == json.loads(path.read_text())


@given(host=NAMES, other=NAMES)
def test_no_hosts_resources_cover_another_hosts_prefix(host: str, other: str) -> None:
    """Whatever two hosts are called, no pattern in the policy of one matches an object of the other."""
    if host == other:
        return
    document = policies.host_access(DATASETS, MODELS, host)
    listed = [s["Condition"]["StringLike"]["s3:prefix"] for s in document["Statement"] if "Condition" in s]
    patterns = [*_resources(document), *(f"{DATASETS}/{prefix}" for prefix in listed[0])]
    foreign = f"{DATASETS}/{policies.host_prefix(other)}"

    assert len(patterns) == 7
    assert not [p for p in patterns for target in (foreign, foreign + "a") if _matches(p, target)]


def _resources(document: policies.Document) -> list[str]:
    found: list[str] = []
    for statement in document["Statement"]:
        resource = statement["Resource"]
        found.extend([resource] if isinstance(resource, str) else resource)
    return found


def _matches(pattern: str, target: str) -> bool:
    """IAM's two wildcards, for one string; the conditions and the rest of the language are left to a real store."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, target) is not None


WORDS = st.text("abc:*", min_size=1, max_size=4)


@given(action=st.lists(WORDS, min_size=1, max_size=3))
def test_canonical_text_forgets_form_and_keeps_meaning(action: list[str]) -> None:
    """Order in a list, doubles, and a list of one are form; a word more or less is meaning."""

    def text(words: Any) -> str:
        return policies.canonical({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": words}]})

    assert text(action) == text([*reversed(action), action[0]])
    assert text([action[0]]) == text(action[0])
    assert text([*action, "other"]) != text(action)
    assert policies.canonical(text(action)) == text(action)


def test_canonical_keeps_the_order_of_statements() -> None:
    """Statements are objects, not words: their order is left as written."""
    first, second = {"Sid": "B"}, {"Sid": "A"}

    assert json.loads(policies.canonical({"Statement": [first, second]}))["Statement"] == [first, second]
