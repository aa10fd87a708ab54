"""Six candidates → how long they train one after another and all at once, and that they are the same; one table.

    LABEL_PYTHON bench/compare.py [--windows 6400] [--epochs 2] [--small] [--json FILE]

Networks of DistilBERT-base's shape with random weights (66 M, 9 labels), three seeds of two mixes of made-up windows of
42 tokens on average, learn by the loop of `spark-node label compare` in batches of 32. One after another: each has the
GPU, or all cores, to itself. At once: on a GPU in turns on streams of their own, on the CPU in as many processes as
there are cores, one thread each. Every candidate's weights are compared bit by bit, and its F1 on windows that it did
not learn from. Counted from the first step to the last, with the graphs that are made on the way. `--small`: a small
network, for machines without a GPU. Runs in the environment of the label loop; says something about a Spark only on a
GPU.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # bench is not installed
if str(Path(__file__).resolve().parent) in sys.path:
    sys.path.remove(str(Path(__file__).resolve().parent))  # its module datasets is not the library of that name
# Threads that wait must not spin: the processes of one way share the cores, and so do all who work here.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch
import transformers

from bench.finetune import LABELS, RATE, utilisation, windows
from workloads.label.learning import loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BATCH, HELD_OUT, GOAL = 32, 160, 1.2
GPU = torch.cuda.is_available()
SMALL = {"vocab_size": 3000, "dim": 64, "hidden_dim": 128, "n_layers": 2, "n_heads": 2}
CANDIDATES = [(seed, part) for part in (1.0, 0.8) for seed in (7, 8, 9)]  # of the windows, so much is learned


class Data:
    """What is learned from, and what is asked."""

    def __init__(self, count: int) -> None:
        every = windows(count + HELD_OUT)
        self.learned, self.held = every[:count], every[count:]

    def of(self, part: float) -> list[loop.Taught]:
        """A mix."""
        return self.learned[: int(part * len(self.learned))]


def network(seed: int, *, small: bool) -> Any:
    """The same random weights for the same seed."""
    transformers.set_seed(seed)
    shape = transformers.DistilBertConfig(num_labels=LABELS, **(SMALL if small else {"vocab_size": 30522}))
    return transformers.DistilBertForTokenClassification(shape)


def networks(options: argparse.Namespace, numbers: Iterable[int]) -> list[Any]:
    """What candidates begin with."""
    return [network(CANDIDATES[which][0], small=options.small) for which in numbers]


def training(data: Data, which: int, model: Any, options: argparse.Namespace, folder: Path) -> loop.Training:
    """A candidate, before its first step."""
    seed, part = CANDIDATES[which]
    transformers.set_seed(seed)
    pace = loop.Pace(BATCH, options.epochs, RATE, seed, save_steps=1 << 30)
    return loop.Training(model, data.of(part), pace, folder)


def alone(data: Data, numbers: Iterable[int], models: list[Any], options: argparse.Namespace) -> None:
    """Train them one after another."""
    with tempfile.TemporaryDirectory() as folder:
        for which, model in zip(numbers, models, strict=True):
            begun = training(data, which, model, options, Path(folder))
            while not begun.over:
                begun.advance()
            begun.wait()


def in_turns(data: Data, numbers: Iterable[int], models: list[Any], options: argparse.Namespace) -> None:
    """All on one GPU."""
    with tempfile.TemporaryDirectory() as folder:
        begun = [
            training(data, which, model, options, Path(folder))
            for which, model in zip(numbers, models, strict=True)
        ]  # fmt: skip
        while any(not each.over for each in begun):
            for each in begun:
                if not each.over:
                    each.advance()
        for each in begun:
            each.wait()


def known(model: Any, data: Data) -> dict[str, Any]:
    """A digest of its weights, and its F1 over all tags on windows that it did not learn from."""
    digest = hashlib.sha256()
    for each in model.parameters():
        digest.update(each.detach().cpu().numpy().tobytes())
    right = told = true = 0
    device = next(model.parameters()).device
    model.eval()
    for each in data.held:
        with torch.no_grad():
            said = model(torch.tensor([each.ids], device=device)).logits[0].argmax(-1).cpu().numpy()
        tags = np.array(each.tags)
        counted = tags != loop.UNTAUGHT
        said, tags = said[counted], tags[counted]
        right += int(((said == tags) & (tags > 0)).sum())
        told, true = told + int((said > 0).sum()), true + int((tags > 0).sum())
    return {"weights": digest.hexdigest()[:12], "f1": 2 * right / max(told + true, 1)}


def share(numbers: list[int], options: argparse.Namespace, answers: Any, begin: Any) -> None:
    """A process of some candidates, one thread; begins when all are ready, and tells when it ended."""
    loop.threads(1)
    data, models = Data(options.windows), networks(options, numbers)
    begin.wait()
    alone(data, numbers, models, options)
    ended = time.monotonic()
    answers.put((ended, {which: known(model, data) for which, model in zip(numbers, models, strict=True)}))


def in_processes(options: argparse.Namespace, count: int) -> tuple[float, list[dict[str, Any]]]:
    """All of them, in so many processes; seconds from the moment when all were ready."""
    context = multiprocessing.get_context("spawn")
    answers, begin = context.Queue(), context.Barrier(count + 1)
    shares = [list(range(len(CANDIDATES)))[at::count] for at in range(count)]
    started = [context.Process(target=share, args=(numbers, options, answers, begin)) for numbers in shares]
    for each in started:
        each.start()
    begin.wait()
    began = time.monotonic()
    told = [answers.get() for _ in started]
    for each in started:
        each.join()
    found = {which: answer for _, some in told for which, answer in some.items()}
    return max(ended for ended, _ in told) - began, [found[which] for which in range(len(CANDIDATES))]


def timed(name: str, work: Callable[..., None], data: Data, options: argparse.Namespace) -> dict[str, Any]:
    """A way in this process: its seconds, what came of it, and what it took of the GPU."""
    numbers = range(len(CANDIDATES))
    models = networks(options, numbers)
    if GPU:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    with utilisation() as used:
        began = time.monotonic()
        work(data, numbers, models, options)
        line: dict[str, Any] = {"name": name, "wall_s": time.monotonic() - began}
    if GPU:
        line |= {"peak_gib": torch.cuda.max_memory_allocated() / 2**30, "gpu_percent": statistics.median(used or [0])}
    return line | {"known": [known(each, data) for each in models]}


def measured(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Each way, with what came of it."""
    data = Data(options.windows)
    alone(Data(BATCH * 2), [0], networks(options, [0]), options)  # libraries load what they need at first use
    if GPU:
        return [timed("one after another", alone, data, options), timed("all at once", in_turns, data, options)]
    found = [timed(f"one after another, {torch.get_num_threads()} threads", alone, data, options)]
    for name, count in (("one after another, 1 thread", 1), ("all at once, a process a core", os.cpu_count() or 1)):
        wall, told = in_processes(options, count)
        found.append({"name": name, "wall_s": wall, "known": told})
    return found


