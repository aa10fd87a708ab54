"""A word → whether it is a region of AWS, and which one was probably meant. Pure.

Source: the endpoints of botocore; a test compares (tests/sparkfleet/test_regions.py), so a new region arrives with it.
"""

from __future__ import annotations

import difflib

NAMES = """
af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1
ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7 ca-central-1 ca-west-1
cn-north-1 cn-northwest-1 eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3
eusc-de-east-1 il-central-1 me-central-1 me-south-1 mx-central-1 sa-east-1 us-east-1 us-east-2 us-gov-east-1
us-gov-west-1 us-west-1 us-west-2
"""
REGIONS = frozenset(NAMES.split())


def known(region: str) -> str:
    """The region itself; raises ValueError, with the nearest one, for a word that is none."""
    if region in REGIONS:
        return region
    near = difflib.get_close_matches(region, sorted(REGIONS), n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    message = f'expected an AWS region such as "eu-central-1"{hint}'
    raise ValueError(message)
