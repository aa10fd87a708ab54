"""The upgrade's state machine, under any order of successes, failures, kills and resumes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.host import upgrade
from sparkfleet.host.upgrade import Act, Run, Step
from sparkfleet.host.upgrade_apt import Package
from sparkfleet.host.upgrade_rings import Ring

if TYPE_CHECKING:
    from sparkfleet.host.upgrade import Kind

SIZES = st.lists(st.integers(1, 4), min_size=1, max_size=3)
KINDS = st.sampled_from(["upgrade", "reboot"])
# What happens next: a step goes well, goes wrong, or the controller is killed before or after the host did it.
EVENTS = st.lists(st.sampled_from(["well", "well", "well", "well", "wrong", "killed", "killed after"]), max_size=120)
CURL = Package(name="curl", old="1", new="2")


def begun(kind: Kind, sizes: list[int]) -> Run:
    """A run over rings of these sizes."""
    names = iter(f"spark-{number:02d}" for number in range(1, 20))
    rings = [
        Ring(name=ring, hosts=tuple(next(names) for _ in range(size))) for ring, size in zip("abc", sizes, strict=False)
    ]
    return upgrade.begin(kind, "office", rings, id_="0a0b0c0d", began="2026-11-21T00:00:00+00:00")


@dataclass
class World:
    """Hosts that do what they are told; `done` is all that really happened to them, in order."""

    run: Run
    due: set[str] = field(default_factory=set)  # hosts with packages to change
    boots: dict[str, int] = field(default_factory=dict)
    done: list[Act] = field(default_factory=list)

    def step(self, act: Act, event: str) -> None:
        """Let one thing happen."""
        if event == "wrong":
            self.run = upgrade.failed(self.run, act, "it broke", "mend it")
        elif event != "killed":
            self.done.append(act)
            if event == "killed after":  # what a host did before the file was written is done again: each step may be
                return
            self.run = upgrade.done(self.run, act, **self.learned(act))

    def learned(self, act: Act) -> dict[str, object]:
        """What the edge finds out."""
        if act.step == Step.CHECK and self.run.kind == "upgrade":
            due = act.host in self.due
            return {"packages": (CURL,) if due else (), "reboot": due}
        return {"boot_before": "0", "boot_after": "1"} if act.step == Step.REBOOT else {}


@given(KINDS, SIZES, EVENTS, st.data())
def test_a_host_is_touched_only_when_all_before_it_are_through(
    kind: Kind, sizes: list[int], events: list[str], data: st.DataObject
) -> None:
    """One host at a time, ring after ring; while one has failed, nothing at all is done to any other."""
    run = begun(kind, sizes)
    world = World(run, due=set(data.draw(st.sets(st.sampled_from([host.name for host in run.hosts])))))
    order = [host.name for host in run.hosts]
    for event in events:
        act = upgrade.next_act(world.run)
        if act is None:
            if world.run.finished:
                break
            assert world.run.stopped
            world.run = upgrade.resumed(world.run)
            continue
        if act.step != Step.SETTLE:
            before = order[: order.index(act.host)]
            assert all(world.run.host(name).through for name in before)
            assert all(not world.run.host(name).touched for name in order[order.index(act.host) + 1 :])
        world.step(act, event)
        # As after a kill: what stands in the file is all that is known.
        world.run = Run.model_validate_json(world.run.model_dump_json())


@given(KINDS, SIZES, EVENTS, st.data())
def test_no_host_boots_a_kernel_that_was_not_looked_at(
    kind: Kind, sizes: list[int], events: list[str], data: st.DataObject
) -> None:
    """Between the last change of a host's packages and its reboot there is a look at what it boots."""
    run = begun(kind, sizes)
    world = World(run, due=set(data.draw(st.sets(st.sampled_from([host.name for host in run.hosts])))))
    for event in events:
        act = upgrade.next_act(world.run)
        if act is None:
            world.run = upgrade.resumed(world.run)
            continue
        world.step(act, event)
    for number, act in enumerate(world.done):
        if act.step == Step.REBOOT:
            earlier = [one.step for one in world.done[:number] if one.host == act.host]
            assert Step.TARGET in earlier[max((i for i, s in enumerate(earlier) if s == Step.APPLY), default=0) :]


