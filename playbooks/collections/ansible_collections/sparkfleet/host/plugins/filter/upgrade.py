"""What playbooks/upgrade.yml and reboot.yml send to a host and how they judge its answers: as `spark upgrade` does."""

from __future__ import annotations

DOCUMENTATION = """
name: upgrade
short_description: Send upgrade_script to a host and judge what it answers
description:
  - C(upgrade_program) makes the text for a Python on the host out of a request.
  - C(upgrade_packages) lists what would change, C(upgrade_faults) and C(boot_faults) what is in the way.
author: sparkfleet
"""

import json

from ansible.errors import AnsibleFilterError

from sparkfleet.fitness import Upgrade
from sparkfleet.host import upgrade_apt, upgrade_host, upgrade_judge
from sparkfleet.host.upgrade_look import Look

OF_A_HOST = ("ring", "sysfs", "procfs")  # in sparkfleet_upgrade beside the description


def upgrade_program(request):
    """The program with its request; plain data, whatever Ansible wraps it in."""
    return upgrade_host.program(_plain(request))


def upgrade_packages(answer):
    """The packages that a full upgrade would change, in words."""
    return [str(package) for package in _updates(answer).packages]


def upgrade_faults(look, answer, rules, force=False):
    """Why the host must not be upgraded now."""
    told, described = _look(look), _rules(rules)
    faults = upgrade_judge.packages(told, _updates(answer), described)
    return _words([*faults, *upgrade_judge.boot_now(told, allowed_units=described.serving, force=force)])


def boot_faults(look, rules, drained=False, force=False):
    """Why the host must not be rebooted now: who is at work there, and the kernel that comes next."""
    told, allowed = _look(look), () if drained else _rules(rules).serving
    return _words(
        [*upgrade_judge.boot_now(told, allowed_units=allowed, force=force), *upgrade_judge.boot_target(told)[1]]
    )


def boot_needed(look, answer, rules):
    """Whether what changed takes effect with the next boot alone."""
    updates, always = _updates(answer), _rules(rules).reboot == "always"
    return _look(look).reboot_required or updates.asks_for_boot or (always and bool(updates.packages))


def _look(text):
    try:
        return Look.of(json.loads(text))
    except ValueError as error:
        raise AnsibleFilterError("the host gave an answer that upgrade_script does not give") from error


def _updates(text):
    try:
        answer = json.loads(text)
        if answer["code"]:
            raise AnsibleFilterError("apt cannot upgrade: %s" % answer["text"].strip()[-500:])
        return upgrade_apt.parse(answer["text"], answer["sizes"])
    except (ValueError, KeyError, TypeError) as error:
        raise AnsibleFilterError("what apt said could not be understood: %s" % error) from error


def _rules(rules):
    return Upgrade.model_validate({key: value for key, value in _plain(rules).items() if key not in OF_A_HOST})


def _plain(value):
    """Without Ansible's own kinds of text and list."""
    return json.loads(json.dumps(value))


def _words(faults):
    return ["%s. Next: %s" % (fault.what, fault.way_on) for fault in faults]


class FilterModule:
    """The filter plugin."""

    def filters(self):
        """By name."""
        return {
            "upgrade_program": upgrade_program,
            "upgrade_packages": upgrade_packages,
            "upgrade_faults": upgrade_faults,
            "boot_faults": boot_faults,
            "boot_needed": boot_needed,
        }
