"""What apt says → the packages that change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.host import upgrade_apt
from sparkfleet.host.upgrade_apt import Package

# apt 2.7 of Ubuntu 24.04, LC_ALL=C; shortened.
SAID = """\
NOTE: This is only a simulation!
Reading package lists...
Building dependency tree...
Calculating upgrade...
The following packages will be REMOVED:
  nvidia-old-tool
The following NEW packages will be installed:
  linux-image-6.17.0-1032-nvidia
The following packages have been kept back:
  docker-ce
  nvidia-container-toolkit
The following packages will be upgraded:
  curl libnvidia-compute-580
2 upgraded, 1 newly installed, 1 to remove and 2 not upgraded.
Remv nvidia-old-tool [1.0-1]
Inst curl [8.5.0-2ubuntu10.5] (8.5.0-2ubuntu10.6 Ubuntu:24.04/noble-updates [arm]) []
Inst linux-image-6.17.0-1032-nvidia (6.17.0-1032.32 Ubuntu:24.04/noble-updates [arm])
Inst libnvidia-compute-580 [580.173.02-0ubuntu1] (580.178.04-0ubuntu1 NVIDIA:1/stable [arm])
Conf curl (8.5.0-2ubuntu10.6 Ubuntu:24.04/noble-updates [arm])
"""
SIZES = """\
Need to get 1,234 kB/98.7 MB of archives.
After this operation, 12.3 MB of additional disk space will be used.
"""
NAMES = st.from_regex(r"[a-z][a-z0-9+.-]{1,20}", fullmatch=True)
VERSIONS = st.from_regex(r"([0-9]:)?[0-9][0-9.a-z+~]{0,8}(-[0-9a-z.]{1,6})?", fullmatch=True)


def test_a_simulation_is_read() -> None:
    """What changes with both versions, what leaves, what is kept, how much comes."""
    found = upgrade_apt.parse(SAID, SIZES)

    assert [str(package) for package in found.packages] == [
        "nvidia-old-tool 1.0-1 → removed",
        "curl 8.5.0-2ubuntu10.5 → 8.5.0-2ubuntu10.6",
        "linux-image-6.17.0-1032-nvidia (new) → 6.17.0-1032.32",
        "libnvidia-compute-580 580.173.02-0ubuntu1 → 580.178.04-0ubuntu1",
    ]
    assert found.removed == ("nvidia-old-tool",)
    assert found.kept == ("docker-ce", "nvidia-container-toolkit")
    assert (found.fetch_bytes, found.disk_bytes) == (98_700_000, 12_300_000)


def test_where_an_upgrade_leads_is_told_from_its_packages() -> None:
    """The kernel and the driver that will run, and that a boot is due."""
    found = upgrade_apt.parse(SAID)

    assert (found.kernel, found.driver, found.asks_for_boot) == ("6.17.0-1032-nvidia", "580.178.04", True)


@pytest.mark.parametrize("line", ["Inst curl [8.5.0-2ubuntu10.5]", "Remv nvidia-old-tool", "2 upgraded, 1 newly"])
def test_what_does_not_add_up_is_refused(line: str) -> None:
    """An apt whose lines mean something else must not be taken for one with nothing to do."""
    text = "\n".join(one for one in SAID.splitlines() if not one.startswith(line))
    with pytest.raises(ValueError, match="apt"):
        upgrade_apt.parse(text)


def test_freed_space_is_not_needed_space() -> None:
    """An upgrade that shrinks needs none."""
    freed = SIZES.replace("additional disk space will be used", "disk space will be freed")

    assert upgrade_apt.parse(SAID, freed).disk_bytes == 0


@given(st.dictionaries(NAMES, st.tuples(VERSIONS | st.just(""), VERSIONS | st.just("")), max_size=8))
def test_any_list_is_read_back(packages: dict[str, tuple[str, str]]) -> None:
    """As apt prints it, package by package, whatever names and versions there are."""
    wanted = [Package(name=name, old=old, new=new) for name, (old, new) in packages.items() if old or new]
    lines = [
        f"Inst {p.name}{f' [{p.old}]' if p.old else ''} ({p.new} lab:1 [all])" if p.new else f"Remv {p.name} [{p.old}]"
        for p in wanted
    ]
    gone = sum(not p.new for p in wanted)
    added = sum(not p.old for p in wanted)
    text = "\n".join([f"{len(wanted) - gone - added} upgraded, {added} newly installed, {gone} to remove and", *lines])

    assert list(upgrade_apt.parse(text).packages) == wanted
