"""A candidate that passed its gate → the version that Calypso serves, proved there, or what served before.

repository  the bucket: versions written once, and config.pbtxt, which alone says which one is served
served      config.pbtxt, as text
turn        one promotion at a time, by an object in the bucket
server      Calypso: load, ask, statistics
probes      questions whose answers are known
steps       upload, trial, switch, watch, back

    python -m workloads.label.promoting --project examples/contracts --to 3     an older version serves again
"""
