#!/usr/bin/python
"""What changed and a list of systemd units → follow-ups carried out, units enabled and running, in few calls."""

from __future__ import absolute_import, annotations, division, print_function

__metaclass__ = type

DOCUMENTATION = """
module: units
short_description: Let services take up what changed, enable and start a list of systemd units
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
  follow_ups:
    description:
      - Role to the commands that follow its changes, in order. A command (C(run)) is carried out when the role was
        touched, or with C(always) in every apply of it.
    type: dict
    default: {}
  roles:
    description: The roles that are applied.
    type: list
    elements: str
    default: []
  touched:
    description: The roles of which something changed, as M(sparkfleet.host.tree) found.
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
followed:
  description: The follow-ups that were carried out because of a change.
  type: list
  returned: always
started:
  description: Units that were started.
  type: list
  returned: always
"""

import shlex

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sparkfleet.host.plugins.module_utils import before, facts


def states(run, names):
    """What systemd says of each unit."""
    return facts.units(run(*facts.ASK_UNITS, *names)) if names else {}


def due(follow_ups, roles, touched):
    """The commands that are to be carried out, as (command, whether because of a change), role by role."""
    for role, steps in follow_ups.items():
        for step in steps if role in roles else ():
            if role in touched or step.get("always"):
                yield step["run"], not step.get("always")


def needed(wanted, leave, now):
    """The systemctl verbs that are needed, in order, with the units for each."""
    return {
        "stop": [name for name in leave if now.get(name, {}).get("ActiveState") == "active"],
        "disable": [name for name in leave if now.get(name, {}).get("UnitFileState") == "enabled"],
        "enable": [name for name in wanted if now.get(name, {}).get("UnitFileState") != "enabled"],
        "start": [
            name
            for name, state in wanted.items()
            if "active" in state and now.get(name, {}).get("ActiveState") != "active"
        ],
    }


def main():
    """Run as an Ansible module."""
    module = AnsibleModule(
        {
            "wanted": {"type": "dict", "required": True},
            "stop": {"type": "list", "elements": "str", "default": []},
            "follow_ups": {"type": "dict", "default": {}},
            "roles": {"type": "list", "elements": "str", "default": []},
            "touched": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    wanted, leave = module.params["wanted"], module.params["stop"]

    def run(*words):
        rc, out, err = module.run_command(list(words))
        if rc:
            module.fail_json(msg="%s: %s" % (" ".join(words), (err or out).strip()), rc=rc)
        return out

    def ctl(*arguments):
        return run("systemctl", *arguments)

    now = states(run, [*wanted, *leave])
    stale = any(row["NeedDaemonReload"] == "yes" for row in now.values())
    steps = list(due(module.params["follow_ups"], module.params["roles"], module.params["touched"]))
    # systemd 252 does not notice the first drop-in of a unit: it looks only into folders that it has seen before.
    stale = stale or bool(module.params["touched"])
    if (stale or steps) and not module.check_mode:
        if stale:
            ctl("daemon-reload")
        for command, _because_changed in steps:
            run(*shlex.split(command))
        now = states(run, [*wanted, *leave])
    followed = [command for command, because_changed in steps if because_changed]
    calls = needed(wanted, leave, now)
    if not module.check_mode:
        changing = {name for names in calls.values() for name in names if name in now}
        before.once("unit", {name: facts.unit_before(now[name]) for name in sorted(changing)})
        for verb, names in calls.items():
            if names:
                ctl(verb, *names)
    module.exit_json(
        changed=bool(followed or any(calls.values())),
        followed=followed,
        enabled=calls["enable"],
        started=calls["start"],
        stopped=calls["stop"],
    )


if __name__ == "__main__":
    main()
