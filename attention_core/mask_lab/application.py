"""Where a mask is applied: after the softmax or before it, and with what; five ways, computed as written."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attention_core.derivation.steps import Phrase
from attention_core.functional import masked_softmax
from attention_core.mask_lab.words import say
from attention_core.masking import check_mask

__all__ = ["DTYPES", "WAYS", "Application", "Comparison", "apply_mask", "compare_applications"]

WAYS = ("after", "after_renormalised", "before_inf", "before_1e9", "additive")
# How far two ways may differ and still agree: some steps of the dtype at 1.0, for rows of up to 512 keys.
TOLERANCES = {torch.float64: 1e-14, torch.float32: 2e-6, torch.float16: 4e-3, torch.bfloat16: 3e-2}
DTYPES = tuple(TOLERANCES)

Rows = Float[Tensor, "... query"]


def apply_mask(
    scores: Tensor, allowed: Tensor, way: str, *, dtype: torch.dtype = torch.float32, bias: float = -math.inf
) -> Tensor:
    """The weights, from scaled scores (..., query, key) and a bool mask, True = may attend, one way of WAYS.

    "after"               softmax(s) * m: the forbidden weights are cut out, and the row sums to less than 1
    "after_renormalised"  the same, divided by the sum of the row
    "before_inf"          softmax(s with -inf where forbidden)
    "before_1e9"          softmax(s with -1e9 where forbidden)
    "additive"            softmax(s + bias where forbidden, + 0 elsewhere)

    Every operation is torch's own, in `dtype`. Nothing is repaired: a row with nothing left may be NaN. -1e9
    and the bias enter as numbers of the dtype, and -1e9 is -inf in float16. Raises ValueError for another
    way or dtype, a mask that is not bool or does not broadcast, and a bias that is NaN or above 0.

    Raschka 2024, "Understanding and coding self-attention, multi-head attention, causal-attention, and
    cross-attention in LLMs", shows the first three.

    >>> scores, allowed = torch.zeros(2, 2), torch.ones(2, 2).tril().bool()
    >>> apply_mask(scores, allowed, "after").tolist()
    [[0.5, 0.0], [0.5, 0.5]]
    >>> apply_mask(scores, allowed, "before_inf").tolist()
    [[1.0, 0.0], [0.5, 0.5]]
    """
    _check(scores, allowed, dtype, bias)
    s = scores.to(dtype)  # (..., query, key)
    match way:
        case "after":
            return torch.softmax(s, dim=-1) * allowed
        case "after_renormalised":
            cut = torch.softmax(s, dim=-1) * allowed  # (..., query, key)
            return cut / cut.sum(dim=-1, keepdim=True)
        case "before_inf":
            return torch.softmax(s.masked_fill(~allowed, -math.inf), dim=-1)
        case "before_1e9":
            # A tensor, not the bare number, with which masked_fill refuses float16: see `refusal`.
            return torch.softmax(s.masked_fill(~allowed, _number(-1e9, s)), dim=-1)
        case "additive":
            added = torch.zeros_like(s).masked_fill(~allowed, _number(bias, s))  # (..., query, key)
            return torch.softmax(s + added, dim=-1)
    raise ValueError(f"way={way!r}: allowed are {', '.join(WAYS)}")


def refusal(dtype: torch.dtype, fill: float = -1e9) -> str | None:
    """What `masked_fill` says when it refuses to write the number into that dtype; None where it writes it.

    >>> refusal(torch.float32) is None, refusal(torch.float16)
    (True, 'value cannot be converted to type c10::Half without overflow')
    """
    try:
        torch.zeros(1, dtype=dtype).masked_fill(torch.ones(1, dtype=torch.bool), fill)
    except RuntimeError as error:
        return str(error)
    return None


@dataclass(frozen=True, eq=False)
class Application:
    """What one way gave.

    row_sums     of every row, added up in float64
    off_by       the largest |1 - row sum| of rows that have something left
    leak         the most weight that a row with something left has on forbidden cells
    difference   the largest distance to the reference in rows that have something left (NaN if a weight is)
    agrees       whether the difference is within the tolerance; None where no row has anything left
    empty        what rows with nothing left hold: "nan", "zeros", "uniform", "unmasked" (as if there were no
                 mask) or "other"; None where there is no such row
    filled_with  the number that stood at a forbidden place, or was added there, in this dtype; None after the
                 softmax
    refused      what `masked_fill` says to the bare number in this dtype, where it refuses it
    """

    way: str
    weights: Tensor
    row_sums: Rows
    off_by: float
    leak: float
    difference: float
    agrees: bool | None
    empty: str | None
    filled_with: float | None
    refused: str | None

    @property
    def title(self) -> Phrase:
        """The name of the way."""
        return say(f"way_{self.way}")


@dataclass(frozen=True, eq=False)
class Comparison:
    """The five ways side by side.

    `reference` is the masked softmax of the same scores in float64, with zeros in rows that have nothing
    left. `tolerance` is that of the dtype. `distances` (way, way) holds the largest |difference| of
    each two ways over the rows that have something left.
    """

    dtype: torch.dtype
    tolerance: float
    reference: Tensor
    something_left: Bool[Tensor, "... query"]
    ways: tuple[Application, ...]
    distances: Float[Tensor, "way way"]

    def __getitem__(self, way: str) -> Application:
        """The application of that name. KeyError names those there are."""
        for application in self.ways:
            if application.way == way:
                return application
        raise KeyError(f"{way!r} is no way of applying a mask; there are {', '.join(WAYS)}")

    @property
    def agreeing(self) -> tuple[str, ...]:
        """The ways that agree with the reference wherever a row has something left."""
        return tuple(application.way for application in self.ways if application.agrees)


def compare_applications(
    scores: Tensor, allowed: Tensor, *, dtype: torch.dtype = torch.float32, bias: float = -math.inf
) -> Comparison:
    """Apply a mask in all five ways and measure them against the masked softmax in float64.

    scores (..., query, key), scaled; allowed bool, True = may attend, broadcasts to them. Raises ValueError
    as `apply_mask` does.

    >>> allowed = torch.ones(3, 3).tril().bool()
    >>> comparison = compare_applications(torch.zeros(3, 3), allowed)
    >>> comparison.agreeing
    ('after_renormalised', 'before_inf', 'before_1e9', 'additive')
    >>> round(comparison["after"].off_by, 4)
    0.6667
    """
    _check(scores, allowed, dtype, bias)
    allowed = allowed.expand(scores.shape)  # (..., query, key)
    rounded = scores.to(dtype).double()  # (..., query, key): what every way starts from
    reference = masked_softmax(rounded, allowed)  # (..., query, key)
    left = allowed.any(dim=-1)  # (..., query)
    tolerance = TOLERANCES[dtype]
    every = {way: apply_mask(scores, allowed, way, dtype=dtype, bias=bias) for way in WAYS}
    unmasked = torch.softmax(rounded, dim=-1)  # (..., query, key)
    applications = []
    for way, weights in every.items():
        exact = weights.double()  # (..., query, key)
        fill = {"before_inf": -math.inf, "before_1e9": -1e9, "additive": bias}.get(way)
        sums = exact.sum(dim=-1)  # (..., query)
        difference = _largest((exact - reference).abs()[left])
        applications.append(
            Application(
                way=way,
                weights=weights,
                row_sums=sums,
                off_by=_largest((1.0 - sums).abs()[left]),
                leak=_largest((exact * ~allowed).sum(dim=-1)[left]),
                difference=difference,
                agrees=difference <= tolerance if bool(left.any()) else None,
                empty=_empty(exact[~left], unmasked[~left], tolerance),
                filled_with=None if fill is None else float(_number(fill, weights)),
                refused=None if fill is None else refusal(dtype, fill),
            )
        )
    rows = [application.weights.double()[left] for application in applications]
    distances = torch.tensor([[_largest((one - other).abs()) for other in rows] for one in rows], dtype=torch.float64)
    return Comparison(dtype, tolerance, reference, left, tuple(applications), distances)


def _number(value: float, like: Tensor) -> Tensor:
    """The value as a number of the dtype of `like`; beyond its range it is -inf."""
    return torch.tensor(value, dtype=torch.float64).to(like)


def _largest(numbers: Tensor) -> float:
    """The largest of the numbers, NaN if one of them is; 0 where there is none."""
    return float(numbers.max()) if numbers.numel() else 0.0


def _empty(rows: Tensor, unmasked: Tensor, tolerance: float) -> str | None:
    """What rows (row, key) with nothing left hold, in a word."""
    if not rows.numel():
        return None
    if bool(rows.isnan().all()):
        return "nan"
    if bool((rows == 0).all()):
        return "zeros"
    if bool(((rows - 1.0 / rows.shape[-1]).abs() <= tolerance).all()):
        return "uniform"
    return "unmasked" if bool(((rows - unmasked).abs() <= tolerance).all()) else "other"


def _check(scores: Tensor, allowed: Tensor, dtype: torch.dtype, bias: float) -> None:
    if dtype not in DTYPES:
        raise ValueError(f"dtype={dtype}: allowed are {', '.join(str(one) for one in DTYPES)}")
    if not bias <= 0.0:
        raise ValueError(f"bias={bias!r}: allowed are numbers up to 0, and -inf")
    if scores.dim() < 2 or not scores.is_floating_point():
        raise ValueError(
            f"scores have shape {tuple(scores.shape)} and dtype {scores.dtype}: "
            "allowed are floating-point numbers (..., query, key)"
        )
    check_mask(allowed, tuple(scores.shape))
