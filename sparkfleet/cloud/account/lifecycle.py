"""What a bucket is for → the rules by which S3 moves and ends what lies in it. Pure.

A rule ends versions, never what a lock still holds: S3 leaves those until the lock is over (S3 user guide, "Object
Lock and lifecycle").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pulumi_aws.s3 import BucketLifecycleConfigurationRuleArgsDict as Rule

ABANDONED_UPLOAD_DAYS = 7

DATASET_VERSION_DAYS = 90  # a data set that was overwritten by mistake is missed within a quarter
MODEL_VERSION_DAYS = 365  # which model gave an answer is asked for a year
ARTIFACT_COLD_DAYS, ARTIFACT_DAYS = 30, 400  # a report is read when it is new; a year on it is compared once more
SCRAP_DAYS = 30  # versions of what ends by itself


def rules(purpose: str, log_days: int) -> list[Rule]:
    """The rules of one of the fleet's buckets; `log_days`: how long logs are kept."""
    return [_abandoned(), *_further(purpose, log_days)]


def _further(purpose: str, log_days: int) -> list[Rule]:
    if purpose == "datasets":
        # Read often while a campaign runs, then hardly ever: S3 itself watches and moves.
        return [_moved("tier-by-use", "INTELLIGENT_TIERING", 1), _older_versions(DATASET_VERSION_DAYS)]
    if purpose == "models":
        return [_older_versions(MODEL_VERSION_DAYS)]
    if purpose == "artifacts":
        cold = _moved("cold-when-old", "GLACIER_IR", ARTIFACT_COLD_DAYS)
        return [cold, _ended(ARTIFACT_DAYS), _older_versions(SCRAP_DAYS)]
    if purpose == "logs":
        return [_ended(log_days), _older_versions(SCRAP_DAYS)]
    return []  # audit: nothing in it ends by itself


def _abandoned() -> Rule:
    return {
        "id": "abort-abandoned-uploads",
        "status": "Enabled",
        "filter": {"prefix": ""},
        "abort_incomplete_multipart_upload": {"days_after_initiation": ABANDONED_UPLOAD_DAYS},
    }


def _older_versions(days: int) -> Rule:
    """Versions that something newer, or a deletion, has covered for `days`; and a deletion that covers nothing more."""
    return {
        "id": "end-older-versions",
        "status": "Enabled",
        "filter": {"prefix": ""},
        "noncurrent_version_expiration": {"noncurrent_days": days},
        "expiration": {"expired_object_delete_marker": True},
    }


def _moved(name: str, storage_class: str, days: int) -> Rule:
    return {
        "id": name,
        "status": "Enabled",
        "filter": {"prefix": ""},
        "transitions": [{"days": days, "storage_class": storage_class}],
    }


def _ended(days: int) -> Rule:
    return {"id": "end-when-old", "status": "Enabled", "filter": {"prefix": ""}, "expiration": {"days": days}}
