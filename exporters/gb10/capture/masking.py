"""Text with serial numbers, addresses and names → the same text, each of them replaced by one of its own shape. Pure.

A digit becomes a digit, a letter a letter of its case, a hexadecimal number another one, separators stay. The same
value has the same mask in all its spellings within one `Masker`, whose key is drawn anew for each file and not kept:
nobody can go back, and two files cannot be joined.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import re
import secrets
import string
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

HEX = "0123456789abcdef"
SEPARATORS = "-:._ "
SHORTEST = 3
WITHIN_WORDS = 6  # characters from which on a value is masked within longer words too

# Words that tell nothing of a machine, though it may be called so, or have them where a serial number belongs.
HARMLESS = re.compile(
    "localhost|localdomain|spark|dgx|gb10|nvidia|ubuntu|debian|linux|host|server|root|user|default|unknown|simulated"
    "|none|null|invalid|not(specified|applicable|available)|tobefilledbyoem|defaultstring|systemserialnumber"
)
PATTERNS = {
    "uuid": re.compile(r"(?<![0-9a-f])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f])", re.IGNORECASE),
    "mac": re.compile(
        r"(?<![0-9a-f:-])[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4,6}(?![0-9a-f:-])", re.IGNORECASE
    ),
    "id": re.compile(r"(?<![0-9a-z])(?:eui\.|nqn\.|wwn-0x|naa\.)?[0-9a-f]{32,}(?![0-9a-z])", re.IGNORECASE),
    "eui": re.compile(r"(?<=eui\.)[0-9a-f]{16}(?![0-9a-f])", re.IGNORECASE),
    "serial": re.compile(
        r"""serial(?:[ _-]?(?:number|no))?["']?\s*[:=]\s*["']?([a-z0-9][a-z0-9/._-]{3,})""", re.IGNORECASE
    ),
    "chip": re.compile(r"\bPDI\s*:\s*0x([0-9a-f]{8,})", re.IGNORECASE),  # of nvidia-smi: one number for each GPU made
    "user": re.compile(r"/(?:home|media|run/media)/([A-Za-z0-9._-]+)"),
}
IPV4 = re.compile(r"(?<!\d)(?<!\d\.)\d{1,3}(?:\.\d{1,3}){3}(?!\d|\.\d)")
IPV6 = re.compile(r"(?<![0-9a-f:.])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![0-9a-f:.])", re.IGNORECASE)


def core(value: str) -> str:
    """What is common to all spellings of a value: lower case, without separators."""
    return "".join(sign for sign in value.lower() if sign.isalnum())


def is_telling(value: str) -> bool:
    """Whether a value can tell one machine from another: no filler word, not one digit again and again."""
    bare = core(value)
    return len(bare) >= SHORTEST and not HARMLESS.fullmatch(bare) and len(set(bare)) > 1 and bare.isascii()


