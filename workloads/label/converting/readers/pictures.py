"""A picture file → how many pages it has (TIFF may have several), and each as a PNG file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, UnidentifiedImageError

from workloads.label.converting.formats import RefusedError
from workloads.label.records import Why

if TYPE_CHECKING:
    from pathlib import Path

MOST_FRAMES = 2000
MOST_DOTS = 100_000_000  # A4 at 600 dpi has 35 million


def frames(file: Path) -> int:
    """Raises RefusedError for what is no picture, or too large to be one of a page."""
    with _opened(file) as picture:
        if picture.width * picture.height > MOST_DOTS:
            raise RefusedError(Why.HOSTILE, f"a picture of {picture.width} x {picture.height} dots")
        return min(int(getattr(picture, "n_frames", 1)), MOST_FRAMES)


def split(file: Path, first: int, last: int) -> list[str]:
    """Names of PNG files beside it, one a page."""
    names = []
    with _opened(file) as picture:
        for page in range(first, last + 1):
            picture.seek(page - 1)
            names.append(f"page-{page}.png")
            picture.convert("RGB").save(file.with_name(names[-1]))
    return names


def _opened(file: Path) -> Image.Image:
    Image.MAX_IMAGE_PIXELS = 2 * MOST_DOTS  # our own limit is told in words; beyond twice as much PIL refuses
    try:
        return Image.open(file)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError) as error:
        raise RefusedError(Why.UNREADABLE, f"a picture that cannot be opened: {error}") from None
