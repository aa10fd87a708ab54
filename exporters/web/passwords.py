"""A request's basic authentication and the users' bcrypt hashes → whether it may pass.

bcrypt is slow by design (0.05 to 1 s): answers are remembered for a minute under a keyed digest, right and wrong ones,
as exporter-toolkit does it; what is not remembered is checked in a thread of its own, one after another, and when many
wait the rest are told to come back (503). A name that nobody has costs as much time as a wrong password.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from exporters.web.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_WAITING = 8
MOST_REMEMBERED = 100
REMEMBERED_S = 60.0
MOST_PASSWORD_BYTES = 72  # bcrypt looks at no more; newer versions refuse a longer one
# Of a password that nobody knows: what an unknown name is compared with (cost 10, as htpasswd's examples have).
NOBODY = b"$2b$10$AxHI.l5q5yPndRhk1U1IyOZjKGI3jLchW71H9QPTm1r3.Sq1lc/Py"


class Passwords:
    """Checks users; one instance a server."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._key = secrets.token_bytes(32)
        self._clock = clock
        self._remembered: OrderedDict[bytes, tuple[bool, float]] = OrderedDict()
        self._worker: Worker | None = None

    async def allow(self, header: str, users: Mapping[str, bytes]) -> bool:
        """Whether the Authorization header names a user and the password; BusyError when too many ask at once."""
        credentials = basic(header)
        if credentials is None:
            return False
        name, password = credentials
        hashed = users.get(name, NOBODY)
        digest = hmac.digest(self._key, b"\0".join((name.encode(), hashed, password)), hashlib.sha256)
        known = self._remembered.get(digest)
        if known and self._clock() - known[1] < REMEMBERED_S:
            return known[0]
        self._worker = self._worker or Worker("passwords", MOST_WAITING)
        right = await self._worker.run(lambda: matches(password, hashed)) and name in users
        self._remembered[digest] = (right, self._clock())
        self._remembered.move_to_end(digest)
        while len(self._remembered) > MOST_REMEMBERED:
            self._remembered.popitem(last=False)
        return right


def basic(header: str) -> tuple[str, bytes] | None:
    """Name and password of an Authorization header, if it has them."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (name.decode(), password) if colon else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def matches(password: bytes, hashed: bytes) -> bool:
    """Whether bcrypt takes the password (it compares in constant time). Slow."""
    import bcrypt  # only where a file asks for passwords

    try:
        return bcrypt.checkpw(password[:MOST_PASSWORD_BYTES], hashed)
    except ValueError:  # a hash that only looks like one
        return False
