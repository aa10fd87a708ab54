"""What NVIDIA's toolkit finds → the CDI specification that engines read, and metrics of it. Runs ON the host.

As root, from sparkfleet-cdi.service: at boot, and when the driver, its libraries or the toolkit were changed. Standard
library only, Python 3.10 or newer.

The file is the one that the toolkit's own nvidia-cdi-refresh writes: two files that name one device would hide it from
every engine. A specification that names a file which is not there is not put in the place of one that works: its
containers would not start. Ends with 0, and with 1 when nothing was written.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

KIND, ALL = "nvidia.com/gpu", "all"
TOOLKIT_S = 60
METRICS = """\
# HELP sparkfleet_cdi_devices Devices in the CDI specification that engines read, the name for all of them included.
# TYPE sparkfleet_cdi_devices gauge
sparkfleet_cdi_devices {devices}
# HELP sparkfleet_cdi_refreshed_timestamp_seconds When the specification was last found to be right.
# TYPE sparkfleet_cdi_refreshed_timestamp_seconds gauge
sparkfleet_cdi_refreshed_timestamp_seconds {now}
"""


class NoSpecificationError(Exception):
    """The toolkit gave none that would work; the words say why."""


def main() -> int:
    """Ask, judge, write."""
    flags = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    flags.add_argument("--toolkit", default="nvidia-ctk")
    flags.add_argument("--out", type=Path, default=Path("/run/cdi/nvidia.yaml"))
    flags.add_argument("--metrics", type=Path, default=Path("/var/lib/sparkfleet/metrics/cdi.prom"))
    given = flags.parse_args()
    try:
        text = generated(given.toolkit)
        specification = judged(text)
        if not given.out.exists() or given.out.read_text(encoding="utf-8") != text:
            replace(given.out, text)
            print(f"{given.out}: {len(specification['devices'])} devices")
        values = {"devices": len(specification["devices"]), "now": int(time.time())}
        replace(given.metrics, METRICS.format(**values))
    except (NoSpecificationError, OSError, UnicodeDecodeError) as error:
        print(
            f"no CDI specification: {error}. This usually means: the driver is not loaded, or was changed and the host "
            "not restarted, or a part of the toolkit is missing. Next: `nvidia-smi`, then `systemctl start "
            "sparkfleet-cdi`.",
            file=sys.stderr,
        )
        return 1
    return 0


def generated(toolkit: str) -> str:
    """What the toolkit writes, JSON, which YAML contains; raises NoSpecificationError."""
    command = [toolkit, "cdi", "generate", "--format=json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TOOLKIT_S, check=False)
    except FileNotFoundError:
        raise NoSpecificationError(f"{toolkit} is not installed") from None
    except subprocess.TimeoutExpired:
        raise NoSpecificationError(f"{toolkit} gave no answer within {TOOLKIT_S} s") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise NoSpecificationError(f"{toolkit} ended with {done.returncode}: {last}")
    return done.stdout


def judged(text: str) -> dict[str, Any]:
    """The specification; raises NoSpecificationError when it lacks a name for all GPUs, or names what is not here."""
    try:
        specification = json.loads(text)
        names = [device["name"] for device in specification["devices"]]
        kind = specification["kind"]
    except (ValueError, KeyError, TypeError):
        raise NoSpecificationError("the toolkit's answer is none") from None
    if kind != KIND or ALL not in names:
        raise NoSpecificationError(f"it is of {kind} and names {', '.join(map(str, names)) or 'no device'}")
    if missing := missing_files(specification):
        raise NoSpecificationError(f"it names files that are not here: {', '.join(missing[:5])}")
    return dict(specification)


def missing_files(specification: dict[str, Any]) -> list[str]:
    """The host's files that containers are to get and that are not there, sorted."""
    edits = [specification, *specification["devices"]]
    found = set()
    for edit in (each.get("containerEdits") or {} for each in edits):
        found |= {node.get("hostPath") or node["path"] for node in edit.get("deviceNodes") or []}
        found |= {mount["hostPath"] for mount in edit.get("mounts") or []}
        found |= {hook["path"] for hook in edit.get("hooks") or []}
    return sorted(path for path in found if not Path(path).exists())


def replace(file: Path, text: str) -> None:
    """Write a file that everybody may read, in one step."""
    file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.unfinished")  # hidden: neither engines nor collectors read it
    unfinished.write_text(text, encoding="utf-8")
    unfinished.chmod(0o644)
    unfinished.replace(file)


if __name__ == "__main__":
    sys.exit(main())
