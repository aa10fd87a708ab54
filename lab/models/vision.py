"""A folder → a tiny vision model in Granite-Docling's shape, which says the same words of every picture.

    python lab/models/vision.py FOLDER        (in the environment `label`)

Simulated: its attention is switched off, and each token has one successor, so that what it writes is known
beforehand. What it shows is that pages reach a model and DocTags come back as text; not that anything is read.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3Processor,
    PreTrainedTokenizerFast,
)
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

WORDS = ("This", " lease", " was", " read", " from", " a", " picture", " and", " binds", " Acme", " GmbH", ".")
ROLE_ENDS, ENDS, PAD, IMAGE = "<|end_of_role|>", "<|end_of_text|>", "<|pad|>", "<image>"
BOX = ("<loc_50>", "<loc_60>", "<loc_400>", "<loc_80>")
SAID = (ROLE_ENDS, "<doctag>", "<text>", *BOX, *WORDS, "</text>", "</doctag>", ENDS)
MARKS = (
    ENDS, PAD, "<|start_of_role|>", ROLE_ENDS, IMAGE, "<fake_token_around_image>", "<global-img>",
    "<end_of_utterance>", "<doctag>", "</doctag>", "<text>", "</text>",
)  # fmt: skip
TEMPLATE = (
    "{% for m in messages %}<|start_of_role|>{{m['role']}}<|end_of_role|>{% for c in m['content'] %}"
    "{% if c['type']=='image' %}<image>{% else %}{{c['text']}}{% endif %}{% endfor %}<|end_of_text|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start_of_role|>assistant<|end_of_role|>{% endif %}"
)


def make(folder: Path) -> None:
    """Weights, configuration, tokenizer and image processor; the same ones every time."""
    torch.manual_seed(7)
    words = _tokenizer()
    number = words.convert_tokens_to_ids
    config = Idefics3Config(
        image_token_id=number(IMAGE), scale_factor=4, pad_token_id=number(PAD), tie_word_embeddings=False,
        vision_config={"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
                       "image_size": 512, "patch_size": 16},
        text_config={"model_type": "llama", "vocab_size": len(words), "hidden_size": 32, "intermediate_size": 64,
                     "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
                     "max_position_embeddings": 8192, "pad_token_id": number(PAD), "eos_token_id": number(ENDS),
                     "bos_token_id": None, "tie_word_embeddings": False},
    )  # fmt: skip
    model = Idefics3ForConditionalGeneration(config).eval()
    _teach(model, [number(token) for token in SAID])
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = number(ENDS), number(PAD)
    pictures = Idefics3ImageProcessorPil(  # without torchvision
        size={"longest_edge": 1024}, max_image_size={"longest_edge": 512}, do_image_splitting=True
    )
    model.save_pretrained(folder)
    Idefics3Processor(
        image_processor=pictures, tokenizer=words, image_seq_len=64, chat_template=TEMPLATE
    ).save_pretrained(folder)


def _teach(model: Idefics3ForConditionalGeneration, said: list[int]) -> None:
    """After each token of `said` comes the next one, whatever else is in sight."""
    with torch.no_grad():
        layer = model.model.text_model.layers[0]
        layer.self_attn.o_proj.weight.zero_()
        layer.mlp.down_proj.weight.zero_()
        known = torch.nn.functional.normalize(torch.randn(model.lm_head.weight.shape), dim=1)
        model.model.text_model.embed_tokens.weight.copy_(known)
        model.lm_head.weight.zero_()
        for token, following in itertools.pairwise(said):
            model.lm_head.weight[following] = known[token]


def _tokenizer() -> PreTrainedTokenizerFast:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    marks = [
        *MARKS,
        *(f"<loc_{n}>" for n in range(501)),
        *(f"<row_{r}_col_{c}>" for r in range(1, 7) for c in range(1, 7)),
    ]
    tokenizer = Tokenizer(models.BPE(vocab={letter: n for n, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([*marks, *WORDS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=ENDS, pad_token=PAD, model_max_length=8192, chat_template=TEMPLATE,
        additional_special_tokens=[mark for mark in [*marks, *WORDS] if mark not in {ENDS, PAD}],
    )  # fmt: skip


if __name__ == "__main__":
    make(Path(sys.argv[1]))
