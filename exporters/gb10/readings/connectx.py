"""The files of ConnectX-7 network devices (text) → ports, PCIe errors, and how each pair of twins is. Pure.

A GB10 reaches each of its two QSFP cages over two PCIe links: one port is two network devices ("twins"), the same PCI
function in two PCI domains (enp1s0f0np0 = 0000:01:00.0 and enP2p1s0f0np0 = 0002:01:00.0). Full speed needs both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporters.gb10.readings.text import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SEVERITIES = ("correctable", "nonfatal", "fatal")
ADDRESS = re.compile(r"PCI_SLOT_NAME=([0-9a-f]{4,8}):([0-9a-f]{2}:[0-9a-f]{2}\.[0-7])")
PORTS_MAX = 32


@dataclass(frozen=True, slots=True)
class Port:
    """One network device. `up` None: it does not say; `function`: its PCI address without the domain."""

    netdev: str
    device: str
    domain: str
    function: str
    up: bool | None
    speed_bytes_per_second: float | None
    mtu_bytes: int | None
    errors: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Connectx:
    """The ports, and the state (up, degraded, down) of each pair by PCI function; `faults`: files in another form."""

    ports: tuple[Port, ...]
    pairs: Mapping[str, str]
    faults: tuple[str, ...] = ()


def connectx(netdevs: Mapping[str, Mapping[str, str]], *, is_gb10: bool) -> Connectx:
    """Files of each network device by name → a reading; `is_gb10`: the machine is known to have twins."""
    faults: list[str] = []
    found = [port(name, files, faults) for name, files in sorted(netdevs.items())[:PORTS_MAX]]
    ports = tuple(each for each in found if each)
    return Connectx(ports, pair_states(ports, is_gb10=is_gb10), tuple(faults))


def port(netdev: str, files: Mapping[str, str], faults: list[str]) -> Port | None:
    """One device; None when it does not tell its PCI address. A port without a link has no speed (-1, or no file)."""
    address = ADDRESS.search(files.get("uevent", ""))
    if not address:
        faults.append(f"{netdev}: no PCI address")
        return None
    state = files.get("operstate", "").strip()
    # `unknown` is what a driver says that does not report; the carrier then does.
    up = None if not state else state == "up" or (state == "unknown" and files.get("carrier", "").strip() == "1")
    megabits = number(files, "speed", faults)
    errors = {}
    for severity in SEVERITIES:
        text = files.get(f"aer_dev_{severity}", "")
        total = re.search(r"\bTOTAL_ERR_\w+ (\d{1,19})\b", text)
        if total:
            errors[severity] = int(total[1])
        elif text.strip():
            faults.append(f"{netdev}: aer_dev_{severity} has no total")
    return Port(
        netdev, f"{address[1]}:{address[2]}", address[1], address[2], up,
        megabits * 1e6 / 8 if megabits and megabits > 0 else None, number(files, "mtu", faults), errors,
    )  # fmt: skip


def pair_states(ports: Iterable[Port], *, is_gb10: bool) -> dict[str, str]:
    """PCI function → up (both twins, one speed), degraded (one twin up, or two speeds) or down (neither).

    A twin that is gone counts as not up. When the hot-plug power saving takes the whole card away there is no pair at
    all and nothing is said: a Spark without a cable is no fault. A lone device is a pair only where twins are known to
    be: on a GB10, or beside a pair; elsewhere a ConnectX-7 is an ordinary card.
    """
    by_function: dict[str, list[Port]] = {}
    for each in ports:
        if each.up is not None:
            by_function.setdefault(each.function, []).append(each)
    twins = is_gb10 or any(len({each.domain for each in group}) > 1 for group in by_function.values())
    return {function: pair_state(group) for function, group in by_function.items()} if twins else {}


def pair_state(group: Iterable[Port]) -> str:
    """How one pair is, by those of its twins that are there."""
    up = [each for each in group if each.up]
    if not up:
        return "down"
    return "up" if len(up) > 1 and len({each.speed_bytes_per_second for each in up}) == 1 else "degraded"
