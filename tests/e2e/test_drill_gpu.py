"""The role gpu on a host: its clock cap outlives whatever makes the driver forget, and the driver is where it may be.

The GPU is simulated; systemd, apt and the packages, which hold nothing, are real.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from lab import gb10, spark
from tests.e2e.under_test import FleetUnderTest, Run, adopted_fleet, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.lab, pytest.mark.drill]

HOST = "spark-01"
CAPPED, FREE = "1989, Enabled", "2489, Enabled"
BEAT_S = 70  # the timer's minute, and what a loaded machine adds
MODULE = "/var/lib/gb10/sys/module/nvidia"
RELOAD = f"rm -r /run/gb10-driver; cp -r {MODULE} {MODULE}.new; rm -r {MODULE}; mv {MODULE}.new {MODULE}"
# A package that holds nothing but its name, in a repository of its own.
DRIVER = """\
set -e
mkdir -p /srv/driver/x/DEBIAN; cd /srv/driver
cat > x/DEBIAN/control << END
Package: {name}
Version: {version}
Architecture: all
Maintainer: x
Description: simulated
END
dpkg-deb --build x {name}.deb
cat x/DEBIAN/control - >> Packages << END
Filename: ./{name}.deb
Size: $(stat -c %s {name}.deb)
SHA256: $(sha256sum {name}.deb | cut -d " " -f 1)

END
echo "deb [trusted=yes] copy:/srv/driver ./" > /etc/apt/sources.list.d/driver.list
"""


@pytest.fixture(scope="module")
def fleet() -> Iterator[FleetUnderTest]:
    """One stand-in with the role gpu and a cap of 2000 MHz, whose GPU works at full clock when nothing caps it."""
    with adopted_fleet(FleetUnderTest, "drill", 1, capped) as made:
        gb10.load(made.tree(HOST), "clock-cap-lost")
        up = made.pulumi("up", "--yes", "--skip-preview")
        assert up.code == 0, up.text
        yield made


def capped(config: dict[str, Any]) -> None:
    """The one role, and the cap."""
    config["sparkfleet:hosts"][HOST].update(roles=["gpu"])
    config["sparkfleet:gpu"] = {"clock_cap_mhz": 2000}


def at(fleet: FleetUnderTest, command: str) -> str:
    """What a command says that root types on the host."""
    done = fleet.on(HOST, command)
    assert done.code == 0, done.text
    return done.text.strip()


def clock(fleet: FleetUnderTest) -> str:
    """SM clock in MHz, and persistence mode."""
    return at(fleet, "nvidia-smi --query-gpu=clocks.sm,persistence_mode --format=csv,noheader,nounits")


def is_capped(fleet: FleetUnderTest) -> bool:
    """Whether the cap is in force."""
    return clock(fleet) == CAPPED


def changed(fleet: FleetUnderTest, **driver: Any) -> Run:
    """`pulumi up` with another description of the driver."""
    fleet.described(lambda config: config["sparkfleet:gpu"].update(driver=driver))
    return fleet.pulumi("up", "--yes", "--skip-preview")


def test_the_apply_has_set_the_cap(fleet: FleetUnderTest) -> None:
    """The GPU, busy, keeps below it."""
    assert clock(fleet) == CAPPED


@pytest.mark.parametrize("forget", [RELOAD, "nvidia-smi -rgc"], ids=["driver reload", "by hand"])
def test_the_cap_is_put_back_by_the_timer(fleet: FleetUnderTest, forget: str) -> None:
    """Within its minute, after a driver was loaded anew and after somebody reset the clocks; the journal says why."""
    at(fleet, forget)
    assert clock(fleet) == FREE

    until(partial(is_capped, fleet), "the cap is put back", within_s=BEAT_S)
    assert "--lock-gpu-clocks=208,2000" in at(fleet, "journalctl -q -o cat -u sparkfleet-gpu -n 1")


def test_what_udev_starts_puts_it_back_at_once(fleet: FleetUnderTest) -> None:
    """The command of the rule, by hand: a container has no udevd."""
    rule = at(fleet, "cat /etc/udev/rules.d/70-sparkfleet-gpu.rules")
    command = rule.partition('RUN+="')[2].rstrip('"')
    at(fleet, RELOAD)
    at(fleet, command)

    until(partial(is_capped, fleet), "the cap is put back", within_s=10)


def test_the_cap_is_put_back_after_a_boot(fleet: FleetUnderTest) -> None:
    """By the first beat of the timer: nobody logs in."""
    spark.halt(fleet.instance, HOST)
    spark.boot(fleet.instance, [HOST])

    until(partial(is_capped, fleet), "the cap is back after the boot", within_s=BEAT_S + 20)


def test_an_install_is_refused_on_dgx_os(fleet: FleetUnderTest) -> None:
    """With the reason, and before anything is touched; the plan says so beforehand."""
    refused = changed(fleet, manage="install")

    assert refused.code != 0
    assert "this is DGX OS 7.5.0, which supports the one driver branch that it ships" in refused.text
    assert "nothing was touched" in refused.text
    assert "nvidia-driver" not in at(fleet, "dpkg-query -W -f \\${Package}\\\\n")


def test_on_plain_ubuntu_the_branch_is_installed_and_held(fleet: FleetUnderTest) -> None:
    """Without DGX OS' release file: the branch's open driver comes, and apt takes no other branch."""
    for name, version in (("nvidia-driver-580-open", "580.142-1"), ("nvidia-driver-590-open", "590.48-1")):
        script = fleet.tree(HOST) / "srv/make"
        script.write_text(DRIVER.format(name=name, version=version))
        at(fleet, "sh /srv/make")
    at(fleet, "mv /etc/dgx-release /srv/dgx-release")
    try:
        installed = changed(fleet, manage="install")
        assert installed.code == 0, installed.text
        assert "580.142-1" in at(fleet, "dpkg-query -W nvidia-driver-580-open")
        assert "Candidate: (none)" in at(fleet, "LC_ALL=C apt-cache policy nvidia-driver-590-open")
    finally:
        at(fleet, "mv /srv/dgx-release /etc/dgx-release")
