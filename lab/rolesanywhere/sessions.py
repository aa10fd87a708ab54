"""A name that was let in → a key of the lab's store that ends with the session, and may do what the role's policy says.

versitygw gives sessions to web identities alone, of a public issuer. Here a session is a user of its own, with the
policy written out for the name, and its end is the user's. It has no token; the key is what the store checks.
"""

from __future__ import annotations

import datetime as dt
import secrets
import threading
from dataclasses import dataclass, field
from typing import Any

CN_VARIABLE = "${aws:PrincipalTag/x509Subject/CN}"
PREFIX = "session-"


@dataclass
class Sessions:
    """Grants of one role: `iam` is a client of the store's IAM API, `policy` the role's, as JSON text."""

    iam: Any
    policy: str
    _open: dict[str, threading.Timer] = field(default_factory=dict)

    def grant(self, name: str, seconds: int) -> dict[str, str]:
        """The credentials of a new session, as CreateSession has them."""
        user = f"{PREFIX}{name}-{secrets.token_hex(4)}"
        self.iam.create_user(UserName=user)
        self.iam.put_user_policy(
            UserName=user, PolicyName="role", PolicyDocument=self.policy.replace(CN_VARIABLE, name)
        )
        made = self.iam.create_access_key(UserName=user)["AccessKey"]
        ends = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
        self._open[user] = threading.Timer(seconds, self._end, (user, made["AccessKeyId"]))
        self._open[user].daemon = True
        self._open[user].start()
        return {
            "accessKeyId": made["AccessKeyId"],
            "secretAccessKey": made["SecretAccessKey"],
            "sessionToken": "",
            "expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def close(self) -> None:
        """Leave no clock running; keys that are left go with the store."""
        for clock in self._open.values():
            clock.cancel()

    def _end(self, user: str, access_key_id: str) -> None:
        self.iam.delete_access_key(UserName=user, AccessKeyId=access_key_id)
        self.iam.delete_user_policy(UserName=user, PolicyName="role")
        self.iam.delete_user(UserName=user)
