"""An instance → its object store: the S3 server and the IAM server that decides for it, both versitygw.

Real servers with real signatures, policies and versions; only the machine under them is not the one in your rack.
"""

from __future__ import annotations

import http.client
import json
import secrets
import time
from typing import TYPE_CHECKING

from lab import record
from lab.errors import LabError
from lab.instance import IAM_PORT, S3_PORT
from lab.spark.factory import secret

if TYPE_CHECKING:
    from pathlib import Path

    from lab.instance import Instance

READY_WITHIN_S = 20.0
S3, IAM = "store-s3", "store-iam"


def up(instance: Instance, versitygw: Path) -> None:
    """Start what does not run; returns when both answer. The data outlives a stop, not a `down`."""
    folder = instance.folder / "store"
    for part in ("data", "versions", "iam"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    # The two servers speak through it without TLS, so nobody else may.
    folder.chmod(0o700)
    socket = str(folder / "iam.sock")
    admin = credentials(instance)
    root = {"ROOT_ACCESS_KEY": admin["access_key_id"], "ROOT_SECRET_KEY": admin["secret_access_key"]}
    commands = {
        IAM: [
            str(versitygw), "--quiet", "--port", f"{instance.gateway}:{IAM_PORT}",
            "iam", "--dir", str(folder / "iam"), "--private-ports", socket,
        ],
        S3: [
            str(versitygw), "--quiet", "--port", f"{instance.gateway}:{S3_PORT}", "--iam-standalone-endpoint", socket,
            "posix", "--versioning-dir", str(folder / "versions"), str(folder / "data"),
        ],
    }  # fmt: skip
    for label, port in ((IAM, IAM_PORT), (S3, S3_PORT)):
        if record.alive(instance, label) is None:
            record.start(instance, label, commands[label], log(instance, label), root)
        wait_for(instance, label, port)


def credentials(instance: Instance) -> dict[str, str]:
    """The administrator's access key; made at random and written 0600 when there is none."""
    found: dict[str, str] = json.loads(secret(admin_file(instance), _made).read_text())
    return found


def _made() -> str:
    made = {"access_key_id": f"LAB{secrets.token_hex(8).upper()}", "secret_access_key": secrets.token_urlsafe(30)}
    return json.dumps(made) + "\n"


def admin_file(instance: Instance) -> Path:
    """Where the administrator's access key lies."""
    return instance.secrets / "store-admin.json"


def log(instance: Instance, label: str) -> Path:
    """What the server said."""
    return instance.folder / "run" / f"{label}.log"


def wait_for(  # noqa: PLR0913
    instance: Instance,
    label: str,
    port: int,
    within_s: float = READY_WITHIN_S,
    *,
    health: str = "",
    answer_s: float = 1,
) -> None:
    """Return when the server answers HTTP at all: unsigned requests are refused or sent away, and that is an answer.

    With the path `health`: when that is answered by 200. `answer_s`: how long one answer may take.
    """
    until = time.monotonic() + within_s
    while time.monotonic() < until and record.alive(instance, label):
        connection = http.client.HTTPConnection(instance.gateway, port, timeout=answer_s)
        try:
            connection.request("GET", health or "/")
            if connection.getresponse().status == http.HTTPStatus.OK or not health:
                return
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.05)
    raise LabError(f"{label} does not answer on port {port}", next_step=f"see {log(instance, label)}")
