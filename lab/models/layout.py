"""A folder → a tiny layout model of random weights, in the shape that Docling's standard pipeline loads.

    python lab/models/layout.py FOLDER        (in the environment `label`)

Simulated: it finds boxes where chance puts them. What it shows is that text survives a layout model, threads and
assembly; not that headings are found.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from transformers import RTDetrResNetConfig, RTDetrV2Config, RTDetrV2ForObjectDetection

# The names of docling_core's DocItemLabel, in the order of the real model.
LABELS = (
    "caption", "footnote", "formula", "list_item", "page_footer", "page_header", "picture", "section_header", "table",
    "text", "title", "document_index", "code", "checkbox_selected", "checkbox_unselected", "form", "key_value_region",
)  # fmt: skip
PREPROCESSOR = {
    "do_convert_annotations": True, "do_normalize": False, "do_pad": False, "do_rescale": True, "do_resize": True,
    "format": "coco_detection", "image_processor_type": "RTDetrImageProcessor", "resample": 2,
    "rescale_factor": 1 / 255, "size": {"height": 640, "width": 640},
}  # fmt: skip


def make(folder: Path) -> None:
    """Weights, configuration and preprocessor; the same ones every time."""
    torch.manual_seed(7)
    backbone = RTDetrResNetConfig(
        embedding_size=16, hidden_sizes=[16, 32, 64, 128], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = RTDetrV2Config(
        backbone_config=backbone, num_labels=len(LABELS), id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)}, d_model=32, encoder_hidden_dim=32,
        encoder_in_channels=[32, 64, 128], encoder_ffn_dim=64, encoder_attention_heads=2,
        decoder_in_channels=[32, 32, 32], decoder_ffn_dim=64, decoder_attention_heads=2, num_queries=50,
        decoder_layers=2,  # transformers 5.23 fails with one
        use_pretrained_backbone=False, feat_strides=[8, 16, 32],
    )  # fmt: skip
    RTDetrV2ForObjectDetection(config).eval().save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
