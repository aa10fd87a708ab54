"""A healthy Spark for 24 hours, by promtool's clock: nobody is told anything. Simulated."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import gb10
from tests.alerts.day import DAY, Reading, read, series
from tests.alerts.promtool import rules, verdict
from tests.exporters import promql

FOLDER = Path(__file__).resolve().parents[2] / "exporters/gb10"
MINUTES = sum(minutes for _, minutes in DAY)
SPARK = 'job="gb10", instance="spark-01"'
# Born with their first event, which a healthy day has not; there where the owner set a cap, or added the SPBM driver.
ABSENT_IN_HEALTH = {
    "sparkfleet_gb10_kernel_log_xid_last_timestamp_seconds",
    "sparkfleet_gb10_kernel_log_out_of_memory_last_timestamp_seconds",
    "sparkfleet_gb10_gpu_clock_cap_expected_hertz",
    "sparkfleet_gb10_power_prochot",
    "sparkfleet_rotation_due_timestamp_seconds",  # of a text file that the role access brings to a host
    "sparkfleet_certificate_not_after_timestamp_seconds",  # the same, of the role identity
    "sparkfleet_certificate_renewal_timestamp_seconds",
    "sparkfleet_alignment_state",  # the same, of the role gpu
    "sparkfleet_datasets_interval_seconds",  # the same, of the role datasets
    "sparkfleet_dataset_sync_success",
    "sparkfleet_dataset_synced_timestamp_seconds",
}


@pytest.fixture(scope="module")
def readings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reading]:
    """The healthy scenarios as the real exporter tells them."""
    folder = tmp_path_factory.mktemp("day")
    library = gb10.build(folder / "library")
    names = sorted({name for name, _ in DAY})
    with ThreadPoolExecutor() as threads:
        found = threads.map(lambda name: read(name, folder / name, library), names)
        return dict(zip(names, found, strict=True))


def test_the_day_has_every_metric_that_an_alert_looks_at(readings: dict[str, Reading]) -> None:
    """Silence means health, not a lack of data: but for events, the day has all that the rules name."""
    expressions = [rule["expr"] for rule in rules(FOLDER / "alerts.yml").values()]
    named = {selector.name for expression in expressions for selector in promql.selectors(expression)}
    there = {one["series"].partition("{")[0] for one in series(DAY, readings, SPARK)}
    assert named - there - {"up", "probe_success"} == ABSENT_IN_HEALTH


def test_no_alert_fires_on_a_healthy_day(readings: dict[str, Reading], promtool: str, tmp_path: Path) -> None:
    """At no minute of 24 hours does an alert fire but the watchdog, which fires at all; a hot neighbour is noticed."""
    up = [SPARK, 'job="host_icmp", instance="spark-01"', 'job="host_ssh", instance="spark-01"']
    always = [f"up{{{labels}}}" for labels in up] + [f"probe_success{{{labels}}}" for labels in up[1:]]
    spark = [{"series": name, "values": f"1x{MINUTES}"} for name in always] + series(DAY, readings, SPARK)
    hot = 'sparkfleet_gb10_thermal_zone_celsius{job="gb10", instance="spark-02", zone="0", type="acpitz", name="TSOC"}'
    fired = 'count_over_time(ALERTS{alertstate="firing"}[24h])'
    labels = 'alertstate="firing"'
    test = {
        "interval": "1m",
        "input_series": [*spark, {"series": hot, "values": "60x700 94x10 60x700"}],
        "promql_expr_test": [
            {
                "expr": fired,
                "eval_time": "24h",
                "exp_samples": [
                    {
                        "labels": f'{{alertname="Watchdog", component="monitoring", severity="none", {labels}}}',
                        "value": MINUTES + 1,
                    },
                    {
                        "labels": '{alertname="Gb10Hot", component="thermal", severity="page", job="gb10", '
                        f'instance="spark-02", {labels}}}',
                        "value": 10,
                    },
                ],
            }
        ],
    }
    document = {
        "rule_files": [str(FOLDER / "alerts.yml"), str(FOLDER / "recording.yml")],
        "evaluation_interval": "1m",
        "tests": [test],
    }
    if complaint := verdict(promtool, document, tmp_path):
        pytest.fail(complaint, pytrace=False)
