"""4 GiB of page cache and a load that needs the room → freed by fadvise, before caches are dropped for everybody.

Measured are the figures: the running kernel's, and real pages of a real file. Recorded only is what would be written to
drop_caches: in earnest it would drop the caches of the machine that runs the lab.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.short_memory import PERSON, UNTOUCHED, Stand
from tests.e2e.under_test import FleetUnderTest, adopted_fleet, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.lab, pytest.mark.drill]

HOST = "spark-01"
MIB, GIB = 1 << 20, 1 << 30
WEIGHTS = f"/home/{PERSON}/weights"
FLOOR = GIB
REAL = {"procfs": "/proc", "floor_bytes": FLOOR}


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    """One stand-in with the role memory, and weights of 4 GiB that are one hole: their pages are real."""
    with adopted_fleet(FleetUnderTest, "drill", 1, guarded) as fleet:
        up = fleet.pulumi("up", "--yes", "--skip-preview")
        assert up.code == 0, up.text
        made = Stand(fleet, HOST)
        made.says(f"truncate -s 4G {WEIGHTS}; chown {PERSON} {WEIGHTS}")
        yield made


def guarded(config: dict[str, Any]) -> None:
    """The one role."""
    config["sparkfleet:hosts"][HOST].update(roles=["memory"])


def cached(stand: Stand) -> dict[str, Any]:
    """Read the weights once; returns the kernel's figures with them in the page cache."""
    stand.says(f"cat {WEIGHTS} > /dev/null")
    _, report = stand.guard("")
    print(f"\npage cache filled: {figures(report, 'before')} (measured)")
    return dict(report["before"])


def figures(report: dict[str, Any], when: str) -> str:
    """MemFree and the page cache, for people."""
    return ", ".join(f"{name} {report[when][f'{name}_bytes'] / GIB:.1f} GiB" for name in ("free", "cache"))


def told(report: dict[str, Any]) -> None:
    """What `pytest -s` shows."""
    for step in report["steps"]:
        print(f"{step['step']}: {step['freed_bytes'] / GIB:.2f} GiB freed, {step['files']} files")
    print(f"{report['verdict']}: {figures(report, 'after')}")


def test_the_named_file_goes_and_caches_are_not_dropped(stand: Stand) -> None:
    """A need that 2 GiB are missing for: fadvise on the weights frees 4, and that is all that is done."""
    with stand.described(**REAL):
        free = cached(stand)["free_bytes"]
        code, report = stand.guard(f"--need {(free + 2 * GIB - FLOOR) // MIB}M --file {WEIGHTS}")
        told(report)
        assert (code, report["verdict"]) == (0, "made room")
        assert [step["step"] for step in report["steps"]] == ["fadvise on the named files"]
        assert report["steps"][0]["freed_bytes"] > 3.5 * GIB
        assert stand.switch == UNTOUCHED


def test_caches_are_dropped_after_fadvise_was_not_enough(stand: Stand) -> None:
    """Another file is named: its pages are not what fills the memory, so drop_caches 1 comes next (recorded)."""
    stand.says(f"runuser -u {PERSON} -- sh -c 'head -c 1M /dev/zero > /home/{PERSON}/other'")
    with stand.described(**REAL):
        free = cached(stand)["free_bytes"]
        _, report = stand.guard(f"--need {(free + 2 * GIB - FLOOR) // MIB}M --file /home/{PERSON}/other")
        told(report)
        assert [step["step"] for step in report["steps"]][:2] == ["fadvise on the named files", "drop_caches 1"]
        assert stand.switch == "1"


def test_the_floor_is_kept_while_weights_are_read(stand: Stand) -> None:
    """The watch lets a described folder go when MemFree falls below the floor, and goes on."""
    stand.says(f"mkdir -p /srv/models; mv {WEIGHTS} /srv/models/weights; python3 -c '{LET_GO}'")
    with stand.described(**REAL):
        floor = stand.guard("")[1]["after"]["free_bytes"] - 2 * GIB
    with stand.described(**REAL | {"floor_bytes": floor, "folders": ["/srv/models"]}):
        code, _ = stand.guard("--need 1M --watch")
        assert code == 0
        stand.says("cat /srv/models/weights > /dev/null")
        counted = "grep watch_steps_total.*fadvise /var/lib/sparkfleet/metrics/memguard.prom"
        until(lambda: stand.run(counted).returncode == 0, "an eviction by the watch", within_s=20)
        print(f"\n{stand.says(counted).strip()}; the floor was {floor / GIB:.1f} GiB (measured)")
        assert stand.says("systemctl is-active sparkfleet-memguard-watch.service").strip() == "active"
        stand.says("systemctl stop sparkfleet-memguard-watch.service")


LET_GO = """
import os
f = os.open("/srv/models/weights", os.O_RDONLY)
os.posix_fadvise(f, 0, 0, os.POSIX_FADV_DONTNEED)
"""
