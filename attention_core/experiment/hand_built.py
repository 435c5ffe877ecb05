"""Heads made by hand, whose pattern can be explained: previous token, first token, same token.

An embedding has two halves here, [content | position]:

content   the word's vector, cut into blocks of four numbers, each block scaled to length 2
position  sin and cos of i / 10000^(2 f / width), the sinusoidal encoding

Blocks and (sin, cos) pairs have a fixed length, so that of all keys the one that *equals* the query makes
the largest product. Three heads use this, and each is a plain linear map of x:

previous  W_q turns every (sin, cos) pair back by one step, W_k takes the pairs as they are: PE(i - 1) . PE(j)
first     W_q is 0 and b_q is PE(0), W_k takes the pairs: PE(0) . PE(j)
same      W_q = W_k takes blocks of the content: content(i) . content(j)

That a step in position is a linear map of sinusoids: Vaswani et al. 2017, section 3.5.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from attention_core.experiment.recipes import Widths, random_weights
from attention_core.positions.added import sinusoidal
from attention_core.trace import Projections

__all__ = [
    "BUILT",
    "content_numbers",
    "content_width",
    "hand_built_weights",
    "head_kinds",
    "lay_content",
    "lay_positions",
    "position_pairs",
]

BUILT = ("previous token", "first token", "same token")
RANDOM = "random"
LEAST_WIDTH = 8  # two blocks: four numbers of content, two (sin, cos) pairs
LEAST_HEAD = 4  # one block, or two pairs

BLOCK = 4
REACH = 512  # positions that the position heads tell apart
SPILL = 0.05  # of the weight, at most, goes to other positions
WORDS = 128  # different words that the same-token head tells apart
MIX_UP = 0.001  # of the weight goes to other words, on average
LONGEST = (300.0, 400.0, 512.0, 640.0, 800.0, 1024.0)  # wavelengths that are tried for the slowest pair


def content_width(d_model: int) -> int:
    """How many of the d_model numbers hold content; the rest, an even number, holds the position.

    >>> content_width(32), content_width(17)
    (16, 9)
    """
    return d_model - 2 * (d_model // 4)


def lay_content(vectors: Tensor, d_model: int) -> Tensor:
    """Word vectors (token, content_width) -> (token, d_model): blocks of four of length 2, then zeros.

    A block of zeros stays as it is; a last block of fewer than four numbers gets as many times the mean
    square 1.

    >>> lay_content(torch.tensor([[3.0, 0.0, 0.0, 4.0]]), 8)
    tensor([[1.2000, 0.0000, 0.0000, 1.6000, 0.0000, 0.0000, 0.0000, 0.0000]])
    """
    blocks = [block / _rms(block) for block in torch.split(vectors.double(), BLOCK, dim=-1)]
    content = torch.cat(blocks, dim=-1)  # (token, content_width)
    position = content.new_zeros(content.shape[0], d_model - content.shape[1])
    return torch.cat((content, position), dim=-1).to(vectors.dtype)  # (token, d_model)


def _rms(block: Tensor) -> Tensor:
    """Root of the mean square, 1 where all numbers are 0."""
    rms = block.square().mean(dim=-1, keepdim=True).sqrt()  # (token, 1)
    return torch.where(rms > 0, rms, torch.ones_like(rms))


def lay_positions(length: int, d_model: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Zeros over the content and the sinusoidal encoding over the rest, (length, d_model).

    >>> lay_positions(1, 8)
    tensor([[0., 0., 0., 0., 0., 1., 0., 1.]])
    """
    content = content_width(d_model)
    encoding = sinusoidal(length, d_model - content, dtype=dtype)  # (length, d_model - content)
    return torch.cat((encoding.new_zeros(length, content), encoding), dim=-1)  # (length, d_model)


def head_kinds(widths: Widths) -> tuple[str, ...]:
    """What each head is built to do. Of heads that share keys, those that need other keys are random.

    >>> head_kinds(Widths(5, 5, 40, 8, 8))
    ('previous token', 'first token', 'same token', 'random', 'random')
    >>> head_kinds(Widths(4, 1, 32, 8, 8))
    ('previous token', 'first token', 'random', 'random')
    """
    wanted = (*BUILT, *[RANDOM] * widths.num_heads)[: widths.num_heads]
    keys = {BUILT[0]: "position", BUILT[1]: "position", BUILT[2]: "content", RANDOM: RANDOM}
    kinds = []
    for head, kind in enumerate(wanted):
        leader = wanted[head - head % widths.group]  # the keys are made for the first head that reads them
        kinds.append(kind if keys[kind] == keys[leader] else RANDOM)
    return tuple(kinds)


