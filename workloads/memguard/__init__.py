"""A model's declared need of memory → room for it: page cache evicted, memory compacted, or a reason why not.

Shipped to hosts as one file (`spark-memguard`, docs/guides/memory-guard.md): standard library only, Python 3.11 and
newer.
"""
