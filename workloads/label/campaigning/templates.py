"""Templates with slots, and values → sentences with exactly what is in them. Pure.

A slot is a label in braces: "{PARTY} pays {AMOUNT}." Offsets are counted while the text is put together, never looked
for afterwards. Another wording of a template, from whatever source, counts only when it has the same slots.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from workloads.errors import ConfigError, printable
from workloads.label.items import shown
from workloads.label.records import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

SLOT = re.compile(r"\{([A-Za-z][A-Za-z0-9_]{0,39})\}")
LONGEST = 1000  # characters; a rewording beyond it is no sentence any more


def load(file: Path, labels: Iterable[str]) -> list[str]:
    """The templates of a file, one a line, each once; raises ConfigError with every line that is none."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{file}: {printable(str(error))}", next_step="see campaign.synthetic.templates in project.toml."
        ) from None
    known, told, found = frozenset(labels), [], []
    for number, line in enumerate(map(str.strip, lines), 1):
        if line and not line.startswith("#"):
            fault = wrong(line, known)
            told += [f"line {number}: {fault}"] if fault else []
            found.append(line)
    if told or not found:
        raise ConfigError("\n  ".join([f"{file} cannot be used:", *(told or ["it has no template"])]))
    return list(dict.fromkeys(found))


def wrong(template: str, known: frozenset[str]) -> str:
    """Why this is no template; empty when it is one."""
    if unknown := sorted(set(SLOT.findall(template)) - known):
        return f"no values for {printable(', '.join(unknown))}: see campaign.synthetic.values"
    if re.search("[{}]", SLOT.sub("", template)):
        return "a brace that belongs to no slot"
    return "longer than a sentence" if len(template) > LONGEST else ""


def same_slots(template: str, reworded: str) -> bool:
    """Whether `reworded` has every slot of the template as often, no other brace, and words besides."""
    plain = SLOT.sub("", reworded)
    return (
        Counter(SLOT.findall(template)) == Counter(SLOT.findall(reworded))
        and not re.search("[{}]", plain)
        and any(letter.isalpha() for letter in plain)
        and len(reworded) <= LONGEST
    )


def filled(template: str, value: Callable[[str], str]) -> tuple[str, list[Span]]:
    """The template with a value in each slot, and where those stand; a slot without a value leaves no span."""
    text, spans, at = "", [], 0
    for slot in SLOT.finditer(template):
        text += shown(template[at : slot.start()])
        put = shown(value(slot[1])).strip()
        if put:
            spans.append(Span(start=len(text), end=len(text) + len(put), label=slot[1]))
        text, at = text + put, slot.end()
    return text + shown(template[at:]), spans
