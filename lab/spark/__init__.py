"""Names → Spark stand-ins: Debian in systemd-nspawn, in the state in which a Spark leaves the factory.

apt      this machine's package mirror and settings → those of the stand-in
pip      the same for its package index
base     what all stand-ins share: built once, read-only
factory  one host's identity, accounts, network and simulated GB10, written into its overlay
machine  power: on, off, on again with the state kept
"""

from lab.spark.machine import boot, first_process, halt, running, tree

__all__ = ["boot", "first_process", "halt", "running", "tree"]
