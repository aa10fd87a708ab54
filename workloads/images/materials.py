"""An image's packages → its bill of materials, CycloneDX 1.6 in JSON; the same image, the same bytes.

What no package manager knows is not in it: a program that was copied in, and what a wheel carries inside of itself.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

if TYPE_CHECKING:
    import datetime as dt

    from workloads.images.scan import Package, Scan


def bill(name: str, image: str, created: dt.datetime, scan: Scan) -> str:
    """The document, of the image called `name` with the id `image`, made at `created`."""
    made = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_OID, image))
    made.metadata.timestamp = created
    made.metadata.component = Component(
        name=name, version=image, type=ComponentType.CONTAINER, bom_ref=f"image:{image}"
    )  # fmt: skip
    for each in scan.packages:
        url = _url(each, scan.distribution)
        made.components.add(
            Component(name=each.name, version=each.version, type=ComponentType.LIBRARY, purl=url, bom_ref=str(url))
        )
    return str(JsonV1Dot6(made).output_as_string(indent=1))


def _url(package: Package, distribution: str) -> PackageURL:
    if package.kind == "deb":
        qualifiers = {"arch": package.architecture} if package.architecture else None
        return PackageURL("deb", distribution or None, package.name, package.version, qualifiers)
    return PackageURL("pypi", None, package.name, package.version)