def is_foreign(address: str) -> bool:
    """Whether an IP address is one of this machine or its network, and no loopback, mask or version number."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not (found.is_loopback or found.is_unspecified or found.is_multicast or address.startswith("255."))


class LeakError(Exception):
    """A masked text still holds a value that it should not."""


class Masker:
    """Masks texts; `known` are values of this machine by kind, whatever they look like."""

    def __init__(self, known: Iterable[tuple[str, str]] = (), key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)
        self.values: dict[str, str] = {}  # core of a value → its kind
        self._addresses: dict[str, str] = {}  # IPv4 addresses as written
        for kind, value in known:
            self._add(kind, value)

    def learn(self, text: str) -> None:
        """Find what a text gives away by its shape."""
        for kind, pattern in PATTERNS.items():
            for match in pattern.finditer(text):
                self._add(kind, match[1] if kind in ("serial", "user", "chip") else match[0])
        for address in IPV4.findall(text):
            if is_foreign(address):
                self._addresses[address] = "ip"
        for address in IPV6.findall(text):
            if is_foreign(address):
                self._add("ip", address)

    def _add(self, kind: str, value: str) -> None:
        if IPV4.fullmatch(value):
            self._addresses[value] = kind
        elif is_telling(value):
            self.values.setdefault(core(value), kind)

    def masked(self, text: str) -> str:
        """The text with every value that is known by now replaced; LeakError when one is left all the same."""
        for address in sorted(self._addresses, key=len, reverse=True):
            text = ipv4_pattern(address).sub(lambda found: self._address_like(found[0]), text)
        for value in sorted(self.values, key=len, reverse=True):
            mask = self._mask(value)
            for spelling in encodings(value, text):
                text = text.replace(spelling, self._mask(spelling, alphabet=string.ascii_letters + string.digits))
            text = pattern_of(value).sub(lambda found, mask=mask: laid_over(found[0], mask), text)  # type: ignore[misc]
        self._check(text)
        return text

    def _check(self, text: str) -> None:
        found = [
            kind for value, kind in self.values.items() if pattern_of(value).search(text) or any(encodings(value, text))
        ]
        found += [kind for address, kind in self._addresses.items() if ipv4_pattern(address).search(text)]
        if found:
            raise LeakError(f"still there after masking: {', '.join(sorted(found))}")

    def mask_of(self, value: str) -> str:
        """What a value becomes where it is written so."""
        return self._address_like(value) if IPV4.fullmatch(value) else laid_over(value, self._mask(core(value)))

    def _digits(self, value: str) -> Iterator[int]:
        """Numbers that only this key makes of this value."""
        for round_ in range(1 << 16):
            yield from hmac.new(self._key, f"{round_} {value}".encode(), hashlib.sha256).digest()

    def _mask(self, value: str, alphabet: str = "") -> str:
        """Signs for the signs of a value, none of them the same: hexadecimal for hexadecimal, else by kind."""
        is_hex = len(value) >= 8 and all(sign in HEX for sign in value)  # shorter ones are words
        found, numbers = [], self._digits(value)
        for sign in value:
            signs = alphabet or (HEX if is_hex else string.digits if sign.isdigit() else string.ascii_lowercase)
            others = [other for other in signs if other != sign]
            found.append(others[next(numbers) % len(others)])
        return "".join(found)

    def _address_like(self, address: str) -> str:
        """Another IPv4 address whose parts are as long."""
        bare = re.sub(r"\D", ".", address)
        numbers = self._digits(bare)
        spans = {1: (1, 9), 2: (10, 99), 3: (100, 254)}

        def part(found: re.Match[str]) -> str:
            low, high = spans[len(found[0])]
            number = low + next(numbers) % (high - low)
            return str(number if number != int(found[0]) else high)

        return re.sub(r"\d+", part, address)


def laid_over(written: str, mask: str) -> str:
    """A mask in the spelling of what it replaces: its separators and its case."""
    if written.isupper():
        mask = mask.upper()
    signs = iter(mask)
    return "".join(
        sign if not sign.isalnum() else next(signs).upper() if sign.isupper() else next(signs) for sign in written
    )


def pattern_of(value: str) -> re.Pattern[str]:
    """Every spelling of a value's core: any case, with separators or without; a short one only as a word of its own."""
    body = f"[{re.escape(SEPARATORS)}]{{0,2}}".join(re.escape(sign) for sign in value)
    if len(value) < WITHIN_WORDS or value.isdigit():
        body = rf"(?<![0-9A-Za-z]){body}(?![0-9A-Za-z])"
    return re.compile(body, re.IGNORECASE)


def ipv4_pattern(address: str) -> re.Pattern[str]:
    """An IPv4 address, dotted or as host names have it (ip-10-0-0-1)."""
    return re.compile(rf"(?<!\d)(?<!\d\.){'[-._]'.join(address.split('.'))}(?!\d|\.\d)")


def encodings(value: str, text: str) -> list[str]:
    """How the text holds a value in base64 or hexadecimal, each spelling as it stands there."""
    if len(value) < WITHIN_WORDS:
        return []
    spellings: list[Callable[[str], str]] = [str.lower, str.upper]
    found = []
    for spell in spellings:
        raw = spell(value).encode()
        found += [base64.b64encode(raw).decode().rstrip("="), raw.hex(), raw.hex().upper()]
        if len(value) % 2 == 0 and all(sign in HEX for sign in value):
            found.append(base64.b64encode(bytes.fromhex(value)).decode().rstrip("="))
    return [spelling for spelling in dict.fromkeys(found) if spelling in text]
