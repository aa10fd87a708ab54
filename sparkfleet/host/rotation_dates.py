"""The keys that open or name a host → since when each is in use and when it is due, as metrics. Runs ON the host.

As root, from a daily timer and after each rotation; standard library only, Python 3.10 or newer:

    /usr/bin/python3 -IS /usr/local/lib/sparkfleet/rotation-dates.py \
        --config /etc/sparkfleet/rotation.json \
        --state /var/lib/sparkfleet/rotation.json \
        --out /var/lib/sparkfleet/metrics/rotation.prom

The configuration, whose kinds may be any of these (a kind that is missing is not looked at):

    {"user": "sparkfleet", "days": {"ssh": 90, "host-keys": 365, "s3": 90, "tailnet": 180}}

The values above are the flags' defaults. `--root` puts a folder before every other path, for tests. State and metrics
hold digests and dates, never a key. Ends with 0, and with 1 when the clock or the configuration cannot be used: then
nothing is written, and the old dates stay.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DAY_S = 86400
# January 2025, before this text was written: a clock that says less has not been set yet (without a battery: 1970).
EARLIEST = 1_735_689_600
TAILSCALE_S = 10
MOST_REMEMBERED = 32  # digests a kind, so that a key that is put back has its old date again
NO_NODE_KEY = "nodekey:" + "0" * 64

Dates = dict[str, float]
"""Digest of a key → when it was first seen, in seconds since 1970."""


def main() -> int:
    """Look, note, tell."""
    flags = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    flags.add_argument("--config", type=Path, default=Path("/etc/sparkfleet/rotation.json"))
    flags.add_argument("--state", type=Path, default=Path("/var/lib/sparkfleet/rotation.json"))
    flags.add_argument("--out", type=Path, default=Path("/var/lib/sparkfleet/metrics/rotation.prom"))
    flags.add_argument("--root", type=Path, default=Path("/"))
    given = flags.parse_args()
    now = time.time()
    try:
        config = json.loads(given.config.read_text(encoding="utf-8"))
        days, user = {str(kind): int(number) for kind, number in config["days"].items()}, str(config["user"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"{given.config}: {type(error).__name__}", file=sys.stderr)
        return 1
    if now < EARLIEST:
        print("the clock is not set yet", file=sys.stderr)
        return 1
    state = remembered(given.state)
    lasts: dict[str, float] = {}
    for kind in days:
        if kind not in LOOKS:
            continue
        present = LOOKS[kind](given.root, user)
        if present is None:  # it would not say: what was there is taken to be there still
            present = dict.fromkeys(state["present"].get(kind, []))
        dates = noted(state["dates"].get(kind, {}), present, now)
        state["dates"][kind], state["present"][kind] = dates, sorted(present)
        if present:
            lasts[kind] = min(dates[digest] for digest in present)
    write(given.state, json.dumps(state, sort_keys=True) + "\n", 0o600)
    write(given.out, metrics(lasts, days), 0o644)
    return 0


def noted(dates: Mapping[str, float], present: Mapping[str, float | None], now: float) -> Dates:
    """`dates` with what is new; `present`: digest → when it was made, where something says so.

    A date that lies ahead was noted while the clock was wrong, and becomes now. The oldest are forgotten first.
    """
    known = {digest: min(float(date), now) for digest, date in dates.items()}
    for digest, made in present.items():
        if digest not in known:
            known[digest] = made if made is not None and 0 < made <= now else now
    absent = sorted((digest for digest in known if digest not in present), key=known.__getitem__)
    for digest in absent[: max(0, len(known) - MOST_REMEMBERED)]:
        del known[digest]
    return known


def metrics(lasts: Mapping[str, float], days: Mapping[str, int]) -> str:
    """Prometheus' text format; of several keys of a kind the oldest one counts, because it still opens."""
    last = "sparkfleet_rotation_last_timestamp_seconds"
    due = "sparkfleet_rotation_due_timestamp_seconds"
    lines = [
        f"# HELP {last} Since when the oldest key of this kind has been in use, in seconds since 1970.",
        f"# TYPE {last} gauge",
        *(f'{last}{{kind="{kind}"}} {date:.0f}' for kind, date in sorted(lasts.items())),
        f"# HELP {due} When that key is due to be replaced, in seconds since 1970.",
        f"# TYPE {due} gauge",
        *(f'{due}{{kind="{kind}"}} {date + days[kind] * DAY_S:.0f}' for kind, date in sorted(lasts.items())),
    ]
    return "\n".join(lines) + "\n"