def hand_built_weights(widths: Widths, seed: int) -> Projections:
    """Heads that look at the previous token, at the first and at equal words; further heads are random.

    Sharp enough, with the scaled dot product, that of up to 512 positions the intended one gets more than
    0.9, and that equal words share their row evenly beside dozens of other words. These heads carry x
    itself as value: head h hands on the d_v numbers of x from h * d_v on (counted round). W_o, random
    heads and, with `bias`, their biases are those of `random_weights`. The first-token head needs a
    constant query, so there are always biases, 0 elsewhere. Nothing stands before the first token: its
    previous-token query meets the closest encoding there is, its own in texts of a few dozen tokens.

    Raises ValueError where d_model < 8 or d_k < 4: one block of four numbers, or two pairs, is the least.

    >>> weights = hand_built_weights(Widths(2, 2, d_model=16, d_k=8, d_v=8), seed=0)
    >>> weights.w_q[1].abs().max().item(), bool(weights.b_q[1].any())
    (0.0, True)
    """
    check_widths(widths)
    start = random_weights(widths, seed)
    w_q, w_k, w_v = (weight.clone() for weight in start.inputs())
    b_q = torch.zeros(w_q.shape[0], w_q.shape[2]) if start.b_q is None else start.b_q.clone()  # (head, d_k)
    b_k = (
        torch.zeros(w_k.shape[0], w_k.shape[2]) if start.b_k is None else start.b_k.clone()
    )  # (kv_head, d_k)
    b_v = (
        torch.zeros(w_v.shape[0], w_v.shape[2]) if start.b_v is None else start.b_v.clone()
    )  # (kv_head, d_v)
    b_o = start.b_o
    if b_o is None and start.w_o is not None:
        b_o = torch.zeros(widths.d_model)  # (d_model,)
    build: dict[str, Callable[[Widths], tuple[Tensor, Tensor, Tensor]]] = {
        BUILT[0]: _previous,
        BUILT[1]: _first,
        BUILT[2]: _same,
    }
    for head, kind in enumerate(head_kinds(widths)):
        if kind == RANDOM:
            continue
        shared = head // widths.group
        w_q[head], b_q[head], w_k[shared] = build[kind](widths)
        b_k[shared], b_v[shared] = 0.0, 0.0
        w_v[shared] = _slice_of_x(shared, widths)
    return Projections(w_q, w_k, w_v, start.w_o, b_q, b_k, b_v, b_o)


def check_widths(widths: Widths) -> None:
    """ValueError where hand-built heads do not fit into the widths."""
    if widths.d_model < LEAST_WIDTH:
        raise ValueError(f"d_model={widths.d_model}: hand-built heads need whole numbers from {LEAST_WIDTH}")
    if widths.d_k < LEAST_HEAD:
        raise ValueError(f"d_k={widths.d_k}: hand-built heads need whole numbers from {LEAST_HEAD}")


def _previous(widths: Widths) -> tuple[Tensor, Tensor, Tensor]:
    """W_q, b_q, W_k of PE(i - 1) . PE(j)."""
    gain, pairs = position_pairs(widths)
    keys = _position_keys(widths)  # (d_model, d_k)
    w_q = torch.zeros_like(keys)  # (d_model, d_k)
    for place, (pair, speed) in enumerate(pairs):
        cos, sin = math.cos(speed), math.sin(speed)
        # (sin a, cos a) of a = i * speed  ->  (sin(a - speed), cos(a - speed))
        turn = torch.tensor([[cos, sin], [-sin, cos]], dtype=torch.float64)
        row = content_width(widths.d_model) + 2 * pair
        w_q[row : row + 2, 2 * place : 2 * place + 2] = gain * turn
    return w_q, w_q.new_zeros(widths.d_k), keys


def _first(widths: Widths) -> tuple[Tensor, Tensor, Tensor]:
    """W_q, b_q, W_k of PE(0) . PE(j); PE(0) is (sin 0, cos 0) = (0, 1) in every pair."""
    gain, pairs = position_pairs(widths)
    keys = _position_keys(widths)  # (d_model, d_k)
    b_q = keys.new_zeros(widths.d_k)  # (d_k,)
    b_q[1 : 2 * len(pairs) : 2] = gain
    return torch.zeros_like(keys), b_q, keys


def _position_keys(widths: Widths) -> Tensor:
    """A W_k that takes (sin, cos) pairs as they are, (d_model, d_k)."""
    gain, pairs = position_pairs(widths)
    keys = torch.zeros(widths.d_model, widths.d_k, dtype=torch.float64)  # (d_model, d_k)
    for place, (pair, _) in enumerate(pairs):
        row = content_width(widths.d_model) + 2 * pair
        keys[row, 2 * place] = keys[row + 1, 2 * place + 1] = gain  # sin, cos
    return keys


