"""An instance → its Label Studio, where people (and the tests' scripted reviewer) look at what a model marked.

The real server, with SQLite, reached on the lab's bridge alone; it phones nobody. A new database takes a minute of
migrations, so an empty migrated one lies in the cache, made once for a lock; a start copies it.
"""

from __future__ import annotations

import json
import secrets
import shutil
from typing import TYPE_CHECKING

from lab import cache, environments, record, shell, store
from lab.progress import silent
from lab.spark.factory import secret

if TYPE_CHECKING:
    from pathlib import Path

    from lab.instance import Instance
    from lab.progress import Step

LABEL = "label-studio"
PORT = 18080
EMAIL = "reviewer@lab.example"
DATABASE = "label_studio.sqlite3"
READY_WITHIN_S = 120.0  # 7 to 15 s on a quiet machine
# No analytics, no question after newer versions, no error reports, no accounts that nobody asked for.
QUIET = {
    "COLLECT_ANALYTICS": "false",
    "LATEST_VERSION_CHECK": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
}


def up(instance: Instance, step: Step = silent) -> str:
    """Start the server unless it runs; returns its URL once it is healthy. The lab's network must be there.

    Tasks and reviews outlive a stop, not a `down`. Raises LabError when it does not come up.
    """
    environment = environments.ensure("review", step)
    folder = data(instance)
    if record.alive(instance, LABEL) is None:
        if not (folder / DATABASE).exists():
            _new(folder, _migrated(environment, step))
        record.start(instance, LABEL, command(instance, environment), store.log(instance, LABEL), settings(instance))
    with step("Label Studio"):
        store.wait_for(instance, LABEL, PORT, READY_WITHIN_S, health="/health", answer_s=5)
    return url(instance)


def stop(instance: Instance) -> None:
    """End the server, if it runs."""
    record.stop(instance, LABEL)


def url(instance: Instance) -> str:
    """Where people and programs reach it."""
    return f"http://{instance.gateway}:{PORT}"


def token_file(instance: Instance) -> Path:
    """The administrator's API token: made at random and written 0600 when there is none."""
    return secret(instance.secrets / "label-studio-token", lambda: secrets.token_hex(20))


def password_file(instance: Instance) -> Path:
    """The administrator's password, for a browser; the account is EMAIL."""
    return secret(instance.secrets / "label-studio-password", lambda: secrets.token_urlsafe(18))


def data(instance: Instance) -> Path:
    """Its database and uploads; nobody else may read them."""
    return instance.folder / "label-studio"


def command(instance: Instance, environment: Path) -> list[str]:
    """How the server is started; no secret is among the words."""
    return [
        *_program(environment), "start", "--no-browser", "--internal-host", instance.gateway, "--port", str(PORT),
        # Tokens that need no renewal; the newer ones are for people.
        "--enable-legacy-api-token",
        # Without it, it takes another port when anybody has this one on loopback; it does nothing else.
        "--debug",
    ]  # fmt: skip


def settings(instance: Instance) -> dict[str, str]:
    """Its environment: the account that the first start makes is described here alone."""
    return {
        **QUIET,
        "LABEL_STUDIO_BASE_DATA_DIR": str(data(instance)),
        "LABEL_STUDIO_USERNAME": EMAIL,
        "LABEL_STUDIO_PASSWORD": password_file(instance).read_text(),
        "LABEL_STUDIO_USER_TOKEN": token_file(instance).read_text(),
    }


def _program(environment: Path) -> list[str]:
    return [str(environments.python(environment)), str(environment / "venv" / "bin" / "label-studio")]


def _migrated(environment: Path, step: Step) -> Path:
    """An empty database in the cache, migrated by the server itself."""

    def build(folder: Path) -> None:
        shell.run(*_program(environment), "version", env={**QUIET, "LABEL_STUDIO_BASE_DATA_DIR": str(folder)})
        # The key that signs sessions is made anew for every lab.
        (folder / ".env").unlink(missing_ok=True)

    made_from = cache.digest(environments.lock("review").read_bytes(), json.dumps(QUIET))
    with step("empty database of Label Studio"):
        return cache.once(f"label-studio-{made_from}", build, step)


def _new(folder: Path, empty: Path) -> None:
    """A copy of the empty database; complete once it has its name."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = folder / f".{DATABASE}"
    shutil.copyfile(empty / DATABASE, partial)
    partial.rename(folder / DATABASE)
