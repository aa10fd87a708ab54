"""An account with every switch on → what Pulumi's mocked engine is asked for, with ARNs in AWS's own form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pulumi
from google.protobuf import json_format
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks

from sparkfleet.cloud.checks import Asked
from sparkfleet.cloud.provide import provide
from sparkfleet.cloud.state import provide_state
from sparkfleet.model import Fleet, Role
from tests.sparkfleet.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

ACCOUNT, REGION = "111122223333", "eu-central-1"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
RULES = "groups: [{name: g, rules: [{alert: Watchdog, expr: vector(1)}]}]"
AMP = {
    "region": REGION,
    "workspace_id": "ws-12345678-90ab-cdef-1234-567890abcdef",
    "topic_arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:demo-alerts",
}
EVERYTHING = {
    "workspace": True,
    "alarm_mail": ["fleet@example.org"],
    "budget_usd": 200,
    "cost_anomaly_usd": 20,
    "data_events": True,
}
"""Every switch of `cloud.aws` on."""

ARNS = {
    "aws:s3/bucket:Bucket": "arn:aws:s3:::{name}",
    "aws:kms/key:Key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{{name}}",
    "aws:iam/role:Role": f"arn:aws:iam::{ACCOUNT}:role/{{name}}",
    "aws:iam/policy:Policy": f"arn:aws:iam::{ACCOUNT}:policy/{{name}}",
    "aws:rolesanywhere/trustAnchor:TrustAnchor": f"arn:aws:rolesanywhere:{REGION}:{ACCOUNT}:trust-anchor/{{name}}",
    "aws:rolesanywhere/profile:Profile": f"arn:aws:rolesanywhere:{REGION}:{ACCOUNT}:profile/{{name}}",
    "aws:sns/topic:Topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:{{name}}",
    "aws:amp/workspace:Workspace": f"arn:aws:aps:{REGION}:{ACCOUNT}:workspace/ws-12345678-90ab-cdef-1234-567890abcdef",
    "aws:cloudwatch/logGroup:LogGroup": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{name}}",
    "aws:cloudwatch/metricAlarm:MetricAlarm": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{{name}}",
}


@dataclass(frozen=True)
class Resource:
    """One custom resource: what is asked for, and which property comes of which other resource."""

    asked: Asked
    needs: dict[str, list[tuple[str, str]]]


class Answers(Mocks):
    """Answer as AWS would: an ARN of the service's own form, and who is calling."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """An id and an ARN made of the physical name."""
        name = args.inputs.get("bucket") or args.inputs.get("name") or args.name
        arn = ARNS.get(args.typ, f"arn:aws:{args.typ.split(':')[1].split('/')[0]}:{REGION}:{ACCOUNT}:{{name}}")
        told = {"arn": arn.format(name=name), "prometheusEndpoint": "https://aps.example/workspaces/ws/"}
        return str(name), {**args.inputs, **told}

    def call(self, args: MockCallArgs) -> Any:  # noqa: ARG002
        """The account that asks."""
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/x"
        return {"accountId": ACCOUNT, "arn": arn, "userId": "x", "id": "x"}


def fleet(folder: Path, **aws: Any) -> Fleet:
    """spark-01, which mirrors data sets, spark-02, which promotes models, and Calypso; every switch on."""
    bundle = folder / "authority.pem"
    bundle.write_text(CERTIFICATE)
    section = {"region": REGION, "bucket_prefix": "demo-ml", "trust_bundle": str(bundle), **EVERYTHING, **aws}
    roles = {"spark-01": ["node", "datasets"], "spark-02": ["node", "label"]}
    described = Fleet.model_validate(
        {
            "fleet": "demo",
            "hosts": {name: {"addresses": ["192.0.2.1"]} for name in roles},
            "cloud": {"provider": "aws", "aws": section, "calypso": True},
            "label": {"keep": {"heirs": {"spark-02": "spark-01"}}},
            "monitoring": {"alerts": "amp", "amp": AMP},
        }
    )
    hosts = {
        name: host.model_copy(update={"roles": list(map(Role, roles[name]))}) for name, host in described.hosts.items()
    }
    return described.model_copy(update={"hosts": hosts})


@dataclass(frozen=True)
class Account:
    """Every AWS resource of a fleet as it is asked for, its state's included, and the controller's own policy."""

    resources: list[Resource]
    controller_policy: str

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """Logical name → properties, of all resources of a kind such as `BucketPolicy`."""
        return {r.asked.name: dict(r.asked.properties) for r in self.resources if r.asked.kind == kind}


@cache
def everything() -> Account:
    """What the stack of `fleet` and that of its state ask for; once in a process, because it takes Pulumi seconds."""
    told: list[str] = []
    with TemporaryDirectory() as folder:
        described = fleet(Path(folder))

        def stack() -> Any:
            policy = provide(described, [RULES]).controller_policy
            return policy.apply(told.append) if policy else None

        return Account([*_asked_by(stack), *_asked_by(lambda: provide_state(described))], told[0])


def _asked_by(program: Callable[[], Any]) -> list[Resource]:
    recorder = Recorder(Answers())
    pulumi.runtime.set_mocks(recorder.mocks, project="sparkfleet", stack="test", monitor=recorder)
    pulumi.runtime.test(program)()
    return [_resource(*key, request) for key, request in recorder.registered.items() if key[0].startswith("aws:")]


def _resource(typ: str, name: str, request: Any) -> Resource:
    properties = _whole(json_format.MessageToDict(request.object))
    asked = Asked(
        typ, name, properties, parent=request.parent, protected=request.protect, outlives=request.retainOnDelete
    )
    needs = {key: [_named(urn) for urn in found.urns] for key, found in request.propertyDependencies.items()}
    return Resource(asked, needs)


def _named(urn: str) -> tuple[str, str]:
    """Type and name in urn:pulumi:stack::project::parent$type::name."""
    *_, types, name = urn.split("::")
    return types.rpartition("$")[2], name


def _whole(value: Any) -> Any:
    """The engine's only numbers are floats; AWS's schemas know which are whole."""
    if isinstance(value, dict):
        return {key: _whole(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_whole(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
