"""Layers as dictionaries → a stream as `podman save` writes it."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

File = tuple[bytes, int]  # content, mode


def saved(*layers: dict[str, File], **config: Any) -> io.BytesIO:
    """An image of these layers, the lowest first, with `config` in Docker's settings; whiteouts by their names."""
    whole, names = io.BytesIO(), []
    with tarfile.open(fileobj=whole, mode="w") as outer:
        # The uppermost first: no engine promises an order.
        for number, layer in reversed(list(enumerate(layers))):
            content = io.BytesIO()
            with tarfile.open(fileobj=content, mode="w") as inner:
                for name, (data, mode) in layer.items():
                    _add(inner, name, data, mode)
            names.insert(0, f"{number}.tar")
            _add(outer, names[0], content.getvalue())
        _add(outer, "config.json", json.dumps({"config": {"User": "64000", **config}}).encode())
        _add(outer, "manifest.json", json.dumps([{"Config": "config.json", "Layers": names}]).encode())
    whole.seek(0)
    return whole


def _add(archive: tarfile.TarFile, name: str, data: bytes, mode: int = 0o644) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), mode
    archive.addfile(member, io.BytesIO(data))
