"""A model and windows → the model, trained in place: the steps of transformers' Trainer without its host's time.

A step is forward, backward, clipping and AdamW with a rate that falls in a line. On a GPU all windows lie in its
memory, a step of each width becomes a CUDA graph, and nothing waits for the host; elsewhere the same step runs as it is
written. After a kill it goes on from the last state that was written whole; states are safetensors, which hold no code.

Several trainings may take turns in one process: on a GPU each has a stream, a pool and a chance of its own, so that
their steps overlap there, and each makes the numbers that it makes alone.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
import safetensors.torch
import torch

from workloads.label.learning import batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

UNTAUGHT = -100  # torch.nn.CrossEntropyLoss leaves it out
CLIP = 1.0  # the Trainer's max_grad_norm
AHEAD = 64  # steps that the host may be ahead of the GPU: progress that is told was nearly made
STATE, PART, STEPS = "state.safetensors", "state.part", "steps"


@dataclass(frozen=True)
class Taught:
    """A window as it is learned from: tokens, and for the first token of each word what it should say."""

    ids: list[int]
    tags: list[int]


@dataclass(frozen=True)
class Pace:
    """How long and how fast: the recipe's part of it."""

    batch: int
    epochs: float
    learning_rate: float
    seed: int
    save_steps: int


def train(model: Any, windows: Sequence[Taught], pace: Pace, folder: Path, tell: Callable[[int, int], None]) -> int:
    """Train, on a GPU if there is one; how many steps this took, without those of a killed run."""
    training = Training(model, windows, pace, folder)
    began = training.done
    while not training.over:
        training.advance()
        tell(training.done, training.steps)
    training.wait()
    return training.steps - began


def gpus() -> int:
    """How many there are; does not begin CUDA."""
    return int(torch.cuda.device_count())


def free_bytes() -> int | None:
    """What this process may still take of its GPU; None where that is the host's memory, or there is none."""
    if not torch.cuda.is_available() or torch.cuda.get_device_properties(0).is_integrated:
        return None
    return int(torch.cuda.mem_get_info()[0])


def threads(count: int) -> None:
    """So many for a step on the CPU; the last digits of what is learned depend on it."""
    torch.set_num_threads(count)


def repeatable() -> None:
    """From now on the same steps make the same numbers on the same machine; costs a few per cent of a GPU's time."""
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # read when CUDA begins
    torch.use_deterministic_algorithms(mode=True)


class Training:
    """A model on its way through a plan, with its state in a folder; begins where a killed one stopped."""

    def __init__(self, model: Any, windows: Sequence[Taught], pace: Pace, folder: Path) -> None:
        repeatable()
        most = int(model.config.max_position_embeddings)
        self._plan = batches.plan([len(each.ids) for each in windows], pace.batch, pace.epochs, pace.seed, most)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._loop = Loop(model.to(device).train(), windows, self._plan, pace)
        self._folder, self._every = folder, pace.save_steps
        self.steps, self.done = len(self._plan), self._loop.restore(folder / STATE)

    @property
    def over(self) -> bool:
        """Whether the last step was asked for."""
        return self.done >= self.steps

    def advance(self) -> None:
        """The next step, and the state on the disk where it is time. On a GPU it returns before that step is done."""
        self._loop.step(self._plan[self.done].width)
        self.done += 1
        if self.done % self._every == 0 and not self.over:
            self._loop.save(self._folder, self.done)

    def wait(self) -> None:
        """Until all that was asked for is done."""
        self._loop.wait()


