"""A project's labels.xml → Labelling: what it calls the text and the labels on it; checked before anything is sent.

Label Studio 1.23 takes a config whose labels are not those of the predictions, and shows nothing: so that is refused
here. HyperText is refused because it would show a document's text as HTML.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from workloads.errors import ConfigError, printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workloads.label.params import Params

TEXT = "$text"  # where a task's data hold the item's text
RUNS = {"HyperText", "ReactCode"}  # tags that show data as HTML, or run it


@dataclass(frozen=True)
class Labelling:
    """The config as it goes to the server, and the names that each marked stretch carries there."""

    xml: str
    control: str  # <Labels name="…">
    shown: str  # <Text name="…">


def load(params: Params) -> Labelling:
    """The file that the project names; raises ConfigError with every fault."""
    file = params.folder / params.publish.config
    try:
        xml = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: {printable(str(error))}", next_step="see publish.config in project.toml.") from None
    return parse(xml, params.labels, file)


def parse(xml: str, labels: list[str], file: Path) -> Labelling:
    """The text of labels.xml; raises ConfigError with every fault."""
    try:
        # The owner's own file; expat stops entities that grow (2.4.1) and reads none from outside.
        root = ET.fromstring(xml)  # noqa: S314
    except ET.ParseError as error:
        raise ConfigError(f"{file}: {printable(str(error))}", next_step="mend it; it must be XML.") from None
    if told := list(_faults(root, labels)):
        raise ConfigError("\n  ".join([f"{file} cannot be used:", *told]), next_step="mend it; nothing was sent.")
    text, control = _texts(root)[0], _controls(root)[0]
    return Labelling(xml=xml.strip(), control=control.attrib["name"], shown=text.attrib["name"])


def _texts(root: ET.Element) -> list[ET.Element]:
    return [tag for tag in root.iter("Text") if tag.get("value") == TEXT]


def _controls(root: ET.Element) -> list[ET.Element]:
    return list(root.iter("Labels"))


def _faults(root: ET.Element, labels: list[str]) -> Iterator[str]:
    for tag in root.iter():
        if tag.tag in RUNS:
            yield f"<{tag.tag}> would let a document's text act as a page of its own: use <Text>"
    texts, controls = _texts(root), _controls(root)
    if len(texts) != 1 or not texts[0].get("name"):
        yield f'expected one <Text name="…" value="{TEXT}"/>, found {len(texts)}'
    elif texts[0].get("valueType", "text") != "text":
        yield 'valueType: only "text"; a text from a document is never an address to fetch'
    if len(controls) != 1 or not controls[0].get("name"):
        yield f'expected one <Labels name="…" toName="…">, found {len(controls)}'
        return
    if len(texts) == 1 and controls[0].get("toName") != texts[0].get("name"):
        yield f"<Labels> marks {printable(str(controls[0].get('toName')))}, which is not the text's name"
    named = {str(tag.get("value")) for tag in controls[0].iter("Label")}
    if missing := sorted(set(labels) - named):
        yield f"labels of project.toml that it does not have: {', '.join(missing)}"
    if unknown := sorted(named - set(labels)):
        yield f"labels that project.toml does not have: {printable(', '.join(unknown))}"
