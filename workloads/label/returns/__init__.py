"""What people reviewed and what came of it → figures of return, each with the n that it stands on; all pure.

file      roi.json, typed: what the exporter and the run report read
groups    which reviews may be compared with which; lead times of each group
compare   blank against assisted, with an interval, where both have enough
shown     what became of the models' suggestions, beside what the models are worth on held-out items
delivery  from the first correction to the model that learned from it; what waits
backlog   items month by month, and when there will be none left
figures   all of it → Roi

Definitions, and what each figure must not be taken for: docs/decisions/0030-roi.md.
"""
