"""A lock → what the compliance pack expects of an environment; and the locks themselves."""

from __future__ import annotations

import re

import pytest

from sparkfleet.host.parts import LOCKS, environments
from sparkfleet.host.sources import PROJECT

LOCK = """\
click==8.5.1 \\
    --hash=sha256:00 \\
    --hash=sha256:11
    # via -r pyproject.toml
Jupyter_Core==5.9.1 ; sys_platform == 'linux' \\
    --hash=sha256:22
"""


def test_names_are_compared_as_all_tools_do_and_markers_make_a_pin_optional() -> None:
    """What a marker leaves out on this machine is not missing there."""
    assert environments.pins(LOCK) == {
        "locked": ["click==8.5.1", "jupyter-core==5.9.1"],
        "everywhere": ["click==8.5.1"],
    }


@pytest.mark.parametrize("lock", LOCKS.values())
def test_each_package_of_a_lock_has_hashes(lock: str) -> None:
    """Pip would refuse the whole lock on the host otherwise, after everything else was applied."""
    text = (PROJECT / lock).read_text()
    entries = [entry for entry in re.split(r"\n(?=[A-Za-z0-9])", text) if "==" in entry]

    assert entries
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert len(environments.pins(text)["locked"]) == len(entries)
