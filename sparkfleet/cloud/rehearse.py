"""Fleet → the resources that `pulumi up` would register in its cloud, without an account, an engine or a plugin.

Pulumi's own mocks stand in for the engine, so that the real program says what it makes. It is a preview: what AWS would
answer, such as an ARN, is unknown, and so is every input that is made of it. Runs once in a process; `pulumi up` never
calls it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks

from sparkfleet.cloud.planned import Planned
from sparkfleet.cloud.provide import provide

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparkfleet.model import Fleet

ACCOUNT = "000000000000"


class _Engine(Mocks):
    """Answers every registration as done, and every question about the account with an invented one."""

    def __init__(self) -> None:
        self.planned: list[Planned] = []

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.planned.append(Planned(args.typ, args.name, args.inputs))
        return f"{args.name}-id", args.inputs

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        caller = f"arn:aws:sts::{ACCOUNT}:assumed-role/rehearsal/x"
        place = {"partition": "aws", "dnsSuffix": "amazonaws.com"}
        return {**args.args, **place, "accountId": ACCOUNT, "arn": caller, "userId": "x", "id": "x"}, []


def rehearse(fleet: Fleet) -> list[Planned]:
    """Every resource that `provide` registers for the fleet, by type and name. Raises ConfigError as it does."""
    engine = _Engine()
    pulumi.runtime.set_mocks(engine, project="sparkfleet", stack="rehearsal", preview=True)
    settled: Callable[[Callable[[], None]], Callable[[], None]] = pulumi.runtime.test  # waits for every output
    settled(lambda: _program(fleet))()
    return sorted(engine.planned, key=lambda planned: (planned.type, planned.name))


def _program(fleet: Fleet) -> None:
    provide(fleet, [])
