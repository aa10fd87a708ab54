"""The journal of what a host was before → originals that can be made again, noted once, whatever kills the writer."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.playbooks.machine import COLLECTIONS, ELSEWHERE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.playbooks.machine import Machine

CALL = """\
import json, os, sys
os.umask(0o077)
from ansible_collections.sparkfleet.host.plugins.module_utils import before
before.keep(*sys.argv[1:])
print(json.dumps(before.records("path")))
"""


def keep(machine: Machine, *paths: Path) -> dict[str, Any]:
    """Keep the paths on the machine; all that the journal says of paths then."""
    done = subprocess.run(
        [*ELSEWHERE, str(machine.varlib), sys.executable, "-c", CALL, *map(str, paths)],
        capture_output=True,
        text=True,
        check=True,
        env=machine.environment() | {"PYTHONPATH": str(COLLECTIONS)},
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_file_is_kept_with_mode_owner_and_time(machine: Machine) -> None:
    """All that is needed to make it again, also of one that is no text."""
    path = machine.root / "x.conf"
    path.write_bytes(b"a\xff\x00")
    path.chmod(0o4750)
    at = path.stat()

    record = keep(machine, path)[str(path)]

    assert base64.b64decode(record.pop("content")) == b"a\xff\x00"
    owned = {"uid": at.st_uid, "gid": at.st_gid}
    assert record == {"kind": "file", "mode": 0o4750, "mtime_ns": at.st_mtime_ns, **owned}


def test_a_link_is_kept_as_a_link(machine: Machine) -> None:
    """Where it leads need not exist."""
    path = machine.root / "y"
    path.symlink_to("../nowhere")

    assert keep(machine, path)[str(path)]["target"] == "../nowhere"


def test_an_absence_is_kept_with_that_of_the_folders_above(machine: Machine) -> None:
    """A reset takes away also the folders that were made for a file."""
    path = machine.root / "a/b/c.conf"

    records = keep(machine, path)

    assert list(records) == [str(machine.root / name) for name in ("a", "a/b", "a/b/c.conf")]
    assert {record["kind"] for record in records.values()} == {"absent"}


def test_a_folder_is_kept_with_all_below_it(machine: Machine) -> None:
    """An exact folder is emptied of whole folders."""
    (machine.root / "d/e").mkdir(parents=True)
    (machine.root / "d/e/f").write_text("deep\n")

    records = keep(machine, machine.root / "d")

    assert [record["kind"] for record in records.values()] == ["folder", "folder", "file"]


def test_only_the_first_state_counts(machine: Machine) -> None:
    """What we wrote ourselves is never taken for the original."""
    path = machine.root / "x.conf"
    before = keep(machine, path)
    path.write_text("ours\n")

    assert keep(machine, path) == before


@pytest.mark.parametrize("kept", [1, 2])
def test_a_torn_line_is_none(machine: Machine, kept: int) -> None:
    """After a power cut in the middle of a line its path is noted anew, and the lines before it stand."""
    journal = machine.varlib / "sparkfleet/before/journal"
    paths = [machine.root / name for name in ("one", "two", "three")]
    keep(machine, *paths)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:kept]) + lines[kept][:20])
    for path in paths:
        path.write_text("since then\n")

    records = keep(machine, *paths)

    kinds = [records[str(path)]["kind"] for path in paths]
    assert kinds == ["absent"] * kept + ["file"] * (3 - kept)


def test_originals_are_for_root_alone(machine: Machine) -> None:
    """They may hold secrets, whatever the mode they had."""
    path = machine.root / "secret"
    path.write_text("s3cret")
    keep(machine, path)

    folder = machine.varlib / "sparkfleet/before"
    assert [at.stat().st_mode & 0o777 for at in (folder, folder / "journal")] == [0o700, 0o600]
