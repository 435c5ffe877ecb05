"""The weights of many heads: kept in few large matrices, applied in few products, shown head by head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from attention_core.checks import whole
from attention_core.trace import Projections

_FIELDS = fields(Projections)


class HeadWeights(nn.Module):
    """The projections of `MultiHeadAttention`, which see for the arguments; no attention happens here.

    Parameters as in `torch.nn.MultiheadAttention`: `in_proj_weight` (rows of q, k and v, embed_dim) where the
    three read one width, else `q_proj_weight`, `k_proj_weight`, `v_proj_weight`; `in_proj_bias`;
    `out_proj_weight` (embed_dim, head * d_v) and `out_proj_bias`. None where there is no such weight.

    >>> HeadWeights(8, 2, num_kv_heads=1).projections().w_k.shape
    torch.Size([1, 8, 4])
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        *,
        head_dim: int | None = None,
        value_dim: int | None = None,
        num_kv_heads: int | None = None,
        kdim: int | None = None,
        vdim: int | None = None,
        bias: bool = True,
        out_proj: bool = True,
        generator: Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        self.embed_dim = whole("embed_dim", embed_dim, 1)
        self.num_heads = whole("num_heads", num_heads, 1)
        if head_dim is None and embed_dim % num_heads:
            raise ValueError(
                f"num_heads={num_heads}: allowed are divisors of embed_dim={embed_dim}, or give head_dim"
            )
        self.head_dim = whole("head_dim", embed_dim // num_heads if head_dim is None else head_dim, 1)
        self.value_dim = whole("value_dim", self.head_dim if value_dim is None else value_dim, 1)
        self.num_kv_heads = whole("num_kv_heads", num_heads if num_kv_heads is None else num_kv_heads, 1)
        if num_heads % self.num_kv_heads:
            raise ValueError(f"num_kv_heads={num_kv_heads}: allowed are divisors of num_heads={num_heads}")
        self.kdim = whole("kdim", embed_dim if kdim is None else kdim, 1)
        self.vdim = whole("vdim", embed_dim if vdim is None else vdim, 1)

        q_rows = num_heads * self.head_dim
        k_rows = self.num_kv_heads * self.head_dim
        v_rows = self.num_kv_heads * self.value_dim
        self._rows = (q_rows, k_rows, v_rows)

        def weight(rows: int, columns: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(rows, columns, dtype=dtype, device=device))

        # One matrix for q, k and v where they read the same width: one large product is faster than three.
        packed = self.kdim == self.vdim == embed_dim
        self.in_proj_weight = weight(sum(self._rows), embed_dim) if packed else None
        self.q_proj_weight = None if packed else weight(q_rows, embed_dim)
        self.k_proj_weight = None if packed else weight(k_rows, self.kdim)
        self.v_proj_weight = None if packed else weight(v_rows, self.vdim)
        self.in_proj_bias = (
            nn.Parameter(torch.empty(sum(self._rows), dtype=dtype, device=device)) if bias else None
        )
        width = num_heads * self.value_dim
        self.out_proj_weight = weight(embed_dim, width) if out_proj else None
        self.out_proj_bias = (
            nn.Parameter(torch.empty(embed_dim, dtype=dtype, device=device)) if bias and out_proj else None
        )
        self.reset_parameters(generator)

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Draw the weights anew, each matrix Xavier-uniform (Glorot & Bengio 2010); biases become 0."""
        generator = torch.Generator().manual_seed(0) if generator is None else generator
        with torch.no_grad():
            for matrix in (*self._in_weights(), self.out_proj_weight):
                if matrix is not None:
                    bound = (6.0 / sum(matrix.shape)) ** 0.5
                    drawn = torch.rand(matrix.shape, generator=generator, device=generator.device)
                    matrix.copy_((2.0 * drawn - 1.0) * bound)
            for vector in (self.in_proj_bias, self.out_proj_bias):
                if vector is not None:
                    vector.zero_()

    @property
    def bias(self) -> bool:
        """Whether the projections add a bias."""
        return self.in_proj_bias is not None

    def projections(self) -> Projections:
        """The weights by head, as views of the parameters."""
        w_q, w_k, w_v = self._in_weights()
        b_q, b_k, b_v = self._in_biases()
        heads, kv_heads, d_k, d_v = self.num_heads, self.num_kv_heads, self.head_dim, self.value_dim
        w_o = self.out_proj_weight
        return Projections(
            w_q=w_q.view(heads, d_k, -1).transpose(1, 2),  # (head, d_in, d_k)
            w_k=w_k.view(kv_heads, d_k, -1).transpose(1, 2),  # (kv_head, d_source, d_k)
            w_v=w_v.view(kv_heads, d_v, -1).transpose(1, 2),  # (kv_head, d_source, d_v)
            w_o=None if w_o is None else w_o.t().view(heads, d_v, -1),  # (head, d_v, d_out)
            b_q=None if b_q is None else b_q.view(heads, d_k),  # (head, d_k)
            b_k=None if b_k is None else b_k.view(kv_heads, d_k),  # (kv_head, d_k)
            b_v=None if b_v is None else b_v.view(kv_heads, d_v),  # (kv_head, d_v)
            b_o=self.out_proj_bias,  # (d_out,)
        )

    def load_projections(self, projections: Projections) -> None:
        """Copy weights given by head into this module.

        Raises ValueError, and copies nothing, where a shape differs.
        """
        with torch.no_grad():
            views = self.projections()
        pairs = {f.name: (getattr(views, f.name), getattr(projections, f.name)) for f in _FIELDS}
        for name, (mine, given) in pairs.items():
            if _shape(mine) != _shape(given):
                raise ValueError(f"{name} has shape {_shape(given)}: allowed is {_shape(mine)}")
        with torch.no_grad():
            for mine, given in pairs.values():
                if mine is not None:
                    mine.copy_(given)

    def _in_weights(self) -> Sequence[Tensor]:
        """The weights of q, k and v, each (rows, width)."""
        if self.in_proj_weight is not None:
            return self.in_proj_weight.split_with_sizes(self._rows)
        w_q, w_k, w_v = self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
        assert w_q is not None and w_k is not None and w_v is not None
        return w_q, w_k, w_v

    def _in_biases(self) -> Sequence[Tensor | None]:
        bias = self.in_proj_bias
        return (None, None, None) if bias is None else bias.split_with_sizes(self._rows)

    def _project(self, query: Tensor, key: Tensor, value: Tensor) -> Sequence[Tensor]:
        """q, k and v, each (batch, its heads, position, width), in as few products as the inputs allow."""
        weight, bias = self.in_proj_weight, self.in_proj_bias
        heads = (self.num_heads, self.num_kv_heads, self.num_kv_heads)
        if weight is not None and key is query and value is query:
            qkv = F.linear(query, weight, bias)  # (batch, position, widths of q, k and v side by side)
            if self.head_dim == self.value_dim:  # one view serves all three
                return _split(qkv, sum(heads)).split_with_sizes(heads, dim=1)
            q, k, v = qkv.split_with_sizes(self._rows, dim=-1)
        else:
            w_q, w_k, w_v = self._in_weights()
            b_q, b_k, b_v = self._in_biases()
            q = F.linear(query, w_q, b_q)  # (batch, query, head * d_k)
            if weight is not None and value is key:
                rows = self._rows[0]
                kv = F.linear(key, weight[rows:], None if bias is None else bias[rows:])
                k, v = kv.split_with_sizes(self._rows[1:], dim=-1)
            else:
                k = F.linear(key, w_k, b_k)  # (batch, key, kv_head * d_k)
                v = F.linear(value, w_v, b_v)  # (batch, key, kv_head * d_v)
        return [_split(x, n) for x, n in zip((q, k, v), heads, strict=True)]

    def _check(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        weight = self.q_proj_weight if self.in_proj_weight is None else self.in_proj_weight
        assert weight is not None
        for name, x, width in (
            ("query", query, self.embed_dim),
            ("key", key, self.kdim),
            ("value", value, self.vdim),
        ):
            if x.dim() != 3 or x.shape[-1] != width:
                raise ValueError(f"{name} has shape {tuple(x.shape)}: allowed is (batch, position, {width})")
            if x.dtype != weight.dtype:
                raise ValueError(
                    f"{name} has dtype {x.dtype}: allowed is {weight.dtype}, that of the weights"
                )


def _split(x: Tensor, heads: int) -> Tensor:
    """(batch, position, heads * width) -> (batch, heads, position, width)."""
    batch, length, width = x.shape
    return x.view(batch, length, heads, width // heads).transpose(1, 2)


def _shape(tensor: Tensor | None) -> tuple[int, ...] | None:
    return None if tensor is None else tuple(tensor.shape)
