"""The host's fact file of its alignment and the driver that is loaded → metrics. Runs ON the host.

As root, from a timer; standard library only, Python 3.10 or newer:

    /usr/bin/python3 -IS /usr/local/lib/sparkfleet/alignment-metrics.py \
        --facts /etc/sparkfleet/alignment.json \
        --driver /sys/module/nvidia/version \
        --out /var/lib/sparkfleet/metrics/alignment.prom

The values above are the flags' defaults. The verdict in the file is about one driver branch: with another one loaded,
or none, it says nothing, and the state is unknown. Ends with 0, also without a file (no Triton server is described),
and with 1 when the file cannot be used. Either way no metric is left, because an old one would be believed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

STATES = ("aligned", "forward-compatible", "not-aligned", "unknown")
TOLD = ("release", "variant", "cuda", "tensorrt", "table")


def main() -> int:
    """Read, judge, tell."""
    flags = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    flags.add_argument("--facts", type=Path, default=Path("/etc/sparkfleet/alignment.json"))
    flags.add_argument("--driver", type=Path, default=Path("/sys/module/nvidia/version"))
    flags.add_argument("--out", type=Path, default=Path("/var/lib/sparkfleet/metrics/alignment.prom"))
    given = flags.parse_args()
    try:
        facts = {str(name): value for name, value in json.loads(given.facts.read_text(encoding="utf-8")).items()}
        told = {name: str(facts[name]) for name in (*TOLD, "driver")}
        state = STATES[STATES.index(facts["state"])]
    except FileNotFoundError:
        given.out.unlink(missing_ok=True)
        return 0
    except (OSError, ValueError, KeyError, AttributeError) as error:
        given.out.unlink(missing_ok=True)
        print(
            f"{given.facts} cannot be used: {type(error).__name__}. This usually means: somebody edited it. "
            "Next: `pulumi up` writes it anew.",
            file=sys.stderr,
        )
        return 1
    branch = told.pop("driver").partition(".")[0]
    write(given.out, metrics(state if loaded(given.driver) == branch else "unknown", told))
    return 0


def loaded(version: Path) -> str:
    """The branch of the loaded driver; empty when there is none."""
    try:
        return version.read_text(encoding="utf-8", errors="replace").strip().partition(".")[0]
    except OSError:
        return ""


def metrics(state: str, told: dict[str, str]) -> str:
    """Prometheus' text format."""
    labels = ",".join(f'{name}="{escaped(value)}"' for name, value in told.items())
    name = "sparkfleet_alignment"
    lines = [
        f"# HELP {name}_state 1 for how the host stands to the described Triton server, 0 for the other states.",
        f"# TYPE {name}_state gauge",
        *(f'{name}_state{{state="{one}"}} {int(one == state)}' for one in STATES),
        f"# HELP {name}_info The container that the host is to be aligned with; table: the version of what is known.",
        f"# TYPE {name}_info gauge",
        f"{name}_info{{{labels}}} 1",
    ]
    return "\n".join(lines) + "\n"


def escaped(value: str) -> str:
    """A label's value, as the format wants it."""
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def write(file: Path, text: str) -> None:
    """Replace a file whole, readable by everybody."""
    file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.unfinished")  # hidden: no collector of *.prom reads it
    unfinished.write_text(text, encoding="utf-8")
    unfinished.chmod(0o644)
    unfinished.replace(file)


if __name__ == "__main__":
    sys.exit(main())
