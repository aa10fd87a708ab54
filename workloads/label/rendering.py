"""A template of pages/ and what is to be shown → a page: one file that loads nothing. The loop's are made here."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from workloads.errors import printable
from workloads.label.progress import figure

FOLDER = "pages"


def page(template: str, **shown: Any) -> str:
    """The whole page; raises UndefinedError for a name that the template asks for and nobody gave."""
    return _environment().get_template(template).render(shown)


def shown_as_text(value: Any) -> Any:
    """Without what no page should hold: control characters of documents and servers, but for ends of lines."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "".join(each if each.isprintable() or each == "\n" else "?" for each in value)


def duration(seconds: float) -> str:
    """In the unit that fits: 42 s, 3.5 min, 5.2 h, 6.1 days."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("workloads.label", FOLDER),  # a folder here, a zipapp on hosts
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=shown_as_text,
    )
    found.globals["figure"] = figure
    found.filters["time"] = lambda at: f"{at:%Y-%m-%d %H:%M:%S} UTC"
    found.filters |= {"harmless": printable, "duration": duration}
    return found
