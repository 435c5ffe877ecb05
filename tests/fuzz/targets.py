"""The decoders of the project as functions of bytes. Each returns, or what it raises is a finding.

What a target calls may refuse its input only in the way its documentation promises; what it accepts must hold what is
promised of it: it comes back the same when written and read again, and its numbers are finite.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Callable
from unittest.mock import patch
from urllib.parse import parse_qsl

import numpy as np
import torch
from starlette.requests import Request

from attention_core.experiment import Experiment
from attention_core.limits import LimitError, Limits
from attention_core.masks.text import format_mask, parse_mask
from attention_core.pretrained import PretrainedError
from attention_core.tokens import TOKENIZERS, tokenize
from attention_core.trained.kept import from_bytes, to_bytes
from attention_core.weights_io import load_metadata, load_weights
from attention_viz.labels import escape, shorten, visible
from playground.downloads import Refused, build
from playground.panel.received import MOST_PANELS, cell_of, far_of, grid_of, serial_of, strokes_of
from playground.pretrained import policy
from playground.service import api
from playground.service.problem import Problem
from playground.view import View, read_view

# Small, so that a run costs microseconds and a coverage-guided search sees many.
SMALL = Limits(max_characters=200, max_tokens=24, max_heads=4, max_d_model=32, max_d_k=16, max_d_v=16)
LARGEST_FILE = 100_000
META = {"field": "weights", "rows": 3, "cols": 5, "blocks": [{"head": 0}, {"head": 1}]}


def text(content: bytes) -> str:
    """The bytes as text; what is not UTF-8 becomes lone surrogates, which a JSON text may hold too."""
    return content.decode("utf-8", errors="surrogateescape")


def runs(experiment: Experiment) -> None:
    """What is accepted computes: rows of finite weights that sum to one, or to zero where nothing is allowed."""
    with contextlib.suppress(ValueError):
        SMALL.check(experiment)
        trace = experiment.run()
        weights = trace.field("weights")
        if bool(torch.isfinite(trace.field("raw_scores")).all()):
            assert bool(torch.isfinite(weights).all()), experiment
            sums = weights.sum(-1)
            assert bool(((sums - 1).abs().lt(1e-4) | sums.eq(0)).all()), experiment
        return


def query(content: bytes) -> None:
    """An address."""
    given = dict(parse_qsl(text(content), keep_blank_values=True))
    found, problems = Experiment.read_query(given, default_text="a")
    assert all(isinstance(words, str) for words in problems)
    if found is not None:
        assert Experiment.from_query(found.to_query()) == found
        runs(found)


def view(content: bytes) -> None:
    """The part of an address that says what is looked at."""
    notes: list[str] = []
    found = read_view(dict(parse_qsl(text(content), keep_blank_values=True)), notes)
    assert isinstance(found, View) and all(isinstance(words, str) for words in notes)


def experiment(content: bytes) -> None:
    """An experiment as JSON."""
    with contextlib.suppress(ValueError):
        found = Experiment.from_json(text(content))
        again = Experiment.from_json(found.to_json())
        assert again == found
        runs(found)


def mask(content: bytes) -> None:
    """A mask as text."""
    with contextlib.suppress(ValueError):
        found = parse_mask(text(content))
        assert parse_mask(format_mask(found)) == found
        for cross in (False, True):
            said = found.sentence(cross=cross)
            assert said.endswith(".") and "{" not in said and len(said) < 2000
        assert isinstance(str(found), str)


def safetensors(content: bytes) -> None:
    """An uploaded file of weights."""
    with contextlib.suppress(ValueError):
        load_metadata(content)
    with contextlib.suppress(ValueError):
        state = load_weights(content, "weights.safetensors", limit=LARGEST_FILE)
        assert all(bool(tensor.isfinite().all()) for tensor in state.values())


def torch_file(content: bytes) -> None:
    """An uploaded file of torch.save."""
    with contextlib.suppress(ValueError):
        state = load_weights(content, "weights.pt", limit=LARGEST_FILE)
        assert all(bool(tensor.isfinite().all()) for tensor in state.values())


def message(content: bytes) -> None:
    """What the browser's panel sends back."""
    try:
        sent = json.loads(content)
    except (ValueError, RecursionError):
        return
    for meta in (META, {}):
        cell, grid = cell_of(sent, meta), grid_of(sent, meta)
        assert cell is None or (cell.head in (0, 1) and 0 <= cell.row < 3 and 0 <= cell.col < 5)
        assert grid is None or (len(grid) == 3 and all(len(row) == 5 for row in grid))
        assert 0 <= serial_of(sent) < 2**31
        strokes_of(sent, meta)
        assert len(far_of(sent)) <= MOST_PANELS and all(isinstance(key, str) for key in far_of(sent))


def download(content: bytes) -> None:
    """A link to a file: the first line is the name, the rest the query."""
    name, _, rest = text(content).partition("\n")
    given = dict(parse_qsl(rest, keep_blank_values=True))
    with contextlib.suppress(ValueError):
        SMALL.check(Experiment.from_query(given))
        with contextlib.suppress(Refused):
            file = build(name, given)
            assert file.name in name and not set(file.name) & set('/\\"\r\n')


def tokens(content: bytes) -> None:
    """A sentence: every token is a piece of it, in order, and can be shown."""
    sentence = text(content)[:500]
    for tokenizer in TOKENIZERS:
        end = 0
        with contextlib.suppress(ValueError):
            for token in tokenize(sentence, tokenizer):
                assert 0 <= token.start <= token.end <= len(sentence) and token.start >= min(end, token.start)
                end = token.end
                assert "<" not in escape(token.text) and shorten(visible(token.text)) is not None


def program(content: bytes) -> None:
    """What a program sends: the first line is the query of its address, the rest the body."""
    line, _, body = content.partition(b"\n")
    asked = Request({"type": "http", "method": "POST", "query_string": line, "headers": []})
    with contextlib.suppress(Problem):
        wish = api.wish_of(asked)
        if not _small(body):
            return
        answer = api.answer(body, wish).body
        if wish.form == "json":
            json.loads(answer, parse_constant=_no_number)
        else:
            assert np.load(io.BytesIO(answer), allow_pickle=False).files


def _small(body: bytes) -> bool:
    """Whether it takes no time to answer; what cannot be read at all takes none."""
    try:
        SMALL.check(Experiment.from_json(body.decode()))
    except LimitError:
        return False
    except ValueError:
        return True
    return True


def _no_number(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


def training(content: bytes) -> None:
    """An uploaded training run: what is accepted goes on, and is the same when written and read again."""
    with contextlib.suppress(ValueError):
        plan, run = from_bytes(content, "run.safetensors")
        assert from_bytes(to_bytes(plan, run.checkpoint()), "again.safetensors")[0] == plan


def model(content: bytes) -> None:
    """The name of a pretrained model, as a visitor types it where any may be typed."""
    with contextlib.suppress(PretrainedError), patch.dict(os.environ, ATTENTION_ANY_MODEL="1"):
        found = policy.offer(text(content))
        if found.folder is None:
            found.place()


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        query,
        view,
        experiment,
        mask,
        safetensors,
        torch_file,
        message,
        download,
        tokens,
        program,
        training,
        model,
    )
}
