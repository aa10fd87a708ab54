"""Batches of pages → how many a second a layout model of the real shape takes, and how busy the GPU is; one table.

    LABEL_PYTHON bench/layout.py [--seconds 6] [--small]

RT-DETRv2 with a ResNet-50 as Docling's layout model (heron) has it: 640 by 640 dots, 17 labels, 300 queries, random
weights; boxes are chosen as Docling does. Pages lie in the host's memory and go over with each batch; the first batch
of a size is not counted. What a worker does before (parsing, drawing, scaling) is not in it: `bench/docling.py` has
that. Says something about a Spark only on one.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # bench is not installed
sys.path.remove(str(Path(__file__).resolve().parent))  # its modules datasets and docling are not those libraries

import torch
from transformers import RTDetrResNetConfig, RTDetrV2Config, RTDetrV2ForObjectDetection

from bench.finetune import GPU, utilisation, wait

LABELS, SIDE, THRESHOLD, SEED = 17, 640, 0.3, 7
BATCHES = (1, 2, 4, 8, 16, 32, 64)
MODES: dict[str, torch.dtype] = {"32 bits, as Docling": torch.float32, "bf16": torch.bfloat16}
DEVICE = "cuda" if GPU else "cpu"


def network(*, small: bool) -> Any:
    """The same random weights each time."""
    torch.manual_seed(SEED)
    depths, layers = ([1, 1, 1, 1], 2) if small else ([3, 4, 6, 3], 6)
    backbone = RTDetrResNetConfig(depths=depths, layer_type="bottleneck", out_features=["stage2", "stage3", "stage4"])
    config = RTDetrV2Config(
        backbone_config=backbone, num_labels=LABELS, decoder_layers=layers, use_pretrained_backbone=False
    )
    return RTDetrV2ForObjectDetection(config).eval().to(DEVICE)


def pages(count: int) -> torch.Tensor:
    """Dots as a worker sends them."""
    made = torch.randint(0, 256, (count, 3, SIDE, SIDE), dtype=torch.uint8)
    return made.pin_memory() if GPU else made


def boxes(model: Any, dots: torch.Tensor, kind: torch.dtype) -> int:
    """One batch: over to the GPU, through the model, likely boxes back; how many. As the processor chooses."""
    with torch.inference_mode():
        found = model(pixel_values=dots.to(DEVICE, non_blocking=True).to(kind) / 255)
        scores, places = found.logits.sigmoid().flatten(1).topk(found.logits.shape[1], dim=-1)
        told = found.pred_boxes.gather(1, (places // LABELS).unsqueeze(-1).expand(-1, -1, 4)) * SIDE
        likely = (scores > THRESHOLD).cpu()
        return int(likely.sum()) + 0 * len(told.float().cpu())


def main() -> None:
    """Every size in every mode."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--seconds", type=float, default=6.0, help="for each size")
    asked.add_argument("--small", action="store_true", help="a small model and few pages: whether it runs")
    options = asked.parse_args()
    model = network(small=options.small)
    weights = sum(each.numel() for each in model.parameters())
    print(f"{weights / 1e6:.1f} M weights; {torch.cuda.get_device_name() if GPU else 'CPU'}, torch {torch.__version__}")
    print(f"{'':22}{'batch':>6}{'pages/s':>9}{'ms a page':>11}{'GPU %':>7}{'GiB':>7}")
    for name, kind in MODES.items():
        model = model.to(kind)
        for batch in BATCHES[:2] if options.small else BATCHES:
            if GPU:
                torch.cuda.reset_peak_memory_stats()
            dots = pages(batch)
            boxes(model, dots, kind)
            wait()
            began, done = time.perf_counter(), 0
            with utilisation() as used:
                while time.perf_counter() - began < options.seconds:
                    boxes(model, dots, kind)
                    done += batch
                wait()
            rate = done / (time.perf_counter() - began)
            busy = sum(used) / len(used) if used else 0
            peak = torch.cuda.max_memory_allocated() / 2**30 if GPU else 0
            print(f"{name:22}{batch:6}{rate:9.1f}{1000 / rate:11.2f}{busy:7.0f}{peak:7.2f}", flush=True)


if __name__ == "__main__":
    main()
