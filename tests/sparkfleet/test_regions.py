"""The regions that a description may name: the ones that AWS has, and the nearest one for a slip of the finger."""

from __future__ import annotations

import botocore.session
import pytest

from sparkfleet import regions

PARTITIONS = ("aws", "aws-cn", "aws-us-gov", "aws-eusc")
"""The isolated partitions (aws-iso…) are reached by nobody who reads this."""


def test_every_region_of_the_sdk_is_known_and_no_other() -> None:
    """A new botocore with a new region fails here, and the list grows."""
    session = botocore.session.get_session()

    assert {name for p in PARTITIONS for name in session.get_available_regions("s3", p)} == regions.REGIONS


@pytest.mark.parametrize(("typed", "meant"), [("eu-wst-1", "eu-west-1"), ("us-east-11", "us-east-1")])
def test_a_typo_is_refused_with_the_region_that_was_meant(typed: str, meant: str) -> None:
    """A word that looks like a region is none for that."""
    with pytest.raises(ValueError, match=f"did you mean {meant}"):
        regions.known(typed)
