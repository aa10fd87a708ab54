"""A scenario's text → the files, links and kernel records that it describes. Pure; NVML's lines are the library's.

    PATH = TEXT                one line of a file; PATH begins with sys/, proc/, root/ or tools/
    PATH = <<                  a file of several lines, as they stand, up to a line `>>` of its own
    PATH[KEY] = TEXT           in a file that stands above: TEXT follows KEY on its line (`KEY: `, `KEY : ` likewise)
    PATH -> TARGET             a symbolic link, relative and within the tree, as sysfs has them
    PATH = absent              what lines above have there, file, link or folder, is not
    kmsg += [after S] [every S] LEVEL TEXT     a record of the kernel log, once or again and again; LEVEL 0-7
    fill NAME MEBIBYTES PERCENT                a file system at FOLDER/NAME that is so full (disk.py)
    kmsg += <<                 several records, a line each, up to `>>`

Outside of blocks `#` begins a comment. A later line replaces an earlier one. TEXT may move (moving.py). sys/ and proc/
are the machine's, root/ the rest of its file system (/etc), tools/NAME what the program NAME prints (tools.py).
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath

TREES = ("sys", "proc", "root", "tools")
ABSENT = "absent"
FILE = re.compile(r"(?P<path>[^=\[]+?)\s*(?:\[(?P<key>[^\]]+)\]\s*)?=\s*(?P<text>.*)")
LINK = re.compile(r"(?P<path>\S+)\s*->\s*(?P<target>\S+)")
RECORD = re.compile(
    r"kmsg \+=(?: after (?P<after>\d+(?:\.\d+)?))?(?: every (?P<every>\d+(?:\.\d+)?))? (?P<level>[0-7]) (?P<text>.+)"
)
FILL = re.compile(r"fill (?P<name>[a-z][a-z0-9-]*) (?P<mebibytes>\d{1,3}) (?P<percent>\S.*)")


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the kernel log: due `after_s` into the scenario, then every `every_s` (0: once)."""

    text: str
    level: int
    after_s: float = 0.0
    every_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Fill:
    """A file system and how full it is; `percent` may move."""

    name: str
    mebibytes: int
    percent: str


@dataclass(frozen=True, slots=True)
class Statements:
    """What a scenario describes besides NVML; paths as `sys/class/…`, contents without the last newline."""

    files: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)


def statements(text: str) -> Statements:
    """What the text says; ValueError names a line that leads out of its tree, or that is not understood."""
    found = Statements()
    lines = iter(text.split("\n"))
    for line in lines:
        statement = line.split("#", 1)[0].strip()
        if statement == "kmsg += <<":
            found.records.extend(record(f"kmsg += {each}") for each in block(lines).splitlines())
        elif fill := FILL.fullmatch(statement):
            found.fills.append(Fill(fill["name"], int(fill["mebibytes"]), fill["percent"]))
        elif statement.startswith("kmsg "):
            found.records.append(record(statement))
        elif statement.startswith(tuple(f"{tree}/" for tree in TREES)):
            if statement.endswith("= <<"):
                found.files[within_tree(statement.removesuffix("= <<"), statement)] = block(lines)
            elif link := LINK.fullmatch(statement):
                found.links[within_tree(link["path"], statement)] = target(link["path"], link["target"])
            else:
                put(found, statement)
    return found


def record(statement: str) -> Record:
    """A `kmsg` line."""
    match = RECORD.fullmatch(statement)
    if not match:
        raise ValueError(f"not a record of the kernel log: {statement!r}")
    return Record(match["text"], int(match["level"]), float(match["after"] or 0), float(match["every"] or 0))


def block(lines: object) -> str:
    """The lines up to `>>`."""
    found = []
    for line in lines:  # type: ignore[attr-defined]  # an iterator that the caller goes on with
        if line == ">>":
            break
        found.append(line)
    return "\n".join(found)


def put(found: Statements, statement: str) -> None:
    """A line about a file, or about one line of a file."""
    match = FILE.fullmatch(statement)
    if not match:
        raise ValueError(f"not understood: {statement!r}")
    path, key, text = within_tree(match["path"], statement), match["key"], match["text"]
    files = found.files
    if key is None and text == ABSENT:
        for known in (files, found.links):
            for gone in [each for each in known if each == path or each.startswith(f"{path}/")]:
                del known[gone]
        return
    if key is None:
        files[path] = text
        return
    line_of_key = re.compile(rf"^([ \t]*{re.escape(key)}[ \t]*:?[ \t]+).*$", flags=re.MULTILINE)
    changed, count = line_of_key.subn(lambda line: line[1] + text, files.get(path, ""))
    if not count:
        raise ValueError(f"there is no such line to change: {statement!r}")
    files[path] = changed


def within_tree(path: str, statement: str) -> str:
    """The path, if it stays below its tree."""
    name = PurePosixPath(path.strip())
    if name.is_absolute() or ".." in name.parts or len(name.parts) < 2:
        raise ValueError(f"not a path below {', '.join(TREES)}: {statement!r}")
    return str(name)


def target(path: str, to: str) -> str:
    """A link's target, if it is relative and stays within the tree of the link."""
    tree = path.split("/", 1)[0]
    lands = posixpath.normpath(posixpath.join(posixpath.dirname(path), to))
    if to.startswith("/") or not lands.startswith(f"{tree}/"):
        raise ValueError(f"a link out of its tree: {path} -> {to}")
    return to
