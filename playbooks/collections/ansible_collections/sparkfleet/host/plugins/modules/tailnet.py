#!/usr/bin/python
"""How a host should stand in its tailnet → joined once with a key, later kept so without one."""

from __future__ import absolute_import, annotations, division, print_function

__metaclass__ = type

DOCUMENTATION = """
module: tailnet
short_description: Join a tailnet, and keep the node's settings
description:
  - Joins only a host that is logged out, and with C(auth_key) only. A host that has joined is never joined again, its
    settings are changed one by one; what cannot be changed that way (tags, the control server) is an error.
  - The key reaches C(tailscale) on standard input. It is on no command line, in no file and in no log.
options:
  wanted:
    description: accept_dns and ssh (C(yes) or C(no)), hostname, login_server, state, tags (with spaces between them).
    type: dict
    required: true
  auth_key:
    description: An auth key or an OAuth client's secret; without it a host that is logged out is left so.
    type: str
    default: ""
  restart:
    description: Restart tailscaled first, because its files changed.
    type: bool
    default: false
  wait:
    description: Seconds to wait for tailscaled to be C(Running).
    type: int
    default: 60
author: sparkfleet
"""
EXAMPLES = """
- name: Join the tailnet
  sparkfleet.host.tailnet:
    wanted: {accept_dns: "no", hostname: spark-01, login_server: "", ssh: "no", state: Running, tags: "tag:spark"}
    auth_key: "{{ lookup('sparkfleet.host.secret', 'file:/etc/controller/auth-key') }}"
"""
RETURN = """
joined:
  description: Whether the host is a node of the tailnet now; in check mode, whether it was.
  type: bool
  returned: always
"""

import json
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sparkfleet.host.plugins.module_utils import before

SETTLING = ("", "NoState", "Starting")
FLAGS = {"accept_dns": "--accept-dns=%s", "hostname": "--hostname=%s", "ssh": "--ssh=%s"}
WORDS = {"yes": "true", "no": "false"}
REMEDY = {
    "tags": "only a login changes the tags of a node: `spark rotate tailnet` does",
    "login_server": "it belongs to another tailnet: `tailscale logout` on its console, then `pulumi up`",
}


class Node:
    """The node that `tailscale` of this host speaks for."""

    def __init__(self, module):
        self.module = module

    def ask(self, *words):
        """What `tailscale` answers as JSON; nothing while its daemon is not up."""
        rc, out, _err = self.module.run_command(["tailscale", *words])
        try:
            return json.loads(out) if rc == 0 else {}
        except ValueError:
            return {}

    def do(self, *words, **more):
        """Run a command; fail the module in its own words when it fails."""
        rc, out, err = self.module.run_command(list(words), **more)
        if rc:
            self.module.fail_json(msg="%s %s: %s" % (words[0], words[1], (err or out).strip() or "code %d" % rc))

    def settled(self):
        """The backend's state, waited for while it is none yet."""
        until = time.monotonic() + self.module.params["wait"]
        while True:
            state = self.ask("status", "--json", "--peers=false").get("BackendState", "")
            if state not in SETTLING or time.monotonic() > until:
                return state
            time.sleep(0.2)

    def settings(self):
        """Its settings, under the names of `wanted`."""
        prefs = self.ask("debug", "prefs")
        node = self.ask("status", "--json", "--peers=false").get("Self") or {}
        return {
            "accept_dns": "yes" if prefs.get("CorpDNS") else "no",
            "hostname": prefs.get("Hostname", ""),
            "login_server": prefs.get("ControlURL", ""),
            "ssh": "yes" if prefs.get("RunSSH") else "no",
            "tags": " ".join(sorted(node.get("Tags") or [])),  # as the control server gave them
        }


def flags(wanted):
    """The settings that can be changed at any time, as flags of `tailscale set` and `tailscale up`."""
    return [flag % WORDS.get(wanted[name], wanted[name]) for name, flag in sorted(FLAGS.items())]


def join(node, wanted, key, wait):
    """Log in with the key, which nobody else gets to see."""
    node.do(
        "tailscale",
        "up",
        "--auth-key=file:/dev/stdin",
        "--login-server=%s" % wanted["login_server"],
        "--advertise-tags=%s" % wanted["tags"].replace(" ", ","),
        "--reset",  # what somebody set before a logout does not come back with the next login
        "--timeout=%ds" % wait,
        *flags(wanted),
        data=key,
    )


def keep(node, wanted, check_mode=False):
    """Bring a joined node's settings to the wanted ones; True when one was changed."""
    found = node.settings()
    for name, remedy in REMEDY.items():
        if found[name] != wanted[name]:
            message = "this host has joined with %s %r, described is %r: %s"
            node.module.fail_json(msg=message % (name, found[name], wanted[name], remedy))
    if all(found[name] == wanted[name] for name in FLAGS):
        return False
    if not check_mode:
        node.do("tailscale", "set", *flags(wanted))
    return True


def main():
    """Run as an Ansible module."""
    module = AnsibleModule(
        {
            "wanted": {"type": "dict", "required": True},
            "auth_key": {"type": "str", "default": "", "no_log": True},
            "restart": {"type": "bool", "default": False},
            "wait": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    wanted, key, wait = module.params["wanted"], module.params["auth_key"], module.params["wait"]
    node = Node(module)
    if module.check_mode:
        state = node.settled()
        changed = keep(node, wanted, check_mode=True) if state == "Running" else True
        module.exit_json(changed=changed, joined=state == "Running")
    if module.params["restart"]:
        node.do("systemctl", "daemon-reload")
    node.do("systemctl", "restart" if module.params["restart"] else "start", "tailscaled.service")
    found = state = node.settled()
    before.once("tailnet", {"state": found})  # whether a reset has to log the node out
    if state == "NeedsLogin" and key:
        join(node, wanted, key, wait)
        state = node.settled()
    elif state == "Stopped":  # `tailscale down`: logged in, no key is needed
        node.do("timeout", "%ds" % wait, "tailscale", "up")
        state = node.settled()
    if state == "NeedsMachineAuth":
        module.fail_json(msg="the node waits for approval: approve it, or use a key that is pre-approved")
    if state != "Running" and (key or state != "NeedsLogin"):
        module.fail_json(msg="tailscaled is %s after %d s; its journal says why" % (state or "silent", wait))
    changed = state == "Running" and keep(node, wanted)
    module.exit_json(changed=changed or state != found, joined=state == "Running")


if __name__ == "__main__":
    main()
