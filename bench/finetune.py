"""One set of windows → how fast a model learns from it, by our loop and by transformers' Trainer; one table.

    LABEL_PYTHON bench/finetune.py [--samples 9600] [--epochs 3] [--json FILE]

A network of DistilBERT-base's shape with random weights (66 M, 9 labels) learns windows of 42 tokens on average, whose
tags follow from their tokens. Batch (32), number of steps and learning rate are the same for all. The Trainer runs with
its defaults and with each setting of a small sweep, of which the fastest counts. Samples a second are counted from the
sixth step to the last, ours with the time that its graphs take to be made. Losses are the mean of the last 20 steps.
Runs in the environment of the label loop (requirements/label.txt); says something about a Spark only on a GPU.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # bench is not installed
if str(Path(__file__).resolve().parent) in sys.path:
    sys.path.remove(str(Path(__file__).resolve().parent))  # its module datasets is not the library of that name

import numpy as np
import torch
import transformers

from workloads.label.learning import batches, loop

if TYPE_CHECKING:
    from collections.abc import Iterator

LABELS, WORDS, BATCH, RATE, SEED = 9, 30522, 32, 5e-5, 7
UNCOUNTED, LAST = 5, 20  # steps before the clock runs; steps whose losses are averaged
OURS, DEFAULTS = "sparkfleet", "Trainer, defaults"
BY_LENGTH = {"bf16": True, "train_sampling_strategy": "group_by_length"}
LOADERS = {"dataloader_num_workers": 4, "dataloader_persistent_workers": True}
SWEEP: dict[str, dict[str, Any]] = {
    DEFAULTS: {},
    "Trainer, bf16": {"bf16": True},
    "Trainer, bf16, by length": BY_LENGTH,
    "Trainer, bf16, by length, 4 loaders": BY_LENGTH | LOADERS,
    "Trainer, bf16, 4 loaders, tf32, fused": {"bf16": True, "tf32": True, "optim": "adamw_torch_fused"} | LOADERS,
}
GPU = torch.cuda.is_available()


def windows(samples: int) -> list[loop.Taught]:
    """Lengths of 8 to 256, 42 on average; three words in five say a tag, which is their token's remainder."""
    chance = np.random.default_rng(SEED)
    lengths = np.clip(chance.lognormal(3.55, 0.65, samples), 8, 256).astype(int)
    found = []
    for length in lengths:
        ids = chance.integers(1000, 3000, length)
        tags = np.where(chance.random(length) < 0.6, ids % LABELS, loop.UNTAUGHT)
        found.append(loop.Taught(ids.tolist(), tags.tolist()))
    return found


def network() -> Any:
    """The same random weights each time."""
    transformers.set_seed(SEED)
    shape = transformers.DistilBertConfig(vocab_size=WORDS, num_labels=LABELS)
    return transformers.DistilBertForTokenClassification(shape)


