"""The gate before the engine: with a fault in one resource, no request is sent for any; without, nothing changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws
import pytest
from pulumi import ResourceOptions

from sparkfleet.cloud.gate import Gate
from tests.sparkfleet.cloud.recorded import Answers
from tests.sparkfleet.recorder import Recorder, Registered

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_aws")

ANCHOR = "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/a"
BOUNDARY = "arn:aws:iam::111122223333:policy/b"


def run(make: Callable[[ResourceOptions], Any], *gates: Gate) -> Registered:
    """Run a program of one component, behind a gate or behind none, and return what the engine was asked for."""
    recorder = Recorder(Answers())
    pulumi.runtime.set_mocks(recorder.mocks, project="sparkfleet", stack="test", monitor=recorder)

    @pulumi.runtime.test
    def program() -> None:
        component = pulumi.ComponentResource("t:t:T", "all", None, ResourceOptions(transformations=list(gates)))
        make(ResourceOptions(parent=component))

    recorder.registered.clear()
    try:
        program()
    except pulumi.RunError as error:
        assert recorder.registered == {}
        return {("refused", str(error)): None}
    return recorder.registered


def role(
    opts: ResourceOptions, name: Any = "spark-01", boundary: str | None = "arn:aws:iam::1:policy/b"
) -> aws.iam.Role:
    """A role whose trust is known when the key is made: its text comes of another resource."""
    key = aws.kms.Key("k", enable_key_rotation=True, policy=document({}), opts=kept(opts))

    def trust(_arn: str) -> str:
        named = {"aws:PrincipalTag/x509Subject/CN": name} if name else {}
        return document({"ArnEquals": {"aws:SourceArn": ANCHOR}, "StringEquals": named})

    return aws.iam.Role(
        "r",
        assume_role_policy=key.arn.apply(trust),
        max_session_duration=3600,
        permissions_boundary=boundary,
        opts=opts,
    )


def document(condition: Any) -> str:
    """An allowance for Roles Anywhere under a condition."""
    principal = {"Service": "rolesanywhere.amazonaws.com"}
    rule = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition}
    return json.dumps({"Version": "2012-10-17", "Statement": rule})


def kept(opts: ResourceOptions) -> ResourceOptions:
    """For what holds data."""
    return ResourceOptions.merge(opts, ResourceOptions(protect=True, retain_on_delete=True))


def test_without_a_fault_the_engine_is_asked_the_same_as_without_a_gate() -> None:
    """The gate adds no dependency, no property and no option: state and previews stay as they were."""
    plain, gated = run(role), run(role, Gate())

    assert plain.keys() == gated.keys()
    assert len(plain) == 3
    for key, request in plain.items():
        assert gated[key] == request, key


def test_one_fault_keeps_every_request_back_and_all_are_told() -> None:
    """A bare bucket is the last thing that the program makes: what came before is not asked for either."""

    def program(opts: ResourceOptions) -> None:
        role(opts, boundary=None)
        aws.s3.Bucket("bare", bucket="bare", opts=opts)

    [(_, said)] = run(program, Gate())

    assert "aws:iam/role:Role r: has no permissions boundary" in said
    assert said.count("aws:s3/bucket:Bucket bare: ") == 7
    assert "aws:kms" not in said


def test_a_protection_of_the_component_above_counts() -> None:
    """Whether something is protected is asked as Pulumi inherits it."""
    recorder = Recorder(Answers())
    pulumi.runtime.set_mocks(recorder.mocks, project="sparkfleet", stack="test", monitor=recorder)

    @pulumi.runtime.test
    def program() -> None:
        above = ResourceOptions(transformations=[Gate()], protect=True)
        component = pulumi.ComponentResource("t:t:T", "all", None, above)
        below = ResourceOptions(parent=component, retain_on_delete=True)
        aws.kms.Key("k", enable_key_rotation=True, policy=document({}), opts=below)

    program()
    assert recorder.registered["aws:kms/key:Key", "k"].protect


def test_a_policy_that_is_known_late_is_judged_before_its_own_request() -> None:
    """The trust names no certificate, which shows only once the key is made: the role is never asked for."""
    recorder = Recorder(Answers())
    pulumi.runtime.set_mocks(recorder.mocks, project="sparkfleet", stack="test", monitor=recorder)

    @pulumi.runtime.test
    def program() -> None:
        component = pulumi.ComponentResource("t:t:T", "all", None, ResourceOptions(transformations=[Gate()]))
        role(ResourceOptions(parent=component), name="")

    with pytest.raises(pulumi.RunError, match="Role r: statement 1 gives the role to every certificate"):
        program()
    assert ("aws:kms/key:Key", "k") in recorder.registered
    assert ("aws:iam/role:Role", "r") not in recorder.registered
