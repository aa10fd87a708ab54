"""How a conversion is laid out: never more promised than is free, and always somebody who works."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from workloads.label.converting import sizes
from workloads.label.converting.sizes import Machine
from workloads.label.params import Convert

GIB = 1 << 30
MACHINES = st.builds(
    lambda cores, total, share, gpus: Machine(cores, total, int(total * share), gpus),
    st.integers(1, 256), st.integers(1 * GIB, 2048 * GIB), st.floats(0, 1), st.integers(0, 8),
)  # fmt: skip


@given(MACHINES, st.integers(512, 16384), st.sampled_from(["auto", "server", "worker"]))
def test_what_is_promised_leaves_the_floor_free_and_a_core_each(machine: Machine, memory_mib: int, models: str) -> None:
    """Workers at their limits and the server's share fit above the floor, but for the one worker there must be."""
    found = sizes.chosen(Convert(memory_mib=memory_mib, models=models), machine)
    assert 1 <= found.workers <= machine.cores
    assert found.batch >= 1
    assert found.threads * found.workers <= machine.cores
    if found.workers > 1:
        floor = max(sizes.FLOOR_BYTES, int(sizes.FLOOR_SHARE * machine.total_bytes))
        promised = found.workers * (memory_mib << 20) + (found.server_bytes if found.served else 0)
        assert promised + floor <= machine.available_bytes
    if found.served:
        assert found.batch * sizes.PAGE_BYTES <= max(found.server_bytes // 2, sizes.PAGE_BYTES)


@given(MACHINES, st.integers(1, 64))
def test_an_owners_number_of_workers_is_kept(machine: Machine, workers: int) -> None:
    """Whoever says how many knows the machine better."""
    assert sizes.chosen(Convert(workers=workers), machine).workers == workers


@given(MACHINES, st.integers(1, 64))
def test_more_memory_never_makes_fewer_workers(machine: Machine, more: int) -> None:
    """All else the same."""
    richer = Machine(machine.cores, machine.total_bytes, machine.available_bytes + more * GIB, machine.gpus)
    assert sizes.chosen(Convert(), richer).workers >= sizes.chosen(Convert(), machine).workers


def test_machines_that_we_know_are_laid_out_as_we_expect() -> None:
    """A Spark has a server and a worker a core but one; a small office's machine has two workers and no server."""
    spark = sizes.chosen(Convert(), Machine(20, 119 * GIB, 110 * GIB, 1))
    assert (spark.workers, spark.threads, spark.served, spark.batch) == (19, 1, True, 24)
    small = sizes.chosen(Convert(), Machine(4, 16 * GIB, 12 * GIB, 0))
    assert (small.workers, small.threads, small.served) == (2, 2, False)


def test_a_gpu_that_is_hidden_is_none() -> None:
    """CUDA_VISIBLE_DEVICES is believed."""
    devices = [Path("/dev/nvidia0"), Path("/dev/nvidia1")]
    assert [sizes.gpus(devices, visible) for visible in (None, "", "0", "0,1,2")] == [2, 0, 1, 2]
