"""A look at a host → whether its packages may change and whether it may go down."""

from __future__ import annotations

from typing import Any

import pytest

from sparkfleet.fitness import Upgrade
from sparkfleet.host import upgrade_judge
from sparkfleet.host.upgrade_apt import Package, Updates
from tests.sparkfleet.host.upgrading import NEW, NEW_DRIVER, OLD, grub_cfg, look

CURL = Package(name="curl", old="1", new="2")
JOB = {"pid": 6872, "name": "python3", "unit": "vllm.service"}
RULES = Upgrade()


def faults(*packages: Package, rules: Upgrade = RULES, **changes: Any) -> str:
    """What is in the way of changing these packages."""
    found = upgrade_judge.packages(look(**changes), Updates(packages=packages or (CURL,)), rules)
    return "; ".join(fault.what for fault in found)


def kernel(release: str) -> Package:
    """A package that brings a kernel."""
    return Package(name=f"linux-image-{release}", new="1")


def boot(words: str = "") -> dict[str, Any]:
    """GRUB as it is before the upgrade."""
    return {"grub_cfg": grub_cfg(OLD, words=words), "grubenv": "", "images": {}, "kernels": {}}


def test_a_sound_host_may_be_upgraded() -> None:
    """Room, a quiet package manager, packages that lead nowhere new."""
    assert faults() == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dpkg_audit": "The following packages are only half configured"}, "dpkg is not sound"),
        ({"locks": [{"path": "/var/lib/dpkg/lock", "pid": 7, "name": "apt-get"}]}, "apt-get (process 7)"),
        ({"free_bytes": {"/": 1 << 30, "/var": 500 << 30}}, "/ has 1.0 GiB free, the upgrade needs 4.0 GiB"),
        ({"free_bytes": {"/": 500 << 30}}, "/var has 0.0 GiB free"),
        (
            {"ota": {"code": 0, "said": "", "answer": {"ok": False, "errors": ["torn update"]}}},
            "nvidia-spark-ota-check refuses: ['torn update']",
        ),
    ],
)
def test_what_is_in_the_way_is_named(changes: dict[str, Any], words: str) -> None:
    """Each reason alone stops the upgrade before anything is touched."""
    assert words in faults(**changes)


def test_an_answer_of_the_vendors_check_that_is_no_json_stops_nothing() -> None:
    """Its form is known from reports alone."""
    assert faults(ota={"code": 0, "said": "all well", "answer": None}) == ""


def test_the_packages_themselves_need_room_too() -> None:
    """What is fetched and what is unpacked, beyond the room that is to stay."""
    large = Updates(packages=(CURL,), fetch_bytes=2 << 30, disk_bytes=3 << 30)
    found = upgrade_judge.packages(look(free_bytes={"/": 8 << 30, "/boot": 0, "/var": 99 << 30}), large, RULES)

    assert [fault.what for fault in found] == ["/ has 8.0 GiB free, the upgrade needs 9.0 GiB"]


def test_a_kernel_needs_room_in_boot() -> None:
    """A full /boot leaves an initramfs of no bytes."""
    tight = {"/": 99 << 30, "/boot": 100 << 20, "/var": 99 << 30}

    assert "/boot has 0.1 GiB free" in faults(kernel("6.17.0-1032-nvidia"), free_bytes=tight, boot=boot())
    assert faults(free_bytes=tight) == ""


def test_a_removal_is_refused_unless_it_was_allowed() -> None:
    """A full upgrade has removed platform packages in the field."""
    gone = Package(name="nvidia-spark-run", old="1")

    assert "would remove nvidia-spark-run" in faults(gone)
    assert faults(gone, rules=Upgrade(removals=["nvidia-spark-run"])) == ""


def test_an_upgrade_that_leads_into_a_known_issue_is_refused_before_it_begins() -> None:
    """Kernel 7 without kho=off on the way (K1), a kernel that nobody has told of."""
    driver = Package(name="libnvidia-compute-580", old="1", new=f"{NEW_DRIVER}-0ubuntu1")
    kho = Package(name="nvidia-spark-grub-kho", new="1")

    assert "K1" in faults(kernel(NEW), driver, boot=boot())
    assert faults(kernel(NEW), driver, kho, boot=boot()) == ""
    assert faults(kernel(NEW), driver, boot=boot("kho=off")) == ""
    assert "unknown-combination" in faults(kernel("6.17.0-1099-nvidia"), boot=boot())


def test_a_new_driver_is_judged_with_the_kernel_that_boots_next() -> None:
    """Not with the one that runs: a kernel may have been installed and not yet booted."""
    driver = Package(name="libnvidia-compute-580", old="1", new=f"{NEW_DRIVER}-0ubuntu1")
    installed = {"grub_cfg": grub_cfg(NEW), "grubenv": "", "images": {}, "kernels": {}}

    assert faults(driver, boot=installed) == ""
    assert "unknown-combination" in faults(driver, boot=boot())


def test_work_on_the_gpu_keeps_a_host_up_unless_forced() -> None:
    """Units that the drain stops by itself are no reason."""

    def words(**options: Any) -> list[str]:
        return [fault.what for fault in upgrade_judge.boot_now(look(gpu_processes=[JOB]), **options)]

    assert words() == ["a job is on the GPU: python3 (process 6872)"]
    assert words(allowed_units=["vllm.service"]) == []
    assert words(force=True) == []


def test_a_gpu_that_cannot_be_asked_counts_as_busy() -> None:
    """Where there is a driver; a host without one has nobody to ask."""
    assert upgrade_judge.boot_now(look(gpu_processes=None))
    assert not upgrade_judge.boot_now(look(gpu_processes=None, driver_loaded=""))


def test_who_blocks_a_reboot_is_heard() -> None:
    """A firmware update under way, say."""
    found = upgrade_judge.boot_now(look(inhibitors=[{"who": "fwupd", "why": "writing"}]))

    assert [fault.what for fault in found] == ["fwupd blocks a reboot: writing"]


def test_a_host_cannot_steer_the_terminal_of_whoever_reads_why() -> None:
    """What it tells is made printable before it is judged."""
    assert "\x1b" not in faults(locks=[{"path": "/x", "pid": 7, "name": "\x1b[2Japt"}])
