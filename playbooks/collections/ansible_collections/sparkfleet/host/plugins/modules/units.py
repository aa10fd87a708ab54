#!/usr/bin/python
"""A list of systemd units → enabled and running, with as few systemctl calls as possible."""

from __future__ import absolute_import, annotations, division, print_function

__metaclass__ = type

DOCUMENTATION = """
module: units
short_description: Enable and start a list of systemd units
options:
  wanted:
    description: Unit name to C(enabled) or C(enabled,active).
    type: dict
    required: true
  stop:
    description: Units that are no longer described; they are stopped and disabled when they exist.
    type: list
    elements: str
    default: []
author: sparkfleet
"""
EXAMPLES = """
- name: Enable and start units
  sparkfleet.host.units:
    wanted: {prometheus.service: "enabled,active"}
"""
RETURN = """
started:
  description: Units that were started.
  type: list
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

ASK = ["show", "-p", "Id,LoadState,UnitFileState,ActiveState,NeedDaemonReload"]


def states(ctl, names):
    """What systemd says of each unit."""
    blocks = ctl(*ASK, *names).split("\n\n") if names else []
    rows = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks]
    return {row["Id"]: row for row in rows if "Id" in row}


def main():
    """Run as an Ansible module."""
    module = AnsibleModule(
        {
            "wanted": {"type": "dict", "required": True},
            "stop": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    wanted, leave = module.params["wanted"], module.params["stop"]

    def ctl(*arguments):
        rc, out, err = module.run_command(["systemctl", *arguments])
        if rc:
            module.fail_json(msg="systemctl %s: %s" % (" ".join(arguments), err.strip()), rc=rc)
        return out

    now = states(ctl, [*wanted, *leave])
    if any(row["NeedDaemonReload"] == "yes" for row in now.values()) and not module.check_mode:
        ctl("daemon-reload")
        now = states(ctl, [*wanted, *leave])
    enable = [name for name in wanted if now.get(name, {}).get("UnitFileState") != "enabled"]
    start = [n for n, state in wanted.items() if "active" in state and now.get(n, {}).get("ActiveState") != "active"]
    stop = [name for name in leave if now.get(name, {}).get("ActiveState") == "active"]
    disable = [name for name in leave if now.get(name, {}).get("UnitFileState") == "enabled"]
    if not module.check_mode:
        for verb, names in (("stop", stop), ("disable", disable), ("enable", enable), ("start", start)):
            if names:
                ctl(verb, *names)
    module.exit_json(changed=bool(enable or start or stop or disable), enabled=enable, started=start, stopped=stop)


if __name__ == "__main__":
    main()
