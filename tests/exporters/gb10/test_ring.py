"""The ring's bytes: every record comes back, and whatever is done to the bytes, no record is invented or changed."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.gb10 import ring

LAYOUT = ring.Layout(slot_bytes=64, slots=7)
PAYLOADS = st.lists(st.binary(min_size=1, max_size=LAYOUT.payload_bytes), max_size=20)


def ring_of(payloads: list[bytes]) -> bytearray:
    """A ring file after these records."""
    data = bytearray(ring.header_bytes(LAYOUT).ljust(LAYOUT.file_bytes, b"\0"))
    for sequence, payload in enumerate(payloads):
        offset = LAYOUT.offset(sequence)
        data[offset : offset + LAYOUT.slot_bytes] = ring.slot_bytes(sequence, payload, LAYOUT)
    return data


@given(PAYLOADS)
def test_the_newest_records_come_back_in_order(payloads: list[bytes]) -> None:
    """As many as there are slots, oldest first; nothing is torn."""
    found = ring.contents(bytes(ring_of(payloads)))
    assert list(found.records) == list(enumerate(payloads))[-LAYOUT.slots :]
    assert (found.torn, found.end_is_torn, found.layout) == (0, False, LAYOUT)


@given(PAYLOADS, st.integers(0, LAYOUT.file_bytes))
def test_a_file_cut_off_anywhere_gives_what_is_whole(payloads: list[bytes], length: int) -> None:
    """Records of a truncated file are records that were written; a cut within the header is an error of its own."""
    try:
        found = ring.contents(bytes(ring_of(payloads)[:length]))
    except ring.RingError:
        assert length < ring.HEADER.size + ring.CRC.size
        return
    written = dict(enumerate(payloads))
    assert all(written[sequence] == payload for sequence, payload in found.records)
    whole = [s for s in list(written)[-LAYOUT.slots :] if LAYOUT.offset(s) + LAYOUT.slot_bytes <= length]
    assert set(whole) <= {sequence for sequence, _ in found.records}


@given(PAYLOADS, st.integers(0, LAYOUT.file_bytes - 1), st.integers(1, 255))
def test_one_damaged_byte_costs_at_most_one_record(payloads: list[bytes], place: int, mask: int) -> None:
    """The damaged record is left out and counted, the others come back unchanged."""
    data = ring_of(payloads)
    whole = ring.contents(bytes(data)).records
    data[place] ^= mask
    try:
        found = ring.contents(bytes(data))
    except ring.RingError:
        assert place < ring.HEADER.size + ring.CRC.size
        return
    assert set(found.records) <= set(whole)
    assert len(found.records) >= len(whole) - 1
    assert found.torn == (1 if place >= LAYOUT.slot_bytes and len(found.records) < len(whole) else found.torn)


def test_a_write_that_was_cut_off_is_seen_at_the_end() -> None:
    """Half a slot after the newest record: the end is torn, and the record that it was to replace is gone."""
    payloads = [b"%d" % number for number in range(10)]
    data = ring_of(payloads)
    offset = LAYOUT.offset(10)
    data[offset : offset + 20] = ring.slot_bytes(10, b"new and longer", LAYOUT)[:20]
    found = ring.contents(bytes(data))
    assert (found.torn, found.end_is_torn) == (1, True)
    assert [sequence for sequence, _ in found.records] == [4, 5, 6, 7, 8, 9]


def test_another_version_and_another_file_are_refused() -> None:
    """Each with its own words; a payload that does not fit is refused before it is written."""
    with pytest.raises(ring.RingError, match="not a flight recorder's file"):
        ring.contents(b"PNG" * 100)
    with pytest.raises(ring.RingError, match="too short"):
        ring.contents(b"")
    head = ring.HEADER.pack(ring.MAGIC, 9, 64, 7)
    with pytest.raises(ring.RingError, match="version 9"):
        ring.contents(head + ring.CRC.pack(zlib.crc32(head)))
    with pytest.raises(ValueError, match="does not fit"):
        ring.slot_bytes(1, b"x" * 60, LAYOUT)


def test_the_default_ring_is_less_than_a_mebibyte_and_ten_minutes_long() -> None:
    """At one record a second."""
    assert ring.Layout().file_bytes < 1 << 20
    assert ring.Layout().slots >= 600
