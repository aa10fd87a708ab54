"""A secret reference ("file:PATH", "env:NAME") → the secret, on the controller, at the moment a task needs it."""

from __future__ import annotations

DOCUMENTATION = """
name: secret
short_description: Resolve a secret reference on the controller
description: Use it in tasks with C(no_log) only.
options:
  _terms:
    description: The references.
    required: true
author: sparkfleet
"""
EXAMPLES = """
- name: Ship a secret
  ansible.builtin.copy:
    content: "{{ lookup('sparkfleet.host.secret', 'file:/etc/controller/secret') }}"
    dest: /etc/secret
    mode: "0600"
  no_log: true
"""
RETURN = """
_raw:
  description: The secrets.
  type: list
"""

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from sparkfleet.errors import SparkfleetError
from sparkfleet.secrets import resolve


class LookupModule(LookupBase):
    """The lookup plugin."""

    def run(self, terms, variables=None, **kwargs):  # noqa: ARG002
        """Resolve each reference; a failure names the reference, never the value."""
        try:
            return [resolve(term) for term in terms]
        except SparkfleetError as error:
            raise AnsibleError(str(error)) from error
