"""The request that a host signs itself, with the standard library alone → a real store's answer."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from sparkfleet.rotate import proof_script

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

HOST = "spark-01"


def asked(provisioned: Any, prefix: str = f"hosts/{HOST}/", **key: str) -> str:
    """What the store says to the host's key, or to one that differs from it."""
    fields = json.loads(provisioned.fleet.controller.store_key(HOST).read_text()) | key
    where = {"endpoint": provisioned.connection.endpoint, "region": provisioned.connection.region}
    request = where | {"bucket": provisioned.datasets, "prefix": prefix}
    return proof_script.ask(request, fields, time.gmtime())


def test_the_store_takes_the_signature_and_decides_by_the_policy(provisioned: Any) -> None:
    """The own prefix is listed, another host's is denied, and a wrong secret or an unknown key is told apart."""
    assert asked(provisioned) == "ok"
    assert asked(provisioned, "hosts/spark-02/") == "AccessDenied"
    assert asked(provisioned, SecretAccessKey="not-the-secret") == "SignatureDoesNotMatch"
    assert asked(provisioned, AccessKeyId="AKIANOSUCHKEY") == "InvalidAccessKeyId"


def test_a_store_that_is_away_is_no_proof() -> None:
    """Nobody listens: the answer names what happened, not the key."""
    request = {"endpoint": "http://127.0.0.1:9", "region": "us-east-1", "bucket": "b", "prefix": "p/"}
    said = proof_script.ask(request, {"AccessKeyId": "A", "SecretAccessKey": "hidden"}, time.gmtime())
    assert said.startswith("no answer")


def test_the_secret_is_read_on_the_host_and_not_told(
    provisioned: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The script answers with the key's id and the store's word; the secret is in neither request nor answer."""
    file = tmp_path / "s3.json"
    file.write_text(provisioned.fleet.controller.store_key(HOST).read_text())
    monkeypatch.setattr(proof_script, "STORE_KEY", file)
    where = {"endpoint": provisioned.connection.endpoint, "region": provisioned.connection.region}
    proof_script.main(where | {"bucket": provisioned.datasets, "prefix": f"hosts/{HOST}/"})
    printed, held = capsys.readouterr().out, json.loads(file.read_text())
    assert json.loads(printed) == {"id": held["AccessKeyId"], "answer": "ok"}
    assert held["SecretAccessKey"] not in printed
