"""A host's grub.cfg and grubenv → the kernel that it will boot next, with its initramfs and command line. Pure.

Reads what grub-mkconfig writes: one `set default=…`, menu entries in submenus. Whatever it does not understand is an
error, never a guess: who asks is about to reboot the machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

TITLE = re.compile(r"""^(menuentry|submenu)\s+(?:'([^']*)'|"([^"]*)")(.*)\{$""")
ID = re.compile(r"""\$menuentry_id_option\s+(?:'([^']*)'|"([^"]*)")|--id[= ]+(?:'([^']*)'|"([^"]*)"|(\S+))""")
DEFAULT = re.compile(r"""^set default=(?:"([^"]*)"|'([^']*)'|(\S*))$""")
KERNEL = re.compile(r"(?:.*/)?(?:vmlinuz|vmlinux|kernel|Image)-(?P<release>[A-Za-z0-9][A-Za-z0-9._+~-]*)")
NEXT, SAVED = "${next_entry}", "${saved_entry}"


@dataclass
class Entry:
    """One line of the menu; a submenu has entries of its own."""

    title: str
    id: str = ""
    entries: list[Entry] = field(default_factory=list)
    submenu: bool = False
    linux: list[str] = field(default_factory=list)
    initrd: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Target:
    """What boots next: kernel release, file names below /boot, the kernel's command line."""

    title: str
    kernel: str
    image: str
    initrd: str
    cmdline: str


def target(grub_cfg: str, grubenv: str) -> Target:
    """The entry that GRUB takes when nobody touches the keyboard; raises ValueError, in words, when that is unclear."""
    menu, defaults = _parsed(grub_cfg)
    if not menu:
        raise ValueError("grub.cfg has no menu entry")
    chosen = _resolved(menu, _default(defaults, environment(grubenv)))
    if not chosen.linux:
        raise ValueError(f"the entry {chosen.title!r} loads no kernel")
    found = KERNEL.fullmatch(chosen.linux[0])
    if not found:
        raise ValueError(f"the entry {chosen.title!r} loads {chosen.linux[0]!r}, whose name tells no release")
    names = [path.rpartition("/")[2] for path in (chosen.linux[0], *chosen.initrd[-1:])]
    initrd = names[1] if chosen.initrd else ""
    return Target(chosen.title, found["release"], names[0], initrd, " ".join(chosen.linux[1:]))


def environment(grubenv: str) -> dict[str, str]:
    """The variables that GRUB keeps from boot to boot."""
    rows = (line.partition("=") for line in grubenv.splitlines() if not line.startswith("#"))
    return {name: value for name, found, value in rows if found}


def _default(defaults: list[str], kept: dict[str, str]) -> str:
    """The entry by its number, id or title; what `grub-reboot` asked for comes first, and once."""
    if kept.get("next_entry") and NEXT in defaults:
        return kept["next_entry"]
    told = [value for value in defaults if value != NEXT]
    if len(set(told)) > 1:
        raise ValueError(f"grub.cfg sets more than one default: {', '.join(told)}")
    value = told[0] if told else "0"
    if value == SAVED:
        value = kept.get("saved_entry") or "0"
    if "$" in value:
        raise ValueError(f"grub.cfg's default is computed: {value}")
    return value or "0"


def _resolved(menu: list[Entry], name: str) -> Entry:
    """The entry that a default names: "0", "1>2", an id, a title; a submenu leads to its first."""
    entries, found = menu, None
    for part in name.split(">"):
        if found is not None and not found.submenu:
            raise ValueError(f"the default {name!r} goes through an entry that is no submenu")
        found = _named(entries, part)
        if found is None:
            raise ValueError(f"the default {name!r} names no entry of the menu")
        entries = found.entries
    assert found is not None  # noqa: S101  (split gives at least one part)
    while found.submenu:
        if not found.entries:
            raise ValueError(f"the submenu {found.title!r} is empty")
        found = found.entries[0]
    return found


def _named(entries: list[Entry], part: str) -> Entry | None:
    if part.isdigit():
        return entries[int(part)] if int(part) < len(entries) else None
    return next((entry for entry in entries if part in (entry.id, entry.title)), None)


def _parsed(text: str) -> tuple[list[Entry], list[str]]:
    """The menu and every value that the default is set to, in order; raises ValueError for unbalanced braces."""
    menu: list[Entry] = []
    defaults: list[str] = []
    open_: list[Entry | None] = []  # None: a function's body, or another block
    for raw in text.splitlines():
        line = raw.strip()
        inside = [entry for entry in open_ if entry is not None]
        if head := TITLE.match(line):
            entry = Entry(head[2] or head[3] or "", _id(head[4]), submenu=head[1] == "submenu")
            (inside[-1].entries if inside else menu).append(entry)
            open_.append(entry)
        elif line == "}":
            if not open_:
                raise ValueError("grub.cfg closes a brace that it never opened")
            open_.pop()
        elif line.endswith("{"):
            open_.append(None)
        elif (found := DEFAULT.match(line)) and not open_:
            defaults.append(found[1] or found[2] or found[3] or "")
        elif inside:
            _command(inside[-1], line.split())
    if open_:
        raise ValueError("grub.cfg ends within an entry")
    return menu, defaults


def _command(entry: Entry, words: list[str]) -> None:
    if words and words[0] in {"linux", "linuxefi", "linux16"}:
        entry.linux = words[1:]
    elif words and words[0] in {"initrd", "initrdefi", "initrd16"}:
        entry.initrd = words[1:]


def _id(rest: str) -> str:
    found = ID.search(rest)
    return next((group for group in found.groups() if group), "") if found else ""
