"""A published article on self-attention, step by step: the code of each step, and what it computes.

"Three attention mechanisms in Transformers, from self-attention to causal self-attention" works through the sentence
"The sun rises in the east". `STEPS` is its computation in plain PyTorch, one script in pieces; `tensors` gives the same
numbers from the modules of `attention_core`. The two are written apart and compared by a test.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

from torch import Tensor, nn

from attention_core.checks import whole
from attention_core.experiment import Experiment
from attention_core.presets import preset
from attention_core.trace import AttentionTrace

__all__ = [
    "PRINTED",
    "SENTENCES",
    "STEPS",
    "Step",
    "code",
    "largest_difference",
    "script",
    "tensors",
    "traces",
    "vocabulary",
]

SENTENCES = MappingProxyType({"own": "The sun rises in the east", "printed": "Life is short eat dessert first"})
"""The article's sentence, and the one whose numbers its tables hold."""

PRINTED = MappingProxyType({"omega": "0.8721", "total": "1.377", "context": "0.6237"})
"""What the article prints for its third word and no run gives: the first score, what the weights add up to, and the
first number of the context vector."""

SOURCE_ROWS = 8


@dataclass(frozen=True)
class Step:
    """A step: its name, its piece of the script, and the variables whose values are shown after it."""

    name: str
    code: str
    shows: tuple[str, ...]


STEPS = (
    Step(
        "dictionary",
        """
sentence = "{sentence}"
words = sentence.split()
vocabulary = {{
    word: index
    for index, word in enumerate(sorted(words))
}}
""",
        (),
    ),
    Step(
        "ids",
        """
import torch

ids = torch.tensor([vocabulary[w] for w in words])
""",
        ("ids",),
    ),
    Step(
        "embedding",
        """
torch.manual_seed(123)
embed = torch.nn.Embedding(50_000, 3)
x = embed(ids).detach()
""",
        ("x",),
    ),
    Step(
        "matrices",
        """
d_k, d_v = 2, 4
torch.manual_seed(123)
W_query = torch.rand(3, d_k)
W_key = torch.rand(3, d_k)
W_value = torch.rand(3, d_v)
""",
        ("W_query", "W_key", "W_value"),
    ),
    Step(
        "query",
        """
i = {row}  # "{word}"
query_i = x[i] @ W_query
keys = x @ W_key
omega_i = keys @ query_i
""",
        ("query_i", "keys", "omega_i"),
    ),
    Step(
        "softmax",
        """
weights_i = torch.softmax(omega_i / d_k**0.5, dim=-1)
""",
        ("weights_i",),
    ),
    Step(
        "context",
        """
values = x @ W_value
context_i = weights_i @ values
""",
        ("values", "context_i"),
    ),
    Step(
        "all",
        """
queries = x @ W_query
scores = queries @ keys.T
scaled = scores / d_k**0.5
weights = torch.softmax(scaled, dim=-1)
context = weights @ values
""",
        ("scores", "weights", "context"),
    ),
    Step(
        "heads",
        """
torch.manual_seed(123)
heads = []
for head in range(4):
    W_q, W_k = torch.rand(3, 2), torch.rand(3, 2)
    W_v = torch.rand(3, 1)
    s = (x @ W_q) @ (x @ W_k).T / 2**0.5
    heads.append(torch.softmax(s, dim=-1) @ (x @ W_v))
multi_head = torch.cat(heads, dim=-1)
""",
        ("multi_head",),
    ),
    Step(
        "cross",
        """
torch.manual_seed(123)
W_q, W_k = torch.rand(3, 2), torch.rand(3, 2)
W_v = torch.rand(3, 4)
source = torch.rand(8, 3)
s = (x @ W_q) @ (source @ W_k).T / 2**0.5
cross_weights = torch.softmax(s, dim=-1)
cross_context = cross_weights @ (source @ W_v)
""",
        ("source", "cross_weights", "cross_context"),
    ),
    Step(
        "causal_after",
        """
past = torch.tril(torch.ones(6, 6))
cut = weights * past
renormalised = cut / cut.sum(dim=-1, keepdim=True)
""",
        ("cut", "renormalised"),
    ),
    Step(
        "causal_before",
        """
masked = scaled.masked_fill(past == 0, -torch.inf)
causal = torch.softmax(masked, dim=-1)
assert torch.allclose(causal, renormalised)
""",
        ("masked", "causal"),
    ),
)


