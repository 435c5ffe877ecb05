"""Where the weights of an experiment come from: a recipe turns widths and a seed into matrices.

"random"      numbers from N(0, 1 / d_in), one stream of draws for each matrix of each head
"hand_built"  heads made to look at the previous, the first and the same token (`hand_built`)
"article"     the draws of the article on self-attention, uniform in [0, 1), all from one stream
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from attention_core.remembered import remembered
from attention_core.scores import Additive, Bilinear, Cosine, Dot, ScaledDot, Score, Tempered
from attention_core.seeding import seeded
from attention_core.trace import Projections

__all__ = ["SCORES", "WEIGHTS", "Widths", "article_weights", "make_score", "random_weights"]

WEIGHTS = ("random", "hand_built", "article")
SCORES = ("scaled_dot", "dot", "cosine", "additive", "bilinear")


@dataclass(frozen=True)
class Widths:
    """The sizes that the projections of one multi-head attention have.

    >>> Widths(num_heads=4, num_kv_heads=2, d_model=32, d_k=8, d_v=8).group
    2
    """

    num_heads: int
    num_kv_heads: int
    d_model: int
    d_k: int
    d_v: int
    bias: bool = False
    out_proj: bool = True

    @property
    def group(self) -> int:
        """How many query heads share one key/value head."""
        return self.num_heads // self.num_kv_heads


def _normal(seed: int, name: str, heads: int, shape: tuple[int, ...], d_in: int) -> Tensor:
    """N(0, 1 / d_in), one generator a head: (head, *shape). Head h stays the same when heads are added."""
    return _drawn(seed, name, heads, shape).div(d_in**0.5)  # (head, *shape)


@remembered(2**20)  # the same for every text, and a generator for each head is dear
def _drawn(seed: int, name: str, heads: int, shape: tuple[int, ...]) -> Tensor:
    drawn = [
        torch.randn(shape, generator=seeded(seed, name, head), dtype=torch.float32) for head in range(heads)
    ]
    return torch.stack(drawn)  # (head, *shape)


def random_weights(widths: Widths, seed: int) -> Projections:
    """Matrices and biases of numbers from N(0, 1 / d_in), in float32.

    With x of unit variance each number of q, k and v has variance 1 then: the sum of d_in products, each
    of variance 1 / d_in (LeCun et al. 1998, "Efficient BackProp", section 4.6). d_in is d_model for W_q,
    W_k, W_v and num_heads * d_v for W_o; a bias is drawn like one more row of its matrix. The numbers of
    head h depend on (seed, matrix, h) and the size of that one matrix, so a head that is added or removed
    leaves the others as they were.

    >>> few = random_weights(Widths(num_heads=2, num_kv_heads=2, d_model=6, d_k=3, d_v=5), seed=0)
    >>> more = random_weights(Widths(num_heads=7, num_kv_heads=7, d_model=6, d_k=3, d_v=5), seed=0)
    >>> torch.equal(few.w_v, more.w_v[:2])
    True
    """
    heads, kv_heads, width = widths.num_heads, widths.num_kv_heads, widths.d_model
    mixed = heads * widths.d_v
    w_o = (
        _normal(seed, "w_o", heads, (widths.d_v, width), mixed) if widths.out_proj else None
    )  # (head, d_v, d_model)
    weights = Projections(
        w_q=_normal(seed, "w_q", heads, (width, widths.d_k), width),  # (head, d_model, d_k)
        w_k=_normal(seed, "w_k", kv_heads, (width, widths.d_k), width),  # (kv_head, d_model, d_k)
        w_v=_normal(seed, "w_v", kv_heads, (width, widths.d_v), width),  # (kv_head, d_model, d_v)
        w_o=w_o,
    )
    return _with_biases(weights, widths, seed) if widths.bias else weights


def _with_biases(weights: Projections, widths: Widths, seed: int) -> Projections:
    width, mixed = widths.d_model, widths.num_heads * widths.d_v
    return Projections(
        w_q=weights.w_q,
        w_k=weights.w_k,
        w_v=weights.w_v,
        w_o=weights.w_o,
        b_q=_normal(seed, "b_q", widths.num_heads, (widths.d_k,), width),  # (head, d_k)
        b_k=_normal(seed, "b_k", widths.num_kv_heads, (widths.d_k,), width),  # (kv_head, d_k)
        b_v=_normal(seed, "b_v", widths.num_kv_heads, (widths.d_v,), width),  # (kv_head, d_v)
        b_o=None if weights.w_o is None else _normal(seed, "b_o", 1, (width,), mixed)[0],  # (d_model,)
    )


def article_weights(widths: Widths, seed: int) -> tuple[Projections, Generator]:
    """The draws of the article, and the generator as it stands after them.

    After `manual_seed(seed)` each head draws W_q (d_model, d_k), W_k (d_model, d_k) and W_v (d_model,
    d_v) from [0, 1), in this order; heads that share keys and values draw these once. The article draws
    the second input of its cross-attention from the same stream afterwards. It has neither W_o nor
    biases: when asked for, they are those of `random_weights`.

    The article: "Three attention mechanisms in Transformers, from self-attention to causal self-attention".

    >>> weights, _ = article_weights(Widths(1, 1, d_model=3, d_k=2, d_v=4, out_proj=False), seed=123)
    >>> weights.w_q[0]
    tensor([[0.2961, 0.5166],
            [0.2517, 0.6886],
            [0.0740, 0.8665]])
    """
    generator = torch.Generator().manual_seed(seed)
    w_q, w_k, w_v = [], [], []
    for head in range(widths.num_heads):
        w_q.append(torch.rand(widths.d_model, widths.d_k, generator=generator, dtype=torch.float32))
        if head % widths.group == 0:
            w_k.append(torch.rand(widths.d_model, widths.d_k, generator=generator, dtype=torch.float32))
            w_v.append(torch.rand(widths.d_model, widths.d_v, generator=generator, dtype=torch.float32))
    rest = random_weights(widths, seed)
    weights = Projections(
        torch.stack(w_q),  # (head, d_model, d_k)
        torch.stack(w_k),  # (kv_head, d_model, d_k)
        torch.stack(w_v),  # (kv_head, d_model, d_v)
        rest.w_o,
        rest.b_q,
        rest.b_k,
        rest.b_v,
        rest.b_o,
    )
    return weights, generator


def make_score(
    name: str, widths: Widths, seed: int, *, temperature: float = 1.0, dtype: torch.dtype = torch.float32
) -> Score:
    """The score of that name, with the temperature.

    The learned parts of "additive" and "bilinear" are drawn from N(0, 1 / d_k), for each head on its own.
    A temperature other than 1 wraps it in `Tempered`. ValueError for a name outside SCORES.

    >>> make_score("scaled_dot", Widths(1, 1, 4, 4, 4), seed=0, temperature=2.0).scale(4)
    0.25
    """
    heads, d_k = widths.num_heads, widths.d_k

    def draw(part: str, *shape: int) -> Tensor:
        return _normal(seed, f"{name} {part}", heads, shape, d_k).to(dtype)  # (head, *shape)

    score: Score
    if name == "scaled_dot":
        score = ScaledDot()
    elif name == "dot":
        score = Dot()
    elif name == "cosine":
        score = Cosine()
    elif name == "additive":
        score = Additive(w_q=draw("w_q", d_k, d_k), w_k=draw("w_k", d_k, d_k), v=draw("v", d_k))
    elif name == "bilinear":
        score = Bilinear(draw("weight", d_k, d_k))
    else:
        raise ValueError(f"score={name!r}: allowed are {', '.join(SCORES)}")
    return score if temperature == 1.0 else Tempered(score, temperature)
