"""Pinned Go modules → the programs that the lab runs, built from source once into the cache.

Each folder here is a small Go module that pins one program with everything in it (go.mod, go.sum); `tailnet` holds two
programs of our own too: the control server, and one that asks tailscaled's packet filter. Two folders hold parts of
Pulumi because no one version has both: the command of 3.259.0, and the last released language host for Python.
"""

from lab.toolchain.build import NEEDED, TAILNET, ensure, ours, source, version

__all__ = ["NEEDED", "TAILNET", "ensure", "ours", "source", "version"]
