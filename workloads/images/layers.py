"""An image as `podman save` or `docker save` writes it → its settings and what each layer holds; one stream, read once.

Layers come in any order and are put on one another when the manifest is there. What is read of a file is its beginning:
MOST_READ bytes, and none of a binary's.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_READ = 1 << 20
MOST_JSON = 8 << 20
AT_ONCE = 1 << 20  # tarfile's own 10 KiB make a stream within a stream five times as slow
OPAQUE, GONE = ".wh..wh..opq", ".wh."  # image-spec, layer.md: a folder's older content, a file, is gone
KEPT = re.compile(r"(var/lib/dpkg/(status|status\.d/.+)|usr/lib/os-release|etc/os-release|.+\.dist-info/METADATA)")


class NotAnImageError(Exception):
    """The stream is no saved image, or ends too early."""


@dataclass(frozen=True)
class Entry:
    """One name in a layer. `text` is kept of what says which packages there are."""

    mode: int
    size: int
    text: str = ""

    @property
    def raises_rights(self) -> bool:
        """Whether it runs with its owner's or group's rights, whoever starts it."""
        return bool(self.mode & 0o6000)


@dataclass
class Layer:
    """What one layer adds and takes away; `found` is what `look` told of its files, path by path."""

    entries: dict[str, Entry] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    emptied: set[str] = field(default_factory=set)
    found: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Image:
    """The settings (Docker's config document) and the layers, the lowest first."""

    config: dict[str, Any]
    layers: list[Layer]


def read(stream: IO[bytes], look: Callable[[str, bytes], list[str]]) -> Image:
    """The image in `stream`; `look` is shown the beginning of each text file. Raises NotAnImageError."""
    layers: dict[str, Layer] = {}
    documents: dict[str, Any] = {}
    same: dict[str, str] = {}
    try:
        with tarfile.open(fileobj=stream, mode="r|*", bufsize=AT_ONCE) as outer:
            for member in outer:
                if member.issym() or member.islnk():
                    same[member.name] = member.linkname.removeprefix("../")
                elif member.isfile() and (opened := outer.extractfile(member)):
                    inner = io.BufferedReader(opened)  # type: ignore[type-var]  # a raw stream in all but name
                    if inner.peek(1)[:1] in {b"{", b"["}:
                        documents[member.name] = json.loads(inner.read(MOST_JSON))
                    elif member.size > tarfile.BLOCKSIZE:
                        layers[member.name] = _layer(inner, look)
        manifest = documents["manifest.json"][0]
        order = [same.get(name, name) for name in manifest["Layers"]]
        config = documents[same.get(manifest["Config"], manifest["Config"])]
        return Image(config, [layers[name] for name in order])
    except (tarfile.TarError, KeyError, IndexError, TypeError, ValueError, EOFError) as error:
        raise NotAnImageError(f"not a saved image: {error}") from None


def seen(layers: list[Layer]) -> dict[str, Entry]:
    """The files of a container: each layer takes away, then adds. Pure."""
    whole: dict[str, Entry] = {}
    for layer in layers:
        below = tuple(f"{name}/" if name else "" for name in (layer.gone | layer.emptied))
        if below:
            whole = {name: at for name, at in whole.items() if name not in layer.gone and not name.startswith(below)}
        whole |= layer.entries
    return whole


def _layer(stream: IO[bytes], look: Callable[[str, bytes], list[str]]) -> Layer:
    layer = Layer()
    with tarfile.open(fileobj=stream, mode="r|*", bufsize=AT_ONCE) as inner:
        for member in inner:
            name = member.name.removeprefix("./").strip("/")
            folder, _, last = name.rpartition("/")
            if last == OPAQUE:
                layer.emptied.add(folder)
            elif last.startswith(GONE):
                layer.gone.add(f"{folder}/{last.removeprefix(GONE)}".lstrip("/"))
            elif member.isfile() and (opened := inner.extractfile(member)):
                start = opened.read(MOST_READ)
                text = start + opened.read() if KEPT.fullmatch(name) else b""
                layer.entries[name] = Entry(member.mode, member.size, text.decode(errors="replace"))
                if b"\0" not in start[:4096]:
                    layer.found += [(name, each) for each in look(name, start)]
            elif member.islnk():
                linked = member.linkname.removeprefix("./").strip("/")
                layer.entries[name] = layer.entries.get(linked, Entry(member.mode, 0))
    return layer
