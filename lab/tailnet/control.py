"""An instance → the control server of its tailnet (lab/toolchain/tailnet/control), and the key to join with.

The server forgets everything when it ends, so it is started once in a lab's life.
"""

from __future__ import annotations

import json
import time
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from lab import record
from lab.errors import LabError
from lab.instance import MOST_SPARKS, host_names
from lab.spark.factory import private
from lab.tailnet.admin import TAG, admin, socket

if TYPE_CHECKING:
    from pathlib import Path

    from lab.instance import Instance

LABEL = "tailnet-control"
CONTROLLER = "controller"  # the host name of this machine in the tailnet
SPARE = 256 + 1  # the first address for hosts without a plan: 100.x.1.1
READY_WITHIN_S = 10.0


def up(instance: Instance, program: Path) -> None:
    """Start the server when it never ran here; returns when it answers. Raises LabError when it died."""
    if record.alive(instance, LABEL) is None:
        if auth_key_file(instance).exists():  # as after a reboot of this machine
            raise LabError(
                "the control server of this lab's tailnet has ended, and with it all that it knew",
                next_step=f"see {log(instance)}; `make down`, then `make up` makes a new lab",
            )
        addresses = instance.folder / "run" / "tailnet-addresses.json"
        addresses.parent.mkdir(parents=True, exist_ok=True)
        addresses.write_text(json.dumps(plan(instance)))
        words = [
            "-ip", instance.gateway, "-addresses", str(addresses), "-spare", str(_range(instance)[SPARE]),
            "-admin", str(socket(instance)),
        ]  # fmt: skip
        record.start(instance, LABEL, [str(program), *words], log(instance))
    until = time.monotonic() + READY_WITHIN_S
    while not socket(instance).exists():
        if record.alive(instance, LABEL) is None or time.monotonic() > until:
            raise LabError("the control server of the tailnet does not start", next_step=f"see {log(instance)}")
        time.sleep(0.02)
    if not auth_key_file(instance).exists():
        private(auth_key_file(instance), admin(instance).make_key(tags=[TAG]) + "\n")


def plan(instance: Instance) -> dict[str, str]:
    """The address that each host name gets when it joins: this machine, every stand-in there may be."""
    stand_ins = {host: instance.tailnet_address(host) for host in host_names(MOST_SPARKS)}
    return {CONTROLLER: str(_range(instance)[1]), **stand_ins}


def running(instance: Instance) -> bool:
    """Whether the lab has a tailnet."""
    return record.alive(instance, LABEL) is not None


def auth_key_file(instance: Instance) -> Path:
    """The key that stand-ins join with: as often as wanted, with their tag."""
    return instance.secrets / "tailnet-auth-key"


def log(instance: Instance) -> Path:
    """What the server said."""
    return instance.folder / "run" / f"{LABEL}.log"


def _range(instance: Instance) -> IPv4Network:
    return IPv4Network(instance.tailnet)
