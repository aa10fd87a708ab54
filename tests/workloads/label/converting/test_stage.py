"""What lies in an archive ends as text or in quarantine, once, with the reason; read without models, so in seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.workloads.label.converting import documents
from tests.workloads.label.converting.kills import itself, kill_when, no_worker_lives, workers
from workloads.label.records import Why

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.workloads.label.converting.conftest import Archive

LEASE = ["This lease is made between Acme GmbH and Ada.", "", "The rent is EUR 500 (monthly)."]
GOOD = documents.pdf(LEASE, ["The term is 24 months."])
ENTITIES = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>words &x;</a>'
FILES = {
    "two__pdf": GOOD,
    "called__docx": documents.pdf(["A PDF whose name says that it is something else."]),
    "half_scan__pdf": documents.pdf(LEASE, documents.PICTURE_ONLY),
    "long__pdf": documents.pdf(*([f"Page {n} of a long agreement."] for n in range(1, 301))),
    "latin__txt": "Müller zahlt 5 € an das Café Größe, fällig am Fünften.".encode("cp1252"),
    "wide__txt": "Vertrag über Öl".encode("utf-16"),
    "rows__csv": b"name;n;zip;at\nAnn;1;00123;2024-03-01\n=cmd|' /C calc'!A0;2;00124;2024-03-02\nx;y\n",
    "quoted__csv": b'a,b\n"one\ntwo",2\n',
    "empty__pdf": b"",
    "cut__pdf": GOOD[: len(GOOD) // 3],
    "noise__pdf": b"%PDF-1.7\n" + bytes(range(256)) * 20,
    "noise__bin": bytes(range(256)) * 20,
    "scan__pdf": documents.pdf(documents.PICTURE_ONLY),
    "blank__pdf": documents.pdf(b" "),
    "bomb__docx": documents.docx("words", extra=[("word/media/a.bin", b"\0" * (80 << 20))]),
    "slip__docx": documents.docx("words", extra=[("../../../etc/cron.d/mine", b"* * * * * root true")]),
    "entities__svg": ENTITIES,
    "plain__zip": documents.packed([("a.txt", b"words")]),
    "old__doc": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4096),
    "locked__docx": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512) + "EncryptedPackage".encode("utf-16-le"),
    "secret__pdf": documents.locked_pdf(b"secret", LEASE),
    "guarded__pdf": documents.locked_pdf(b"", LEASE),
    "garbled__txt": b"words \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
}
ASIDE = {
    "empty.pdf": Why.EMPTY, "cut.pdf": Why.UNREADABLE, "noise.pdf": Why.UNREADABLE, "noise.bin": Why.UNKNOWN,
    "scan.pdf": Why.EMPTY, "blank.pdf": Why.EMPTY, "bomb.docx": Why.HOSTILE, "slip.docx": Why.HOSTILE,
    "entities.svg": Why.HOSTILE, "plain.zip": Why.UNKNOWN, "old.doc": Why.UNKNOWN, "locked.docx": Why.PASSWORD,
    "secret.pdf": Why.PASSWORD, "garbled.txt": Why.POOR,
}  # fmt: skip


@pytest.mark.usefixtures("label_environment")
def test_every_document_ends_as_text_or_in_quarantine_with_the_reason(archive: Callable[..., Archive]) -> None:
    """Good, broken and hostile files: each has one record, says why, and keeps the words that it has."""
    project = archive()
    project.put(**FILES)
    report = project.convert()["report"]
    assert {name: each.why for name, each in project.aside().items()} == ASIDE
    assert project.converted().keys() == {name.replace("__", ".") for name in FILES} - ASIDE.keys()
    assert set(project.ends().values()) == {1}
    assert report["not_contained"] is None
    assert "The rent is EUR 500 (monthly)." in project.text("two.pdf")
    assert "The rent is EUR 500 (monthly)." in project.text("guarded.pdf")
    assert "something else" in project.text("called.docx")
    assert "fällig am Fünften" in project.text("latin.txt")
    assert project.text("wide.txt") == "Vertrag über Öl\n"
    assert "=cmd|' /C calc'!A0 | 2 | 00124" in project.text("rows.csv")
    assert "x;y" in project.text("rows.csv")
    assert "one\ntwo" in project.text("quoted.csv")
    half = project.converted()["half_scan.pdf"]
    assert half.partial
    assert half.notes == ['page 2: empty: a picture of text, and convert.scanned is "skip"']
    pages = [f"Page {number} of a long agreement." for number in range(1, 301)]
    assert project.text("long.pdf").split("\n\n") == [*pages[:-1], f"{pages[-1]}\n"]
    assert project.convert()["report"]["new"] == 0
    assert not list(project.work.path("slices").glob("*"))
    assert not project.work.path("scratch").exists()


@pytest.mark.usefixtures("label_environment")
def test_killed_workers_and_killed_runs_lose_nothing_and_do_nothing_twice(archive: Callable[..., Archive]) -> None:
    """Kill -9 of a worker, then of the run with another one on its way; the next run ends with one record each."""
    project = archive(slice_pages=5)
    files = {f"d{number}__pdf": documents.pdf(*([f"{number} on page {n}."] for n in range(40))) for number in range(4)}
    project.put(**files)
    for victim in (itself, workers):
        process = project.start()
        assert kill_when(process, lambda: len(list(project.work.path("slices").glob("*/*.json"))) > 2, victim)
        process.communicate()
    assert no_worker_lives(project)
    assert "report" in project.convert()
    assert set(project.ends().values()) == {1}
    assert project.ends().total() == len(files)
    for name in files:
        pages = [f"{name[1]} on page {n}." for n in range(40)]
        assert project.text(name.replace("__", ".")).split() == " ".join(pages).split()


@pytest.mark.usefixtures("label_environment")
def test_what_changed_since_it_was_fetched_waits_for_the_next_fetch(archive: Callable[..., Archive]) -> None:
    """A document is its content: another one under its name is not taken for it, a missing one is no fault."""
    project = archive()
    project.put(stays__txt=b"This one stays.", changes__txt=b"This one changes.", goes__txt=b"This one goes.")
    project.fetch()
    (project.folder / "documents/changes.txt").write_bytes(b"This one has changed.")
    (project.folder / "documents/goes.txt").unlink()
    report = project.convert()["report"]
    assert report["not_there"] == 2
    assert project.converted().keys() == {"stays.txt"}
    assert not project.aside()

    project.fetch()
    project.convert()
    assert "has changed" in project.text("changes.txt")
    assert not project.aside()


@pytest.mark.usefixtures("label_environment")
def test_missing_models_are_told_before_anything_is_converted(archive: Callable[..., Archive]) -> None:
    """Every file by its path, and not one record."""
    project = archive(layout=True, scanned="vision")
    project.put(good__pdf=GOOD, scan__pdf=documents.pdf(documents.PICTURE_ONLY))
    error = project.convert()["error"]
    assert "docling-project--docling-layout-heron/model.safetensors" in error["what"]
    assert "ibm-granite--granite-docling-258M/config.json" in error["what"]
    assert not project.ends()


@pytest.mark.usefixtures("label_environment")
def test_other_settings_try_again_what_is_in_quarantine(archive: Callable[..., Archive]) -> None:
    """Too large under one limit, converted under the next; the quarantine does not keep it."""
    project = archive(max_bytes=100)
    project.put(good__pdf=GOOD)
    project.convert()
    assert project.aside()["good.pdf"].why == Why.HOSTILE
    project.describe(max_bytes=1 << 20)
    project.convert()
    assert project.ends() == {"good.pdf": 1}
    assert "24 months" in project.text("good.pdf")
