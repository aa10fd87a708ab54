"""Sent over SSH and run as root: a signed request with the host's own object-store key → what the store said, as JSON.

The request (ListObjectsV2 of the host's own prefix) is signed by AWS Signature Version 4 with the standard library
alone. The secret is read from the host's file; neither it nor the signature is printed.
"""

import hashlib
import hmac
import json
import re
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

STORE_KEY = Path("/etc/sparkfleet/s3.json")
EMPTY = hashlib.sha256(b"").hexdigest()
CODE = re.compile(r"<Code>([A-Za-z0-9.]{1,64})</Code>")


def main(request: dict[str, Any]) -> None:
    """Print {"id": the key's id, "answer": "ok", the store's refusal, or why there was none}."""
    key = json.loads(STORE_KEY.read_text())
    print(json.dumps({"id": key["AccessKeyId"], "answer": ask(request, key, time.gmtime())}))


def ask(request: dict[str, Any], key: dict[str, Any], now: time.struct_time) -> str:
    """List the prefix; "ok", the code of a refusal, or the name of what kept an answer from coming."""
    url, headers = signed(request, key["AccessKeyId"], key["SecretAccessKey"], now)
    # A proxy of the environment is not asked: the store is on the premises, and -I has cleared the environment anyway.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=15) as answer:  # noqa: S310
            answer.read(65536)
    except urllib.error.HTTPError as error:
        found = CODE.search(error.read(65536).decode(errors="replace"))
        return found.group(1) if found else f"HTTP {error.code}"
    except (urllib.error.URLError, OSError) as error:
        return f"no answer ({type(error).__name__})"
    return "ok"


def signed(request: dict[str, Any], key_id: str, secret: str, now: time.struct_time) -> "tuple[str, dict[str, str]]":
    """The URL and headers of the request (docs.aws.amazon.com, "Signature Version 4", GET without a body)."""
    day, moment = time.strftime("%Y%m%d", now), time.strftime("%Y%m%dT%H%M%SZ", now)
    place = urlsplit(request["endpoint"])
    path = f"{place.path.rstrip('/')}/{quote(request['bucket'], safe='')}"
    query = f"list-type=2&max-keys=1&prefix={quote(request['prefix'], safe='')}"
    headers = {"host": place.netloc, "x-amz-content-sha256": EMPTY, "x-amz-date": moment}
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    scope = f"{day}/{request['region']}/s3/aws4_request"
    canonical = hashlib.sha256(f"GET\n{path}\n{query}\n{lines}\n{names}\n{EMPTY}".encode()).hexdigest()
    step = f"AWS4{secret}".encode()
    for word in scope.split("/"):
        step = hmac.digest(step, word.encode(), "sha256")
    signature = hmac.digest(step, f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{canonical}".encode(), "sha256").hex()
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return f"{place.scheme}://{place.netloc}{path}?{query}", headers