def code(step: Step, order: str = "own", row: int = 2) -> str:
    """The step's piece of the script, for one of SENTENCES and the word in `row`, from 0.

    >>> print(code(STEPS[4]).splitlines()[0])
    i = 2  # "rises"
    """
    _check(order, row)
    return step.code.strip().format(sentence=SENTENCES[order], row=row, word=SENTENCES[order].split()[row])


def script(order: str = "own", row: int = 2) -> str:
    """The whole script: all pieces in order.

    >>> script().splitlines()[0]
    'sentence = "The sun rises in the east"'
    """
    return "\n\n".join(code(step, order, row) for step in STEPS) + "\n"


def vocabulary(order: str = "own") -> dict[str, int]:
    """The words in alphabetical order (capitals first, as Python sorts them), and their numbers.

    >>> vocabulary()
    {'The': 0, 'east': 1, 'in': 2, 'rises': 3, 'sun': 4, 'the': 5}
    """
    _check(order, 0)
    return {word: index for index, word in enumerate(sorted(SENTENCES[order].split()))}


@lru_cache(maxsize=2)
def traces(order: str = "own") -> MappingProxyType[str, AttentionTrace]:
    """The traces of the article's experiments: "self", "causal", "heads" and "cross".

    In cross-attention the article has no second sentence: its source is eight rows of random numbers, here called 0
    to 7.

    >>> traces()["cross"].shape("weights")
    (1, 1, 6, 8)
    """
    _check(order, 0)
    found = {}
    for name in ("self", "causal", "heads", "cross"):
        rows = " ".join(str(row) for row in range(SOURCE_ROWS)) if name == "cross" else None
        experiment: Experiment = preset(f"article-{name}").experiment
        found[name] = replace(experiment, text=SENTENCES[order], source_text=rows).run()
    return MappingProxyType(found)


def tensors(order: str = "own", row: int = 2) -> dict[str, Tensor]:
    """Every variable that a step shows, by its name in the script, from the modules of `attention_core`.

    >>> [round(number, 4) for number in tensors()["context_i"].tolist()]
    [-0.5296, -0.2799, -0.4107, -0.6006]
    """
    _check(order, row)
    found = traces(order)
    one, causal, many, cross = (found[name] for name in ("self", "causal", "heads", "cross"))
    assert one.projections is not None
    w_query, w_key, w_value = one.projections.inputs()
    heads = one.heads
    weights = heads.weights[0, 0]  # (query, key)
    cut = weights.tril()  # (query, key)
    places = vocabulary(order)
    return {
        "ids": weights.new_tensor([places[word] for word in one.tokens]).long(),  # (query,)
        "x": one.embedding[0],  # (query, d_model)
        "W_query": w_query[0],  # (d_model, d_k)
        "W_key": w_key[0],  # (d_model, d_k)
        "W_value": w_value[0],  # (d_model, d_v)
        "query_i": heads.q[0, 0, row],  # (d_k,)
        "keys": heads.k[0, 0],  # (key, d_k)
        "omega_i": heads.raw_scores[0, 0, row],  # (key,)
        "weights_i": weights[row],  # (key,)
        "values": heads.v[0, 0],  # (key, d_v)
        "context_i": heads.context[0, 0, row],  # (d_v,)
        "scores": heads.raw_scores[0, 0],  # (query, key)
        "weights": weights,
        "context": heads.context[0, 0],  # (query, d_v)
        "multi_head": many.output[0],  # (query, heads * d_v)
        "source": cross.source_embedding[0],  # (key, d_model)
        "cross_weights": cross.heads.weights[0, 0],  # (query, key)
        "cross_context": cross.heads.context[0, 0],  # (query, d_v)
        "cut": cut,
        "renormalised": nn.functional.normalize(cut, p=1.0, dim=-1),  # (query, key)
        "masked": causal.heads.masked_scores[0, 0],  # (query, key)
        "causal": causal.heads.weights[0, 0],  # (query, key)
    }


def largest_difference(order: str = "own") -> float:
    """By how much the two ways of masking differ at most.

    >>> largest_difference() < 1e-6
    True
    """
    found = tensors(order)
    return float((found["causal"] - found["renormalised"]).abs().max())


def _check(order: str, row: int) -> None:
    if order not in SENTENCES:
        raise ValueError(f"order={order!r}: allowed are {', '.join(SENTENCES)}")
    if whole("row", row, 0) >= len(SENTENCES[order].split()):
        raise ValueError(f"row={row}: allowed are whole numbers from 0 to {len(SENTENCES[order].split()) - 1}")
