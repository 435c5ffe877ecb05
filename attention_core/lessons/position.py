"""Where position comes in: one sentence under every scheme, with nothing else changed.

Attention has no order of its own. For a permutation P of the tokens, attention(P x) = P attention(x): the outputs
move with their tokens and do not change (Zaheer et al. 2017, "Deep sets", call it permutation equivariance). A scheme
breaks this at one of three places: it is added to x, it turns q and k, or it changes the scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from attention_core.embeddings import embed
from attention_core.experiment import Experiment
from attention_core.functional import Mod
from attention_core.masks import Full
from attention_core.modules import MultiHeadAttention
from attention_core.positions import POSITIONS, position_encoding
from attention_core.positions.relative import TransformerXL
from attention_core.positions.score_bias import t5_buckets
from attention_core.remembered import remembered
from attention_core.seeding import seeded
from attention_core.trace import AttentionTrace

__all__ = [
    "MOST",
    "PLACES",
    "SCHEMES",
    "Shuffled",
    "added_to_scores",
    "back_in_order",
    "changes",
    "last_bucket_from",
    "learned_numbers",
    "scheme_mod",
    "setting",
    "shuffle",
    "shuffled_order",
    "traced",
    "transformer_xl_terms",
    "words",
]

MOST = 24
"""Tokens of the sentence that are used: every scheme is computed and drawn side by side."""

SCHEMES = POSITIONS[1:]
"""Every scheme but "none"."""

PLACES = {
    "sinusoidal": "x",
    "learned": "x",
    "rope": "qk",
    "alibi": "scores",
    "t5": "scores",
    "shaw": "scores",
    "transformer_xl": "scores",
}
"""The place where each scheme enters: added to x, a rotation of q and k, or a change of the scores."""


def setting(experiment: Experiment, position: str = "none") -> Experiment:
    """The experiment with this position scheme, and nothing else in it that knows positions.

    Self-attention, random weights (hand-built heads bring positions of their own), no mask, no dropout, the scaled
    dot product, a key for every head. ValueError for a name outside POSITIONS.

    >>> setting(Experiment("a b", weights="hand_built", mode="causal"), "rope").weights
    'random'
    """
    return replace(
        experiment,
        mode="self",
        source_text=None,
        weights="random",
        position=position,
        mask=Full(),
        dropout=0.0,
        score="scaled_dot",
        temperature=1.0,
        num_kv_heads=None,
    )


def words(experiment: Experiment) -> tuple[str, ...]:
    """The first MOST tokens of the text.

    >>> words(Experiment("the sun rises"))
    ('the', 'sun', 'rises')
    """
    return tuple(token.text for token in experiment.tokens()[:MOST])


def traced(experiment: Experiment, position: str, order: Sequence[int] = ()) -> AttentionTrace:
    """The words in `order` (empty: as they stand) under one scheme, in float64; position p is the p-th place.

    Float64 leaves rounding so small (about 1e-15) that it cannot be taken for an effect. The trace has no
    `projections`. ValueError where `order` is no permutation of the words.

    >>> traced(Experiment("the sun rises"), "none", order=(2, 0, 1)).tokens
    ('rises', 'the', 'sun')
    """
    return _traced(setting(experiment, position), tuple(order))


@remembered(32 * 2**20)
def _traced(chosen: Experiment, order: tuple[int, ...]) -> AttentionTrace:
    spoken = words(chosen)
    places = list(order) or list(range(len(spoken)))
    if sorted(places) != list(range(len(spoken))):
        raise ValueError(f"order={order}: allowed is every number from 0 to {len(spoken) - 1} once")
    vectors = embed(spoken, chosen.d_model, recipe=chosen.embedding, seed=chosen.seed).double()  # (token, d_model)
    tokens = vectors[places]  # (token, d_model)
    encoding = position_encoding(
        chosen.position, len(spoken), chosen.d_model, chosen.seed, dtype=torch.float64
    )  # (token, d_model)
    x = tokens if encoding is None else tokens + encoding  # (token, d_model)
    with torch.no_grad():
        trace = _module(replace(chosen, position="none")).trace(
            x[None], mods=chosen.mods(), tokens=[spoken[place] for place in places]
        )
    return replace(
        trace,
        projections=None,
        token_embedding=tokens[None],
        position_encoding=None if encoding is None else encoding[None],
    )


@remembered(48 * 2**20)
def _module(chosen: Experiment) -> MultiHeadAttention:
    """The same matrices for every scheme: made once, for they may be large."""
    return chosen.module(torch.float64)


def shuffled_order(length: int, draw: int) -> tuple[int, ...]:
    """A random order of `length` places; never the one they are in, if there is another.

    >>> shuffled_order(1, 0), sorted(shuffled_order(4, 0))
    ((0,), [0, 1, 2, 3])
    """
    order = tuple(torch.randperm(length, generator=seeded(draw, "shuffle")).tolist())
    return order if order != tuple(range(length)) else (*order[1:], *order[:1])


def back_in_order(rows: Tensor, order: Sequence[int]) -> Tensor:
    """Undo a shuffle of rows: `rows[r]` belongs to token order[r] and goes back to its place.

    >>> back_in_order(torch.tensor([[30], [10], [20]]), (2, 0, 1)).flatten().tolist()
    [10, 20, 30]
    """
    return rows[torch.tensor(list(order)).argsort()]  # (token, width)


@dataclass(frozen=True, eq=False)
class Shuffled:
    """A sentence, the same sentence shuffled, and how the outputs of the same tokens differ.

    difference[t] = (output of token t in the shuffled sentence) - (its output in the sentence as it stands)
    """

    order: tuple[int, ...]
    before: AttentionTrace
    after: AttentionTrace
    difference: Tensor  # (token, d_out), in the order of the sentence

    @property
    def largest(self) -> float:
        """The largest difference of any number, without its sign."""
        return float(self.difference.abs().max())


def shuffle(experiment: Experiment, position: str, draw: int) -> Shuffled:
    """Run the words as they stand and in a random order that `draw` picks, under one scheme.

    >>> shuffle(Experiment("the sun rises in the east"), "none", draw=0).largest < 1e-12
    True
    """
    before = traced(experiment, position)
    order = shuffled_order(len(before.tokens), draw)
    after = traced(experiment, position, order)
    return Shuffled(order, before, after, back_in_order(after.output[0], order) - before.output[0])


def changes(experiment: Experiment, head: int) -> Tensor:
    """What each scheme does to the scores of one head: with it minus without any, (scheme, query, key).

    >>> changes(Experiment("the sun rises"), head=0).shape
    torch.Size([7, 3, 3])
    """
    without = traced(experiment, "none").heads.modified_scores[0, head]  # (query, key)
    scores = [traced(experiment, name).heads.modified_scores[0, head] for name in SCHEMES]
    return torch.stack(scores) - without  # (scheme, query, key)


def scheme_mod(experiment: Experiment, position: str) -> Mod:
    """The scheme as attention uses it; ValueError for one that only adds to x.

    >>> scheme_mod(Experiment("a b", num_heads=2), "alibi")
    ALiBi(num_heads=2, query_offset=0, key_offset=0)
    """
    mods = setting(experiment, position).mods()
    if not mods:
        raise ValueError(f"position={position!r}: allowed are schemes that change q and k or the scores")
    return mods[0]


def added_to_scores(trace: AttentionTrace, mod: Mod) -> Tensor:
    """What `mod` adds to the scaled scores, (head, query, key).

    >>> from attention_core.positions import ALiBi
    >>> added_to_scores(traced(Experiment("a b", num_heads=1), "alibi"), ALiBi(1))[0, 0].tolist()
    [0.0, -0.00390625]
    """
    heads = trace.heads
    scale = heads.rotated_q.shape[-1] ** -0.5
    zeros = torch.zeros_like(heads.scaled_scores)  # (batch, head, query, key)
    return mod.on_scores(zeros, heads.rotated_q, heads.rotated_k, scale)[0]  # (head, query, key)


def transformer_xl_terms(trace: AttentionTrace, mod: TransformerXL) -> tuple[Tensor, Tensor]:
    """The two parts of what Transformer-XL adds: u . k_j and (q_i + v) . r[i - j], times the scale.

    Both (head, query, key); together they are `added_to_scores(trace, mod)`. Dai et al. 2019, section 3.3: the first
    is its term (c), the second its terms (b) and (d).

    >>> experiment = Experiment("the sun rises")
    >>> mod = scheme_mod(experiment, "transformer_xl")
    >>> content, position = transformer_xl_terms(traced(experiment, "transformer_xl"), mod)
    >>> bool((content[0, 0] == content[0, 1]).all())  # the same for every query
    True
    """
    content = replace(mod, v=torch.zeros_like(mod.v), w_r=torch.zeros_like(mod.w_r))
    position = replace(mod, u=torch.zeros_like(mod.u))
    # Without w_r the first keeps u . k alone; without u the second keeps all that knows the distance.
    return added_to_scores(trace, content), added_to_scores(trace, position)


def last_bucket_from(*, bidirectional: bool) -> int:
    """The least distance that falls into T5's last bucket, with its 32 buckets and its max_distance of 128.

    Less than 128: that is where the logarithm would reach the bucket after the last.

    >>> last_bucket_from(bidirectional=True), last_bucket_from(bidirectional=False)
    (91, 113)
    """
    buckets = t5_buckets(torch.arange(200), bidirectional=bidirectional)  # (distance,)
    return int((buckets == buckets.max()).int().argmax())


def learned_numbers(experiment: Experiment, position: str, length: int) -> int:
    """How many numbers the scheme has to learn for texts of `length` tokens.

    >>> [learned_numbers(Experiment("a b", num_heads=2, d_model=8), name, 10) for name in ("rope", "learned", "t5")]
    [0, 80, 64]
    """
    if position == "learned":
        return length * experiment.d_model
    mods = setting(experiment, position).mods()
    tensors = [getattr(mods[0], name, None) for name in ("table", "u", "v", "w_r")] if mods else []
    return sum(tensor.numel() for tensor in tensors if tensor is not None)
