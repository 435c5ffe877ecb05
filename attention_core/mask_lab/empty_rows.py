"""A row that forbids everything: what each convention makes of it, computed by the real functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attention_core.checks import whole
from attention_core.derivation.steps import Phrase
from attention_core.functional import attention
from attention_core.mask_lab.words import say
from attention_core.masks.fields import shown
from attention_core.seeding import seeded

__all__ = ["CONVENTIONS", "EmptyRow", "empty_rows"]

WIDTH = 4
BIAS = 0.5  # of the output projection of nn.MultiheadAttention, so that it can be told from zeros

Attend = Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]]


@dataclass(frozen=True, eq=False)
class EmptyRow:
    """What one convention gives to a query that may attend to nothing.

    convention  its key in CONVENTIONS
    call        the line of code that was run
    weights     (key,) of that query; None where the function does not tell
    output      (width,) of that query
    verdict     "nan", "uniform", "zeros", "bias" (the bias of the output projection alone) or "other"
    gradient    what becomes of the gradients of the keys when a loss looks at the other rows only: "finite"
                or "nan"; None where it was run without gradients
    """

    convention: str
    call: str
    weights: Tensor | None
    output: Tensor
    verdict: str
    gradient: str | None

    @property
    def title(self) -> Phrase:
        """The name of the convention."""
        return say(f"convention_{self.convention}")

    @property
    def sentences(self) -> tuple[Phrase, ...]:
        """What it gives, and what that does to training."""
        first = say(f"verdict_{self.verdict}")
        return (first,) if self.gradient is None else (first, say(f"gradient_{self.gradient}"))


def empty_rows(tokens: int = 6, *, blind: int = 0, seed: int = 0) -> tuple[EmptyRow, ...]:
    """Run every convention on tokens that see each other, but for one that may attend to nothing.

    The tokens are random vectors x (token, 4), and q = k = v = x; nn.MultiheadAttention has two heads and
    projections that change nothing, but for an output bias of 0.5. `tokens` from 2, `blind` the number of one
    of them, else ValueError. Measured with PyTorch 2.13, each time it is called.

    >>> {row.convention: row.verdict for row in empty_rows()}["sdpa"]
    'zeros'
    """
    whole("tokens", tokens, 2)
    if isinstance(blind, bool) or not isinstance(blind, int) or not 0 <= blind < tokens:
        raise ValueError(f"blind={shown(blind)}: allowed are whole numbers from 0 to {tokens - 1}")
    with torch.inference_mode(False), torch.enable_grad():
        x = torch.randn(tokens, WIDTH, generator=seeded(seed, "empty rows"))  # (token, width)
        allowed = torch.ones(tokens, tokens, dtype=torch.bool)  # (query, key)
        allowed[blind] = False
        return tuple(_run(key, x, allowed, blind) for key in CONVENTIONS)


def _run(key: str, x: Tensor, allowed: Tensor, blind: int) -> EmptyRow:
    call, attend = CONVENTIONS[key]
    x = x.clone().requires_grad_()
    output, weights = attend(x, allowed)  # (query, width), (query, key)
    gradient = None
    if output.requires_grad:
        others = torch.arange(len(x)) != blind  # (query,)
        (gradients,) = torch.autograd.grad(output[others].sum(), x)
        gradient = "finite" if bool(gradients.isfinite().all()) else "nan"
    seen = None if weights is None else weights[blind].detach()  # (key,)
    made = output[blind].detach()  # (width,)
    return EmptyRow(key, call, seen, made, _verdict(made, seen, x.detach()), gradient)


def _verdict(output: Tensor, weights: Tensor | None, x: Tensor) -> str:
    if bool(output.isnan().all()):
        return "nan"
    if bool((output == 0).all()) and (weights is None or bool((weights == 0).all())):
        return "zeros"
    if weights is None and bool((output == BIAS).all()):
        return "bias"
    even = torch.full((len(x),), 1.0 / len(x))  # (key,)
    if weights is not None and torch.allclose(weights, even) and torch.allclose(output, x.mean(dim=0)):
        return "uniform"
    return "other"


def _scores(x: Tensor) -> Tensor:
    return x @ x.T / math.sqrt(WIDTH)  # (query, key)


def _filled_with(value: float) -> Attend:
    def attend(x: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
        weights = torch.softmax(_scores(x).masked_fill(~allowed, value), dim=-1)  # (query, key)
        return weights @ x, weights

    return attend


def _additive(x: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
    bias = torch.zeros(allowed.shape).masked_fill(~allowed, -math.inf)  # (query, key)
    weights = torch.softmax(_scores(x) + bias, dim=-1)  # (query, key)
    return weights @ x, weights


def _four(x: Tensor) -> Tensor:
    return x[None, None]  # (batch, head, position, width)


def _sdpa(x: Tensor, allowed: Tensor) -> tuple[Tensor, None]:
    return F.scaled_dot_product_attention(_four(x), _four(x), _four(x), attn_mask=allowed)[0, 0], None


def _sdpa_additive(x: Tensor, allowed: Tensor) -> tuple[Tensor, None]:
    bias = torch.zeros(allowed.shape).masked_fill(~allowed, -math.inf)  # (query, key)
    return F.scaled_dot_product_attention(_four(x), _four(x), _four(x), attn_mask=bias)[0, 0], None


def _module() -> nn.MultiheadAttention:
    # Made without memory first, because the constructor would draw its weights from the global generator.
    made = nn.MultiheadAttention(WIDTH, 2, batch_first=True, device="meta").to_empty(device="cpu").eval()
    state = {
        "in_proj_weight": torch.eye(WIDTH).repeat(3, 1),
        "in_proj_bias": torch.zeros(3 * WIDTH),
        "out_proj.weight": torch.eye(WIDTH),
        "out_proj.bias": torch.full((WIDTH,), BIAS),
    }
    made.load_state_dict(state)
    return made


def _mha(need_weights: bool) -> Attend:
    def attend(x: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor | None]:
        batch = x[None]  # (batch, position, width)
        output, weights = _module()(batch, batch, batch, attn_mask=~allowed, need_weights=need_weights)
        return output[0], None if weights is None else weights[0]

    return attend


def _mha_inference(x: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor | None]:
    with torch.no_grad():
        return _mha(need_weights=False)(x, allowed)


def _ours(x: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
    trace = attention(_four(x), _four(x), _four(x), mask=allowed)
    return trace.context[0, 0], trace.weights[0, 0]


CONVENTIONS: dict[str, tuple[str, Attend]] = {
    "softmax": ("torch.softmax(scores.masked_fill(~allowed, -inf), dim=-1)", _filled_with(-math.inf)),
    "additive": ("torch.softmax(scores + bias, dim=-1)  # bias: 0 or -inf", _additive),
    "finfo_min": (
        "torch.softmax(scores.masked_fill(~allowed, torch.finfo(scores.dtype).min), dim=-1)",
        _filled_with(torch.finfo(torch.float32).min),
    ),
    "minus_1e9": ("torch.softmax(scores.masked_fill(~allowed, -1e9), dim=-1)", _filled_with(-1e9)),
    "sdpa": ("F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)", _sdpa),
    "sdpa_additive": ("F.scaled_dot_product_attention(q, k, v, attn_mask=bias)  # 0 or -inf", _sdpa_additive),
    "mha": ("nn.MultiheadAttention(...)(x, x, x, attn_mask=~allowed)", _mha(need_weights=True)),
    "mha_no_weights": (
        "nn.MultiheadAttention(...)(x, x, x, attn_mask=~allowed, need_weights=False)",
        _mha(need_weights=False),
    ),
    "mha_inference": (
        "with torch.no_grad(): nn.MultiheadAttention(...).eval()(x, x, x, attn_mask=~allowed, need_weights=False)",
        _mha_inference,
    ),
    "ours": ("attention(q, k, v, mask=allowed)", _ours),
}
