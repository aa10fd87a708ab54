"""workloads/images/compose.yaml, one of its services and settings → the words with which podman runs just that.

Debian's podman-compose makes networks, and leaves out keys that it does not know; here such a key is an error: a
container in the lab is as bounded as the file says.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = re.compile(r"\$\{([A-Z_]+):-([^}]*)\}")
OPTIONS = {
    "user": "--user",
    "network_mode": "--network",
    "mem_limit": "--memory",
    "pids_limit": "--pids-limit",
    "oom_score_adj": "--oom-score-adj",
    "shm_size": "--shm-size",
    "cap_drop": "--cap-drop",
    "security_opt": "--security-opt",
    "tmpfs": "--tmpfs",
    "volumes": "--volume",
    "devices": "--device",
}
LEFT = {"image", "command", "environment", "read_only", "stop_grace_period"}  # said in other ways below


def run(text: str, service: str, given: Mapping[str, str], *options: str, more: tuple[str, ...] = ()) -> list[str]:
    """`run` and all that follows it; `options` are podman's own, `more` follow the command. Pure.

    Raises LabError for a key that it does not know, and for a service without an image.
    """
    described: dict[str, Any] = yaml.safe_load(VARIABLE.sub(lambda found: given.get(found[1]) or found[2], text))
    wanted = described["services"][service]
    if unknown := wanted.keys() - OPTIONS.keys() - LEFT:
        raise LabError(f"compose: {service}: the lab does not know {', '.join(sorted(unknown))}")
    if not wanted["image"]:
        raise LabError(f"compose: {service} has no image", next_step="`python -m lab images` builds it")
    words = ["run", *options]
    if wanted.get("read_only"):
        words += ["--read-only", "--read-only-tmpfs=false"]  # only what the file names can be written to
    for key, option in OPTIONS.items():
        values = wanted.get(key, ())
        for each in values if isinstance(values, list | tuple) else (values,):
            words.append(f"{option}={each}")
    if "mem_limit" in wanted:
        words.append(f"--memory-swap={wanted['mem_limit']}")
    for name, value in wanted.get("environment", {}).items():
        words.append(f"--env={name}={value}")
    return [*words, wanted["image"], *wanted.get("command", ()), *more]
