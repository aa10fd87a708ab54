"""Records ↔ the bytes of a ring file: fixed-size slots, each with a checksum, so that a power cut costs one. Pure.

    slot 0          magic, version, size and number of slots, CRC32; the rest zero
    slot 1 … n      sequence (u64), length (u32), CRC32 over both and the payload, payload; the rest zero

Record `s` is in slot `1 + s % n`: the newest overwrites the oldest, nothing is ever moved, the file never grows.
All numbers are little-endian.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

MAGIC = b"GB10FLY\n"
VERSION = 1
HEADER = struct.Struct("<8sHII")
CRC = struct.Struct("<I")
SLOT = struct.Struct("<QI")


class RingError(ValueError):
    """These bytes are no ring, or one of another version."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The size of a ring: by default 15 minutes of one record a second in 0.9 MiB."""

    slot_bytes: int = 1024
    slots: int = 900

    @property
    def file_bytes(self) -> int:
        """The size of the whole file."""
        return (1 + self.slots) * self.slot_bytes

    @property
    def payload_bytes(self) -> int:
        """The longest payload."""
        return self.slot_bytes - SLOT.size - CRC.size

    def offset(self, sequence: int) -> int:
        """Where in the file a record is."""
        return (1 + sequence % self.slots) * self.slot_bytes


@dataclass(frozen=True, slots=True)
class Contents:
    """What a ring file holds: (sequence, payload), oldest first, and how many slots hold neither record nor zeros."""

    layout: Layout
    records: tuple[tuple[int, bytes], ...] = ()
    torn: int = 0
    end_is_torn: bool = False  # the slot after the newest record is torn: the last write was cut off


def header_bytes(layout: Layout) -> bytes:
    """The first slot."""
    head = HEADER.pack(MAGIC, VERSION, layout.slot_bytes, layout.slots)
    return (head + CRC.pack(zlib.crc32(head))).ljust(layout.slot_bytes, b"\0")


def slot_bytes(sequence: int, payload: bytes, layout: Layout) -> bytes:
    """The slot of a record; ValueError when the payload is too long for it."""
    if len(payload) > layout.payload_bytes:
        raise ValueError(f"a record of {len(payload)} bytes does not fit into {layout.payload_bytes}")
    head = SLOT.pack(sequence, len(payload))
    checksum = CRC.pack(zlib.crc32(payload, zlib.crc32(head)))
    return (head + checksum + payload).ljust(layout.slot_bytes, b"\0")


def contents(data: bytes) -> Contents:
    """A ring file, whole or cut off anywhere after its header; RingError when it is none of this version."""
    layout = read_header(data)
    records, torn = {}, set()
    for index in range(1, layout.slots + 1):
        slot = data[index * layout.slot_bytes : (index + 1) * layout.slot_bytes]
        record = read_slot(slot)
        if record and 1 + record[0] % layout.slots == index:
            records[record[0]] = record[1]
        elif slot.strip(b"\0"):
            torn.add(index)
    newest = max(records, default=-1)
    return Contents(layout, tuple(sorted(records.items())), len(torn), 1 + (newest + 1) % layout.slots in torn)


def read_header(data: bytes) -> Layout:
    """The layout that a file says it has."""
    if len(data) < HEADER.size + CRC.size:
        raise RingError("too short to be a flight recorder's file")
    magic, version, slot_size, slots = HEADER.unpack_from(data)
    if magic != MAGIC or CRC.unpack_from(data, HEADER.size)[0] != zlib.crc32(data[: HEADER.size]):
        raise RingError("not a flight recorder's file, or its head is damaged")
    if version != VERSION or slot_size <= SLOT.size + CRC.size or not slots:
        raise RingError(f"a flight recorder's file of version {version}; this program reads version {VERSION}")
    return Layout(slot_size, slots)


def read_slot(slot: bytes) -> tuple[int, bytes] | None:
    """The record in a slot, if a whole one is."""
    if len(slot) < SLOT.size + CRC.size:
        return None
    sequence, length = SLOT.unpack_from(slot)
    start = SLOT.size + CRC.size
    payload = slot[start : start + length]
    whole = len(payload) == length and length > 0
    checksum = zlib.crc32(payload, zlib.crc32(slot[: SLOT.size]))
    return (sequence, payload) if whole and CRC.unpack_from(slot, SLOT.size)[0] == checksum else None
