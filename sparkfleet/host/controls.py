"""The compliance pack's files → its controls: id, title, severity, source, how each is checked. Runs none of them.

python -m sparkfleet.host.controls > docs/guides/compliance.md
"""

from __future__ import annotations

import ast
import inspect
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkfleet.host.sources import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

PACK = PROJECT / "tests" / "hosts"
DECISION = "../decisions/0013-hardening.md"
FAMILIES = {
    "BASE": "every host",
    "ACCESS": "every host: who gets in, and how",
    "TAILNET": "hosts with the role tailnet",
    "AUTHORITY": "hosts with the role authority",
    "IDENTITY": "hosts with the role identity",
    "CONNECTX": "hosts with the role connectx",
    "GPU": "hosts with the role gpu",
    "MEMORY": "hosts with the role memory",
    "CONTAINERS": "hosts with the role containers",
    "NODE": "hosts with the role node",
    "DATASETS": "hosts with the role datasets",
    "LABEL": "hosts with the role label",
    "JUPYTER": "hosts with the role jupyter",
    "OLLAMA": "hosts with the role ollama",
    "EXPORTER": "hosts with the role exporter",
    "MONITOR": "hosts with the role monitor",
    "GRAFANA": "hosts with the role grafana",
}
HEAD = f"""\
# What `spark verify` checks

Written by `python -m sparkfleet.host.controls` from `tests/hosts`; a test keeps it current.

Sources: **CIS** is the CIS Ubuntu Linux 24.04 LTS Benchmark v1.0.0, **sshd-…** dev-sec's ssh-baseline, **os-…**,
**package-…** and **sysctl-…** dev-sec's linux-baseline, **GB10** what the machine needs, **sparkfleet** our own. A
source says whose requirement it is, not that it is met to the letter: where a Spark needs something else ("deviates"),
the reason stands in [decision 13]({DECISION}).

Severity: *high* somebody gets in or nobody notices, *medium* a defence is missing, *low* tidiness. A check that cannot
be judged is skipped and says why; a failure can be waived for a while (`waivers` in the description). `BASE-04` counts
once for each kernel setting.
"""


@dataclass(frozen=True)
class Control:
    """One requirement. `title`: the claim; `how`: how it is checked, for a reader who will not read the code."""

    id: str
    title: str
    severity: str
    source: str
    how: str
    place: str

    @property
    def family(self) -> str:
        """ACCESS of ACCESS-01."""
        return self.id.partition("-")[0]


def controls(pack: Path = PACK) -> list[Control]:
    """Every control of the pack by family and number; raises ValueError when a function lacks its mark or words."""
    found = [one for path in sorted(pack.glob("*/test_*.py")) for one in _in_file(path, pack)]
    families = list(FAMILIES)
    return sorted(found, key=lambda c: (families.index(c.family) if c.family in families else 99, c.id))


def page(every: Iterable[Control]) -> str:
    """docs/guides/compliance.md."""
    every = list(every)
    parts = [HEAD]
    for family, whose in FAMILIES.items():
        rows = [c for c in every if c.family == family]
        parts.append(f"\n## {family}: {whose}, {len(rows)} controls\n\n")
        parts.append("| id | requirement | severity | source | how it is checked |\n|---|---|---|---|---|\n")
        parts += [f"| {c.id} | {c.title} | {c.severity} | {_linked(c.source)} | {c.how} |\n" for c in rows]
    return "".join(parts)


def _linked(source: str) -> str:
    return source.replace("deviates", f"[deviates]({DECISION})")


def _in_file(path: Path, pack: Path) -> Iterator[Control]:
    for node in ast.parse(path.read_text()).body:
        if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
            continue
        place = f"{path.relative_to(pack)}: {node.name}"
        marks = [d for d in node.decorator_list if isinstance(d, ast.Call) and ast.unparse(d.func).endswith("control")]
        words = {k.arg: k.value.value for d in marks for k in d.keywords if isinstance(k.value, ast.Constant)}
        title, _, how = inspect.cleandoc(ast.get_docstring(node) or "").partition("\n\n")
        if set(words) != {"id", "severity", "source"} or not title or not how:
            raise ValueError(f"{place} needs control(id=…, severity=…, source=…), a title and how it is checked")
        yield Control(title=" ".join(title.split()), how=" ".join(how.split()), place=place, **words)  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.stdout.write(page(controls()))
