"""A small fleet in an AWS account → what is registered with Pulumi for it, whole, policy texts as data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pulumi
from google.protobuf import json_format

from sparkfleet.cloud.aws import Account
from sparkfleet.model import Fleet
from tests.sparkfleet.cloud.recorded import ACCOUNT, CERTIFICATE, Answers
from tests.sparkfleet.recorder import Recorder, Registered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi.runtime.mocks import Mocks

    from sparkfleet.clouds import Aws

COMPONENT = "sparkfleet:cloud:Account"
REGION = "eu-west-1"
RULES = "groups: [{name: g, rules: [{alert: Watchdog, expr: vector(1)}, {record: 'a:b', expr: b}]}]"
AMP = {
    "region": "eu-central-1",
    "workspace_id": "ws-12345678-90ab-cdef-1234-567890abcdef",
    "topic_arn": f"arn:aws:sns:eu-central-1:{ACCOUNT}:alerts",
}


def described(more: Mapping[str, Any] | None = None, /, **aws: Any) -> Fleet:
    """A fleet of two hosts on AWS; `aws` goes into that section, `more` beside it."""
    section = {"region": REGION, "bucket_prefix": "oceanid-ml", **aws}
    hosts = {"spark-02": {"addresses": ["192.0.2.2"]}, "spark-01": {"addresses": ["192.0.2.1"]}}
    whole = {"fleet": "demo", "hosts": hosts, "cloud": {"provider": "aws", "aws": section}}
    return Fleet.model_validate({**whole, **(more or {})})


def register(
    fleet: Fleet, certificate: str | None = CERTIFICATE, answers: Mocks | None = None, *, preview: bool = False
) -> Registered:
    """What `Account` registers where the fleet's authority has this certificate, or where there is none."""

    def make(where: Aws) -> None:
        authority = pulumi.Output.from_input(certificate) if certificate else None
        Account(fleet, where, [RULES], authority_pem=authority)

    where = fleet.cloud.aws
    assert where
    return record(lambda: make(where), answers, preview=preview)


def record(program: Callable[[], None], answers: Mocks | None = None, *, preview: bool = False) -> Registered:
    """What a program registers; in a preview what is unknown stays so."""
    recorder = Recorder(answers or Answers())
    pulumi.runtime.set_mocks(recorder.mocks, project="sparkfleet", stack="test", preview=preview, monitor=recorder)
    pulumi.runtime.test(program)()
    return recorder.registered


def inputs(registered: Registered, typ: str, name: str) -> dict[str, Any]:
    """The inputs of one registration; a type may be named by its last word."""
    [key] = [(t, n) for t, n in registered if n == name and typ in {t, t.rpartition(":")[2]} and t[0] != "s"]
    found = json_format.MessageToDict(registered[key].object)
    for text in ("policy", "assumeRolePolicy", "filterPolicy", "monitorSpecification"):
        if text in found:
            found[text] = json.loads(found[text])
    return found


def statements(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The statements of a policy by their names."""
    return {statement["Sid"]: statement for statement in document["Statement"]}
