"""A host that leaves → its certificate is renewed no more: the authority forgets by which key the host came in.

What it has works until it ends; in an AWS account the next `pulumi up` takes its name out of the role, too.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from sparkfleet.errors import RotationError, UnreachableError
from sparkfleet.model import Role
from sparkfleet.rotate import door

if TYPE_CHECKING:
    from sparkfleet.model import Fleet
    from sparkfleet.rotate.story import Story

SCRIPT = "authority_script.py"


def revoke(fleet: Fleet, name: str, by: str, story: Story) -> list[str]:
    """Revoke the host's right to renew, here and at the authority; returns what is left for people to do.

    Raises SparkfleetError when the controller's own files cannot be written, and LockedError.
    """
    runs = fleet.with_role(Role.AUTHORITY)
    if name in runs:
        key = f"name {fleet.authority.generation} in authority.stolen"
        do = f"give another host the role authority, raise authority.generation, {key}, then `pulumi up`"
        return [f"{name} runs the fleet's authority: {do}. What was signed with the key on it counts no more then."]
    if not runs or Role.IDENTITY not in fleet.hosts[name].all_roles:
        return []
    from sparkfleet.cloud import authority_files

    configuration = authority_files.without(fleet, name, dt.datetime.now(dt.UTC))
    if configuration is None:
        return []
    late = f"{runs[0]} still renews the certificate of {name}: `pulumi up` ends that, once {name} is not described."
    try:
        with door.opened(fleet, runs[0], by) as opened:
            fault = opened.script(SCRIPT, {"configuration": configuration}).get("error")
    except (UnreachableError, RotationError) as error:
        story.tell(name, "authority-not-reached", detail=error.what)
        return [f"{error.what} {late}"]
    if fault:
        return [late]
    story.tell(name, "revoked-identity")
    return []
