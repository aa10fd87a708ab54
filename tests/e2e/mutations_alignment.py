"""The mutations of the controls GPU-01 to GPU-03: the alignment with the Triton server."""

from __future__ import annotations

from tests.e2e.mutation import file

FACTS = "/etc/sparkfleet/alignment.json"
METRICS = "/var/lib/sparkfleet/metrics/alignment.prom"

MUTATIONS = [
    file(
        "GPU-01",
        "a host that says it is not aligned",
        FACTS,
        'sed -i \'s/"state": "[a-z-]*"/"state": "not-aligned"/\' $f',
        "not-aligned: ",
        "GPU-03",
    ),
    file(
        "GPU-02",
        "another driver is loaded",
        "/var/lib/gb10/sys/module/nvidia/version",
        "echo 590.44.01 > $f",
        "driver 590.44.01 is loaded, the verdict is about 580",
        "GPU-03",
        "GPU-05",
        "BASE-10",
    ),
    file(
        "GPU-03",
        "a metric that says something else",
        METRICS,
        'sed -i \'/state="unknown"/s/ 0$/ 1/; /state="aligned"/s/ 1$/ 0/\' $f',
        "it does not say aligned",
    ),
]
