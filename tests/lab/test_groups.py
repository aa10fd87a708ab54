"""A stand-in's control groups → empty, whatever a killed systemd-nspawn has left in them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from lab.spark import groups

if TYPE_CHECKING:
    from lab.instance import Instance

pytestmark = pytest.mark.lab
LEFT = "spark-90"  # no other test has so many


def test_what_a_killed_stand_in_left_is_ended(lab_instance: Instance) -> None:
    """A process in a stand-in's group that nobody recorded is ended; a second time there is nothing to end."""
    words = groups.entering(lab_instance, LEFT)
    if not words:
        pytest.skip("systemd gives each stand-in a scope of its own here")
    left = subprocess.Popen([*words, "sleep", "600"])
    try:
        folders = [h / f"sf-{lab_instance.name}-{LEFT}" for h in groups.hierarchies()]
        while not all(f.is_dir() and str(left.pid) in (f / "cgroup.procs").read_text().split() for f in folders):
            assert left.poll() is None
        groups.clear(lab_instance, LEFT)
        assert left.wait(5) == -9
        groups.clear(lab_instance, LEFT)
    finally:
        left.kill()
