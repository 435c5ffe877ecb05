"""The named dimensions of every tensor in attention, as jaxtyping annotations.

One alias serves the reader of a signature, the run-time check in the tests and the axis titles of a picture.
`d_head` is the width that a query and a key share (d_k); `d_v` is the width of a value.
"""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

Embedding = Float[Tensor, "batch position d_model"]
QueryEmbedding = Float[Tensor, "batch query d_model"]
SourceEmbedding = Float[Tensor, "batch key d_source"]
ValueEmbedding = Float[Tensor, "batch key d_value_source"]

Heads = Float[Tensor, "batch head query d_head"]
"""The queries, split into heads."""
Keys = Float[Tensor, "batch kv_head key d_head"]
"""The keys as they are stored: `kv_head` may be smaller than `head`."""
HeadKeys = Float[Tensor, "batch head key d_head"]
"""The keys as a score sees them: every query head has its key head."""
Values = Float[Tensor, "batch kv_head key d_v"]
Scores = Float[Tensor, "batch head query key"]
Weights = Scores
Context = Float[Tensor, "batch head query d_v"]

Allowed = Bool[Tensor, "..."]
"""True = may attend; broadcastable to (batch, head, query, key)."""
AllowedByHead = Bool[Tensor, "batch head query key"]

Concat = Float[Tensor, "batch query heads_times_d_v"]
Output = Float[Tensor, "batch query d_out"]
Contributions = Float[Tensor, "batch head query d_out"]