def automation_keys(root: Path, user: str) -> dict[str, float | None] | None:
    """Every key that logs in as the automation user."""
    return keys_of(root / "etc/ssh/authorized_keys" / Path(user).name)


def host_key(root: Path, _user: str) -> dict[str, float | None] | None:
    """The host key, made when its file says."""
    file = root / "etc/ssh/ssh_host_ed25519_key.pub"
    found = keys_of(file)
    try:
        return found and dict.fromkeys(found, file.stat().st_mtime)
    except OSError:
        return found


def store_key(root: Path, _user: str) -> dict[str, float | None] | None:
    """The id of the object-store key; the secret beside it is read past."""
    try:
        fields = json.loads((root / "etc/sparkfleet/s3.json").read_text(encoding="utf-8"))
        return {digest(str(fields["AccessKeyId"])): None}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def node_key(_root: Path, _user: str) -> dict[str, float | None] | None:
    """The public half of this node's key in the tailnet."""
    try:
        done = subprocess.run(
            ["tailscale", "status", "--json", "--peers=false"],
            capture_output=True,
            timeout=TAILSCALE_S,
            check=True,
        )
        key = str(json.loads(done.stdout)["Self"]["PublicKey"])
    except FileNotFoundError:
        return {}
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return None
    return {} if key == NO_NODE_KEY or not key.startswith("nodekey:") else {digest(key): None}


LOOKS: dict[str, Callable[[Path, str], dict[str, float | None] | None]] = {
    "ssh": automation_keys,
    "host-keys": host_key,
    "s3": store_key,
    "tailnet": node_key,
}
"""Kind → what is there now: digest → when it was made, if known. {} is none, None is unknown."""


def keys_of(file: Path) -> dict[str, float | None] | None:
    """The public keys in a file of sshd's; a comment or an option that changes changes nothing."""
    try:
        words = file.read_text(encoding="utf-8", errors="replace").split()
    except FileNotFoundError:
        return {}
    except OSError:
        return None
    return {digest(word): None for word in words if is_key(word)}


def is_key(word: str) -> bool:
    """Whether a word is the base64 text of an SSH public key (RFC 4253 §6.6: it begins with its type's length)."""
    try:
        raw = base64.b64decode(word, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(raw) > 20 and 4 < int.from_bytes(raw[:4], "big") < 64


def digest(text: str) -> str:
    """What stands for a key here."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def remembered(file: Path) -> dict[str, dict[str, Any]]:
    """What was noted; nothing where that cannot be read, because then every key is new."""
    try:
        state = json.loads(file.read_text(encoding="utf-8"))
        dates = {str(k): {str(d): float(t) for d, t in v.items()} for k, v in state["dates"].items()}
        present = {str(k): [str(d) for d in v] for k, v in state["present"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {"dates": {}, "present": {}}
    return {"dates": dates, "present": present}


def write(file: Path, text: str, mode: int) -> None:
    """Replace a file whole, on disk when this returns."""
    file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.unfinished")  # hidden: no collector of *.prom reads it
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        os.fchmod(descriptor, mode)  # whatever the umask is
        out.write(text)
        out.flush()
        os.fsync(descriptor)
    unfinished.replace(file)


if __name__ == "__main__":
    sys.exit(main())
