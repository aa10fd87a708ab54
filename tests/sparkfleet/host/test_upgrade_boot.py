"""Simulated trees of /boot and /lib/modules → what boots next, and whether it may."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.host import upgrade_boot, upgrade_judge, upgrade_script
from tests.sparkfleet.host.upgrading import NEW, NEW_DRIVER, OLD, OLD_DRIVER, grub_cfg, look, look_at, modinfo, tree

if TYPE_CHECKING:
    from pathlib import Path

ADVANCED = "gnulinux-advanced-0a1b"


@pytest.fixture(autouse=True)
def _modinfo(monkeypatch: pytest.MonkeyPatch) -> None:
    """No module of a simulated tree is an object file."""
    monkeypatch.setattr(upgrade_script, "run", modinfo)


def refused(root: Path, **changes: object) -> str:
    """Why the host must not be rebooted; empty when it may."""
    _, faults, _ = upgrade_judge.boot_target(look_at(root, **changes))
    return "; ".join(fault.what for fault in faults)


@pytest.mark.parametrize(
    ("default", "grubenv", "kernel"),
    [
        ("0", "", NEW),
        ("1>1", "", OLD),
        (f"{ADVANCED}>gnulinux-{OLD}-advanced-0a1b", "", OLD),
        ("Advanced options for Ubuntu>Ubuntu, with Linux " + OLD, "", OLD),
        ("1", "", NEW),  # a submenu leads to its first entry
        ("${saved_entry}", f"saved_entry={ADVANCED}>gnulinux-{OLD}-advanced-0a1b", OLD),
        ("${saved_entry}", "", NEW),
        ("0", "# GRUB Environment Block\nnext_entry=1>1\n####", OLD),  # grub-reboot
    ],
)
def test_the_entry_that_grub_takes_is_found(default: str, grubenv: str, kernel: str) -> None:
    """By number, id or title, through submenus, saved, or asked for once."""
    assert upgrade_boot.target(grub_cfg(NEW, OLD, default=default), grubenv).kernel == kernel


@pytest.mark.parametrize("default", ["7", "1>5", "gnulinux-gone", "0>0", "${timeout_style}"])
def test_a_default_that_leads_nowhere_is_an_error(default: str) -> None:
    """GRUB would do something else, or wait for a keyboard; nobody here guesses what."""
    with pytest.raises(ValueError, match="default"):
        upgrade_boot.target(grub_cfg(NEW, default=default), "")


LINES = st.sampled_from(
    ["menuentry 'a' {", "submenu 'b' {", "menuentry 'c' --id d {", "if true; then {", "}", 'set default="0"',
     "set default=1>0", 'set default="a"', 'set default="${x}"', f"linux /vmlinuz-{NEW} ro", "initrd /i", "linux"]
)  # fmt: skip


@given(st.lists(LINES), st.sampled_from(["", "next_entry=1>0", "saved_entry=a", "=\n#"]))
def test_every_menu_is_understood_or_refused_in_words(lines: list[str], grubenv: str) -> None:
    """Whatever the lines, the answer is a kernel of the menu, or a ValueError; nothing else comes out."""
    with contextlib.suppress(ValueError):
        assert upgrade_boot.target("\n".join(lines), grubenv).kernel == NEW


def test_a_whole_kernel_with_its_driver_may_boot(tmp_path: Path) -> None:
    """Image, initramfs, modules, the driver's module in the version of its packages, kho=off on kernel 7."""
    assert refused(tree(tmp_path, NEW, OLD)) == ""


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        (f"boot/vmlinuz-{NEW}", "image"),
        (f"boot/initrd.img-{NEW}", "initramfs"),
        (f"lib/modules/{NEW}/modules.dep", "has no modules"),
        (f"lib/modules/{NEW}/kernel/nvidia-580-open/nvidia.ko.zst", "no module nvidia"),
        ("boot/grub/grub.cfg", "not clear"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, gone: str, words: str) -> None:
    """Each part alone is enough to refuse the reboot."""
    (tree(tmp_path, NEW, OLD) / gone).unlink()

    assert words in refused(tmp_path)


def test_an_empty_initramfs_is_none(tmp_path: Path) -> None:
    """As after a full /boot."""
    (tree(tmp_path, NEW) / f"boot/initrd.img-{NEW}").write_text("")

    assert "initramfs" in refused(tmp_path)


def test_a_module_of_another_version_than_the_packages_is_refused(tmp_path: Path) -> None:
    """NVML would not talk to it."""
    tree(tmp_path, NEW, driver=OLD_DRIVER)

    assert f"is {OLD_DRIVER}, the driver's packages are {NEW_DRIVER}" in refused(tmp_path)


def test_a_mute_module_is_refused(tmp_path: Path) -> None:
    """What modinfo cannot read is unknown: unknown is not good enough."""
    tree(tmp_path, NEW, driver="")

    assert "does not tell its version" in refused(tmp_path)


def test_kernel_7_without_its_word_is_refused(tmp_path: Path) -> None:
    """The known issue K1, by the command line of the entry that boots, not by that of the running kernel."""
    tree(tmp_path, NEW, words="quiet")

    assert "K1" in refused(tmp_path, cmdline="kho=off")


def test_a_combination_that_nobody_has_told_of_is_refused_unless_it_runs_already(tmp_path: Path) -> None:
    """Fail closed for what is new; what the host runs anyway is no reason to keep it from booting again."""
    kernel = "6.17.0-1099-nvidia"
    tree(tmp_path, kernel)

    assert "unknown-combination" in refused(tmp_path)
    assert refused(tmp_path, kernel=kernel, driver_loaded=NEW_DRIVER) == ""


def test_a_host_without_nvidia_needs_no_module(tmp_path: Path) -> None:
    """A plain machine of the fleet boots what it has."""
    (tree(tmp_path, NEW) / f"lib/modules/{NEW}/kernel/nvidia-580-open/nvidia.ko.zst").unlink()

    assert refused(tmp_path, driver_loaded="", driver_packages=[]) == ""


def test_held_packages_are_named_where_the_module_is_missing(tmp_path: Path) -> None:
    """A hold is the usual reason, and its owner's to take away."""
    (tree(tmp_path, NEW) / f"lib/modules/{NEW}/kernel/nvidia-580-open/nvidia.ko.zst").unlink()
    _, faults, _ = upgrade_judge.boot_target(look_at(tmp_path, holds=["linux-modules-nvidia-580-open", "curl"]))

    assert "held there: linux-modules-nvidia-580-open (" in faults[0].way_on


def test_a_container_without_grub_has_nothing_to_verify() -> None:
    """A stand-in boots no kernel of its own; it says so."""
    kernel, faults, notes = upgrade_judge.boot_target(look(container=True))

    assert (kernel, faults, notes) == ("", [], ["a container boots no kernel of its own: nothing to verify"])
