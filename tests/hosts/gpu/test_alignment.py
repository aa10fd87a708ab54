"""What the Triton server's container holds is what the host's driver can run, and the host knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from machine import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine

FITS = {"aligned", "forward-compatible"}
FILE, SERVICE = "/etc/sparkfleet/alignment.json", "sparkfleet-alignment.service"
NEXT_RUN_S = 5.0  # a metric that is being written anew


@pytest.mark.control(id="GPU-01", severity="high", source="GB10")
def test_host_is_aligned(machine: Machine, record_property: Callable[[str, Any], None]) -> None:
    """The described driver runs what the described Triton container holds; what nobody knows is not aligned.

    The verdict of the table with sources (`spark align`), as the host holds it.
    """
    wanted, found = described(machine), machine.alignment
    assert found, f"{FILE} is not there, or is no JSON"
    words = f"{found.get('state')}: {'; '.join(found.get('reasons', []))}"
    assert found.get("state") in FITS, f"{words}\nnext: {'; '.join(found.get('to_do', []))}"
    record_property("evidence", f"release {wanted['release']}, variant {wanted['variant']}: {words}")


@pytest.mark.control(id="GPU-02", severity="high", source="GB10")
def test_loaded_driver_is_the_judged_one(machine: Machine) -> None:
    """The driver that is loaded is of the branch that the verdict is about.

    The version of the loaded module against the fact file's branch.
    """
    described(machine)
    if not machine.driver:
        pytest.skip("no NVIDIA driver is loaded")
    loaded, judged = machine.driver, str(machine.alignment.get("driver", "none"))
    assert loaded.partition(".")[0] == judged, (
        f"driver {loaded} is loaded, the verdict is about {judged}; `spark align {machine.name}` judges this one"
    )


@pytest.mark.control(id="GPU-03", severity="medium", source="sparkfleet")
def test_host_tells_its_alignment(machine: Machine) -> None:
    """The host's fact file is what description and table give, and its metric says the same of the loaded driver.

    The file field by field; the metric that the exporter hands on.
    """
    wanted, found = described(machine), machine.alignment
    other = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    assert not other, f"{FILE} differs in {', '.join(other)}: `pulumi up` writes it anew"
    judged = machine.driver.partition(".")[0] == wanted["driver"]
    state = str(wanted["state"]) if judged else "unknown"

    def complaints() -> list[str]:
        told = machine.says("cat /var/lib/sparkfleet/metrics/alignment.prom 2>/dev/null || true")
        return [] if f'sparkfleet_alignment_state{{state="{state}"}} 1\n' in told else [f"it does not say {state}"]

    wrong = [] if machine.alignment_metric == state else eventually(complaints, NEXT_RUN_S)
    assert not wrong, f"the metric: {'; '.join(wrong)}\n{machine.journal(SERVICE)}"


def described(machine: Machine) -> dict[str, Any]:
    """The verdict that description and table give; skips where no Triton server is described."""
    wanted: dict[str, Any] = machine.wanted["alignment"]
    if not wanted:
        pytest.skip("no Triton server is described (section calypso)")
    return wanted
