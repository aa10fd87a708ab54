"""Pulumi.example-aws.yaml → the whole graph of its account, as one reviewed list of types, names and properties."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi_aws as aws
import pytest
from google.protobuf import json_format

from sparkfleet import config
from sparkfleet.cloud import authority_files, overlap
from sparkfleet.cloud.provide import provide
from sparkfleet.model import Role
from tests.sparkfleet.cloud.account import RULES, inputs, record, register
from tests.sparkfleet.cloud.recorded import Answers

if TYPE_CHECKING:
    from pulumi.runtime.mocks import MockResourceArgs

    from sparkfleet.model import Fleet
    from tests.sparkfleet.recorder import Registered

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_aws")

PROJECT = Path(__file__).resolve().parents[3]
GOLDEN = PROJECT / "tests" / "golden" / "cloud" / "example-aws.txt"
WHOLE = ("data", "definition")  # documents of their own, compared in tests/sparkfleet/monitoring
NAMES = ("Sid", "id")  # by which the parts of a list are told apart


def graph(registered: Registered) -> str:
    """Every resource: type, name, what it stands below, what keeps it; then a line a property, or a part of it."""
    return "".join(_shown(typ, name, request) for (typ, name), request in sorted(registered.items()))


def _shown(typ: str, name: str, request: Any) -> str:
    kept = "".join(f" {word}" for word in ("protect", "retainOnDelete") if getattr(request, word))
    properties = json_format.MessageToDict(request.object) if typ.startswith(("aws:", "pulumi:")) else {}
    lines = [line for key, value in sorted(properties.items()) for line in _lines(key, value)]
    above = "the stack" if ":Stack::" in request.parent else request.parent.rpartition("::")[2]
    return f"{typ} {name} below {above}{kept}\n" + "".join(f"    {line}\n" for line in lines)


def _lines(key: str, value: Any) -> list[str]:
    if key in WHOLE:
        return [f"{key}: {len(value.splitlines())} lines"]
    if isinstance(value, str) and value.startswith("{"):
        value = json.loads(value)
    parts = value.get("Statement", []) if isinstance(value, dict) else value if isinstance(value, list) else []
    named = {part[name]: part for part in parts if isinstance(part, dict) for name in NAMES if name in part}
    if named:
        return [f"{key} {name}: {json.dumps(part, sort_keys=True)}" for name, part in named.items()]
    return [f"{key}: {json.dumps(value, sort_keys=True)}"]


def test_the_whole_graph_is_the_reviewed_one(request: pytest.FixtureRequest) -> None:
    """A changed property of any resource shows as a changed line (--update-golden writes it): that is the review."""
    found = graph(register(config.load("example-aws", PROJECT)))
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text(found)

    assert found == GOLDEN.read_text()


class Unmade(Answers):
    """Answer as the engine does in the preview of a new stack: no id, no property of AWS's own making."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """The inputs alone."""
        return None, args.inputs


def test_no_resource_is_made_within_apply() -> None:
    """In a preview, where nothing made is known, the same resources are asked for: none waits for another's output."""
    fleet = config.load("example-aws", PROJECT)

    assert set(register(fleet, answers=Unmade(), preview=True)) == set(register(fleet))


def test_a_resource_within_apply_would_be_missed() -> None:
    """The preview above shows what it is there for: such a resource is asked for only once the other is made."""

    def program() -> None:
        key = aws.kms.Key("outer")
        key.arn.apply(lambda arn: aws.kms.Alias("inner", name="alias/x", target_key_id=arn))

    inner = ("aws:kms/alias:Alias", "inner")
    assert inner not in record(program, Unmade(), preview=True)
    assert inner in record(program)


def with_authority(fleet: Fleet, authority: dict[str, str]) -> tuple[str, set[str]]:
    """The trust anchor's certificates where the fleet's authority is this one, and what else people are told."""

    class Made(Answers):
        """Answer for the authority what its provider would have made."""

        def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
            made_id, outputs = super().new_resource(args)
            return made_id, outputs | (authority if args.typ.endswith(":Authority") else {})

    def program() -> None:
        told.update(provide(fleet, [RULES]).told)

    told: dict[str, Any] = {}
    registered = record(program, Made())

    source = inputs(registered, "TrustAnchor", "hosts")["source"]
    assert source["sourceType"] == "CERTIFICATE_BUNDLE"
    return source["sourceData"]["x509CertificateData"], set(told)


def made(fleet: Fleet, generation: int, stolen: list[int], folder: Path) -> tuple[Fleet, dict[str, str]]:
    """The fleet with another issuing key, which is made; and its certificates."""
    wanted = fleet.authority.model_copy(update={"generation": generation, "stolen": stolen})
    controller = fleet.controller.model_copy(update={"folder": folder})
    fleet = fleet.model_copy(update={"controller": controller, "authority": wanted})
    overlap.note_all(controller.authority, generation)
    return fleet, authority_files.ensure(authority_files.described(fleet), dt.datetime.now(dt.UTC))


def test_the_fleets_own_authority_is_what_the_account_trusts(tmp_path: Path) -> None:
    """The issuing certificate goes from the authority to the trust anchor as an output, never by a file or by hand."""
    fleet, authority = made(config.load("example-aws", PROJECT), 1, [], tmp_path)

    anchor, told = with_authority(fleet, authority)

    assert anchor == authority["issuing"]
    assert told == {"alarms_topic_arn", "alerts_topic_arn", "remote_write_url", "workspace_id"}


def test_the_account_trusts_the_key_before_until_every_host_enrolled(tmp_path: Path) -> None:
    """One resource's property changes, and changes back; a stolen key is in no anchor."""
    fleet, first = made(config.load("example-aws", PROJECT), 1, [], tmp_path)
    stolen, _ = made(fleet, 2, [1], tmp_path)
    fleet, second = made(fleet, 2, [], tmp_path)

    assert with_authority(stolen, second)[0] == second["issuing"]
    assert with_authority(fleet, second)[0] == second["issuing"] + first["issuing"]
    for host in fleet.with_role(Role.IDENTITY):
        overlap.note(fleet, host)
    assert with_authority(fleet, second)[0] == second["issuing"]
