"""Stack, hosts → observed, planned, applied in one run, observed again; prints the seconds of each part as JSON.

    python bench/product.py STACK HOST…

What `pulumi up` does for a host, for several hosts at once and without Pulumi around it.
"""

from __future__ import annotations

import json
import sys
import time


def main() -> int:
    """Exit 1 when something is left to change."""
    begin = time.perf_counter()
    from sparkfleet import config
    from sparkfleet.cli import PROJECT
    from sparkfleet.host.apply import Work, apply
    from sparkfleet.host.survey import findings

    seconds: dict[str, float] = {}

    def lap(name: str) -> None:
        seconds[name] = round(time.perf_counter() - begin - sum(seconds.values()), 3)

    stack, *names = sys.argv[1:]
    fleet = config.load(stack, PROJECT)
    lap("imports and description")
    found = findings(fleet, names)
    lap("observe and plan")
    for host in found:
        if host.error:
            raise host.error
    work = {f.host: Work(f.desired, f.changes, f.observed.address) for f in found if f.observed and f.changes}
    outcomes = apply(fleet, work) if work else {}
    lap("apply")
    failures = [f"{name}: {outcome.failure}" for name, outcome in outcomes.items() if outcome.failure]
    left = [f"{f.host}: {c.key}: {c.before} → {c.after}" for f in findings(fleet, names) for c in f.changes]
    lap("observe again")
    print(json.dumps({"hosts": len(work), "changes": sum(len(w.changes) for w in work.values()), "seconds": seconds}))
    print("\n".join(failures + left), file=sys.stderr)
    return 1 if failures or left else 0


if __name__ == "__main__":
    sys.exit(main())
