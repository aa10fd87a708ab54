#!/usr/bin/python
"""Rendered files, links and exact directories → the same on the host; only what differs is written."""

from __future__ import absolute_import, annotations, division, print_function

__metaclass__ = type

DOCUMENTATION = """
module: tree
short_description: Make files, links and exact directories equal to a rendered tree
description:
  - Every file is validated, then replaced atomically. Whatever is replaced in an exact directory or is no longer
    described is moved to /var/lib/sparkfleet/removed, never deleted.
  - Marks the roles that it touches as pending before the first change; M(sparkfleet.host.marker) clears the mark.
  - Notes what was there before, so that M(sparkfleet.host.reset) can put it back.
options:
  tree:
    description: The rendered tree as JSON text, as C(spark inventory) writes it.
    type: str
    required: true
  roles:
    description: The roles to apply; files of other roles are left alone.
    type: list
    elements: str
    required: true
  remove:
    description: Paths of files that sparkfleet shipped once and that are no longer described.
    type: list
    elements: str
    default: []
  managed:
    description:
      - What is described for the host, as M(sparkfleet.host.marker) will record it. Noted before the first change, next
        to what was recorded before, so that nothing which an interrupted apply has shipped is ever forgotten.
    type: dict
    default: {}
  keep:
    description: Paths that later tasks write (secrets); what stands there before is noted as well.
    type: list
    elements: str
    default: []
  people:
    description: Accounts that later tasks make or change; the same.
    type: list
    elements: str
    default: []
author: sparkfleet
"""
EXAMPLES = """
- name: Ship the rendered tree
  sparkfleet.host.tree:
    tree: "{{ lookup('ansible.builtin.file', sparkfleet_tree_file) }}"
    roles: [base, access]
"""
RETURN = """
changed_paths:
  description: What was written, linked or moved away.
  type: list
  returned: always
touched:
  description: The roles of which something changed, now or in an earlier apply that was interrupted.
  type: list
  returned: always
"""

import base64
import grp
import json
import os
import pwd
import shlex
import shutil
import stat
from datetime import datetime, timezone

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sparkfleet.host.plugins.module_utils import before, facts, marker

REMOVED = "/var/lib/sparkfleet/removed"
PROGRAMS = "/usr/local/lib/sparkfleet/"


def content_of(entry):
    """The bytes of a file entry: `text`, or `base64` for what is not text."""
    return base64.b64decode(entry["base64"]) if "base64" in entry else entry["text"].encode()


class UnknownOwnerError(Exception):
    """A file's owner or group does not exist on this host."""


def ids_of(entry):
    """The numbers of a file's owner and group; raises UnknownOwnerError."""
    try:
        uid = pwd.getpwnam(entry["owner"]).pw_uid
    except KeyError:
        raise UnknownOwnerError("there is no user %s on this host" % entry["owner"]) from None
    try:
        return uid, grp.getgrnam(entry["group"]).gr_gid
    except KeyError:
        raise UnknownOwnerError("there is no group %s on this host" % entry["group"]) from None


def make_folder(folder):
    """Make a folder and those above it, 0755 whatever root's umask is: sshd reads keys as the person who logs in."""
    if not os.path.isdir(folder):
        make_folder(os.path.dirname(folder))
        os.mkdir(folder)
        os.chmod(folder, 0o755)  # noqa: S103


def file_differs(path, entry, content, uid, gid):
    """Whether the file on the host is not exactly the described one."""
    try:
        at = os.lstat(path)
    except FileNotFoundError:
        return True
    if not stat.S_ISREG(at.st_mode) or at.st_size != len(content):
        return True
    if (stat.S_IMODE(at.st_mode), at.st_uid, at.st_gid) != (entry["mode"], uid, gid):
        return True
    with open(path, "rb") as f:
        return f.read() != content


def link_differs(path, target):
    """Whether the path is not a link to the target."""
    try:
        return os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path))) != target
    except OSError:
        return True


def put_aside(path, stamp):
    """Move a file to the removed folder under its own path and a time: nothing of the owner's is lost."""
    aside = REMOVED + path + "." + stamp
    make_folder(os.path.dirname(aside))
    os.chmod(REMOVED, 0o700)  # what is in it was perhaps readable by nobody else
    shutil.move(path, aside)


def validator(module, command):
    """A check for `marker.replace`: fails the module, naming the validator's own words."""

    def check(temporary):
        rc, out, err = module.run_command(shlex.split(command.replace("%s", shlex.quote(temporary))))
        if rc:
            words = (err or out).strip().replace(temporary, "the new file")
            module.fail_json(msg="%s refuses the new file: %s" % (shlex.split(command)[0], words))

    return check if command else None


