"""The fast exposition says byte for byte what prometheus_client says of the same families."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, StateSetMetricFamily
from prometheus_client.registry import Collector

from exporters.web.exposition import exposition, number

if TYPE_CHECKING:
    from collections.abc import Iterable

NAMES = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,8}", fullmatch=True)
STRANGE_NAMES = NAMES | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('\\\n"'), max_size=12)
VALUES = st.floats() | st.integers(-(2**63), 2**63) | st.booleans()
KINDS = ["counter", "gauge", "info", "stateset", "gaugehistogram", "unknown", "summary", "histogram"]
SUFFIXES = ["", "_total", "_info", "_created", "_gsum", "_gcount", "_bucket", "_sum", "_count", "x"]
SAMPLES = st.tuples(
    st.sampled_from(SUFFIXES),
    st.dictionaries(STRANGE_NAMES, TEXTS, max_size=3),
    VALUES,
    st.none() | st.floats(0, 2e9),
)


class Given(Collector):
    """These families and no others."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self.families = families

    def collect(self) -> Iterable[Metric]:
        """As prometheus_client asks."""
        return self.families


def reference(families: Iterable[Metric]) -> str:
    """What prometheus_client says."""
    return generate_latest(Given(families)).decode()


@st.composite
def any_families(draw: st.DrawFn) -> list[Metric]:
    """Families of every type, with every odd sample that the types allow."""
    families = []
    for name, kind, documentation, samples in draw(
        st.lists(st.tuples(STRANGE_NAMES, st.sampled_from(KINDS), TEXTS, st.lists(SAMPLES, max_size=4)), max_size=3)
    ):
        family = Metric.__new__(Metric)  # its constructor refuses names that the exposition escapes
        family.name, family.type, family.documentation, family.unit, family.samples = name, kind, documentation, "", []
        for suffix, labels, value, timestamp in samples:
            family.add_sample(name + suffix, labels, value, timestamp)
        families.append(family)
    return families


@given(any_families())
def test_any_family_is_written_as_prometheus_client_writes_it(families: list[Metric]) -> None:
    """Names, labels, escapes, values, timestamps and the samples that become gauges of their own."""
    assert exposition(families) == reference(families)


@given(st.floats())
@example(999999.0)
@example(1e6)
@example(123456789.125)
@example(1e16)
@example(-1e7)
def test_a_number_is_written_as_go_writes_it(value: float) -> None:
    """Every float, the limits of Go's and Python's exponents among them."""
    assert exposition([gauge := GaugeMetricFamily("a", "A.", value)]) == reference([gauge])


def test_the_usual_families() -> None:
    """Counter, info and state set as the collectors make them."""
    info = InfoMetricFamily("machine", "M.", {"name": 'a "b"\n\\'})
    states = StateSetMetricFamily("state", "S.", {"ok": True, "stuck": False})
    families = [CounterMetricFamily("c", "C.", 3), info, states]
    assert exposition(families) == reference(families)
    assert number(True) == "1.0"
