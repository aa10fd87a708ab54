"""The description of datasets, typed: what is staged on a host's NVMe, from where, and how much room it may take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from sparkfleet.forms import ByteSize, Described, Duration, HostName, HostPath, matching, seconds

UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}  # as systemd reads them

Bucket = Annotated[str, matching(r"([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?", 'the name of a bucket, or ""')]
# Neither may lead out of its folder, nor look like one of ours there: those begin with a dot.
Prefix = Annotated[
    str, matching(r"([A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)?", 'words between slashes, or ""')
]
Version = Annotated[str, matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", 'a version such as "2026-11-21", or latest')]
Profile = Annotated[str, matching(r"[A-Za-z0-9_.-]*", 'the name of a profile of the AWS config file, or ""')]


class Dataset(Described):
    """One data set: where its manifests lie, and which of its versions a host mirrors."""

    bucket: Bucket = Field(default="", description="empty: the fleet's own bucket for data sets")
    prefix: Prefix = Field(default="", description="in the bucket; empty: shared/NAME, which every host may read")
    version: Version = Field(default="latest", description="what `publish` called it; latest: what was published last")


class Datasets(Described):
    """What is staged on the NVMe, on hosts with the role datasets."""

    folder: HostPath = Field(default=Path("/var/lib/sparkfleet/datasets"), description="NAME/current is what to read")
    keep_free: ByteSize = Field(
        default="100G", description="of its file system; versions that nobody has used for longest go first"
    )
    interval: Duration = Field(default="1h", description="between two looks for a new version")
    connections: int = Field(default=16, ge=1, le=128, description="requests to the store at a time")
    bandwidth_mib_s: int | None = Field(default=None, ge=1, description="MiB a second at most; null: no limit")
    aws_profile: Profile = Field(default="", description="of /root/.aws/config, instead of the host's own key")
    sets: dict[HostName, Dataset] = Field(default_factory=dict, description="by name")

    @property
    def interval_s(self) -> float:
        """The time between two looks, in seconds."""
        return seconds(self.interval)

    @property
    def keep_free_bytes(self) -> int:
        """The floor of free space, in bytes."""
        return int(self.keep_free[:-1]) * UNITS[self.keep_free[-1]]
