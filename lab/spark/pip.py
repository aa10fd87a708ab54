"""This machine's pip → the settings that a stand-in's pip needs to use the same package index.

No index stands in our files: pip itself is asked what it uses, and what it is not told stays its own default.
"""

from __future__ import annotations

import ast
import os
import sys

from lab import shell

# How to reach an index; caches, log files and tastes of this machine are its own business.
CARRIED = {"index-url", "extra-index-url", "no-index", "trusted-host", "proxy", "timeout", "default-timeout", "retries"}
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"  # of the stand-in: the base has put this machine's authorities into it


def settings(listed: str, environment: dict[str, str]) -> str:
    """`pip config list` and the proxy variables of the shell → a pip.conf.

    A variable of pip's counts more than a section, a section of a command more than the global one, as in pip.
    """
    found: dict[str, tuple[int, str]] = {}
    for line in listed.splitlines():
        place, _, value = line.partition("=")
        section, _, key = place.rpartition(".")
        rank = {"global": 0, "install": 1, ":env:": 2}.get(section, -1)
        if rank >= found.get(key, (0, ""))[0] and (key in CARRIED or key == "cert"):
            found[key] = (rank, BUNDLE if key == "cert" else str(ast.literal_eval(value)))
    proxy = environment.get("https_proxy") or environment.get("HTTPS_PROXY")
    if proxy:
        found.setdefault("proxy", (0, proxy))
    lines = [f"{key} = {' '.join(value.split())}\n" for key, (_, value) in sorted(found.items())]
    return "".join(["[global]\n", *lines])


def machine_settings() -> str:
    """The pip.conf of this machine's stand-ins."""
    return settings(shell.run(sys.executable, "-m", "pip", "config", "list"), dict(os.environ))
