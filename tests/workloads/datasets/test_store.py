"""What the engine says → what we tell: texts as obstore 0.12.1 gives them, of versitygw 1.8.0 or after S3's docs."""

from __future__ import annotations

import pytest

from workloads.datasets.store import MissingError, SilentError, explained
from workloads.errors import DamagedError, StoreError

ANSWER = "Error performing GET http://x/b/k in 5ms - Server returned non-2xx status code: {} {}: <Error><Code>{}</Code>"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (ANSWER.format(404, "Not Found", "NoSuchKey"), MissingError),
        (ANSWER.format(404, "Not Found", "XAdminUserNotFound"), StoreError),
        (ANSWER.format(404, "Not Found", "NoSuchBucket"), StoreError),
        (ANSWER.format(403, "Forbidden", "SignatureDoesNotMatch"), StoreError),
        (ANSWER.format(400, "Bad Request", "ExpiredToken"), StoreError),
        (ANSWER.format(400, "Bad Request", "InvalidArgument"), StoreError),
        (ANSWER.format(416, "Range Not Satisfiable", "InvalidRange"), DamagedError),
        (ANSWER.format(429, "Too Many Requests", "SlowDown"), SilentError),
        (ANSWER.format(503, "Service Unavailable", "SlowDown"), SilentError),
        ("Generic S3 error: HTTP error: error sending request\n\nDebug source:\nGeneric {", SilentError),
        ("Object at location zz not found: no such file", MissingError),
    ],
)
def test_an_answer_is_told_as_what_it_is(text: str, kind: type[Exception]) -> None:
    """Only silence is worth another try, and only a missing object is missing."""
    told = explained(text, "reading k")

    assert type(told) is kind
    assert "Debug source" not in str(told)
