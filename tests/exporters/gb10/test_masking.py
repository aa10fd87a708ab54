"""Masking: what tells a machine from another is gone in every spelling, and its shape is still there."""

from __future__ import annotations

import base64
import ipaddress
import re
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from exporters.gb10.capture.masking import Masker, core, is_telling

HEX = "0123456789abcdef"
macs = st.lists(st.text(HEX, min_size=2, max_size=2), min_size=6, max_size=6).map(":".join)
uuids = st.uuids().map(str)
addresses = st.tuples(st.integers(1, 223), *[st.integers(0, 255)] * 3).map(lambda parts: ".".join(map(str, parts)))
serials = st.text(string.ascii_uppercase + string.digits, min_size=8, max_size=20)
hosts = st.from_regex(r"[a-z][a-z0-9]{3,8}-[a-z0-9]{4,8}", fullmatch=True)
spellings = st.sampled_from(
    [
        lambda value: value,
        str.upper,
        str.lower,
        core,
        lambda value: core(value).upper(),
        lambda value: "-".join(core(value)),
        lambda value: base64.b64encode(core(value).encode()).decode(),
        lambda value: core(value).encode().hex(),
    ]
)
sentences = st.lists(st.sampled_from(["power 43 W", "zone Normal", "MemTotal: 127600748 kB", '"temp" : 315', "P0"]))


def shape(text: str) -> str:
    """Letters, digits and separators, each as one sign."""
    return re.sub(r"[0-9a-fA-F]", "x", text)


def bare(text: str) -> str:
    """The text as somebody searches it who knows of separators and cases."""
    return re.sub(r"[^0-9a-z]", "", text.lower())


@given(st.sampled_from(["uuid", "mac"]), uuids, macs, sentences)
def test_hexadecimal_values_keep_their_shape(kind: str, uuid: str, mac: str, around: list[str]) -> None:
    """A UUID stays one of 8-4-4-4-12, a MAC one of six pairs; the words around them are untouched."""
    value = uuid if kind == "uuid" else mac
    assume(is_telling(value))
    text = "\n".join([*around, f"id = {value}", *around])
    masker = Masker()
    masker.learn(text)
    masked = masker.masked(text)
    (line,) = [line for line in masked.splitlines() if line.startswith("id = ")]
    assert shape(line) == shape(f"id = {value}")
    assert value not in masked
    assert masked.splitlines()[: len(around)] == around


@given(st.one_of(macs, uuids, serials, hosts), st.lists(spellings, min_size=1, max_size=6), sentences)
def test_nothing_of_a_known_value_is_left(value: str, ways: list, around: list[str]) -> None:  # type: ignore[type-arg]
    """Whatever the case, with separators or without, in base64 or hexadecimal: no spelling survives."""
    assume(is_telling(value))
    assume(core(value) not in bare(" ".join(around)))
    text = "".join(f"{words} <{way(value)}>\n" for way, words in zip(ways, [*around, *[""] * len(ways)], strict=False))
    masker = Masker([("known", value)])
    masker.learn(text)
    masked = masker.masked(text)
    assert core(value) not in bare(masked)
    for code in (core(value), core(value).upper()):
        assert base64.b64encode(code.encode()).decode().rstrip("=") not in masked
        assert code.encode().hex() not in masked.lower()


@given(st.one_of(macs, uuids, serials, hosts))
def test_one_value_has_one_mask(value: str) -> None:
    """All spellings of a value become spellings of one mask, so that what belonged together still does."""
    assume(is_telling(value))
    masker = Masker([("known", value)])
    first, second, third = masker.masked(f"{value} | {value.upper()} | {core(value)}").split(" | ")
    assert core(first) == core(second) == core(third) != core(value)


@given(serials)
def test_two_files_cannot_be_joined(serial: str) -> None:
    """Each masker draws a key of its own: two captures of one machine share no mask."""
    assume(is_telling(serial) and len(set(serial)) > 4)
    first, second = (Masker([("serial", serial)]).masked(serial) for _ in range(2))
    assert first != second


@given(addresses)
def test_addresses_stay_addresses(address: str) -> None:
    """An IPv4 address becomes another valid one with parts as long, in host names too; loopback and masks stay."""
    found = ipaddress.ip_address(address)
    text = f"from {address} to ip-{address.replace('.', '-')}.local"
    masker = Masker()
    masker.learn(text)
    masked = masker.masked(text)
    if found.is_loopback:
        assert masked == text
        return
    other = masked.split()[1]
    assert ipaddress.ip_address(other) != found
    assert [len(part) for part in other.split(".")] == [len(part) for part in address.split(".")]
    assert masked == f"from {other} to ip-{other.replace('.', '-')}.local"


@pytest.mark.parametrize(
    "text",
    [
        "GPU 0000000F:01:00.0 at 0000:01:00.1, 10de:2e12",
        "2026-11-21 12:34:56 580.159.03 6.17.0-1021-nvidia",
        "/dev/nvme0n1p2 / ext4 rw,relatime 0 0",
        'DGX_SERIAL_NUMBER="Not Specified"',
        "127.0.0.1 255.255.255.0 ::1",
        "Node 0, zone   Normal   5200   4100   2900   1800",
    ],
)
def test_what_tells_nothing_stays(text: str) -> None:
    """PCI addresses, versions, dates, counts and filler words are no identities."""
    masker = Masker([("host", "localhost"), ("host", "spark"), ("serial", "00000000")])
    masker.learn(text)
    assert masker.masked(text) == text


def test_serial_numbers_are_known_by_their_name() -> None:
    """What stands after `serial` is masked in every form that tools print, elsewhere in the text as well."""
    text = '"SerialNumber" : "S5XNNJ0R",\nSerial Number   : 1650223012\nserial=AB-12-CD\nlog: drive s5xnnj0r\n'
    masker = Masker()
    masker.learn(text)
    masked = masker.masked(text)
    assert not re.search(r"S5XNNJ0R|1650223012|AB-12-CD", masked, re.IGNORECASE)
    assert shape(re.sub(r"[A-Za-z]", "a", masked)) == shape(re.sub(r"[A-Za-z]", "a", text))


def test_ipv6_and_the_mac_within_it_are_masked() -> None:
    """A link-local address made of a MAC gives neither away."""
    text = "inet6 fe80::a8bb:ccff:fedd:ee0f link aa:bb:cc:dd:ee:0f"
    masker = Masker()
    masker.learn(text)
    assert not re.search("ccff|fedd|dd:ee|aa:bb", masker.masked(text))
