"""A project's small records on this machine ⇄ versions of them in the object store, whole and checked.

By the engine of data sets: each time makes a version, of which the manifest is written last, and the pointer to it.

table     which files of a workspace are records, and which can be made again; pure
record    what became of the last time, for `spark-node label status` and the exporter
keep      the records as they are now → the next version
restore   a version → an empty workspace
"""
