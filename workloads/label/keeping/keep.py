"""A project's records as they are now → their next version in the store; what became of that is noted.

Whoever would write over the records of another life of this project is stopped: a machine that begins anew under an
old name must not put its empty workspace in the place of years of reviews.
"""

from __future__ import annotations

import datetime as dt
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from workloads.errors import ConfigError, LockedError, NodeError, printable
from workloads.label.keeping import record
from workloads.label.keeping.record import Kept
from workloads.label.keeping.table import PROJECT, kept
from workloads.label.params import FILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloads.datasets.config import Wanted
    from workloads.datasets.store import Store
    from workloads.label.flow import Place
    from workloads.label.site import Keeping

CONNECTIONS = 8
RENEWED_DAYS = 150  # the bucket ends what was written 400 days ago, also what the newest version still names
NOT_YET = "it did not come to its end"


def after_run(at: Place, say: Callable[[str], None]) -> None:
    """Keep what a run has left, where the site names a place; whatever goes wrong is told and noted, never raised."""
    if at.site.keeping is None:
        return
    try:
        keep(at)
    except LockedError:
        pass  # another run has begun: it keeps them at its end
    except Exception as error:  # noqa: BLE001  (a run is not worse for it, whatever it is)
        say(f"its records were not kept: {_why(error)}")


def keep(at: Place, *, anew: bool = False) -> tuple[Kept, int]:
    """Make them the newest version; what was noted, and how many files were sent.

    Raises ConfigError where the site names no place, or where what is there is of another life of the project, unless
    `anew`; LockedError while a run has the project; StoreError, DamagedError.
    """
    place, now = described(at), dt.datetime.now(dt.UTC)
    with at.work.locked("keep"):
        before = record.read(at.work) or Kept(project=at.params.name, since=now)
        try:
            return _keep(at, place, before, now, anew=anew)
        except Exception as error:
            last = record.read(at.work) or before
            record.write(at.work, last.model_copy(update={"told": _why(error)}))
            raise


def _why(error: Exception) -> str:
    return printable(error.what if isinstance(error, NodeError) else f"{type(error).__name__}: {error}")


def described(at: Place) -> Keeping:
    """Where records are kept; raises ConfigError where the site does not say."""
    if at.site.keeping is None:
        raise ConfigError(
            "the site names no place where records are kept",
            usually="the fleet has no object store, or label.keep is null",
            next_step="describe it: docs/guides/label-hosts.md, When a Spark dies.",
        )
    return at.site.keeping


def opened(place: Keeping, project: str, host: str = "") -> tuple[Store, Wanted]:
    """The bucket, and where in it a host's records of a project are. Raises ConfigError."""
    from workloads.datasets.config import Wanted
    from workloads.datasets.store import Store

    return Store(place.store, place.bucket), Wanted(project, place.bucket, place.prefix(project, host))


def _keep(at: Place, place: Keeping, before: Kept, now: dt.datetime, *, anew: bool) -> tuple[Kept, int]:
    from workloads.datasets.progress import Progress
    from workloads.datasets.publish import Sending, latest, publish

    version = f"{named(now)}-{secrets.token_hex(2)}"
    record.write(at.work, before.model_copy(update={"told": NOT_YET}))
    store, wanted = opened(place, at.params.name)
    there = latest(store, wanted)
    if there and there.version not in {before.version, before.trying} and not anew:
        raise ConfigError(
            f"the store holds records of {at.params.name} that are not this workspace's: {there.version}",
            usually="this machine was set up anew and its records were not restored, or two machines have one name",
            next_step=f"move {at.work.folder} away and run `spark-node label restore`; or begin anew: `keep --anew`.",
        )
    trying = before.model_copy(update={"trying": version, "told": NOT_YET})
    record.write(at.work, trying)
    for name, file in owned(at).items():
        at.work.put(f"{PROJECT}/{name}", file.read_bytes())
    oldest = named(now - dt.timedelta(days=RENEWED_DAYS))
    afresh = anew or there is None or there.version != before.version  # what is there may be damaged
    to = Sending(store, wanted, Progress(), CONNECTIONS, afresh=afresh, oldest=oldest)
    manifest, sent = publish(to, at.work.folder, version, kept)
    done = Kept(
        project=before.project, since=before.since, kept_at=dt.datetime.now(dt.UTC), version=version,
        files=len(manifest.files), size_bytes=manifest.size,
    )  # fmt: skip
    record.write(at.work, done)
    return done, sent


def named(at: dt.datetime) -> str:
    """How the version of a moment begins: they sort by time."""
    return f"{at:%Y%m%dT%H%M%S.%f}Z"


def owned(at: Place) -> dict[str, Path]:
    """What the owner wrote, by its name below the project's folder; what lies elsewhere is not the project's."""
    params, made = at.params, at.params.campaign.synthetic if at.params.campaign else None
    named = (Path(FILE), params.publish.config, params.finetune.seeds, made.templates if made else None)
    files = [(params.folder / each).resolve() for each in named if each]
    return {
        str(file.relative_to(params.folder)): file
        for file in files
        if file.is_file() and file.is_relative_to(params.folder)
    }
