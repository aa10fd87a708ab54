"""The figures of the label loop, and how its recurring runs stand (files of each project) → /metrics.

    WORKSPACE/<project>/{roi.json,recurring/*.json} → sources → readings → families → exporters.web

The figures are made where the records are, by the loop's last stage; nothing is computed here. What that stage did not
know is absent: never 0. A file that cannot be used silences its project, no other one, and is a metric itself.
"""

from __future__ import annotations

VERSION = "0.1.0"
PREFIX = "sparkfleet_roi"
