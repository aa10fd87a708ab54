"""The state machines of a rotation, run on worlds of values: killed after any act, begun again, to the end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.cloud.access_keys import QUOTA
from sparkfleet.host.keyring import PublicKey
from sparkfleet.rotate import host_keys, ssh, store

MOST_STEPS = 200
KILLS = st.lists(st.integers(1, 12), max_size=6)
"""After how many acts each run in turn is killed; the run after the last comes to its end."""


def key(name: str) -> PublicKey:
    """A key that differs by its name."""
    return PublicKey("ssh-ed25519", name)


@dataclass
class SshWorld:
    """The controller's three files and what each host takes."""

    files: ssh.Files = field(default_factory=lambda: ssh.Files(key("one")))
    hosts: dict[str, set[PublicKey]] = field(default_factory=lambda: {h: {key("one")} for h in ("canary", "b", "c")})
    touched: list[tuple[ssh.Do, str]] = field(default_factory=list)

    def seen(self, memory: ssh.State | None, skipped: tuple[str, ...]) -> ssh.State:
        """What a run sees; `memory` is what it has seen itself."""
        before = memory.hosts if memory else {}
        hosts = {}
        for name, accepted in self.hosts.items():
            if name not in skipped:
                was = before.get(name, ssh.OnHost(frozenset()))
                hosts[name] = replace(was, accepted=frozenset(accepted))
        return ssh.State(self.files, hosts, skipped)

    def act(self, step: ssh.Step, state: ssh.State) -> ssh.State:
        """What the edge does; the proofs look at the world, not at the state."""
        files, name = self.files, step.host
        self.touched.append((step.do, name))
        match step.do:
            case ssh.Do.ADD:
                self.hosts[name].add(files.wanted)
            case ssh.Do.PROVE:
                assert files.wanted in self.hosts[name]
                hosts = {**state.hosts, name: replace(state.hosts[name], proven=True)}
                return replace(state, hosts=hosts)
            case ssh.Do.SWITCH:
                self.files = ssh.Files(files.wanted, None, files.old or files.current)
            case ssh.Do.REMOVE:
                assert files.leaving is not None
                self.hosts[name].discard(files.leaving)
            case ssh.Do.REFUSE:
                assert files.leaving not in self.hosts[name]
                return replace(state, hosts={**state.hosts, name: replace(state.hosts[name], refused=True)})
            case ssh.Do.FORGET:
                self.files = replace(files, old=None)
        return state

    def way_in(self, name: str) -> bool:
        """Whether one of the controller's keys opens the host."""
        return bool({self.files.current, self.files.new, self.files.old} & self.hosts[name])


def run_ssh(world: SshWorld, most: int, skipped: tuple[str, ...] = (), *, begin: bool = True) -> None:
    """One run of `spark rotate ssh`, killed after `most` acts."""
    if world.files.leaving is None and begin:
        world.files = replace(world.files, new=key("two"))
    state = world.seen(None, skipped)
    for _ in range(most):
        step = ssh.next_step(state)
        if step is None:
            return
        state = world.seen(world.act(step, state), skipped)
        assert all(world.way_in(name) for name in world.hosts), step
    assert most < MOST_STEPS, "it never ends"


@given(kills=KILLS)
def test_ssh_always_has_a_way_in_and_ends_with_the_new_key_alone(kills: list[int]) -> None:
    """Killed after any acts, each host is entered by a key that the controller has; the last run leaves one key."""
    world = SshWorld()
    for most in kills:
        run_ssh(world, most, begin=world.files.current == key("one"))
    run_ssh(world, MOST_STEPS, begin=world.files.current == key("one"))
    assert world.files == ssh.Files(key("two"))
    assert all(accepted == {key("two")} for accepted in world.hosts.values())


def test_ssh_touches_no_other_host_before_the_canary_is_proven() -> None:
    """Adding begins with the canary's proof, and removing with its refusal of the old key."""
    world = SshWorld()
    run_ssh(world, MOST_STEPS)
    first = {pair: number for number, pair in reversed(list(enumerate(world.touched)))}
    for other in ("b", "c"):
        assert first[ssh.Do.PROVE, "canary"] < first[ssh.Do.ADD, other]
        assert first[ssh.Do.REFUSE, "canary"] < first[ssh.Do.REMOVE, other]
    assert max(n for (do, _), n in first.items() if do is ssh.Do.PROVE) < first[ssh.Do.SWITCH, ""]


@given(kills=KILLS)
def test_ssh_keeps_both_pairs_for_a_host_that_was_left_out(kills: list[int]) -> None:
    """A skipped host is still entered by the old pair; the next run catches it up and then deletes that pair."""
    world = SshWorld()
    for most in [*kills, MOST_STEPS]:
        run_ssh(world, most, ("c",), begin=world.files.current == key("one"))
    assert world.files.old == key("one")
    assert world.hosts["c"] == {key("one")}
    run_ssh(world, MOST_STEPS, begin=False)
    assert world.files == ssh.Files(key("two"))
    assert world.hosts["c"] == {key("two")}


def test_ssh_mends_a_public_half_that_a_kill_left_behind() -> None:
    """A switch that was killed between its renames is finished before any host is looked at."""
    files = ssh.Files(key("two"), None, key("one"), published=False)
    assert ssh.next_step(ssh.State(files, {"a": ssh.OnHost(frozenset())})) == ssh.Step(ssh.Do.SWITCH)


