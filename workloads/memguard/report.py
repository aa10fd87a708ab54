"""A report → what people read."""

from __future__ import annotations

from typing import Any

GIB = 1 << 30
CODES = {
    "does not fit": "Less can be allocated than the need and the floor together: stop something, or load less.",
    "still short": "The rest is mapped, dirty, shared, or the kernel's own (`--slab` frees its directory entries).",
    "a GPU job serves": "Eviction would cost it time. Stop it, or let an administrator start the unit with -force.",
    "too soon after the last time": "Caches are dropped for everybody, so not often. Try again when the time is over.",
}


def text(report: dict[str, Any]) -> str:
    """Some lines: the verdict, the figures before and after, each step, what to do."""
    label = " (simulated)" if report["simulated"] else ""
    lines = [f"memguard: {report['verdict']}{label}"]
    if report["wanted_bytes"]:
        lines.append(f"  wanted free  {gib(report['wanted_bytes'])}, the floor included")
    for words, key in (("free", "free_bytes"), ("available", "available_bytes"), ("page cache", "cache_bytes")):
        lines.append(f"  {words:11}  {gib(report['before'][key])} → {gib(report['after'][key])}")
    lines.append(f"  2 MiB blocks  {report['before']['large_blocks']} → {report['after']['large_blocks']}")
    for step in report["steps"]:
        files = f", {step['files']} files" if step["files"] else ""
        faults = f", {step['faults']} not ({step['first_fault']})" if step["faults"] else ""
        lines.append(f"  {step['step']}: {gib(step['freed_bytes'])} freed{files}{faults}")
    lines += [f"  serves: {who}" for who in report["serving"]]
    lines += [f"  {report['nvml']}: GPU programs were not looked at"] if report["nvml"] else []
    lines += [f"  again in {report['wait_s']:.0f} s"] if report["wait_s"] else []
    lines += [f"  {CODES[report['verdict']]}"] if report["verdict"] in CODES else []
    return "\n".join(lines)


def gib(number: int) -> str:
    """Bytes as people say them."""
    return f"{number / GIB:.1f} GiB"
