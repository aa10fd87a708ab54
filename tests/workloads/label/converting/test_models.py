"""What needs models: Docling's backends, its standard pipeline and a vision model, with the lab's tiny ones."""

from __future__ import annotations

import http.server
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from lab import models, shell
from tests.workloads.label.converting import documents
from tests.workloads.label.converting.conftest import label_python

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.workloads.label.converting.conftest import Archive

PAGE = """<html><head><title>A lease</title><script>alert("mine")</script><style>p {}</style></head><body>
Before any heading <img src="http://192.0.2.1/x.png"><iframe src="file:///etc/passwd"></iframe>
<h1>Lease</h1><p>Acme <b>GmbH</b>, of Bonn.</p>
<table><tr><th>due</th><th>rent</th></tr><tr><td>1 May</td><td>500</td></tr></table>
<p>&lt;script&gt;shown&lt;/script&gt;</p></body></html>"""
CELLS = """
import json, sys, pyarrow.dataset
table = pyarrow.dataset.dataset(sys.argv[1], partitioning="hive").to_table()
rows = {}
for each in table.sort_by([(name, "ascending") for name in ("document", "part", "row", "column")]).to_pylist():
    rows.setdefault((each["document"], each["part"], each["row"]), []).append(each["text"])
print(json.dumps(list(rows.values())))
"""
VISION = "This lease was read from a picture and binds Acme GmbH."  # what the lab's model says of every picture
DOCTAGS = "<doctag><text><loc_1><loc_1><loc_9><loc_9>The endpoint has read page {page}.</text></doctag>"


@pytest.fixture(scope="module")
def artifacts() -> Path:
    """The lab's models."""
    return models.ensure(names=("layout", "vision"))


def test_structure_survives_docling_and_the_models(archive: Callable[..., Archive], artifacts: Path) -> None:
    """Cells, list marks and runs of text are whole; a page goes to the vision model only if it is a picture."""
    project = archive(artifacts, layout=True, scanned="vision", workers=1)
    project.put(
        page__html=PAGE.encode(),
        lease__docx=documents.docx("Acme rents to Ada.", table=[["due", "rent"], ["1 May", "500"]]),
        mixed__pdf=documents.pdf(["The first page has words enough."], documents.PICTURE_ONLY),
    )
    project.convert()
    assert not project.aside()
    assert project.text("page.html").split("\n\n")[1:] == [
        "Before any heading", "Lease", "Acme GmbH, of Bonn.", "due | rent\n1 May | 500", "<script>shown</script>\n",
    ]  # fmt: skip
    assert project.text("lease.docx") == "Acme rents to Ada.\n\ndue | rent\n1 May | 500\n"
    assert project.text("mixed.pdf") == f"The first page has words enough.\n\n{VISION}\n"
    mixed = project.converted()["mixed.pdf"]
    assert (mixed.backend, mixed.pages, mixed.read_pages) == ("docling-layout+granite-docling", 2, 1)
    assert cells(project) == [["due", "rent"], ["1 May", "500"]] * 2


def cells(project: Archive) -> list[list[str]]:
    """Every table's cells, as a notebook reads them from Parquet."""
    return list(json.loads(shell.run(label_python(), "-c", CELLS, project.work.path("parquet", "cells"))))


class Endpoint(http.server.BaseHTTPRequestHandler):
    """An OpenAI-compatible server that is busy at first, cut short on the second page, and fine on the others."""

    asked: list[dict[str, Any]] = []  # noqa: RUF012  (one test, one server)

    def do_POST(self) -> None:
        """One page."""
        self.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        number = len(self.asked)
        if number == 1:
            self.send_error(503)
            return
        choice = {
            "finish_reason": "length" if number == 2 else "stop",
            "message": {"content": DOCTAGS.format(page=number)},
        }
        data = json.dumps({"choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    """Its address."""
    Endpoint.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/chat/completions"
        server.shutdown()


def test_an_endpoint_reads_scans_and_one_cut_short_page_costs_itself(
    archive: Callable[..., Archive], endpoint: str
) -> None:
    """Asked again when it is busy; what does not come to an end is told, the other pages are text."""
    project = archive(scanned="endpoint", endpoint=endpoint, workers=1)
    project.put(scan__pdf=documents.pdf(*[documents.PICTURE_ONLY] * 3))
    report = project.convert()["report"]
    scan = project.converted()["scan.pdf"]
    assert scan.partial
    assert [note for note in scan.notes if "did not come to an end" in note]
    assert project.text("scan.pdf").count("The endpoint has read page") == 2
    assert scan.read_pages == 2
    assert len(Endpoint.asked) == 4
    assert Endpoint.asked[0]["messages"][0]["content"][0]["image_url"]["url"].startswith("data:image/png;base64,")
    assert report["not_contained"] is None
