#!/usr/bin/python
"""Single values → put into, or taken out of, JSON files that are somebody else's; everything else in them stays."""

from __future__ import absolute_import, annotations, division, print_function

__metaclass__ = type

DOCUMENTATION = """
module: merged
short_description: Merge single values into JSON files that are not ours
description:
  - Every other byte of a file stays as it is. The file as it was before the first change is kept in
    /var/lib/sparkfleet/before. A file that is broken is refused with line and column and never overwritten.
  - What is no longer described is given back the value that it had before the first change, or taken away.
options:
  files:
    description:
      - Path to C(role) (whose the described values are), C(put) (pointer to value, as JSON text), C(drop) (pointers
        that are no longer described) and C(validate) (a command that must accept the new file, %s is its path; it is
        not asked where its program is missing).
    type: dict
    required: true
author: sparkfleet
"""
EXAMPLES = """
- name: Let the engine know the runtime
  sparkfleet.host.merged:
    files:
      /etc/docker/daemon.json: {role: containers, put: {/features/cdi: "true"}, drop: [], validate: ""}
"""
RETURN = """
changed_paths:
  description: The files that were written or removed.
  type: list
  returned: always
touched:
  description: The roles of which a value changed.
  type: list
  returned: always
"""

import base64
import json
import os
import shlex
import shutil
import stat

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sparkfleet.host.plugins.module_utils import before, jsontext, marker

KIND = "merged"  # of a record in the journal of what was there before
UNKNOWN_FLAG = "unknown flag"  # Docker before 23 cannot validate


class RefusedError(Exception):
    """Nothing was written; the words say why."""


def text_of(path):
    """The text of a file, None when there is none; raises RefusedError."""
    try:
        at = os.stat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(at.st_mode):
        raise RefusedError("something else than a file stands there")
    with open(path, "rb") as f:
        content = f.read()
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RefusedError("line %d: no UTF-8 text" % line) from None


def original_of(path):
    """The file's object as it was before our first change: {} when there was none, None when we never changed it."""
    record = before.records(KIND).get(path)
    if record is None:
        return None
    return jsontext.value_of(base64.b64decode(record.get("content", "")).decode())


def note(path):
    """Keep the file as it is now, unless it was kept already. Not as a path: a reset takes our values out, no more."""
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        before.keep(folder)
    before.once(KIND, {path: before.state_of(path)})


def edited(text, entry, original):
    """The text with what is described put in, and what no longer is as it was before; raises jsontext.BrokenError."""
    new = jsontext.checked(text)
    for pointer, value in sorted(entry["put"].items()):
        wanted = json.loads(value)
        if not same(jsontext.get(jsontext.value_of(new), pointer), [wanted]):
            new = jsontext.put(new, pointer, wanted)
    for pointer in entry["drop"] if original is not None else ():  # never changed by us: it was there before
        was = jsontext.get(original, pointer)
        if was:
            same_now = same(jsontext.get(jsontext.value_of(new), pointer), was)
            new = new if same_now else jsontext.put(new, pointer, was[0])
        else:
            new = without_empty(jsontext.drop(new, pointer), pointer, original)
    return new


def without_empty(text, pointer, original):
    """The text without the objects above a pointer that are empty now and were not there before us."""
    above = pointer.rpartition("/")[0]
    while above and jsontext.get(jsontext.value_of(text), above) == [{}] and not jsontext.get(original, above):
        text, above = jsontext.drop(text, above), above.rpartition("/")[0]
    return text


def same(one, other):
    """Whether two values are the same JSON: 1 is neither true nor 1.0."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def validator(module, command):
    """A check for `marker.replace`: raises RefusedError with the validator's own words; None without its program."""
    words = shlex.split(command)
    if not words or not shutil.which(words[0]):
        return None

    def check(temporary):
        rc, out, err = module.run_command([word.replace("%s", temporary) for word in words])
        if rc and UNKNOWN_FLAG not in err:
            said = (err or out).strip().replace(temporary, "the new file")
            raise RefusedError("%s refuses what would stand there: %s" % (words[0], said))

    return check


def merge(module, path, entry):
    """Bring one file to what is described; whether that was a change. Raises RefusedError, jsontext.BrokenError."""
    place = os.path.realpath(path)  # a link stays a link
    text = text_of(place)
    if text is None and not entry["put"]:
        return False
    new = edited(text or "", entry, original_of(place))
    if new == text:
        return False
    if module.check_mode:
        return True
    note(place)
    if not entry["put"] and before.records(KIND)[place] == before.ABSENT and not jsontext.value_of(new):
        os.unlink(place)  # there was none before us, and nobody else has anything in it
        return True
    mode, uid, gid = 0o644, 0, 0
    if text is None:
        os.makedirs(os.path.dirname(place), exist_ok=True)
    else:
        at = os.stat(place)
        mode, uid, gid = stat.S_IMODE(at.st_mode), at.st_uid, at.st_gid
    marker.replace(place, new.encode(), mode, uid, gid, validator(module, entry["validate"]))
    return True


def main():
    """Run as an Ansible module."""
    module = AnsibleModule(
        {
            "files": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    os.umask(0o022)  # root's own is stricter on a hardened machine: others must read what we make
    changed, touched = [], set()
    for path, entry in sorted(module.params["files"].items()):
        try:
            if merge(module, path, entry):
                changed.append(path)
                touched.add(entry["role"])
        except (RefusedError, jsontext.BrokenError) as error:
            module.fail_json(msg="%s was left as it is: %s; mend it and apply again" % (path, error))
    module.exit_json(changed=bool(changed), changed_paths=changed, touched=sorted(touched))


if __name__ == "__main__":
    main()
