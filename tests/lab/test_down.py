"""`down` leaves nothing, wherever `up` was when it was killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import cache, down, env, mounts, network, record, shell
from lab.instance import CHECKOUT, Instance
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.lab

INSTANCE = Instance.named("crash")
REACHED_WITHIN_S = 120.0
AT_ONCE_S = 0.005  # between two looks: the point must not be past
GONE_WITHIN_S = 20.0


@pytest.fixture(autouse=True)
def nothing_before_and_after() -> Iterator[None]:
    """The lab `crash` is this file's own."""
    down.down(INSTANCE.name)
    yield
    down.down(INSTANCE.name)


def left() -> list[str]:
    """Everything that this machine still has of the lab."""
    found = [f"link {name}" for name in network.links() if INSTANCE.name in name]
    found += [f"table {name}" for name in network.tables() if name == INSTANCE.table]
    routes = shell.run("ip", "route").splitlines() + shell.run("ip", "-6", "route").splitlines()
    found += [f"route {route}" for route in routes if route.startswith((INSTANCE.tailnet, INSTANCE.tailnet6))]
    found += [f"mount {point}" for point in mounts.below(INSTANCE.folder)]
    found += [f"file {path}" for path in (INSTANCE.folder, record.folder(INSTANCE)) if path.exists()]
    return found + [f"process {words}" for words in processes(f"{INSTANCE.folder}/", f"sf-{INSTANCE.name}-")]


def processes(*parts: str) -> list[str]:
    """The command lines of this machine that hold one of the parts."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if any(part in words for part in parts):
            found.append(words)
    return found


def up(**environment: str) -> subprocess.Popen[bytes]:
    """`up` of the lab `crash` with its tailnet, short of provisioning."""
    words = [sys.executable, "-m", "lab", "up", "--name", INSTANCE.name, "--tailnet", "--no-provision"]
    return subprocess.Popen(words, cwd=CHECKOUT, stdout=subprocess.DEVNULL, env={**os.environ, **environment})


POINTS: dict[str, Callable[[], object]] = {
    "claimed": lambda: record.alive(INSTANCE, down.COMING_UP),
    "network": lambda: INSTANCE.bridge in network.links(),
    "overlay": lambda: mounts.below(INSTANCE.folder),
    "host": lambda: record.alive(INSTANCE, "spark-01"),
    "store": lambda: record.alive(INSTANCE, "store-iam"),
    "namespace": lambda: record.alive(INSTANCE, "tailnet-controller"),
    "route": lambda: INSTANCE.tailnet in shell.run("ip", "route"),
}


@pytest.mark.parametrize("point", POINTS)
def test_nothing_is_left_of_a_lab_whose_up_was_killed(point: str) -> None:
    """Killed outright, at seven points on the way."""
    with up() as coming:
        until(POINTS[point], point, REACHED_WITHIN_S, AT_ONCE_S)
        coming.kill()
    assert left()
    down.down(INSTANCE.name)
    until(lambda: not left(), left, GONE_WITHIN_S)


def test_a_killed_build_of_the_base_leaves_no_process_no_mount_and_no_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debootstrap dies with `up`; `down` removes what it had unpacked. The Go build dies too."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with up(XDG_CACHE_HOME=str(tmp_path)) as coming:
        until(lambda: list(cache.root().glob("building/base-*/debootstrap")), "a build", REACHED_WITHIN_S)
        coming.kill()
    until(lambda: not processes(str(tmp_path)), lambda: processes(str(tmp_path)), GONE_WITHIN_S)
    assert mounts.below(tmp_path) == []
    down.down(INSTANCE.name)
    assert list((cache.root() / "building").iterdir()) == []
    assert left() == []


def test_down_stops_an_up_that_still_runs() -> None:
    """It would go on making what is removed."""
    with up() as coming:
        until(POINTS["claimed"], "claimed", REACHED_WITHIN_S, AT_ONCE_S)
        down.down(INSTANCE.name)
        assert coming.wait(GONE_WITHIN_S) == -signal.SIGTERM
    until(lambda: not left(), left, GONE_WITHIN_S)


def test_the_lab_of_another_checkout_is_removed_too(tmp_path: Path) -> None:
    """Its folder is where the record says."""
    other = Instance(INSTANCE.name, INSTANCE.octet, tmp_path)
    record.claim(other)
    network.up(other)
    other.folder.mkdir(parents=True)
    record.start(other, "sleeper", ["sleep", "600"], other.folder / "log")
    pid = record.alive(other, "sleeper")
    assert INSTANCE.name in down.existing()
    down.down(INSTANCE.name)
    assert pid
    assert record.start_time(pid) is None
    assert not (tmp_path / ".lab").exists()
    assert left() == []


def test_a_program_of_the_lab_that_nobody_recorded_is_stopped() -> None:
    """As Pulumi's language host, whose engine was killed; and as a `pulumi up` that somebody left running."""
    tools = env.tools(INSTANCE)
    tools.mkdir(parents=True)
    shutil.copy("/bin/sleep", tools / "pulumi")
    with subprocess.Popen([tools / "pulumi", "600"]) as running:
        down.down(INSTANCE.name)
        assert running.wait(GONE_WITHIN_S) == -signal.SIGKILL
    assert left() == []


def test_down_of_nothing_is_no_error() -> None:
    """It can be repeated."""
    down.down(INSTANCE.name)
    assert left() == []


def test_forwarding_is_put_back_with_the_last_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before: another lab may still need it."""
    forwarding = tmp_path / "ip_forward"
    forwarding.write_text("0\n")
    monkeypatch.setattr(network, "FORWARDING", forwarding)
    monkeypatch.setattr(network, "BEFORE", tmp_path / "before")
    network.up(INSTANCE)
    assert forwarding.read_text() == "1\n"
    network.down(INSTANCE, last=False)
    assert forwarding.read_text() == "1\n"
    network.down(INSTANCE, last=True)
    assert forwarding.read_text() == "0\n"
