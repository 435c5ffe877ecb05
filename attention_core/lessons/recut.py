"""The same weights, cut into other heads.

The four matrices of multi-head attention, all heads side by side, are W_Q, W_K (d_model, h d_k), W_V (d_model, h d_v)
and W_O (h d_v, d_model). Which columns belong to one head is only a matter of where they are cut.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from attention_core.experiment import Experiment
from attention_core.experiment.inputs import Inputs
from attention_core.remembered import remembered
from attention_core.trace import Projections

__all__ = ["CUTS", "Recut", "cut", "cuts"]

CUTS = (1, 2, 4, 8)


@dataclass(frozen=True)
class Recut(Experiment):
    """An experiment whose weights are those of `base`, cut into `num_heads` heads; made by `cut`."""

    base: Experiment | None = None

    def __post_init__(self) -> None:
        """The checks of `Experiment`, which know its own fields only."""
        base = vars(self).pop("base")
        super().__post_init__()
        object.__setattr__(self, "base", base)

    def projections(self) -> Projections:
        """The matrices of `base`, side by side, cut anew; key and value heads that are to be one are averaged."""
        if self.base is None:
            return super().projections()
        return _recut(_whole(self.base), self.num_heads, self.widths.num_kv_heads)

    def inputs(self, dtype: torch.dtype = torch.float32) -> Inputs:
        """What enters the heads is the same however they are cut."""
        return super().inputs(dtype) if self.base is None else self.base.inputs(dtype)

    def head_names(self) -> tuple[str, ...]:
        """The names of `base` where the heads are its heads; a part of a head has no name."""
        if self.base is not None and self.num_heads == self.base.num_heads:
            return self.base.head_names()
        return ("",) * self.num_heads


def cut(base: Experiment, heads: int, kv_heads: int | None = None) -> Experiment:
    """The experiment with the same matrices W_Q, W_K, W_V, W_O, cut into `heads` heads.

    Head j takes the j-th of `heads` equal parts of the columns. With `kv_heads` fewer than `heads` the keys and
    values of each group of heads are replaced by their mean (Ainslie et al. 2023, "GQA", section 2.1). `base` itself
    comes back where that changes nothing. ValueError where the columns cannot be cut evenly.

    >>> base = Experiment("a b c", num_heads=4, d_model=8)
    >>> cut(base, 2).run().shape("weights"), cut(base, 4) is base
    ((1, 2, 3, 3), True)
    """
    widths = base.widths
    if heads == base.num_heads and (kv_heads or heads) == widths.num_kv_heads:
        return base
    for name, total in (("d_k", widths.num_heads * widths.d_k), ("d_v", widths.num_heads * widths.d_v)):
        if heads < 1 or total % heads:
            raise ValueError(f"heads={heads}: allowed are divisors of {total}, all {name} together")
    own = {field.name: getattr(base, field.name) for field in fields(Experiment)}
    own |= {
        "num_heads": heads,
        "d_k": widths.num_heads * widths.d_k // heads,
        "d_v": widths.num_heads * widths.d_v // heads,
        "num_kv_heads": None if kv_heads in (None, heads) else kv_heads,
    }
    return Recut(**own, base=base)


def cuts(base: Experiment, counts: Iterable[int] = CUTS, most: int | None = None) -> tuple[int, ...]:
    """Those of `counts`, and the experiment's own number of heads, into which it can be cut; none above `most`.

    >>> cuts(Experiment("a b", num_heads=3, d_model=12))
    (1, 2, 3, 4)
    """
    possible = []
    for count in sorted({*counts, base.num_heads}):
        try:
            cut(base, count).mods()
        except ValueError:
            continue
        if most is None or count <= max(most, base.num_heads):
            possible.append(count)
    return tuple(possible)


@remembered(24 * 2**20)
def _whole(base: Experiment) -> Projections:
    """The weights that are cut several times on one page. Nobody writes to them."""
    return base.projections()


def _recut(whole: Projections, heads: int, kv_heads: int) -> Projections:
    """The same columns in other heads; key/value heads of one group averaged."""
    w_q, w_k, w_v = whole.inputs()
    own = w_q.shape[0]

    def parts(weight: Tensor) -> Tensor:
        """(own | kv, d_in, d) -> (heads, d_in, d')."""
        each = weight.repeat_interleave(own // weight.shape[0], dim=0)  # (own, d_in, d)
        side_by_side = each.transpose(0, 1).flatten(1)  # (d_in, own * d)
        return side_by_side.reshape(len(side_by_side), heads, -1).transpose(0, 1)  # (heads, d_in, d')

    def grouped(weight: Tensor) -> Tensor:
        each = parts(weight)  # (heads, d_in, d')
        return each.reshape(kv_heads, -1, *each.shape[1:]).mean(dim=1)  # (kv_heads, d_in, d')

    def bias(vector: Tensor | None, share: bool) -> Tensor | None:
        if vector is None:
            return None
        row = grouped(vector[:, None]) if share else parts(vector[:, None])  # (heads | kv_heads, 1, d')
        return row[:, 0]

    return replace(
        whole,
        w_q=parts(w_q),
        w_k=grouped(w_k),
        w_v=grouped(w_v),
        w_o=None if whole.w_o is None else whole.w_o.reshape(heads, -1, whole.w_o.shape[-1]),
        b_q=bias(whole.b_q, share=False),
        b_k=bias(whole.b_k, share=True),
        b_v=bias(whole.b_v, share=True),
    )
