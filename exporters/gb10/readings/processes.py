"""Processes of a GPU and their files of /proc → memory by unit and program, few enough to be series. Pure.

A process is named by what a person runs: the systemd unit or the container, and the program; never by its id, which
would make a new series at each start.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporters.gb10.readings.nvml import Processes, Sample

UNKNOWN = "unknown"
OTHER = ("other", "other")
MOST_SERIES = 16  # a GPU, the sum of the rest included

# The last part of a control group's path that names a container, as written by Docker and containerd with systemd
# (docker-<id>.scope, cri-containerd-<id>.scope), Podman (libpod-<id>.scope), CRI-O (crio-<id>.scope), and by Docker and
# Kubernetes with plain control groups (the id alone). An id has 64 hexadecimal digits; `docker ps` shows 12.
CONTAINER = re.compile(r"(?:[a-z-]+-)?(?P<id>[0-9a-f]{12})[0-9a-f]{52}(?:\.scope)?")
MACHINE = re.compile(r"(?:machine-(?P<scope>.+)\.scope|systemd-nspawn@(?P<service>.+)\.service)")
USER = re.compile(r"user-\d+\.slice")
ENDS = (".service", ".scope", ".slice")


def unit(cgroup: str) -> str:
    """The text of /proc/PID/cgroup → `container:<id>`, the unit that the process runs in, or `unknown`.

    That is the innermost service, or else the slice of the person (`user-1000.slice`): the scopes in a session have a
    new name each time. The manager of a person's services (`user@1000.service`) is not what they run.
    """
    parts = [part.removesuffix(" (deleted)") for part in path(cgroup).split("/") if part]
    for part in reversed(parts):
        if found := CONTAINER.fullmatch(part):
            return f"container:{found['id']}"
        if found := MACHINE.fullmatch(part):
            return f"container:{found['scope'] or found['service']}"
    services, scopes, slices = ([part for part in parts if part.endswith(end)] for end in ENDS)
    services = [part for part in services if not part.startswith("user@")]
    people = [part for part in slices if USER.fullmatch(part)]
    return (services or people or scopes or slices or [UNKNOWN])[-1]


def path(cgroup: str) -> str:
    """The path in the unified hierarchy (`0::PATH`), or else in systemd's own of version 1; empty without either."""
    found = {}
    for line in cgroup.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, place = rest.partition(":")
        found[number + controllers if number == "0" else controllers] = place
    return next((found[kind] for kind in ("0", "name=systemd") if found.get(kind, "/") != "/"), "")


def pids(sample: Sample | None) -> set[int]:
    """The processes whose owners are wanted."""
    return {pid for gpu in sample.gpus if gpu.processes for pid in gpu.processes.bytes_by_pid} if sample else set()


def memory_by_owner(processes: Processes, texts: Mapping[int, Mapping[str, str]]) -> dict[tuple[str, str], int]:
    """(unit, program) → bytes: the largest at most, everything else in OTHER, so the sum is that of all processes."""
    sizes: Counter[tuple[str, str]] = Counter()
    for pid, size in processes.bytes_by_pid.items():
        files = texts.get(pid, {})
        sizes[unit(files.get("cgroup", "")), files.get("comm", "").removesuffix("\n") or UNKNOWN] += size
    fits = len(sizes) <= MOST_SERIES and not processes.rest_bytes
    by_size = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
    shown = dict(by_size if fits else by_size[: MOST_SERIES - 1])
    rest = sizes.total() - sum(shown.values()) + processes.rest_bytes
    if rest:
        shown[OTHER] = shown.get(OTHER, 0) + rest
    return shown