@dataclass
class HostKeyWorld:
    """A host's files, what its sshd shows, and what the controller has pinned."""

    live: str = "one"
    shown: str = "one"
    staged: str = ""
    kept: str = ""
    pinned: frozenset[str] = frozenset({"one"})
    restores: bool = False

    def state(self, *, refused: bool = False) -> host_keys.State:
        """As a run sees it."""
        staged, kept = (key(name) if name else None for name in (self.staged, self.kept))
        pinned = frozenset(key(name) for name in self.pinned)
        return host_keys.State(key(self.live), key(self.shown), pinned, staged, kept, refused=refused)

    def act(self, step: host_keys.Do) -> None:
        """What the edge does. A swap may be put back by the host's guard, as after a kill in its middle."""
        match step:
            case host_keys.Do.PIN_BOTH:
                self.pinned = frozenset({self.live, self.staged} - {""})
            case host_keys.Do.SWAP:
                if self.restores:
                    self.restores = False
                    return
                self.live, self.kept, self.staged, self.shown = self.staged, self.live, "", self.staged
            case host_keys.Do.SERVE:
                self.shown = self.live
            case host_keys.Do.UNPIN:
                self.pinned = frozenset({self.live})
            case host_keys.Do.DROP:
                self.kept = ""


@given(kills=KILLS, restores=st.booleans(), unseen=st.booleans())
def test_what_is_pinned_opens_the_host_at_every_moment(*, kills: list[int], restores: bool, unseen: bool) -> None:
    """Killed after any act, restored by its guard or not, the host shows a pinned key; at the end there is only one."""
    world = HostKeyWorld(staged="two", restores=restores)
    for most in [*kills, MOST_STEPS]:
        refused = False
        if unseen and world.kept and world.pinned == {"one", "two"}:
            world.shown = world.kept  # the reload did not come through
        for _ in range(most):
            step = host_keys.next_step(world.state(refused=refused))
            if step is None:
                break
            world.act(step)
            refused = refused or step is host_keys.Do.REFUSE
            assert world.shown in world.pinned, step
        else:
            assert most < MOST_STEPS, "it never ends"
    assert (world.live, world.shown, world.kept, world.pinned) == ("two", "two", "", frozenset({"two"}))


@dataclass
class StoreWorld:
    """The store's list of keys, the controller's three files, and the host's one."""

    state: store.State
    made: int = 0

    def act(self, step: store.Do) -> None:
        """What the edge does."""
        now = self.state
        match step:
            case store.Do.DISCARD:
                now = replace(now, pending="")
            case store.Do.MAKE_ROOM:
                gone = store.nobodys(now)
                now = replace(now, listed=without(now.listed, gone), dead=without(now.dead, gone))
            case store.Do.MAKE:
                self.made += 1
                name = f"new{self.made}"
                now = replace(now, listed=(*now.listed, name), pending=name, wanted=False)
            case store.Do.SWITCH:
                now = replace(now, leaving=now.leaving or now.held, held=now.pending, pending="")
            case store.Do.SHIP:
                now = replace(now, on_host=now.held)
            case store.Do.PROVE:
                assert now.on_host in now.listed
                now = replace(now, proven=True)
            case store.Do.END:
                now = replace(now, listed=(now.held,), dead=())
            case store.Do.REFUSE:
                assert now.leaving not in now.listed
                now = replace(now, refused=True)
            case store.Do.FORGET:
                now = replace(now, leaving="")
        self.state = now
        assert len(now.listed) + len(now.dead) <= QUOTA


def without(names: tuple[str, ...], gone: str) -> tuple[str, ...]:
    """The names but one."""
    return tuple(name for name in names if name != gone)


def run_store(world: StoreWorld, most: int) -> None:
    """One run of `spark rotate s3`, killed after `most` acts: what it has seen itself is lost with it."""
    fresh = replace(world.state, proven=False, refused=False, wanted=False)
    world.state = replace(fresh, wanted=not store.under_way(fresh))
    for _ in range(most):
        step = store.next_step(world.state)
        if step is None:
            return
        had = world.state.on_host in world.state.listed
        world.act(step)
        assert not had or world.state.on_host in world.state.listed, f"{step} ended the host's key"
    assert most < MOST_STEPS, "it never ends"


LISTED = st.lists(st.sampled_from(["a", "b", "c"]), max_size=2, unique=True).map(tuple)
ID = st.sampled_from(["", "a", "b", "c"])
STATES = st.builds(store.State, listed=LISTED, held=ID, pending=ID, leaving=ID, on_host=ID, dead=LISTED)


@given(begin=STATES, kills=KILLS)
def test_a_store_rotation_ends_from_wherever_it_begins(begin: store.State, kills: list[int]) -> None:
    """From any state, killed after any acts: a host's valid key is never ended, and one key is left everywhere."""
    dead = tuple(name for name in begin.dead if name not in begin.listed)[: QUOTA - len(begin.listed)]
    world = StoreWorld(replace(begin, dead=dead))
    for most in [*kills, MOST_STEPS]:
        run_store(world, most)
    end = world.state
    assert end.listed == (end.held,) == (end.on_host,)
    assert (end.pending, end.leaving, end.dead) == ("", "", ())
    assert store.next_step(end) is None
