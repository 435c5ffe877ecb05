"""What a mask changed: the same experiment twice, with another mask, and every difference that made."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attention_core.metrics import entropy
from attention_core.shapes import AllowedByHead, Scores, Weights
from attention_core.trace import AttentionTrace

__all__ = ["MaskEffect", "mask_effect"]

ByRow = Float[Tensor, "batch head query"]
RowIs = Bool[Tensor, "batch head query"]
ByToken = Float[Tensor, "batch query"]


@dataclass(frozen=True, eq=False)
class MaskEffect:
    """What changed between two masks, head by head and query by query, in float64.

    With a the weights before and b those after, for each row:

    removed         sum of max(a - b, 0): the mass that left its cell
    gained          sum of max(b - a, 0): the mass that arrived in another cell
    forbidden_mass  sum of a over the cells that were allowed and are forbidden now
    opened_mass     sum of b over the cells that were forbidden and are allowed now

    A softmax shares 1 among the cells that are allowed, so a row that has cells before and after obeys
    removed = gained, up to the rounding of the weights. Where cells are only closed, forbidden_mass = removed
    = p, and every cell that remains grows from a to a / (1 - p): the mass goes to them in proportion to what
    they had. Where cells are only opened, the same holds backwards: opened_mass = gained. A row that is
    emptied has removed 1 and gained 0, one that is filled the reverse.

    `moved` is the Euclidean length of the change of a vector, `relative` that length divided by the length
    before (0 where neither has any, inf where only the one after has). Weights are those before dropout;
    head outputs and outputs are what the traces hold.
    """

    tokens: tuple[str, ...]
    head_names: tuple[str, ...]
    before: Weights
    after: Weights
    difference: Scores
    closed: AllowedByHead
    opened: AllowedByHead
    blind_before: RowIs
    blind_after: RowIs
    removed: ByRow
    gained: ByRow
    forbidden_mass: ByRow
    opened_mass: ByRow
    entropy_before: ByRow
    entropy_after: ByRow
    context_moved: ByRow
    context_relative: ByRow
    output_moved: ByToken
    output_relative: ByToken

    @property
    def emptied(self) -> RowIs:
        """The rows that had something to look at, and have nothing now."""
        return self.blind_after & ~self.blind_before

    @property
    def filled(self) -> RowIs:
        """The rows that had nothing to look at, and have something now."""
        return self.blind_before & ~self.blind_after

    @property
    def changed(self) -> RowIs:
        """The rows whose mask changed."""
        return (self.closed | self.opened).any(dim=-1)

    @property
    def conservation_error(self) -> float:
        """The largest |removed - gained| of all rows that have something before and after."""
        kept = ~(self.blind_before | self.blind_after)
        return _largest((self.removed - self.gained).abs()[kept])

    def proportional(self) -> Weights:
        """The weights before, with the closed cells at 0 and each row divided by its sum.

        b_j = a_j / (1 - p): what the weights after are where cells were closed and none was opened. A row of
        zeros where nothing of the weights before remains.
        """
        kept = self.before.masked_fill(self.closed, 0.0)  # (batch, head, query, key)
        total = kept.sum(dim=-1, keepdim=True)  # (batch, head, query, 1)
        return kept / torch.where(total == 0, 1.0, total)

    @property
    def proportional_error(self) -> float:
        """The largest |b - a / (1 - p)| of all rows in which cells were closed and none was opened.

        Rows where the weights that remain were too small to be more than 0 are left out: from 0 no
        proportion can be read.
        """
        readable = self.before.masked_fill(self.closed, 0.0).sum(dim=-1) > 0
        rows = readable & ~self.opened.any(dim=-1)
        return _largest((self.after - self.proportional()).abs()[rows])


def mask_effect(before: AttentionTrace, after: AttentionTrace) -> MaskEffect:
    """Compare two traces of one experiment that differ in their mask alone.

    removed = sum of max(a - b, 0), gained = sum of max(b - a, 0); see `MaskEffect`. Raises ValueError where
    the traces have other tokens, other shapes, other scores before the mask, or other values.

    >>> from attention_core.experiment import Experiment
    >>> from attention_core.masks import Causal
    >>> text = "The sun rises"
    >>> effect = mask_effect(Experiment(text).run(), Experiment(text, mask=Causal()).run())
    >>> bool((effect.removed[0, 0, :2] > 0).all()), effect.removed[0, 0, 2].item()
    (True, 0.0)
    >>> effect.conservation_error < 1e-6
    True
    """
    _check_same(before, after)
    a = before.heads.weights.double()  # (batch, head, query, key)
    b = after.heads.weights.double()  # (batch, head, query, key)
    was, now = before.heads.allowed, after.heads.allowed  # (batch, head, query, key)
    closed, opened = was & ~now, now & ~was  # (batch, head, query, key)
    difference = b - a  # (batch, head, query, key)
    context = _moved(before.heads.context, after.heads.context)  # twice (batch, head, query)
    output = _moved(before.output, after.output)  # twice (batch, query)
    return MaskEffect(
        tokens=before.tokens,
        head_names=before.head_names,
        before=a,
        after=b,
        difference=difference,
        closed=closed,
        opened=opened,
        blind_before=~was.any(dim=-1),
        blind_after=~now.any(dim=-1),
        removed=(-difference).clamp(min=0).sum(dim=-1),
        gained=difference.clamp(min=0).sum(dim=-1),
        forbidden_mass=(a * closed).sum(dim=-1),
        opened_mass=(b * opened).sum(dim=-1),
        entropy_before=entropy(a),
        entropy_after=entropy(b),
        context_moved=context[0],
        context_relative=context[1],
        output_moved=output[0],
        output_relative=output[1],
    )


def _moved(before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """|after - before| and |after - before| / |before|, along the last axis."""
    moved = (after.double() - before.double()).norm(dim=-1)  # (..., query)
    length = before.double().norm(dim=-1)  # (..., query)
    relative = torch.where(moved == 0, 0.0, moved / length)  # (..., query), x / 0 = inf
    return moved, relative


def _largest(numbers: Tensor) -> float:
    """The largest of the numbers; 0 where there is none."""
    return float(numbers.max()) if numbers.numel() else 0.0


def _check_same(before: AttentionTrace, after: AttentionTrace) -> None:
    """Raise ValueError unless only the mask can make a difference."""
    for name in ("tokens", "source_tokens"):
        if getattr(before, name) != getattr(after, name):
            raise ValueError(f"after.{name} differ from before.{name}: allowed are two traces of one text")
    for name in ("modified_scores", "v", "output"):
        one, other = before.field(name), after.field(name)
        if one.shape != other.shape:
            raise ValueError(f"after.{name} has shape {tuple(other.shape)}: allowed is {tuple(one.shape)}, as before")
        if name != "output" and not torch.allclose(one, other, rtol=1e-5, atol=1e-6, equal_nan=True):
            raise ValueError(
                f"after.{name} differ from before.{name}: allowed are traces that differ in the mask alone"
            )
