"""A package and the pure-Python libraries it needs → one zipapp, the same bytes each time. Nothing of it is imported.

    zipapp_bytes(checkout, "exporters.gb10", ["pynvml", "prometheus_client"], ["exporters.web"])

The result runs as `python3 -I FILE FLAGS`, which calls `main()` of the package's `__main__`. Entries are stored, not
compressed: bytes then do not depend on the version of zlib, and Python starts faster. Not for libraries with compiled
parts: such a file would be left out.
"""

from __future__ import annotations

import io
import zipfile
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING

from sparkfleet.errors import SparkfleetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OLDEST_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
PACKED = (".py", ".j2", ".css", ".toml")  # modules, the pages that they make, tables
NOT_PACKED = ("dashboards", "capture")
"""Folders of a package that are no part of the running program: they are for a desk, and need other libraries."""

UNIX = 3
FILE_0644 = 0o100644 << 16

MAIN = """\
import sys

from {package}.__main__ import main

sys.exit(main())
"""


def zipapp_bytes(folder: Path, package: str, libraries: Sequence[str], shared: Sequence[str] = ()) -> bytes:
    """The zipapp of `package` with packages that it shares (dotted names below `folder`) and installed `libraries`.

    SparkfleetError when one of them cannot be found.
    """
    entries = {"__main__.py": MAIN.format(package=package).encode()}
    for one in (package, *shared):
        entries.update(package_files(folder, one))
    if f"{package.replace('.', '/')}/__main__.py" not in entries:
        raise SparkfleetError(f"{package} holds no __main__.py", usually="the checkout is not complete")
    for library in libraries:
        entries.update(library_files(library))
        entries.update(licence_files(library))
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(entries):
            entry = zipfile.ZipInfo(name, OLDEST_ZIP_DATE)
            entry.create_system, entry.external_attr = UNIX, FILE_0644
            archive.writestr(entry, entries[name])
    return output.getvalue()


def package_files(folder: Path, package: str) -> dict[str, bytes]:
    """The modules and pages of `package`, and the `__init__.py` of each package around it."""
    place = folder.joinpath(*package.split("."))
    around = [parent / "__init__.py" for parent in place.parents if folder in parent.parents]
    inside = [
        path
        for kind in PACKED
        for path in place.rglob(f"*{kind}")
        if path.relative_to(place).parts[0] not in NOT_PACKED
    ]
    files = [*(path for path in around if path.is_file()), *inside]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def library_files(library: str) -> dict[str, bytes]:
    """The modules of an installed library."""
    spec = util.find_spec(library)  # finds a top-level module without importing it
    if spec is None or spec.origin is None:
        raise SparkfleetError(
            f"the library {library} is not installed here", next_step="pip install -r requirements/controller.txt"
        )
    origin = Path(spec.origin)
    if not spec.submodule_search_locations:
        return {origin.name: origin.read_bytes()}
    site = origin.parent.parent
    return {path.relative_to(site).as_posix(): path.read_bytes() for path in origin.parent.rglob("*.py")}


def licence_files(library: str) -> dict[str, bytes]:
    """The licence texts that the library's distribution carries: whoever copies it copies them too.

    Not under *.dist-info: half a dist-info folder on Python's path breaks importlib.metadata.
    """
    found = {}
    for distribution in distributions(library):
        for file in distribution.files or ():
            is_licence = file.name.upper().startswith(("LICENSE", "LICENCE", "COPYING", "NOTICE"))
            if is_licence and ".dist-info" in file.parts[0]:
                found[f"licences/{library}/{file.name}"] = Path(str(distribution.locate_file(file))).read_bytes()
    return found


def distributions(library: str) -> Iterator[metadata.Distribution]:
    """The distributions that install a top-level module of this name."""
    for distribution in metadata.distributions():
        if library in (distribution.read_text("top_level.txt") or "").split():
            yield distribution