def _same(widths: Widths) -> tuple[Tensor, Tensor, Tensor]:
    """W_q = W_k, the first blocks of the content as they are."""
    count, gain = content_numbers(widths)
    keys = torch.zeros(widths.d_model, widths.d_k, dtype=torch.float64)  # (d_model, d_k)
    keys[range(count), range(count)] = gain
    return keys, keys.new_zeros(widths.d_k), keys


def content_numbers(widths: Widths) -> tuple[int, float]:
    """How many numbers of content the same-token head reads, and the gain of its W_q and W_k.

    >>> content_numbers(Widths(4, 4, d_model=32, d_k=8, d_v=8))[0]
    8
    """
    blocks = min(widths.d_k, content_width(widths.d_model)) // BLOCK
    # Equal blocks have the product 4, so each block adds gain**2 * 4 / sqrt(d_k) to the score: the sharpness.
    return BLOCK * blocks, math.sqrt(_word_sharpness(blocks) * math.sqrt(widths.d_k)) / 2.0


def position_pairs(widths: Widths) -> tuple[float, tuple[tuple[int, float], ...]]:
    """The gain of the position heads' W_q and W_k, and the (sin, cos) pairs they read: number, angle a step.

    >>> [pair for pair, _ in position_pairs(Widths(4, 4, d_model=32, d_k=8, d_v=8))[1]]
    [0, 1, 2, 4]
    """
    sharpness, pairs = _best_pairs(widths.d_model - content_width(widths.d_model), widths.d_k // 2)
    # A pair adds gain**2 * cos(speed * distance) / sqrt(d_k) to the score: gain**2 / sqrt(d_k) is sharpness.
    return math.sqrt(sharpness * math.sqrt(widths.d_k)), pairs


@lru_cache(maxsize=128)
def _best_pairs(width: int, most: int) -> tuple[float, tuple[tuple[int, float], ...]]:
    """Of several spreads of pairs the one that needs the least sharpness, and this sharpness."""
    spreads = [_pairs(width, most, longest) for longest in LONGEST]
    return min((_position_sharpness(tuple(speed for _, speed in pairs)), pairs) for pairs in spreads)


def _pairs(width: int, most: int, longest: float) -> tuple[tuple[int, float], ...]:
    """Pairs of the encoding, number and angle a step, their wavelengths in even ratios up to `longest`.

    The fast ones tell neighbours apart, the slow ones positions far from each other.
    """
    speeds = [10000.0 ** (-2.0 * pair / width) for pair in range(width // 2)]
    count = min(most, len(speeds))
    chosen: list[int] = []
    for step in range(count):
        speed = (2 * math.pi / longest) ** (step / (count - 1))
        free = [pair for pair in range(len(speeds)) if pair not in chosen]
        chosen.append(min(free, key=lambda pair: abs(math.log(speeds[pair] / speed))))
    return tuple((pair, speeds[pair]) for pair in sorted(chosen))


@lru_cache(maxsize=128)
def _position_sharpness(speeds: tuple[float, ...]) -> float:
    """The least s for which sum over distances n of exp(s * sum_f (cos(speed_f n) - 1)) stays below SPILL.

    That sum is what all other positions weigh against the intended one.
    """
    distance = torch.arange(1, REACH, dtype=torch.float64)  # (distance,)
    short = sum(
        ((speed * distance).cos() - 1.0 for speed in speeds), torch.zeros_like(distance)
    )  # (distance,)
    return _bisect(lambda s: 2.0 * float((s * short).exp().sum()), SPILL)


@lru_cache(maxsize=128)
def _word_sharpness(blocks: int) -> float:
    """The least s for which WORDS - 1 random words weigh MIX_UP against the same word, on average.

    A block of four numbers from N(0, 1) points anywhere with equal chance. For two such directions at the
    angle a the mean of exp(s (cos a - 1)) is 2 exp(-s) I_1(s) / s, I_1 the modified Bessel function.
    """

    def weigh(s: float) -> float:
        mean = 2.0 * float(torch.special.i1e(torch.tensor(s, dtype=torch.float64))) / s
        return (WORDS - 1) * mean**blocks

    return _bisect(weigh, MIX_UP)


def _bisect(falling: Callable[[float], float], target: float) -> float:
    """Where a falling function reaches `target`, between 1e-6 and 1e6."""
    low, high = 1e-6, 1e6
    for _ in range(100):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if falling(middle) > target else (low, middle)
    return high


def _slice_of_x(head: int, widths: Widths) -> Tensor:
    """A W_v that hands on d_v numbers of x, (d_model, d_v)."""
    w_v = torch.zeros(widths.d_model, widths.d_v)
    columns: Sequence[int] = range(widths.d_v)
    w_v[[(head * widths.d_v + column) % widths.d_model for column in columns], columns] = 1.0
    return w_v
