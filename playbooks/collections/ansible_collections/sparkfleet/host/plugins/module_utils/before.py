"""What a host was before our first change of it → a journal on the host, from which a reset makes it so again.

One line of JSON a record, {"kind", "name", "before"}, appended and synced before the change that it is about; the first
record of a name counts, so repeating costs nothing. A line that a power cut tore is no record: its change never began.
Readable by root alone: originals may hold secrets. Standard library only, for hosts and for `spark reset` alike.
"""

from __future__ import absolute_import, annotations, division, print_function

__metaclass__ = type

import base64
import json
import os
import stat

FOLDER = "/var/lib/sparkfleet/before"
ABSENT = {"kind": "absent"}


def keep(*paths):
    """Note what stands at each path: a file, link or folder with all below it, or nothing; call it before a change.

    Of folders above that are missing, too, their absence is noted. Raises OSError when that cannot be put on the disk.
    """
    noted = records("path")
    found = {}
    for path in paths:
        if path not in noted:
            found.update((each, state_of(each)) for each in [*_missing_above(path), *_below(path)])
    once("path", found)


def once(kind, found):
    """Append a record for each name in `found` that has none yet; one sync for all. Raises OSError."""
    noted = records(kind)
    new = [{"kind": kind, "name": name, "before": value} for name, value in found.items() if name not in noted]
    if not new:
        return
    os.makedirs(FOLDER, mode=0o700, exist_ok=True)
    os.chmod(FOLDER, 0o700)
    journal = os.open(_journal(), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(journal).st_size
        torn = size and os.pread(journal, 1, size - 1) != b"\n"
        lines = "".join(json.dumps(record, sort_keys=True) + "\n" for record in new)
        _write(journal, (("\n" if torn else "") + lines).encode())
        os.fsync(journal)
    finally:
        os.close(journal)
    _sync(FOLDER)  # the journal's name, and that of its folder
    _sync(os.path.dirname(FOLDER))


def records(kind):
    """Name → what was there before our first change, of one kind, in the order in which it was noted."""
    try:
        with open(_journal(), "rb") as f:
            lines = f.read().split(b"\n")
    except FileNotFoundError:
        return {}
    found = {}
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:  # torn, or the end
            continue
        if record["kind"] == kind:
            found.setdefault(record["name"], record["before"])
    return found


def state_of(path):
    """What stands at a path, as data from which it can be made again; of a socket or device only that it is one."""
    try:
        at = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return dict(ABSENT)
    if stat.S_ISLNK(at.st_mode):
        return {"kind": "link", "target": os.readlink(path), "uid": at.st_uid, "gid": at.st_gid}
    state = {"mode": stat.S_IMODE(at.st_mode), "uid": at.st_uid, "gid": at.st_gid, "mtime_ns": at.st_mtime_ns}
    if stat.S_ISDIR(at.st_mode):
        return dict(state, kind="folder")
    if not stat.S_ISREG(at.st_mode):
        return {"kind": "other"}
    with open(path, "rb") as f:
        return dict(state, kind="file", content=base64.b64encode(f.read()).decode())


def _missing_above(path):
    """The folders above a path that are not there, the outermost first."""
    missing = []
    folder = os.path.dirname(path)
    while not os.path.lexists(folder):
        missing.insert(0, folder)
        folder = os.path.dirname(folder)
    return missing


def _below(path):
    """A path and all that lies below it."""
    yield path
    if os.path.isdir(path) and not os.path.islink(path):
        for name in sorted(os.listdir(path)):
            for below in _below(os.path.join(path, name)):
                yield below


def _journal():
    return os.path.join(FOLDER, "journal")


def _write(descriptor, data):
    """All of it: one write may take less than it is given."""
    while data:
        data = data[os.write(descriptor, data) :]


def _sync(folder):
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
