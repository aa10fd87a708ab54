#!/usr/bin/python
"""What was noted before our first change → the host as it was then, in two steps with a proof between them."""

from __future__ import absolute_import, annotations, division, print_function

__metaclass__ = type

DOCUMENTATION = """
module: reset
short_description: Make a host what it was before the first apply
description:
  - Takes back files, units, packages, accounts and kernel settings, as the other modules noted them before they changed
    them. Data stays, and so does the way in of the automation user. In check mode it tells what it would do.
options:
  step:
    description:
      - C(way-in) puts back how the host is entered, C(rest) everything else. Prove between the two that the host can
        still be entered.
    type: str
    choices: [way-in, rest]
    required: true
  user:
    description: The automation user, whose account, key and sudo rule stay.
    type: str
    required: true
author: sparkfleet
"""
EXAMPLES = """
- name: Put back how the host is entered
  sparkfleet.host.reset:
    step: way-in
    user: "{{ ansible_user }}"
"""
RETURN = """
done:
  description: What was taken back.
  type: list
  returned: always
left:
  description: What was not, with the reason.
  type: dict
  returned: always
plan:
  description: In check mode, what both steps would do.
  type: dict
  returned: in check mode
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sparkfleet.host.plugins.module_utils import reset


def main():
    """Run as an Ansible module."""
    module = AnsibleModule(
        {
            "step": {"type": "str", "choices": ["way-in", "rest"], "required": True},
            "user": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        answer = reset.main(
            {"do": "plan" if module.check_mode else module.params["step"], "user": module.params["user"]}
        )
    except OSError as error:
        module.fail_json(msg="%s; mend it and run the reset again" % error)
    changed = answer.get("applied") and (module.check_mode or bool(answer["done"]))
    module.exit_json(changed=bool(changed), **dict({"done": [], "left": {}}, **answer))


if __name__ == "__main__":
    main()
