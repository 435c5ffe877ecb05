"""Blocks of an encoder on top of each other, with and without what keeps the tokens apart.

Attention alone averages: every output is a mixture of values, so from block to block the tokens grow alike, faster
than exponentially (Dong, Cordonnier and Loukas 2021, "Attention is not all you need: pure attention loses rank doubly
exponentially with depth"). A residual connection carries the token itself past each mixture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from attention_core.checks import whole
from attention_core.encoder import EncoderBlock
from attention_core.experiment import Experiment
from attention_core.experiment.recipes import random_weights
from attention_core.functional import attention
from attention_core.masks import Full
from attention_core.remembered import remembered
from attention_core.seeding import seeded

__all__ = [
    "DEPTH",
    "DRAWS",
    "MOST",
    "VARIANTS",
    "WIDEST",
    "Draws",
    "Pass",
    "Variant",
    "after",
    "block",
    "cosines",
    "distance_to_mean",
    "draws",
    "lengths",
    "mean_lengths",
    "passes",
    "run_block",
    "setting",
    "smallest_cosine",
    "spread_by_depth",
    "words",
]

DEPTH = 12
MOST = 24
"""Tokens of the sentence that are used."""
WIDEST = 128
"""A wider experiment is taken at this width: twelve blocks of width 1024 would have 150 million weights."""
DRAWS = 256
"""Draws of dropout."""


@dataclass(frozen=True)
class Variant:
    """What a block has beside attention and its layer norm."""

    residual: bool = True
    feed_forward: bool = True


VARIANTS = {
    "whole": Variant(),
    "no_feed_forward": Variant(feed_forward=False),
    "no_residual": Variant(residual=False),
    "attention_alone": Variant(residual=False, feed_forward=False),
}


@dataclass(frozen=True, eq=False)
class Pass:
    """One pass through a block: its stages in the order of the computation, (position, d_model) each.

    Stages, by name: input; attention_norm (pre); attention, what attention adds; attention_sum (with a residual);
    attention_norm (post); feed_forward_norm (pre); feed_forward, what the network adds; feed_forward_sum;
    feed_forward_norm (post); the last of them is the output. `weights` (head, query, key) are those of attention;
    `hidden` and `activated` (position, d_ff) the inside of the network, None where there is none.
    """

    stages: dict[str, Tensor]
    weights: Tensor
    hidden: Tensor | None
    activated: Tensor | None

    @property
    def output(self) -> Tensor:
        """What the block hands on, (position, d_model)."""
        return list(self.stages.values())[-1]


def setting(experiment: Experiment) -> Experiment:
    """The experiment as an encoder block needs it: self-attention, an output projection, no mask, no dropout.

    Its text ends with the token number MOST; it is at most WIDEST wide, the heads in proportion.

    >>> setting(Experiment("a b", source_text="c", mode="cross", out_proj=False, dropout=0.1)).mode
    'self'
    """
    tokens, text = experiment.tokens(), experiment.text
    if len(tokens) > MOST:
        text = text[: tokens[MOST - 1].end]
    plain = replace(experiment, text=text, mode="self", source_text=None, mask=Full(), dropout=0.0, out_proj=True)
    if plain.d_model <= WIDEST:
        return plain
    each, widths = WIDEST // plain.num_heads, plain.widths
    return replace(plain, d_model=WIDEST, d_k=min(widths.d_k, each), d_v=min(widths.d_v, each))


def words(experiment: Experiment) -> tuple[str, ...]:
    """The first MOST tokens of the text.

    >>> words(Experiment("the sun rises"))
    ('the', 'sun', 'rises')
    """
    return tuple(token.text for token in experiment.tokens()[:MOST])


def block(chosen: Experiment, layer: int, norm: str) -> EncoderBlock:
    """Block number `layer`, from 1, in float64 and eval mode.

    The first has the experiment's own attention; the attention of the others is random, N(0, 1 / d_in) as in
    `random_weights`. The feed-forward network is 4 d_model wide. ValueError for a layer outside 1..DEPTH.

    >>> block(Experiment("a b", num_heads=2, d_model=8), 3, "pre").hidden_weight.shape
    torch.Size([32, 8])
    """
    if whole("layer", layer, 1) > DEPTH:
        raise ValueError(f"layer={layer}: allowed are whole numbers from 1 to {DEPTH}")
    widths = chosen.widths
    source = seeded(chosen.seed, "encoder", layer)
    projections = chosen.projections() if layer == 1 else random_weights(widths, int(source.initial_seed()) % 2**31)
    made = EncoderBlock(
        widths.d_model,
        widths.num_heads,
        norm=norm,
        head_dim=widths.d_k,
        value_dim=widths.d_v,
        num_kv_heads=widths.num_kv_heads,
        bias=projections.b_q is not None,
        score=chosen.score_function(torch.float64),
        generator=source,
        dtype=torch.float64,
    )
    made.attention.load_projections(projections)
    return made.requires_grad_(False).eval()


def run_block(made: EncoderBlock, x: Tensor, chosen: Experiment, variant: Variant = VARIANTS["whole"]) -> Pass:
    """Send x (position, d_model) through a block, or through what `variant` leaves of it.

    pre:  a = x + Attn(LN(x)),  output = a + FF(LN(a));   post:  a = LN(x + Attn(x)),  output = LN(a + FF(a)).
    Without a residual the x and a before the plus are missing; without feed-forward the second half is.

    >>> chosen = Experiment("a b", num_heads=2, d_model=8)
    >>> x = torch.ones(2, 8, dtype=torch.float64)
    >>> list(run_block(block(chosen, 1, "post"), x, chosen, Variant(residual=False)).stages)
    ['input', 'attention', 'attention_norm', 'feed_forward', 'feed_forward_norm']
    """
    if variant == VARIANTS["whole"]:
        return _whole(made, x, chosen)
    pre, stages = made.norm == "pre", {"input": x}

    def add(update: Tensor, before: Tensor, name: str, norm: torch.nn.LayerNorm) -> Tensor:
        stages[name] = after = update  # (position, d_model)
        if variant.residual:
            stages[f"{name}_sum"] = after = before + update  # (position, d_model)
        if not pre:
            stages[f"{name}_norm"] = after = norm(after)  # (position, d_model)
        return after

    asked = x
    if pre:
        stages["attention_norm"] = asked = made.norm1(x)  # (position, d_model)
    attended = made.attention.trace(asked[None], mods=chosen.mods())
    weights = attended.heads.weights[0]  # (head, query, key)
    after = add(attended.output[0], x, "attention", made.norm1)
    if not variant.feed_forward:
        return Pass(stages, weights, None, None)
    asked = after
    if pre:
        stages["feed_forward_norm"] = asked = made.norm2(after)  # (position, d_model)
    hidden = F.linear(asked, made.hidden_weight, made.hidden_bias)  # (position, d_ff)
    activated = F.relu(hidden)  # (position, d_ff)
    add(F.linear(activated, made.out_weight, made.out_bias), after, "feed_forward", made.norm2)
    return Pass(stages, weights, hidden, activated)


def _whole(made: EncoderBlock, x: Tensor, chosen: Experiment) -> Pass:
    """The stages of `EncoderBlock.trace`."""
    found = made.trace(x[None], mods=chosen.mods())
    if made.norm == "pre":
        stages = {
            "input": found.input,
            "attention_norm": found.attention_input,
            "attention": found.attention_update,
            "attention_sum": found.attention_sum,
            "feed_forward_norm": found.feed_forward_input,
            "feed_forward": found.feed_forward_update,
            "feed_forward_sum": found.output,
        }
    else:
        stages = {
            "input": found.input,
            "attention": found.attention_update,
            "attention_sum": found.attention_sum,
            "attention_norm": found.after_attention,
            "feed_forward": found.feed_forward_update,
            "feed_forward_sum": found.feed_forward_sum,
            "feed_forward_norm": found.output,
        }
    rows = {name: stage[0] for name, stage in stages.items()}  # (position, d_model) each
    return Pass(rows, found.attention.heads.weights[0], found.hidden[0], found.activated[0])


@remembered(32 * 2**20)
def passes(chosen: Experiment, norm: str) -> dict[str, tuple[Pass, ...]]:
    """Each of VARIANTS through DEPTH blocks: the same input, the same weights, `passes(...)[variant][layer - 1]`.

    The inputs are the first MOST tokens of the experiment.

    >>> len(passes(Experiment("the sun rises", num_heads=2, d_model=8), "pre")["whole"])
    12
    """
    x = chosen.inputs(torch.float64).embedding[:MOST]  # (position, d_model)
    states = dict.fromkeys(VARIANTS, x)
    done: dict[str, list[Pass]] = {name: [] for name in VARIANTS}
    with torch.no_grad():
        for made in _blocks(chosen, norm):
            for name, variant in VARIANTS.items():
                done[name].append(run_block(made, states[name], chosen, variant))
                states[name] = done[name][-1].output
    return {name: tuple(each) for name, each in done.items()}


def _blocks(chosen: Experiment, norm: str) -> Iterator[EncoderBlock]:
    """One at a time: all of them together would fill the memory of a small machine."""
    return (block(chosen, layer, norm) for layer in range(1, DEPTH + 1))


def after(walk: Sequence[Pass], blocks: int) -> Tensor:
    """The tokens after so many blocks, 0 for what enters the first, (position, d_model).

    >>> walk = passes(Experiment("the sun rises", num_heads=2, d_model=8), "pre")["whole"]
    >>> bool(torch.equal(after(walk, 1), walk[1].stages["input"]))
    True
    """
    return walk[blocks - 1].output if blocks else walk[0].stages["input"]


def lengths(x: Tensor) -> Tensor:
    """The length (Euclidean norm) of each token's vector: (position, d_model) -> (position,).

    >>> lengths(torch.tensor([[3.0, 4.0]]))
    tensor([5.])
    """
    found: Tensor = torch.linalg.vector_norm(x, dim=-1)  # (position,)
    return found


def mean_lengths(walk: Sequence[Pass], stage: str) -> list[float]:
    """The mean length over all tokens at a stage, block by block; "output" is the last stage of each.

    >>> walk = passes(Experiment("the sun rises", num_heads=2, d_model=8), "post")["whole"]
    >>> [round(length, 2) for length in mean_lengths(walk, "output")[:2]]  # the root of 8
    [2.83, 2.83]
    """
    stages = [one.output if stage == "output" else one.stages[stage] for one in walk]
    return [float(lengths(x).mean()) for x in stages]


def distance_to_mean(x: Tensor) -> float:
    r"""How far the tokens are from all being the same: ||X - 1 m^T|| / ||X||, m the mean token, Frobenius norms.

    0 where all tokens are equal; 1 where they add up to 0. Without the division, and in another norm, it is the
    residual res(X) of Dong et al. (2021), section 2.1. A matrix of zeros gives 0.

    >>> distance_to_mean(torch.ones(3, 2)), distance_to_mean(torch.tensor([[1.0], [-1.0]]))
    (0.0, 1.0)
    """
    whole_length = float(x.norm())
    return float((x - x.mean(dim=0)).norm()) / whole_length if whole_length else 0.0


def cosines(x: Tensor) -> Tensor:
    """The cosine of the angle between every two tokens, (position, d_model) -> (position, position).

    >>> cosines(torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, -3.0]]))[0]
    tensor([1., 1., 0.])
    """
    unit: Tensor = F.normalize(x, dim=-1)  # (position, d_model)
    return unit @ unit.T  # (position, position)


def smallest_cosine(x: Tensor) -> float:
    """The cosine of the two tokens that are least alike; 1 where all point the same way, or there is one alone.

    >>> smallest_cosine(torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]]))
    0.0
    """
    return float(cosines(x).min()) if len(x) > 1 else 1.0


def spread_by_depth(chosen: Experiment, norm: str, measure: str) -> dict[str, list[float]]:
    """`distance_to_mean` ("distance") or `smallest_cosine` ("cosine") of each variant after 0, 1, ..., DEPTH blocks.

    >>> found = spread_by_depth(Experiment("the sun rises", num_heads=2, d_model=8), "pre", "distance")
    >>> found["whole"][0] == found["attention_alone"][0], found["whole"][-1] > 1e3 * found["attention_alone"][-1]
    (True, True)
    """
    if measure not in ("distance", "cosine"):
        raise ValueError(f"measure={measure!r}: allowed are distance, cosine")
    of = distance_to_mean if measure == "distance" else smallest_cosine
    return {
        name: [of(after(walk, blocks)) for blocks in range(DEPTH + 1)] for name, walk in passes(chosen, norm).items()
    }


@dataclass(frozen=True, eq=False)
class Draws:
    """Dropout on the weights of one head: what evaluation uses, and many draws of training.

    kept     (query, key) the weights without dropout, which evaluation uses
    dropped  (draw, query, key)
    """

    kept: Tensor
    dropped: Tensor

    def mean(self, count: int) -> Tensor:
        """The mean of the first `count` draws, (query, key)."""
        return self.dropped[:count].mean(dim=0)

    def distance(self, counts: Sequence[int]) -> list[float]:
        """The root mean square difference between the mean of so many draws and the weights of evaluation."""
        return [float((self.mean(count) - self.kept).square().mean().sqrt()) for count in counts]

    def expected(self, counts: Sequence[int], p: float) -> list[float]:
        """`distance` by the theory, sqrt(mean of w^2 * p / (1 - p) / count).

        Each weight w is 0 with probability p, else w / (1 - p): mean w, variance w^2 p / (1 - p).
        """
        variance = float(self.kept.square().mean()) * p / (1.0 - p)
        return [(variance / count) ** 0.5 for count in counts]


@remembered(16 * 2**20)
def draws(chosen: Experiment, norm: str, head: int, p: float) -> Draws:
    """DRAWS draws of dropout with probability p, 0 <= p < 1, on the weights of a head of the first block.

    >>> found = draws(Experiment("the sun rises", num_heads=2, d_model=8), "pre", 1, 0.5)
    >>> found.dropped.shape, bool(torch.equal(found.dropped[0] == 0, found.dropped[1] == 0))
    (torch.Size([256, 3, 3]), False)
    """
    if not 0.0 <= p < 1.0:
        raise ValueError(f"p={p!r}: allowed are numbers from 0 up to, not including, 1")
    made = block(chosen, 1, norm)
    x = chosen.inputs(torch.float64).embedding[None, :MOST]  # (1, position, d_model)
    with torch.no_grad():
        asked = made.norm1(x) if norm == "pre" else x  # (1, position, d_model)
        once = made.attention.trace(asked, mods=chosen.mods()).heads

        def often(part: Tensor) -> Tensor:
            return part.expand(DRAWS, *part.shape[1:])  # (draw, head, position, width)

        found = attention(
            often(once.q),
            often(once.k),
            often(once.v),
            score=made.attention.score,
            mods=chosen.mods(),
            dropout_p=p,
            generator=seeded(chosen.seed, "encoder dropout"),
        )
    return Draws(kept=once.weights[0, head], dropped=found.dropped_weights[:, head].clone())
