"""ARNs of trust anchor, profile and role → what hosts are told to ask a session of, and the controller's note of it.

No secret: names that open nothing without a host's certificate. `pulumi up` knows them once the account does, and hands
them to the hosts' resources; the note is for `spark plan` and `spark verify`, which run without Pulumi.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sparkfleet import secrets
from sparkfleet.model import Role

if TYPE_CHECKING:
    from pathlib import Path

    from sparkfleet.model import Controller, Fleet


def given(fleet: Fleet) -> bool:
    """Whether hosts get sessions: there is an account, and an authority whose certificates it takes."""
    aws = fleet.cloud.aws if fleet.cloud.provider == "aws" else None
    return bool(aws and (aws.trust_bundle or fleet.with_role(Role.AUTHORITY)))


def text(region: str, trust_anchor: str, profile: str, role: str) -> str:
    """/etc/sparkfleet/identity/roles-anywhere.json, as sparkfleet/host/roles_anywhere.py reads it."""
    arns = {"trust_anchor_arn": trust_anchor, "profile_arn": profile, "role_arn": role}
    return json.dumps({"region": region, **arns}, sort_keys=True) + "\n"


def note(controller: Controller, host: str, told: str) -> None:
    """Keep what a host is told; raises SparkfleetError when the controller's folder cannot be written."""
    secrets.write(_place(controller, host), told)


def noted(fleet: Fleet) -> dict[str, str]:
    """Host → what it was told, where the controller has it."""
    places = {name: _place(fleet.controller, name) for name in fleet.hosts} if given(fleet) else {}
    return {name: place.read_text(encoding="utf-8") for name, place in places.items() if place.is_file()}


def _place(controller: Controller, host: str) -> Path:
    return controller.folder / "sessions" / f"{host}.json"
