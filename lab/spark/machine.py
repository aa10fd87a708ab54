"""A stand-in's power: on (overlay mounted, systemd-nspawn, SSH answers), again, and off, the state kept in between.

A host's first power-on writes its factory state. What it then becomes lives in its overlay until `down`.
"""

from __future__ import annotations

import shutil
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lab import mounts, network, record, shell
from lab.errors import LabError
from lab.spark import base, factory, groups

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.instance import Instance

SSH_WITHIN_S = 180.0  # 3 s on an idle machine
CAPABILITIES = "CAP_NET_ADMIN,CAP_NET_RAW"
TUN = Path("/dev/net/tun")  # for tailscaled
# A `reboot` in the stand-in ends nspawn with 133 where it has no unit of its own (EXIT_FORCE_RESTART, nspawn.c). It is
# started again, as systemd's unit for it does: another boot id, the same disk.
AGAIN = 'while "$@"; [ $? -eq 133 ]; do :; done'
TAILNET_SOCKET = "control.sock"  # beside the records, while the lab has a tailnet


def boot(instance: Instance, names: Iterable[str], variant: factory.Variant = "classic") -> None:
    """Power on the named stand-ins, making those that do not exist yet; returns when SSH answers on all.

    `variant` is for new ones; an existing one stays what it is. Those that run are left alone.
    """
    record.claim(instance)
    network.up(instance)
    waited_for = list(names)
    for host in waited_for:
        if not running(instance, host):
            groups.clear(instance, host)
            mount(instance, host, variant)
            once = [*groups.entering(instance, host), *command(instance, host)]
            again = ["/bin/sh", "-c", AGAIN, "power", *record.launching(instance, host, once)]
            record.start(instance, _power(host), again, instance.host(host) / "console.log", environment())
    for host in waited_for:
        wait_for_ssh(instance, host)


def halt(instance: Instance, host: str) -> None:
    """Power off in order, as by the button; files stay."""
    record.stop(instance, _power(host), host)
    groups.clear(instance, host)
    mounts.unmount(instance.host(host) / "root")


def running(instance: Instance, host: str) -> bool:
    """Whether the stand-in is powered on; one that reboots is."""
    return any(record.alive(instance, label) for label in (host, _power(host)))


def _power(host: str) -> str:
    """The label of what starts a stand-in again."""
    return f"{host}.power"


def _off(instance: Instance, host: str) -> LabError:
    """Why a stand-in does not run: it was never made, or it is powered off."""
    if not instance.host(host).is_dir():
        made = f"`python -m lab status --name {instance.name}` tells which there are"
        return LabError(f"lab {instance.name!r} has no {host}", next_step=made)
    return LabError(f"{host} is off", next_step=f"`python -m lab boot {host} --name {instance.name}`")


def first_process(instance: Instance, host: str) -> int:
    """The process 1 of a stand-in that is powered on, as this machine counts."""
    nspawn = record.alive(instance, host)
    children = Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split() if nspawn else []
    if not children:
        raise _off(instance, host)
    return int(children[0])


def tree(instance: Instance, host: str) -> Path:
    """The file tree of a stand-in that is powered on, as seen from this machine."""
    if not running(instance, host):
        raise _off(instance, host)
    return instance.host(host) / "root"


def mount(instance: Instance, host: str, variant: factory.Variant) -> Path:
    """Mount the host's tree and return it, written to factory state first when that never came to its end."""
    folder = instance.host(host)
    made = folder / "factory"  # written last: which base and variant the host was made from
    mounts.unmount(folder / "root")
    if not made.exists():
        shutil.rmtree(folder, ignore_errors=True)
        for part in ("upper", "work", "root"):
            (folder / part).mkdir(parents=True)
        _overlay(folder, base.ensure())
        factory.make(instance, host, folder / "root", variant)
        made.write_text(f"{base.ensure()} {variant}\n")
        return folder / "root"
    lower = Path(made.read_text().split()[0])
    if not lower.is_dir():
        raise LabError(f"the base of {host} is gone: {lower}", next_step="`make down`, then `make up` makes a new one")
    _overlay(folder, lower)
    return folder / "root"


def _overlay(folder: Path, lower: Path) -> None:
    # Relative names: mount's option list breaks on a comma or colon in the path of the checkout.
    options = f"lowerdir={lower},upperdir=upper,workdir=work"
    shell.run("mount", "-t", "overlay", "overlay", "-o", options, "root", cwd=folder)


def command(instance: Instance, host: str) -> list[str]:
    """The words that boot the stand-in."""
    words = [
        "systemd-nspawn", "--quiet", "--boot", "--settings=no", "--register=no", "--link-journal=no",
        # The files in the tree are the host's own: nspawn must not bend them to this machine's at every boot.
        "--resolv-conf=off", "--timezone=off",
        f"--directory={instance.host(host) / 'root'}",
        f"--machine=sf-{instance.name}-{host}", f"--hostname={host}",
        f"--network-bridge={instance.bridge}", f"--capability={CAPABILITIES}",
    ]  # fmt: skip
    if TUN.exists():
        words.append(f"--bind={TUN}")
    if not groups.SYSTEMD_RUNS.exists():
        words.append("--keep-unit")  # without systemd as this machine's first process nobody can give us a scope
    return words


def environment() -> dict[str, str]:
    """Nothing of the caller's terminal."""
    return {"TERM": "dumb"}


def wait_for_ssh(instance: Instance, host: str) -> None:
    """Return when sshd greets, on the bridge or in the tailnet: a host may be open to one of them alone."""
    addresses = [instance.address(host)]
    if (record.folder(instance) / TAILNET_SOCKET).exists():  # else 100.64/10 may be somebody's real tailnet
        addresses.append(instance.tailnet_address(host))
    until = time.monotonic() + SSH_WITHIN_S
    while time.monotonic() < until:
        if not running(instance, host):
            break
        if any(map(_greets, addresses)):
            return
        time.sleep(0.05)
    raise LabError(f"{host} does not answer on SSH", next_step=f"see {instance.host(host) / 'console.log'}")


def _greets(address: str) -> bool:
    """Whether sshd answers; an open port alone may be a socket whose service still starts."""
    try:
        with socket.create_connection((address, 22), 1) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
