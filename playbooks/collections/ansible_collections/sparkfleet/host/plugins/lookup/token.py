"""A host's enrolment key → a one-time token of this moment, with which the host gets its certificate."""

from __future__ import annotations

DOCUMENTATION = """
name: token
short_description: Make a one-time token for a host's enrolment on the controller
description: Use it in tasks with C(no_log) only. Each look-up makes another token.
options:
  _terms:
    description: Maps with the host's name, a reference of its enrolment key, and the audience that is to believe it.
    required: true
author: sparkfleet
"""
EXAMPLES = """
- name: Enrol
  ansible.builtin.command:
    cmd: /usr/bin/python3 -IS /usr/local/lib/sparkfleet/identity.py enrol
    stdin: "{{ lookup('sparkfleet.host.token', sparkfleet_enrolment) }}"
  no_log: true
"""
RETURN = """
_raw:
  description: The tokens.
  type: list
"""

import time

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from sparkfleet.cloud import enrolment, pki
from sparkfleet.errors import SparkfleetError
from sparkfleet.secrets import resolve


class LookupModule(LookupBase):
    """The lookup plugin."""

    def run(self, terms, variables=None, **kwargs):  # noqa: ARG002
        """Make each; a failure names the reference, never the key."""
        try:
            return [
                enrolment.token(one["host"], pki.key_of(resolve(one["key"])), one["audience"], time.time())
                for one in terms
            ]
        except SparkfleetError as error:
            raise AnsibleError(str(error)) from error
