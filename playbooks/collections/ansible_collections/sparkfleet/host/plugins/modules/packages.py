#!/usr/bin/python
"""A list of Debian packages → installed; when none is missing, one dpkg-query and no package cache."""

from __future__ import absolute_import, annotations, division, print_function

__metaclass__ = type

DOCUMENTATION = """
module: packages
short_description: Install what is missing of a list of Debian packages
description:
  - Never upgrades, never removes, keeps configuration files that exist, waits for other package managers.
  - Asks apt-get first what it would do, and notes it, so that M(sparkfleet.host.reset) can take it back.
  - Refuses NVIDIA's driver on DGX OS, which supports the one branch that it ships.
options:
  names:
    description: The packages.
    type: list
    elements: str
    required: true
  lock_timeout:
    description: Seconds to wait for another package manager (the DGX Dashboard and unattended-upgrades use them).
    type: int
    default: 300
  keep:
    description: Paths that M(sparkfleet.host.tree) will write; a new package may bring the same file first.
    type: list
    elements: str
    default: []
  vendor_release:
    description: The file by which DGX OS is known.
    type: path
    default: /etc/dgx-release
author: sparkfleet
"""
EXAMPLES = """
- name: Install packages
  sparkfleet.host.packages:
    names: [nftables, sudo]
"""
RETURN = """
installed:
  description: What was missing and is installed now.
  type: list
  returned: always
"""

import os
import re

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sparkfleet.host.plugins.module_utils import before, facts

INSTALL = ["apt-get", "-y", "-q", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confdef"]
INSTALL += ["-o", "Dpkg::Options::=--force-confold"]
# A list that is already there is tried first: refreshing it costs a minute on a slow line.
ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C", "NEEDRESTART_MODE": "l"}

DRIVER = re.compile(r"nvidia-(driver|dkms)-[0-9]|nvidia-headless-|nvidia-open(-|$)|cuda-drivers|linux-modules-nvidia-")
PLANNED = re.compile(r"^(?:Inst|Remv) (\S+)(?: (\[\S+\]))?", re.MULTILINE)


def missing(module, names):
    """Which of the packages are not installed."""
    _rc, out, _err = module.run_command(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\\n", *names], environ_update={"LC_ALL": "C"}
    )
    have = {line.split()[0] for line in out.splitlines() if line.endswith(" installed")}
    return [name for name in names if name not in have]


def install(module, names):
    """Install, refreshing the package lists only if the ones at hand do not do."""
    wait = "DPkg::Lock::Timeout=%d" % module.params["lock_timeout"]
    # A kill in the middle of an earlier install leaves packages half-configured; this is a no-op otherwise.
    module.run_command(["dpkg", "--configure", "-a", "--force-confold"], environ_update=ENVIRONMENT)
    command = [*INSTALL, "-o", wait, "install", *names]
    if not attempt(module, command):
        module.run_command(["apt-get", "-q", "-o", wait, "update"], environ_update=ENVIRONMENT, check_rc=True)
        attempt(module, command, check_rc=True)


def attempt(module, command, check_rc=False):
    """Note what the command will do to which package, then do it; False when apt-get could not."""
    rc, out, _err = module.run_command([*command, "--simulate"], environ_update=ENVIRONMENT, check_rc=check_rc)
    if rc:
        return False
    before.once("package", planned(out))
    before.once("accounts", {"all": facts.accounts()})  # to tell later which ones packages of ours made
    rc, _out, _err = module.run_command(command, environ_update=ENVIRONMENT, check_rc=check_rc)
    return not rc


def planned(said):
    """What `apt-get --simulate` said: package to the version that was there before, empty when there was none."""
    return {name: version.strip("[]") for name, version in PLANNED.findall(said)}


def main():
    """Run as an Ansible module."""
    module = AnsibleModule(
        {
            "names": {"type": "list", "elements": "str", "required": True},
            "lock_timeout": {"type": "int", "default": 300},
            "keep": {"type": "list", "elements": "str", "default": []},
            "vendor_release": {"type": "path", "default": "/etc/dgx-release"},
        },
        supports_check_mode=True,
    )
    names = missing(module, module.params["names"]) if module.params["names"] else []
    drivers = [name for name in names if DRIVER.match(name)]
    if drivers and os.path.exists(module.params["vendor_release"]):
        module.fail_json(
            msg="this is DGX OS, which supports the one driver branch that it ships; not installed: %s. "
            "Set gpu.driver.manage to hold, and let the vendor's updates bring the driver." % ", ".join(drivers)
        )
    if names and not module.check_mode:
        before.keep(*module.params["keep"])
        install(module, names)
    module.exit_json(changed=bool(names), installed=names)


if __name__ == "__main__":
    main()
