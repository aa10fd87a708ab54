"""A Docling document → parts: paragraphs, headings and tables in reading order, nothing of it left out or twice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from docling_core.types.doc import (
    ContentLayer,
    DoclingDocument,
    GroupItem,
    InlineGroup,
    ListItem,
    NodeItem,
    TableItem,
    TextItem,
)

from workloads.label.converting.messages import Part

if TYPE_CHECKING:
    from docling_core.types.doc import TableData

# What stands before the first heading of an HTML page is "furniture" to Docling, and so is a letterhead.
LAYERS = {ContentLayer.BODY, ContentLayer.FURNITURE, ContentLayer.NOTES}
BEFORE_MARK = re.compile(r"\s+([,.;:!?)\]])")


def parts(document: DoclingDocument) -> list[Part]:
    """Every text item and table once; pages as Docling numbers them, 0 where there are none."""
    found: list[Part] = []
    line: NodeItem | None = None  # the inline group whose pieces are being put together
    for item, _ in document.iterate_items(included_content_layers=LAYERS):
        if isinstance(item, TableItem):
            found.append(_table(item, document, _page(item)))
        elif isinstance(item, TextItem) and item.text.strip() and not _in_table(item, document):
            parent = item.parent.resolve(document) if item.parent else None
            if isinstance(parent, InlineGroup) and parent is line:
                joined = BEFORE_MARK.sub(r"\1", f"{found[-1].text} {item.text}")
                found[-1] = found[-1].model_copy(update={"text": joined})
                continue
            line = parent if isinstance(parent, InlineGroup) else None
            found.append(Part(kind=item.label.value, text=_marked(item), page=_page(item)))
    return found


def _marked(item: TextItem) -> str:
    marker = item.marker if isinstance(item, ListItem) else ""
    return f"{marker} {item.text}" if marker and not item.text.startswith(marker) else item.text


def _table(item: TableItem, document: DoclingDocument, page: int) -> Part:
    cells = [[_cell(cell, document) for cell in row] for row in item.data.grid]
    return Part(kind="table", text="\n".join(_rows(item.data, cells)), page=page, cells=cells)


def _cell(cell: object, document: DoclingDocument) -> str:
    text = cell._get_text(doc=document) if hasattr(cell, "_get_text") else getattr(cell, "text", "")  # noqa: SLF001
    return " ".join(str(text).split())


def _rows(data: TableData, cells: list[list[str]]) -> list[str]:
    """A line a row; a cell that spans several is said once."""
    told = []
    for row, (grid, texts) in enumerate(zip(data.grid, cells, strict=True)):
        own = [
            text
            for column, (cell, text) in enumerate(zip(grid, texts, strict=True))
            if text and (cell.start_row_offset_idx, cell.start_col_offset_idx) == (row, column)
        ]
        told += [" | ".join(own)] if own else []
    return told


def _in_table(item: TextItem, document: DoclingDocument) -> bool:
    """Whether it is a cell's content, which the table has said already; a caption is not."""
    node: NodeItem = item
    through = False
    while node.parent is not None:
        node = node.parent.resolve(document)
        if isinstance(node, TableItem):
            return through or item.get_ref() not in node.captions + node.footnotes
        through |= isinstance(node, GroupItem)
    return False


def _page(item: TextItem | TableItem) -> int:
    return item.prov[0].page_no if item.prov else 0
