"""The marker file → what sparkfleet applied to this host; written atomically, readable by root alone.

{"roles": {role: digest or "pending"}, "managed": {setting key: value}, "secrets": {path: {"setting", "state"}}}
A role is "pending" from before its first change until its last: an interrupted apply is seen by the next probe.
"""

from __future__ import absolute_import, annotations, division, print_function

__metaclass__ = type

import json
import os
import tempfile

PATH = "/var/lib/sparkfleet/marker.json"
PENDING = "pending"


def load():
    """The marker, or an empty one."""
    try:
        with open(PATH, encoding="utf-8") as f:
            return json.load(f)
    except FileNotFoundError:
        return {}


def save(marker):
    """Replace the marker in one step, safe against a power cut."""
    folder = os.path.dirname(PATH)
    os.makedirs(folder, mode=0o755, exist_ok=True)
    replace(PATH, json.dumps(marker, sort_keys=True).encode(), 0o600, 0, 0)


def replace(path, content, mode, uid, gid, check=None):  # noqa: PLR0913, PLR0917  (what a file has)
    """Write a file beside its place, let `check(temporary path)` refuse it by raising, then rename it into place.

    A reader sees the old file or the new one, also after a kill or a power cut at any point.
    """
    handle, temporary = tempfile.mkstemp(prefix=".sparkfleet-", dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "wb") as f:
            f.write(content)
            f.flush()
            os.fchown(f.fileno(), uid, gid)
            os.fchmod(f.fileno(), mode)
            os.fsync(f.fileno())
        if check:
            check(temporary)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
