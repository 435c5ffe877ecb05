"""What a mask changed, in numbers for a table: one line a query, and a summary of a head."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from attention_core.derivation.steps import Phrase
from attention_core.mask_lab.effect import MaskEffect
from attention_core.mask_lab.words import say, share

__all__ = ["EffectSummary", "RowEffect", "row_effects", "summarise"]


@dataclass(frozen=True)
class RowEffect:
    """What changed for one query in one head; the numbers are those of `MaskEffect`.

    `status` is "blind" (nothing to look at, before and after), "emptied", "filled", "same" (the mask of the
    row did not change), "closed" (cells were forbidden), "opened", or "both".
    """

    query: int
    token: str
    status: str
    removed: float
    gained: float
    forbidden_mass: float
    opened_mass: float
    entropy_before: float
    entropy_after: float
    context_moved: float
    context_relative: float
    output_moved: float
    output_relative: float

    @property
    def sentence(self) -> Phrase:
        """The row in words."""
        status = self.status
        if status == "closed" and self.removed == 0.0:
            status = "closed_untouched"
        return say(
            f"row_{status}",
            token=self.token,
            removed=share(_part(self.removed)),
            forbidden=share(_part(self.forbidden_mass)),
            opened=share(_part(self.opened_mass)),
        )


@dataclass(frozen=True)
class EffectSummary:
    """What changed in one head, or in all: counts, means over the rows, and the largest of each.

    cells_closed, cells_opened            cells that may not, or may now, be looked at
    rows, rows_changed, rows_emptied, rows_filled
    removed, gained                       mean mass of a row; `removed_most` the largest
    entropy_before, entropy_after         mean over the rows with something to look at before, and after
    context_moved, context_moved_most     of the head outputs
    output_moved, output_moved_most       of the outputs of the layer, which all heads make together
    output_moved_most_at                  the query whose output moved most
    conservation_error                    the largest |removed - gained| of rows that are not empty
    """

    cells_closed: int
    cells_opened: int
    rows: int
    rows_changed: int
    rows_emptied: int
    rows_filled: int
    removed: float
    removed_most: float
    gained: float
    entropy_before: float
    entropy_after: float
    context_moved: float
    context_moved_most: float
    output_moved: float
    output_moved_most: float
    output_moved_most_at: int
    conservation_error: float


def row_effects(effect: MaskEffect, head: int, *, batch: int = 0) -> tuple[RowEffect, ...]:
    """One line for each query of a head.

    IndexError for a head or batch row that is not there.

    >>> from attention_core.experiment import Experiment
    >>> from attention_core.mask_lab.effect import mask_effect
    >>> from attention_core.masks import Causal
    >>> text = "The sun rises"
    >>> effect = mask_effect(Experiment(text).run(), Experiment(text, mask=Causal(-1)).run())
    >>> [row.status for row in row_effects(effect, 0)]
    ['emptied', 'closed', 'closed']
    >>> row_effects(effect, 0)[0].sentence.text()
    "'The' may look at nothing any more: all its weights are 0, and its head output is 0."
    """
    return tuple(
        RowEffect(
            query=row[2],
            token=token,
            status=_status(effect, row),
            removed=float(effect.removed[row]),
            gained=float(effect.gained[row]),
            forbidden_mass=float(effect.forbidden_mass[row]),
            opened_mass=float(effect.opened_mass[row]),
            entropy_before=float(effect.entropy_before[row]),
            entropy_after=float(effect.entropy_after[row]),
            context_moved=float(effect.context_moved[row]),
            context_relative=float(effect.context_relative[row]),
            output_moved=float(effect.output_moved[batch, row[2]]),
            output_relative=float(effect.output_relative[batch, row[2]]),
        )
        for row, token in (((batch, head, query), token) for query, token in enumerate(effect.tokens))
    )


def summarise(effect: MaskEffect, head: int | None = None, *, batch: int = 0) -> EffectSummary:
    """The numbers of one head, or of all heads together when `head` is None.

    IndexError for a head or batch row that is not there.

    >>> from attention_core.experiment import Experiment
    >>> from attention_core.mask_lab.effect import mask_effect
    >>> from attention_core.masks import Causal
    >>> text = "The sun rises"
    >>> effect = mask_effect(Experiment(text).run(), Experiment(text, mask=Causal()).run())
    >>> summary = summarise(effect, 0)
    >>> summary.cells_closed, summary.rows_changed, summary.rows_emptied
    (3, 2, 0)
    """

    def of(tensor: Tensor) -> Tensor:
        rows = tensor[batch]  # (head, query, ...)
        return rows if head is None else rows[head]  # (query, ...)

    moved = effect.output_moved[batch]  # (query,)
    kept = of(~(effect.blind_before | effect.blind_after))
    imbalance = of((effect.removed - effect.gained).abs())[kept]
    return EffectSummary(
        cells_closed=int(of(effect.closed).sum()),
        cells_opened=int(of(effect.opened).sum()),
        rows=of(effect.removed).numel(),
        rows_changed=int(of(effect.changed).sum()),
        rows_emptied=int(of(effect.emptied).sum()),
        rows_filled=int(of(effect.filled).sum()),
        removed=float(of(effect.removed).mean()),
        removed_most=float(of(effect.removed).max()),
        gained=float(of(effect.gained).mean()),
        entropy_before=_mean(of(effect.entropy_before)[~of(effect.blind_before)]),
        entropy_after=_mean(of(effect.entropy_after)[~of(effect.blind_after)]),
        context_moved=float(of(effect.context_moved).mean()),
        context_moved_most=float(of(effect.context_moved).max()),
        output_moved=float(moved.mean()),
        output_moved_most=float(moved.max()),
        output_moved_most_at=int(moved.argmax()),
        conservation_error=float(imbalance.max()) if imbalance.numel() else 0.0,
    )


def _status(effect: MaskEffect, row: tuple[int, int, int]) -> str:
    if effect.blind_after[row]:
        return "blind" if effect.blind_before[row] else "emptied"
    if effect.blind_before[row]:
        return "filled"
    closed, opened = bool(effect.closed[row].any()), bool(effect.opened[row].any())
    if closed:
        return "both" if opened else "closed"
    return "opened" if opened else "same"


def _mean(numbers: Tensor) -> float:
    return float(numbers.mean()) if numbers.numel() else 0.0


def _part(mass: float) -> float:
    """A sum of rounded weights, put back into 0 to 1."""
    return min(max(mass, 0.0), 1.0)
