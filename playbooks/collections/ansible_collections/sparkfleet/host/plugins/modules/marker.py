#!/usr/bin/python
"""What was applied → the marker on the host, written last: its digests mean that the role reached its end."""

from __future__ import absolute_import, annotations, division, print_function

__metaclass__ = type

DOCUMENTATION = """
module: marker
short_description: Record what was applied, as the last step of an apply
options:
  roles:
    description: Digest of each role that was applied.
    type: dict
    required: true
  managed:
    description: Every file, unit and secret that is described for the host, with its wanted state.
    type: dict
    required: true
  secrets:
    description: Path of each shipped secret to the reference and generation that it came from.
    type: dict
    default: {}
author: sparkfleet
"""
EXAMPLES = """
- name: Record what was applied
  sparkfleet.host.marker:
    roles: {base: 0123456789abcdef}
    managed: {}
"""
RETURN = "#"

import grp
import hashlib
import os
import pwd
import stat

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sparkfleet.host.plugins.module_utils import marker


def state_of(path):
    """The state of a secret's file, digest included; it stays in the marker, on this host, mode 0600."""
    at = os.lstat(path)
    with open(path, "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()
    owner, group = pwd.getpwuid(at.st_uid).pw_name, grp.getgrgid(at.st_gid).gr_name
    return "%s %04o %s:%s" % (digest, stat.S_IMODE(at.st_mode), owner, group)


def main():
    """Run as an Ansible module."""
    module = AnsibleModule(
        {
            "roles": {"type": "dict", "required": True},
            "managed": {"type": "dict", "required": True},
            "secrets": {"type": "dict", "default": {}, "no_log": False},
        },
        supports_check_mode=True,
    )
    before = marker.load()
    roles = dict(before.get("roles", {}), **module.params["roles"])
    secrets = {
        path: {"setting": setting, "state": state_of(path)}
        for path, setting in module.params["secrets"].items()
        if os.path.exists(path)
    }
    after = {"roles": roles, "managed": module.params["managed"], "secrets": secrets}
    if after != before and not module.check_mode:
        marker.save(after)
    # Only a record of what the other tasks did: it is not a change of its own.
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