def winner(line: dict[str, Any]) -> int:
    """The candidate with the greatest F1."""
    return int(np.argmax([each["f1"] for each in line["known"]]))


def main() -> int:
    """Run all ways in turn, and say whether the last one is faster and the same."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    asked.add_argument("--windows", type=int, default=6400)
    asked.add_argument("--epochs", type=float, default=2)
    asked.add_argument("--small", action="store_true")
    asked.add_argument("--json", type=Path)
    options = asked.parse_args()
    lines = measured(options)
    machine = torch.cuda.get_device_name() if GPU else f"CPU, {os.cpu_count()} cores"
    print(f"{len(CANDIDATES)} candidates, {options.windows} windows; {machine}, torch {torch.__version__}\n")
    print(f"{'':36}{'seconds':>9}{'at once is':>12}{'GiB':>7}{'GPU %':>7}  winner (F1)")
    last = lines[-1]
    for line in lines:
        best, ratio = winner(line), line["wall_s"] / last["wall_s"]
        print(f"{line['name']:36}{line['wall_s']:9.1f}{ratio:11.2f}x{line.get('peak_gib', 0):7.1f}"
              f"{line.get('gpu_percent', 0):7.0f}  {CANDIDATES[best]} ({line['known'][best]['f1']:.4f})")  # fmt: skip
    same = [each["weights"] for each in last["known"]] == [each["weights"] for each in lines[-2]["known"]]
    ratio = min(line["wall_s"] for line in lines[:-1]) / last["wall_s"]
    print()
    for passed, what in (
        (same, "all at once, every candidate has the weights, bit by bit, that it has alone"),
        (len({winner(line) for line in lines}) == 1, "the winner is the same each way"),
        (ratio >= GOAL, f"at once is {ratio:.2f} x as fast as the fastest other way (goal {GOAL} x)"),
    ):
        print(f"{'PASS' if passed else 'MISSED'}: {what}")
    if options.json:
        options.json.write_text(json.dumps(lines, indent=1))
    return 0 if same and ratio >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