class Loop:
    """The state of a training on one device, and its next step."""

    def __init__(self, model: Any, windows: Sequence[Taught], plan: Sequence[batches.Batch], pace: Pace) -> None:
        self._model = model
        self._parameters = [each for each in model.parameters() if each.requires_grad]
        self._device = self._parameters[0].device
        self._gpu = self._device.type == "cuda"
        self._ids, self._tags, self._lengths = (
            torch.from_numpy(values).to(self._device) for values in laid_out(windows)
        )
        rows = np.full((len(plan), pace.batch), len(windows))  # a row that teaches nothing, where a batch is not full
        for at, batch in enumerate(plan):
            rows[at, : len(batch.rows)] = batch.rows
        rates = [batches.rate(at, len(plan)) * pace.learning_rate for at in range(len(plan))]
        self._plan, self._rates = torch.from_numpy(rows).to(self._device), torch.tensor(rates, device=self._device)
        # The next batch, as a list of one: a number would be waited for.
        self._at = torch.zeros(1, dtype=torch.int64, device=self._device)
        self._rate = torch.zeros((), device=self._device)
        self._loss = torch.zeros((), device=self._device)
        self._optimiser = torch.optim.AdamW(
            self._parameters, lr=self._rate, weight_decay=0.0, fused=True, capturable=self._gpu
        )
        self._graphs: dict[int, Any] = {}  # by width; None: it came once, and becomes one when it comes again
        self._pool = torch.cuda.graph_pool_handle() if self._gpu else None
        self._stream = torch.cuda.Stream(self._device) if self._gpu else None
        self._events: list[Any] = []
        # What is drawn follows from the seed alone, whoever drew before, or draws meanwhile.
        chance = torch.Generator(self._device).manual_seed(pace.seed)
        self._chance = chance if self._gpu else chance.get_state()
        self._begin_after_others()

    @property
    def loss(self) -> float:
        """Of the last step; waits for it."""
        self.wait()
        return float(self._loss)

    def step(self, width: int) -> None:
        """Learn from the plan's next batch, which is so wide. On a GPU it returns before that is done."""
        if not self._gpu:
            with self._drawing():
                self._learn(width)
            return
        with torch.cuda.stream(self._stream):
            if width not in self._graphs:  # libraries make up their minds, which a graph cannot hold
                self._graphs[width] = None
                with self._drawing():
                    self._learn(width)
            else:
                if self._graphs[width] is None:
                    self._graphs[width] = torch.cuda.CUDAGraph()
                    # On the stream itself: cuBLAS has a workspace a stream, and two graphs must not share one.
                    on = torch.cuda.graph(self._graphs[width], pool=self._pool, stream=self._stream)
                    with self._drawing(), on:
                        self._learn(width)
                self._graphs[width].replay()
            self._events.append(torch.cuda.Event())
            self._events[-1].record()
        if len(self._events) > AHEAD:
            self._events.pop(0).synchronize()

    def _learn(self, width: int) -> None:
        rows = self._plan.index_select(0, self._at)[0]
        self._rate.copy_(self._rates.index_select(0, self._at)[0])
        ids, tags = self._ids[rows, :width].long(), self._tags[rows, :width].long()
        mask = torch.arange(width, device=self._device)[None, :] < self._lengths[rows, None]
        self._optimiser.zero_grad()  # to None: a graph's gradients lie where the next graph may lay its own
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._gpu, cache_enabled=False):
            logits = self._model(input_ids=ids, attention_mask=mask[:, None, None, :]).logits
        total = torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), tags.flatten(), ignore_index=UNTAUGHT, reduction="sum"
        )
        # A batch without a word teaches nothing, and breaks nothing.
        loss = total / (tags != UNTAUGHT).sum().clamp(min=1)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, CLIP)
        self._optimiser.step()
        self._loss.copy_(loss.detach())
        self._at += 1

    def wait(self) -> None:
        """Until all that was asked for is done."""
        if self._stream is not None:
            self._stream.synchronize()

    def save(self, folder: Path, done: int) -> None:
        """Write down where it stands: whole, or not at all."""
        self.wait()
        part = folder / PART
        safetensors.torch.save_file(self._tensors(), part, {STEPS: str(done)})
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(folder / STATE)

    def restore(self, file: Path) -> int:
        """Go on from there; how many steps were done then, 0 when there is nothing."""
        if not file.exists():
            return 0
        with safetensors.safe_open(file, "pt") as opened:
            kept = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  (no mapping)
            done = int(opened.metadata()[STEPS])
        self._at.fill_(done)
        if self._gpu:
            self._chance.set_state(kept.pop("chance"))
        else:
            self._chance = kept.pop("chance")
        for number, each in enumerate(self._parameters):
            state = self._optimiser.state[each]
            with torch.no_grad():
                each.copy_(kept[f"{number} value"])
            for name in ("exp_avg", "exp_avg_sq", "step"):
                state[name] = kept[f"{number} {name}"].to(self._device if self._gpu or name != "step" else "cpu")
        self._begin_after_others()
        return done

    def _tensors(self) -> dict[str, Any]:
        found = {"chance": self._chance.get_state() if self._gpu else self._chance}
        for number, each in enumerate(self._parameters):
            found[f"{number} value"] = each.detach()
            found |= {f"{number} {name}": value for name, value in self._optimiser.state[each].items()}
        return found

    def _generator(self) -> Any:
        """That which dropout draws from on this GPU."""
        return torch.cuda.default_generators[self._device.index]

    @contextmanager
    def _drawing(self) -> Iterator[None]:
        """Dropout draws from this training's own chance; a graph keeps to the one that it was captured with."""
        if not self._gpu:
            torch.set_rng_state(self._chance)
            yield
            self._chance = torch.get_rng_state()
            return
        common = self._generator().graphsafe_get_state()
        self._generator().graphsafe_set_state(self._chance)
        try:
            yield
        finally:  # or whoever seeds the common one next would seed this one
            self._generator().graphsafe_set_state(common)

    def _begin_after_others(self) -> None:
        """What was laid out on the common stream is there before the own one reads it."""
        if self._stream is not None:
            self._stream.wait_stream(torch.cuda.current_stream(self._device))


def laid_out(windows: Sequence[Taught]) -> tuple[NDArray[np.int32], NDArray[np.int16], NDArray[np.int64]]:
    """Tokens and tags a row a window, filled up to the widest, their lengths; and a last row that teaches nothing."""
    most = batches.width(max(len(each.ids) for each in windows))
    ids = np.zeros((len(windows) + 1, most), np.int32)
    tags = np.full(ids.shape, UNTAUGHT, np.int16)
    lengths = np.ones(len(windows) + 1, np.int64)
    for row, each in enumerate(windows):
        ids[row, : len(each.ids)], tags[row, : len(each.tags)], lengths[row] = each.ids, each.tags, len(each.ids)
    return ids, tags, lengths
