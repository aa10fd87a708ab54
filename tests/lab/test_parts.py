"""The small decisions of the lab: names, mounts, resolvers, times, the cache."""

from __future__ import annotations

import io
import subprocess
import sys
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from itertools import combinations
from pathlib import Path

import pytest
from rich.console import Console

from lab import cache, mounts, network, provision, shell, summary
from lab.errors import LabError
from lab.instance import CHECKOUT, OCTETS, Instance, host_names
from lab.progress import Progress, duration
from lab.tailnet import control


def test_stand_ins_are_numbered_and_addressed_from_eleven_on() -> None:
    """spark-01 of the lab `test` is 10.231.1.11."""
    instance = Instance.named("test")
    assert [instance.address(host) for host in host_names(2)] == ["10.231.1.11", "10.231.1.12"]


def test_every_lab_has_a_range_of_the_tailnet_of_its_own() -> None:
    """They run side by side, and this machine routes each to another bridge; Tailscale derives the IPv6 side."""
    ranges = [IPv4Network(Instance.named(name).tailnet) for name in OCTETS]
    assert not any(one.overlaps(other) for one, other in combinations(ranges, 2))
    assert all(one.subnet_of(IPv4Network("100.64.0.0/10")) for one in ranges)
    for name in OCTETS:
        instance = Instance.named(name)
        planned = control.plan(instance)
        assert len(set(planned.values())) == len(planned)
        assert all(IPv4Address(one) in IPv4Network(instance.tailnet) for one in planned.values())
        v4 = IPv4Address(instance.tailnet_address("spark-01")).packed
        derived = IPv6Address("fd7a:115c:a1e0:ab12:4843:cd96:6200:0").packed[:13] + v4[1:]
        assert IPv6Address(derived) in IPv6Network(instance.tailnet6)


@pytest.mark.parametrize("host", ["spark", "spark-1", "spark-00", "spark-0x", "sparky-01", "spark-91"])
def test_other_names_are_refused(host: str) -> None:
    """The address follows from the name."""
    with pytest.raises(LabError, match="not the name of a stand-in"):
        Instance.named("test").address(host)


def test_an_unknown_lab_is_answered_with_the_known_ones() -> None:
    """The next step lists them."""
    with pytest.raises(LabError, match="lab, test"):
        Instance.named("nowhere")


def test_mount_points_with_blanks_are_read_whole() -> None:
    """Mountinfo writes them in octal."""
    table = "36 35 98:0 /m /a\\040b rw - ext4 /dev/x rw\n37 36 0:5 / /a\\040b/c rw - tmpfs t rw\n"
    assert mounts.parse(table) == [Path("/a b"), Path("/a b/c")]


def test_resolvers_on_loopback_are_of_no_use_to_a_stand_in() -> None:
    """systemd-resolved's stub answers on 127.0.0.53 of this machine alone."""
    text = "# made by x\nnameserver 127.0.0.53\nnameserver 192.0.2.1\nsearch example\nnameserver ::1\n"
    assert network.reachable(text) == ["192.0.2.1"]


@pytest.mark.lab
def test_the_ruleset_is_one_that_nft_takes_again_and_again() -> None:
    """Nft itself checks it, without loading it."""
    rules = network.ruleset(Instance.named("crash"))
    shell.run("nft", "--check", "-f", "-", stdin=rules + rules)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.96, "10.0 s"), (59.4, "59.4 s"), (72.4, "1 min 12 s")]
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    """Minutes only where there are any."""
    assert duration(seconds) == text


def test_progress_says_what_is_under_way_before_it_ends() -> None:
    """Minutes of silence look like a hang."""
    said = io.StringIO()
    with (
        Progress(Console(file=said), beat_s=0.01) as progress,
        progress.phase("toolchain"),
        progress.step("building it"),
    ):
        for _ in range(1000):
            if "… building it" in said.getvalue():
                break
            progress._over.wait(0.01)
    assert "… building it" in said.getvalue()
    assert "✓ building it" in said.getvalue()
    assert [name for name, _ in progress.phases] == ["toolchain"]


def test_a_folder_is_built_once_and_a_failed_build_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the cache under its final name is whole."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    built = []

    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise LabError("no")

    def build(folder: Path) -> None:
        assert not list(folder.iterdir())
        (folder / "whole").touch()
        built.append(folder)

    with pytest.raises(LabError):
        cache.once("thing", fail)
    assert not (cache.root() / "thing").exists()
    for _ in range(2):
        assert (cache.once("thing", build) / "whole").exists()
    assert len(built) == 1


def test_what_a_killed_build_left_is_tidied_and_a_running_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock tells them apart: a dead process holds none."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    building = cache.root() / "building"

    def build(folder: Path) -> None:
        (folder / "part").touch()
        cache.tidy()
        assert (folder / "part").exists()
        raise LabError("killed")

    with pytest.raises(LabError):
        cache.once("tools/thing", build)
    assert list(building.iterdir())
    cache.tidy()
    assert list(building.iterdir()) == []


def test_two_processes_that_need_the_same_folder_build_it_once(tmp_path: Path) -> None:
    """The second waits for the first."""
    code = (
        "import pathlib, time; from lab import cache\n"
        "def build(folder):\n"
        "    time.sleep(0.3); (pathlib.Path(cache.root()) / 'built').open('a').write('once\\n')\n"
        "cache.once('thing', build)"
    )
    environment = {"XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(CHECKOUT)}
    both = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(2)]
    assert [one.wait(30) for one in both] == [0, 0]
    assert (tmp_path / "sparkfleet/built").read_text() == "once\n"


def test_a_command_that_fails_shows_what_it_said() -> None:
    """The last lines, whichever stream they came on."""
    with pytest.raises(LabError, match=r"status 3(.|\n)*no such luck"):
        shell.run("sh", "-c", "echo no such luck >&2; exit 3")


def test_a_program_that_is_missing_is_named() -> None:
    """With the way to get it."""
    with pytest.raises(LabError, match="no-such-program is not installed"):
        shell.run("no-such-program")


def test_the_last_update_of_a_dgx_release_counts() -> None:
    """Real files get a block appended with every update."""
    text = 'DGX_NAME="DGX Spark"\nDGX_SWBUILD_VERSION="7.2.3"\n\nDGX_OTA_VERSION="7.3.1"\n\nDGX_OTA_VERSION="7.5.0"\n'
    assert summary.dgx_release(text) == "DGX Spark 7.2.3, update 7.5.0"


@pytest.mark.parametrize("made", [True, False], ids=["made", "failed"])
def test_the_fleets_page_is_shown_only_when_it_was_made(
    made: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make up` does not fail over it, and an old page is never shown as the new one."""
    spark = tmp_path / "spark"
    spark.write_text('#!/bin/sh\n[ "$1 $2" = "status --html" ] && ' + ('echo new >"$3"\n' if made else "exit 4\n"))
    spark.chmod(0o755)
    monkeypatch.setattr(provision, "SPARK", spark)
    instance = Instance("page", 99, tmp_path)
    page = provision.fleet_page(instance)
    page.parent.mkdir(parents=True)
    page.write_text("old")

    provision.snapshot(instance, {})

    assert page.exists() == made
    assert not made or page.read_text() == "new\n"