@given(KINDS, SIZES, EVENTS)
def test_whatever_happens_resuming_ends_it(kind: Kind, sizes: list[int], events: list[str]) -> None:
    """After any story, a run that is resumed and then undisturbed comes to its end with every host through."""
    run = begun(kind, sizes)
    world = World(run, due={host.name for host in run.hosts})
    for event in [*events, *["well"] * 200]:
        act = upgrade.next_act(world.run)
        if act is None and world.run.stopped:
            world.run = upgrade.resumed(world.run)
        elif act:
            world.step(act, event)
    assert upgrade.next_act(world.run) is None
    assert world.run.finished
    assert {act.host for act in world.done if act.step == Step.REBOOT} == {host.name for host in run.hosts}


@given(SIZES, st.data())
def test_a_host_that_is_left_out_is_never_touched(sizes: list[int], data: st.DataObject) -> None:
    """`--skip` at the start of a resume: nothing is done to it, and the others are done all the same."""
    run = begun("upgrade", sizes)
    skipped = data.draw(st.sets(st.sampled_from([host.name for host in run.hosts])))
    world = World(upgrade.resumed(run, skip=skipped), due={host.name for host in run.hosts})
    while act := upgrade.next_act(world.run):
        world.step(act, "well")
    assert {act.host for act in world.done} == {host.name for host in run.hosts} - skipped
    assert world.run.finished


def test_the_steps_of_one_upgraded_host_come_in_their_order() -> None:
    """What people read about is what happens."""
    world = World(begun("upgrade", [1]), due={"spark-01"})
    while act := upgrade.next_act(world.run):
        world.step(act, "well")

    steps = ["check", "drain", "apply", "boot-target", "reboot", "serve", "verify"]
    assert [str(act.step) for act in world.done] == steps
    assert world.run.finished


def test_a_reboot_changes_no_package() -> None:
    """The same steps without the packages."""
    world = World(begun("reboot", [1]))
    while act := upgrade.next_act(world.run):
        world.step(act, "well")

    assert [str(act.step) for act in world.done] == ["check", "drain", "boot-target", "reboot", "serve", "verify"]


def test_a_host_without_new_packages_is_let_be() -> None:
    """It is looked at, and neither drained nor rebooted."""
    world = World(begun("upgrade", [1, 1]), due={"spark-02"})
    while act := upgrade.next_act(world.run):
        world.step(act, "well")

    assert [act.step for act in world.done if act.host == "spark-01"] == [Step.CHECK]


def test_a_ring_settles_before_the_next_begins() -> None:
    """Each of its hosts is looked at again, once all of them are well; after the last ring nobody waits."""
    world = World(begun("upgrade", [2, 1]), due={"spark-01", "spark-02", "spark-03"})
    while act := upgrade.next_act(world.run):
        world.step(act, "well")

    settled = [number for number, act in enumerate(world.done) if act.step == Step.SETTLE]
    assert [world.done[number].host for number in settled] == ["spark-01", "spark-02"]
    assert world.done[settled[-1] + 1] == Act(step=Step.CHECK, host="spark-03")


def test_a_run_rests_after_the_ring_it_was_told_to() -> None:
    """`--until canary`: the next ring is untouched until somebody resumes."""
    run = begun("upgrade", [1, 1]).model_copy(update={"until": "a"})
    world = World(run, due={"spark-01", "spark-02"})
    while act := upgrade.next_act(world.run):
        world.step(act, "well")

    assert (world.run.finished, world.run.stopped, world.run.untouched) == (False, None, ["spark-02"])
    assert upgrade.next_act(upgrade.resumed(world.run)) == Act(step=Step.SETTLE, host="spark-01")


def test_packages_come_again_after_a_kernel_that_must_not_boot() -> None:
    """Its owner lets a held package go and resumes: the upgrade takes it, then looks again."""
    world = World(begun("upgrade", [1]), due={"spark-01"})
    while (act := upgrade.next_act(world.run)) and act.step != Step.TARGET:
        world.step(act, "well")
    world.step(Act(step=Step.TARGET, host="spark-01"), "wrong")

    assert upgrade.next_act(world.run) is None
    assert upgrade.next_act(upgrade.resumed(world.run)) == Act(step=Step.APPLY, host="spark-01")
    assert world.run.host("spark-01").attempt == 2
