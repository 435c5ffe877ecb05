"""What a search begins with: inputs that are accepted, one per form that a decoder knows."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from urllib.parse import urlencode

import safetensors.torch
import torch

from attention_core.experiment import Experiment
from attention_core.masks import Causal, Explicit, Padding, Prefix, Window
from attention_core.masks.text import format_mask
from attention_core.presets import PRESETS
from attention_core.trained.kept import to_bytes
from attention_core.trained.plan import Plan
from playground.panel import Cell
from playground.view import View

MASKS = (Causal(), Causal(2) & ~Prefix(1), Window(3) | Padding((2,)), Explicit(((True, False), (False, True))))
EXPERIMENTS = (
    *(preset.experiment for preset in PRESETS),
    Experiment("the 猫 <b>$x$</b> \U0001f600", num_heads=2, d_model=8, mask=Window(2), position="rope", seed=7),
    Experiment("a b", source_text="c d e", mode="cross", d_model=4, num_heads=2, dropout=0.5, score="additive"),
    Experiment("long " * 60, num_heads=1, d_model=2, tokenizer="bpe", temperature=0.5),
)

ASKED = ("", "format=npz&fields=weights,q", "fields=output")


def _safetensors() -> bytes:
    return safetensors.torch.save({"weight": torch.ones(2, 3), "bias": torch.zeros(2)}, {"task": "reversal"})


def _torch_file() -> bytes:
    file = io.BytesIO()
    torch.save({"weight": torch.ones(2, 3)}, file)
    return file.getvalue()


def _training() -> bytes:
    plan = Plan("reversal", 0, 1, 8, 0.003, 10)
    run = plan.training()
    run.step()
    return to_bytes(plan, run.checkpoint())


def seeds() -> dict[str, list[bytes]]:
    """By the target's name."""
    links = [urlencode(experiment.to_query()) for experiment in EXPERIMENTS]
    seen = View(head=1, cell=Cell("weights", 0, 1, 2), pinned=EXPERIMENTS[-2], stage="q")
    grid = {"serial": 3, "rows": 3, "cols": 5, "bits": "//4="}
    sent = (["weights", 1, 2, 3], grid, None, {"head": 0}, ["stage_q", "hero"])
    return {
        "query": [link.encode() for link in links],
        "view": [urlencode(view.to_query()).encode() for view in (seen, replace(seen, of_a=True))],
        "experiment": [experiment.to_json().encode() for experiment in EXPERIMENTS],
        "mask": [format_mask(mask).encode() for mask in MASKS],
        "safetensors": [_safetensors()],
        "torch_file": [_torch_file()],
        "message": [json.dumps(value).encode() for value in sent],
        "download": [f"{name}\n{links[-2]}".encode() for name in ("trace.json", "weights.csv", "attention.html")],
        "tokens": [experiment.text.encode() for experiment in EXPERIMENTS],
        "program": [f"{asked}\n{one.to_json()}".encode() for asked, one in zip(ASKED, EXPERIMENTS, strict=False)],
        "training": [_training()],
        "model": [b"google-bert/bert-base-uncased", b"./folder", b"~/model", b"gpt2", b"/tmp"],
    }
