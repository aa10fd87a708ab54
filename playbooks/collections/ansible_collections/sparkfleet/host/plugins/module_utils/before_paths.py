"""What stood at a path and what stands there now → whether it differs, and the acts that make it as it was.

Standard library only. Nothing that a person wrote since is lost: it goes to /var/lib/sparkfleet/removed first.
"""

from __future__ import absolute_import, annotations, division, print_function

__metaclass__ = type

import base64
import hashlib
import os
import shutil
import stat
from datetime import datetime, timezone

from ansible_collections.sparkfleet.host.plugins.module_utils import before, jsontext, marker

REMOVED = "/var/lib/sparkfleet/removed"
# Content first: it is the same bytes although the file was written anew.
COMPARED = ("kind", "content", "target", "mode", "uid", "gid")


def differs(was, now):
    """Whether a path is not what it was; the time of a file does not count, and neither does what nobody can make."""
    if was["kind"] == "other" or now["kind"] == "other":
        return False
    if "folder" in (was["kind"], now["kind"]) and was["kind"] != "absent":
        return was["kind"] != now["kind"] or any(was.get(name) != now.get(name) for name in ("mode", "uid", "gid"))
    return any(was.get(name) != now.get(name) for name in COMPARED)


def is_ours(path, now, managed, secrets):
    """Whether what stands at a path is what we wrote there: anything else is a person's."""
    if now["kind"] != "file":
        return now["kind"] == "link"
    shipped = managed.get("file:" + path, "")
    digest = hashlib.sha256(base64.b64decode(now["content"])).hexdigest()[:16]
    return path in secrets or shipped.partition(" ")[0] == digest


def make(path, was):
    """Make a path what it was. A folder that holds something is left: False."""
    now = before.state_of(path)
    if was["kind"] == "absent":
        return _remove(path, now)
    if was["kind"] == "folder":
        if now["kind"] not in ("folder", "absent"):
            os.unlink(path)
        if now["kind"] != "folder":
            os.mkdir(path)
        os.chown(path, was["uid"], was["gid"])
        os.chmod(path, was["mode"])
        return True
    if now["kind"] == "folder":
        put_aside(path)
    if was["kind"] == "link":
        beside = _beside(path)
        os.symlink(was["target"], beside)
        os.lchown(beside, was["uid"], was["gid"])
        os.rename(beside, path)
    elif was["kind"] == "file":
        marker.replace(path, base64.b64decode(was["content"]), was["mode"], was["uid"], was["gid"])
        os.utime(path, ns=(was["mtime_ns"], was["mtime_ns"]))
    return True


def unmerged(path, was, pointers):
    """A JSON file of somebody else's without our values: what it would be, as `before.state_of` tells one.

    Bytes of the original where nothing else was changed since; raises jsontext.BrokenError.
    """
    now = before.state_of(path)
    if now["kind"] != "file":
        return now
    text = base64.b64decode(now["content"]).decode()
    original = base64.b64decode(was.get("content", "")).decode()
    there = jsontext.value_of(original)
    for pointer in pointers:
        found = jsontext.get(there, pointer)
        text = jsontext.put(text, pointer, found[0]) if found else _without(text, pointer, there)
    if jsontext.value_of(text) == there:
        return was
    return dict(now, content=base64.b64encode(text.encode()).decode())


def put_aside(path):
    """Move what stands at a path to the removed folder, under its own path and a time."""
    stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")
    aside = REMOVED + path + "." + stamp
    os.makedirs(os.path.dirname(aside), exist_ok=True)
    os.chmod(REMOVED, 0o700)  # what is in it was perhaps readable by nobody else
    shutil.move(path, aside)


def _without(text, pointer, original):
    """The text without a member, and without the objects above it that are empty now and were not there before."""
    text = jsontext.drop(text, pointer)
    above = pointer.rpartition("/")[0]
    while above and jsontext.get(jsontext.value_of(text), above) == [{}] and not jsontext.get(original, above):
        text, above = jsontext.drop(text, above), above.rpartition("/")[0]
    return text


def _remove(path, now):
    if now["kind"] == "folder":
        try:
            os.rmdir(path)
        except OSError:
            return False
    elif now["kind"] != "absent":
        os.unlink(path)
    return True


def _beside(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    beside = os.path.join(os.path.dirname(path), ".sparkfleet-" + os.path.basename(path))
    if os.path.lexists(beside) and not stat.S_ISDIR(os.lstat(beside).st_mode):
        os.unlink(beside)  # left by a killed run
    return beside
