"""What was read → lines of a scenario, in the grammar of the simulator (lab/gb10: scenario.h, statements.py). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

END = ">>"


def call_line(name: str, answer: int | str) -> str:
    """One NVML call: its return code, or what it answered as the simulator writes it."""
    return f"{name} = error {answer}" if isinstance(answer, int) else f"{name} = {answer}"


def file_lines(path: str, text: str) -> str:
    """One file: a line, or a block where it has several, or signs that mean something in a scenario."""
    text = text.removesuffix("\n")
    plain = "\n" not in text and "#" not in text and text == text.strip() and not text.endswith("<<")
    if plain and not text.startswith(("ramp ", "steps ")) and " per_second " not in text and text != "absent":
        return f"{path} = {text}"
    return f"{path} = <<\n{block(text)}\n{END}"


def record_lines(records: Iterable[tuple[int, str]]) -> str:
    """Kernel records, each with its level; nothing without any."""
    found = [f"{level} {text}" for level, text in records]
    return f"kmsg += <<\n{block(chr(10).join(found))}\n{END}" if found else ""


def block(text: str) -> str:
    """The text, with no line that ends the block before its time."""
    return "\n".join(f"{line} " if line == END else line for line in text.split("\n"))


def head(facts: Mapping[str, str]) -> str:
    """Comment lines: what this file is and where it comes from."""
    title = "# a capture for sparkfleet: a scenario of its GB10 simulator; what tells a machine from another is masked"
    return "\n".join([title, *(f"# {name}: {' '.join(text.split())}" for name, text in facts.items())])
