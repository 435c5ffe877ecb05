"""Cross-attention: the queries of one sentence, the keys and values of another, and a mask over its padding.

context_i = sum_j softmax_j(q_i . k_j / sqrt(d_k)) v_j,   q from the first text, k and v from the second

The weights are (queries, keys): as many rows as the first text has tokens, as many columns as the second. Vaswani et
al. 2017, section 3.2.3, "encoder-decoder attention".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from attention_core.experiment import Experiment
from attention_core.masks import Full, Padding
from attention_core.trace import AttentionTrace

__all__ = ["PaddingEffect", "padding_effect", "setting", "strongest", "weight_difference"]


def setting(experiment: Experiment, source: str, real: int | None = None) -> Experiment:
    """The experiment as cross-attention to `source`, of whose tokens the first `real` are real and the rest padding.

    None: all are real. Other masks and dropout are left out. ValueError where the source has no tokens, or what
    `Experiment` refuses.

    >>> setting(Experiment("a b"), "c d e", real=2).effective_mask()
    Padding(lengths=(2,))
    """
    crossed = replace(experiment, mode="cross", source_text=source, mask=Full(), dropout=0.0)
    if real is None or real >= len(crossed.source_tokens()):
        return crossed
    return replace(crossed, mask=Padding((real,)))


@dataclass(frozen=True, eq=False)
class PaddingEffect:
    """What a padding mask changes in one head.

    `lost` (query,) is the share of each query's weight that lay on padding before; `factor` (query,) is what its other
    weights are multiplied by instead, 1 / (1 - lost), and 0 where everything lay on padding.
    """

    lost: Tensor
    factor: Tensor

    @property
    def most(self) -> int:
        """The query that loses most."""
        return int(self.lost.argmax())


def padding_effect(without: AttentionTrace, masked: AttentionTrace, head: int) -> PaddingEffect:
    """Compare the weights of one head without a padding mask and with it.

    The forbidden scores leave the sum under the fraction of the softmax, so all others grow by the same factor.

    >>> e = Experiment("a b")
    >>> effect = padding_effect(setting(e, "c d").run(), setting(e, "c d", real=1).run(), head=0)
    >>> bool((effect.lost * effect.factor > 0).all())
    True
    """
    allowed = masked.heads.allowed[0, head]  # (query, key)
    free = without.heads.weights[0, head]  # (query, key)
    kept = (free * allowed).sum(dim=-1)  # (query,)
    lost = (free * ~allowed).sum(dim=-1)  # (query,)
    # 1 - lost would suffer from rounding where nearly everything lay on padding.
    return PaddingEffect(lost, (kept > 0) / kept.where(kept > 0, 1.0))


def weight_difference(without: AttentionTrace, masked: AttentionTrace, head: int | None) -> Tensor:
    """Weights with the mask minus weights without it, (head, query, key); of one head alone, or of all.

    >>> e = Experiment("a b", num_heads=1)
    >>> without, masked = setting(e, "c d").run(), setting(e, "c d", real=1).run()
    >>> weight_difference(without, masked, 0).sum().abs().item() < 1e-6  # what some lose, the others get
    True
    """
    difference = masked.heads.weights[0] - without.heads.weights[0]  # (head, query, key)
    return difference if head is None else difference[head : head + 1]


def strongest(trace: AttentionTrace, head: int | None, query: int) -> tuple[int, float]:
    """The key that a query looks at most, and its weight; head None is the mean of all heads.

    >>> from attention_core.modules import MultiHeadAttention
    >>> import torch
    >>> strongest(MultiHeadAttention(4, 2).trace(torch.ones(1, 2, 4), torch.ones(1, 1, 4)), None, 1)
    (0, 1.0)
    """
    weights = trace.heads.weights[0].detach()  # (head, query, key)
    row = (weights.mean(dim=0) if head is None else weights[head])[query]  # (key,)
    key = int(row.argmax())
    return key, float(row[key])