def ours(data: list[loop.Taught], epochs: float) -> dict[str, Any]:
    """Our loop, step by step, so that the host's time and the rest can be told apart."""
    loop.repeatable()
    model = network().to("cuda" if GPU else "cpu").train()
    plan = batches.plan([len(each.ids) for each in data], BATCH, epochs, SEED, 512)
    began = time.perf_counter()
    running = loop.Loop(model, data, plan, loop.Pace(BATCH, epochs, RATE, SEED, save_steps=len(plan)))
    running.wait()
    prepared, host, losses, middle = time.perf_counter() - began, 0.0, [], 0.0
    with utilisation() as used:
        for number, batch in enumerate(plan):
            if number in {UNCOUNTED, len(plan) // 2}:
                running.wait()
                middle = time.perf_counter()
                began, host = (middle, 0.0) if number == UNCOUNTED else (began, host)
            asked = time.perf_counter()
            running.step(batch.width)
            host += time.perf_counter() - asked
            if number >= len(plan) - LAST:
                losses.append(running.loss)
        running.wait()
        ended = time.perf_counter()
    torch.use_deterministic_algorithms(mode=False)  # as the Trainer has it
    steady = (len(plan) - len(plan) // 2) * BATCH / (ended - middle)
    told = line(OURS, len(plan), ended - began, losses, used)
    return told | {"second_half_samples_s": steady, "data_s": prepared, "host_s": host}


def trainer(data: list[loop.Taught], epochs: float, name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The Trainer; what it does before its first step and after its last is not counted."""
    marks: list[float] = []
    losses: list[Any] = []

    class Marks(transformers.TrainerCallback):  # type: ignore[misc]  # no types are published
        def on_step_end(self, _args: Any, state: Any, _control: Any, **_others: Any) -> None:
            if state.global_step == UNCOUNTED:
                wait()
            marks.append(time.perf_counter())

    class Losses(transformers.Trainer):  # type: ignore[misc]  # no types are published
        def compute_loss(self, *words: Any, **others: Any) -> Any:
            found = super().compute_loss(*words, **others)
            losses.append((found[0] if isinstance(found, tuple) else found).detach())
            return found

    rows = [{"input_ids": each.ids, "labels": each.tags, "length": len(each.ids)} for each in data]
    with tempfile.TemporaryDirectory() as folder, utilisation() as used:
        arguments = transformers.TrainingArguments(
            folder, per_device_train_batch_size=BATCH, num_train_epochs=epochs, learning_rate=RATE, seed=SEED,
            warmup_steps=batches.WARM_UP, save_strategy="no", report_to=[], disable_tqdm=True, logging_strategy="no",
            use_cpu=not GPU, remove_unused_columns=False, **settings,
        )  # fmt: skip
        Losses(network(), arguments, train_dataset=rows, data_collator=collate, callbacks=[Marks()]).train()
        wait()
        wall = time.perf_counter() - marks[UNCOUNTED - 1]
    return line(name, len(marks), wall, [float(each) for each in losses[-LAST:]], used)


def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A batch, filled up to its longest window."""
    most = max(len(row["input_ids"]) for row in rows)
    ids = torch.zeros(len(rows), most, dtype=torch.int64)
    tags, mask = torch.full_like(ids, loop.UNTAUGHT), torch.zeros_like(ids)
    for at, row in enumerate(rows):
        length = len(row["input_ids"])
        ids[at, :length] = torch.tensor(row["input_ids"])
        tags[at, :length] = torch.tensor(row["labels"])
        mask[at, :length] = 1
    return {"input_ids": ids, "attention_mask": mask, "labels": tags}


def wait() -> None:
    """Until the GPU is done."""
    if GPU:
        torch.cuda.synchronize()


@contextmanager
def utilisation() -> Iterator[list[float]]:
    """The GPU's, in per cent as NVML tells it, ten times a second; empty where it cannot be asked."""
    found: list[float] = []
    over = threading.Event()

    def look() -> None:
        with suppress(Exception):  # without NVML's library there is no such figure, and everything else is there
            while not over.wait(0.1):
                found.append(float(torch.cuda.utilization()))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield found
    finally:
        over.set()
        looking.join()


def line(name: str, steps: int, wall: float, losses: list[float], used: list[float]) -> dict[str, Any]:
    """One line of the table."""
    told = {"name": name, "steps": steps, "wall_s": wall, "samples_s": (steps - UNCOUNTED) * BATCH / wall,
            "loss": statistics.mean(losses), "gpu_percent": statistics.median(used) if used else None}  # fmt: skip
    if GPU:
        told["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    return told


def main() -> None:
    """Run all of them in this process, one after the other."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    asked.add_argument("--samples", type=int, default=9600)
    asked.add_argument("--epochs", type=float, default=3)
    asked.add_argument("--json", type=Path)
    options = asked.parse_args()
    data = windows(options.samples)
    lines = [ours(data, options.epochs)]
    for name, settings in SWEEP.items():
        try:
            lines.append(trainer(data, options.epochs, name, settings))
        except (TypeError, ValueError) as error:  # a setting that this version or machine does not have
            print(f"{name}: {error}")
    first, defaults = lines[0], next(each for each in lines if each["name"] == DEFAULTS)
    best = max(lines[1:], key=lambda each: float(each["samples_s"]))
    machine = torch.cuda.get_device_name() if GPU else "CPU"
    print(f"{len(data)} windows, {first['steps']} steps of {BATCH}; {machine}, torch {torch.__version__}\n")
    print(f"{'':40}{'samples/s':>10}{'ours is':>9}{'loss':>10}{'GiB':>6}{'GPU %':>7}")
    for each in lines:
        ratio = first["samples_s"] / each["samples_s"]
        print(f"{each['name']:40}{each['samples_s']:10,.0f}{ratio:8.1f}x{each['loss']:10.5f}"
              f"{each.get('peak_gib', 0):6.1f}{each['gpu_percent'] or 0:7.0f}")  # fmt: skip
    print(f"\nours: {first['data_s']:.2f} s to lay out the data, then {first['wall_s']:.2f} s, in which the host "
          f"worked or waited {first['host_s']:.2f} s;")  # fmt: skip
    print(f"      {first['second_half_samples_s']:,.0f} samples/s in the second half, when all graphs are there")
    for goal, peer in ((6, defaults), (4, best)):
        ratio = first["samples_s"] / peer["samples_s"]
        print(f"{'PASS' if ratio >= goal else 'FAIL'}: {ratio:.1f} x {peer['name']} (goal {goal} x)")
    if options.json:
        options.json.write_text(json.dumps(lines, indent=1))


if __name__ == "__main__":
    main()