def changes_of(module, tree, roles, remove):
    """What differs, as (role, path, action) with an action that makes it equal."""
    stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")  # two runs of one second must not meet
    # Our own programs first: some of them judge the files that follow.
    for path, entry in sorted(tree["files"].items(), key=lambda item: (not item[0].startswith(PROGRAMS), item[0])):
        if entry["role"] in roles:
            content, (uid, gid) = content_of(entry), owner_of(module, path, entry)
            if file_differs(path, entry, content, uid, gid):
                yield entry["role"], path, ("file", entry, content, uid, gid)
    for path, entry in sorted(tree["links"].items()):
        if entry["role"] in roles and link_differs(path, entry["target"]):
            yield entry["role"], path, ("link", entry["target"])
    extras = {path: role for path, role in extras_of(tree["exact"]) if role in roles}
    for path, role in sorted(extras.items()):
        yield role, path, ("aside", stamp)
    for path in remove:
        if os.path.lexists(path) and path not in extras:  # a person who left: their key file is both
            yield None, path, ("aside", stamp)


def owner_of(module, path, entry):
    """The numbers of a file's owner and group; fails the module, but for check mode, when they do not exist."""
    try:
        return ids_of(entry)
    except UnknownOwnerError as error:
        if not module.check_mode:
            module.fail_json(msg="%s: %s" % (path, error))
        return None, None  # the package that brings them is not installed yet


def extras_of(exact):
    """What lies in exact folders beside the described names, as (path, role)."""
    for folder, entry in exact.items():
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            if name not in entry["names"] and not name.startswith(".sparkfleet-"):
                yield os.path.join(folder, name), entry["role"]


def act(module, path, action):
    """Carry out one change."""
    if action[0] == "file":
        _kind, entry, content, uid, gid = action
        make_folder(os.path.dirname(path))
        if os.path.isdir(path):
            module.fail_json(msg="%s: a directory stands where a file is described; look at it first" % path)
        marker.replace(path, content, entry["mode"], uid, gid, validator(module, entry["validate"]))
    elif action[0] == "link":
        make_folder(os.path.dirname(path))
        temporary = os.path.join(os.path.dirname(path), ".sparkfleet-" + os.path.basename(path))
        if os.path.lexists(temporary):  # a killed run left it
            os.unlink(temporary)
        os.symlink(action[1], temporary)
        os.rename(temporary, path)
    else:
        put_aside(path, action[1])


def note(module, tree, paths):
    """What the host was before the changes of these paths, and before the later tasks of the same apply."""
    before.keep(*paths, *module.params["keep"])
    before.once("user", {name: facts.account(name) for name in module.params["people"]})
    for path in paths:
        if path in tree["files"] and facts.is_of_sysctls(path):
            before.once("sysctl", facts.sysctls(tree["files"][path]["text"]))
    units = facts.masked({path: link for path, link in tree["links"].items() if path in paths})
    if units:
        _rc, out, _err = module.run_command([*facts.ASK_UNITS, *units])
        before.once("unit", {name: facts.unit_before(row) for name, row in facts.units(out).items()})


def sweep(tree):
    """Remove temporary files that a killed run left beside described ones."""
    for folder in {os.path.dirname(path) for path in tree["files"]}:
        if os.path.isdir(folder):
            for name in os.listdir(folder):
                if name.startswith(".sparkfleet-"):
                    os.unlink(os.path.join(folder, name))


def main():
    """Run as an Ansible module."""
    module = AnsibleModule(
        {
            "tree": {"type": "str", "required": True, "no_log": True},
            "roles": {"type": "list", "elements": "str", "required": True},
            "remove": {"type": "list", "elements": "str", "default": []},
            "managed": {"type": "dict", "default": {}},
            "keep": {"type": "list", "elements": "str", "default": []},
            "people": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    tree, roles = json.loads(module.params["tree"]), set(module.params["roles"])
    state = marker.load()
    interrupted = {r for r, digest in state.get("roles", {}).items() if digest == marker.PENDING and r in roles}
    if not module.check_mode:
        marks = dict(state.get("roles", {}))
        marks.update(dict.fromkeys(roles, marker.PENDING))
        managed = dict(state.get("managed", {}), **module.params["managed"])
        marker.save(dict(state, roles=marks, managed=managed))
        sweep(tree)
    changes = list(changes_of(module, tree, roles, module.params["remove"]))
    if not module.check_mode:
        note(module, tree, [path for _role, path, _action in changes])
        for _role, path, action in changes:
            act(module, path, action)
    touched = interrupted | {role for role, _path, _action in changes if role}
    module.exit_json(
        changed=bool(changes), changed_paths=[path for _role, path, _action in changes], touched=sorted(touched)
    )


if __name__ == "__main__":
    main()
