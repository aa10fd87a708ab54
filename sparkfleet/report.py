"""A template of sparkfleet/pages and what it shows → one self-contained HTML page; the one HTML renderer.

A page loads nothing and runs nothing: a content security policy in it says so to the browser too. Every value is
escaped; only what `drawing` wraps is taken as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

PAGES = Path(__file__).resolve().parent / "pages"


def render(template: str, **shown: Any) -> str:
    """The page; a name that the template uses and nobody gave is an error."""
    return _environment().get_template(template).render(shown)


def drawing(svg: str) -> Markup:
    """An SVG that our own code drew, whose texts are escaped already."""
    return Markup(svg)  # noqa: S704  (plots.py is where it comes from)


def link(url: str) -> str | None:
    """The same when a reader can follow it safely: a `javascript:` URL in an annotation must not become a link."""
    try:
        return url if urlsplit(url).scheme in {"http", "https"} else None
    except ValueError:
        return None


def _environment() -> Environment:
    found = Environment(
        loader=FileSystemLoader(PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters["link"] = link
    return found
