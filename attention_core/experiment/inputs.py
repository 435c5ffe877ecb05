"""What enters the projections: tokens as vectors, with positions added where the experiment wants them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from attention_core.embeddings import embed
from attention_core.experiment.hand_built import lay_content, lay_positions
from attention_core.experiment.recipes import article_weights
from attention_core.positions import position_encoding

if TYPE_CHECKING:
    from attention_core.experiment import Experiment

__all__ = ["Inputs", "make_inputs"]


@dataclass(frozen=True, eq=False)
class Inputs:
    """Embeddings of text and source, (token, d_model) each: embedding = token_embedding + position_encoding.

    The encodings are None where no position is added. Without a source text the source fields are the
    same objects.
    """

    token_embedding: Tensor
    position_encoding: Tensor | None
    embedding: Tensor
    source_token_embedding: Tensor
    source_position_encoding: Tensor | None
    source_embedding: Tensor


def make_inputs(experiment: Experiment, dtype: torch.dtype = torch.float32) -> Inputs:
    """The embedded text and source of an experiment.

    Text and source are embedded together, so that a vocabulary is one for both. Two recipes of weights
    bring inputs of their own: "hand_built" lays out [content | position] (`hand_built`); "article", with
    the "sorted_vocabulary" embedding, takes the source vectors in cross mode from [0, 1), drawn after the
    weights, as the article does.

    >>> from attention_core.experiment import Experiment
    >>> make_inputs(Experiment("one two three", d_model=8)).embedding.shape
    torch.Size([3, 8])
    """
    words = [token.text for token in experiment.tokens()]
    cross = experiment.mode == "cross"
    source_words = [token.text for token in experiment.source_tokens()] if cross else []
    drawn = cross and experiment.weights == "article" and experiment.embedding == "sorted_vocabulary"
    together = _embed(
        experiment, words if drawn else words + source_words, dtype
    )  # (token + source token, d_model)
    tokens = together[: len(words)]  # (token, d_model)
    encoding = _encoding(experiment, len(words), dtype)  # (token, d_model)
    embedding = tokens if encoding is None else tokens + encoding
    if not cross:
        return Inputs(tokens, encoding, embedding, tokens, encoding, embedding)
    source = together[len(words) :]  # (source token, d_model)
    if drawn:
        _, generator = article_weights(experiment.widths, experiment.seed)
        shape = (len(source_words), experiment.d_model)
        source = torch.rand(shape, generator=generator, dtype=torch.float32).to(
            dtype
        )  # (source token, d_model)
    source_encoding = _encoding(experiment, len(source_words), dtype)  # (source token, d_model)
    return Inputs(
        tokens,
        encoding,
        embedding,
        source,
        source_encoding,
        source if source_encoding is None else source + source_encoding,
    )


def _embed(experiment: Experiment, words: list[str], dtype: torch.dtype) -> Tensor:
    width = experiment.content_width
    vectors = embed(words, width, recipe=experiment.embedding, seed=experiment.seed)  # (token, width)
    if experiment.weights == "hand_built":
        vectors = lay_content(vectors, experiment.d_model)  # (token, d_model)
    return vectors.to(dtype)


def _encoding(experiment: Experiment, length: int, dtype: torch.dtype) -> Tensor | None:
    """What is added to the embedding, (length, d_model), or None."""
    width = experiment.d_model
    added = position_encoding(experiment.position, length, width, experiment.seed, dtype=dtype)
    if experiment.weights != "hand_built":
        return added
    own = lay_positions(length, width, dtype)  # (length, d_model)
    return own if added is None else own + added
