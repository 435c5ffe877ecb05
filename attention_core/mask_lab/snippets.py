"""The same mask in every library: runnable code, and the tensor that each library expects."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from attention_core.checks import whole
from attention_core.mask_lab.mask_code import mask_function
from attention_core.mask_lab.words import MESSAGES
from attention_core.masks.base import Mask

__all__ = ["LIBRARIES", "Snippet", "snippets"]

LIBRARIES = ("sdpa", "mha", "additive", "hf", "flex")
WIDTH = 8  # of a head, in the code
NAMED = 8  # queries with nothing left that a comment names


@dataclass(frozen=True, eq=False)
class Snippet:
    """One library: how it wants the mask, and code that runs.

    library   its key in LIBRARIES
    title, polarity   English messages, to be translated
    variable  the name of the mask in the code
    tensor    that mask: its dtype and shape, in words of code
    shown     the numbers of that mask as (batch, heads, queries, keys), or fewer axes where the library takes
              fewer; for FlexAttention what its mask_mod answers, cell by cell
    code      Python that needs torch alone; it leaves `output`, (batch, heads, queries, 8) or, from a module,
              (batch, queries, heads * 8), and `weights` where the library tells them
    empty     what a query with nothing left gets: "zeros", "nan" or "uniform" (every key alike, the forbidden
              ones too)
    blind     how many rows of this mask have nothing left: where there are none, all libraries agree
    """

    library: str
    title: str
    polarity: str
    variable: str
    tensor: str
    shown: Tensor
    code: str
    empty: str
    blind: int


def snippets(mask: Mask, queries: int, keys: int, *, batch: int = 1, heads: int = 1) -> tuple[Snippet, ...]:
    """A mask for each library, in the order of LIBRARIES.

    Raises ValueError for sizes below 1 and for a mask that does not fit them.

    >>> from attention_core.masks import Causal
    >>> {one.library: one.tensor for one in snippets(Causal(), 2, 3)}["mha"]
    'bool (queries, keys) = (2, 3)'
    """
    for name, size in (("queries", queries), ("keys", keys), ("batch", batch), ("heads", heads)):
        whole(name, size, 1)
    allowed = mask.materialize(batch, heads, queries, keys)  # (batch, head, query, key)
    blind = ~allowed.any(dim=-1)  # (batch, head, query)
    parts = _Parts(mask, (batch, heads, queries, keys), allowed, blind)
    return (_sdpa(parts), _mha(parts), _additive(parts), _hugging_face(parts), _flex(parts))


@dataclass(frozen=True, eq=False)
class _Parts:
    """What all snippets are made from."""

    mask: Mask
    sizes: tuple[int, int, int, int]
    allowed: Tensor
    blind: Tensor

    def snippet(self, library: str, variable: str, tensor: str, shown: Tensor, empty: str, code: str) -> Snippet:
        """The finished snippet; `library` may carry the form of the tensor after an underscore."""
        return Snippet(
            library=library.partition("_")[0],
            title=MESSAGES[f"{library}_title"],
            polarity=MESSAGES[f"{library}_polarity"],
            variable=variable,
            tensor=tensor,
            shown=shown,
            code=code,
            empty=empty,
            blind=int(self.blind.sum()),
        )

    def warning(self, what: str) -> str:
        """A comment about the queries that may attend to nothing, where there are any."""
        if not bool(self.blind.any()):
            return ""
        rows = self.blind.any(dim=0).any(dim=0).nonzero().flatten().tolist()
        named = ", ".join(map(str, rows[:NAMED])) + (", ..." if len(rows) > NAMED else "")
        who = "Query" if len(rows) == 1 else "Queries"
        some = "" if bool((self.blind == self.blind[:1, :1]).all()) else ", in some batch rows or heads,"
        return f"# {who} {named}{some} may attend to nothing: {what}\n"

    def opening(self, *imports: str) -> str:
        """The imports and the sizes."""
        batch, heads, queries, keys = self.sizes
        return (
            "".join(f"{line}\n" for line in imports)
            + f"\nbatch, heads, queries, keys, width = {batch}, {heads}, {queries}, {keys}, {WIDTH}\n"
            "generator = torch.Generator().manual_seed(0)\n"
        )

    def allowed_code(self) -> str:
        """The bool tensor, from the rule."""
        return f"\n\n{mask_function('may_attend', self.mask)}\n\n\n{ALLOWED}\n"


HEADS = """\
q = torch.randn(batch, heads, queries, width, generator=generator)
k = torch.randn(batch, heads, keys, width, generator=generator)
v = torch.randn(batch, heads, keys, width, generator=generator)
"""

ALLOWED = """\
allowed = may_attend(
    torch.arange(batch)[:, None, None, None],
    torch.arange(heads)[:, None, None],
    torch.arange(queries)[:, None],
    torch.arange(keys),
).expand(batch, heads, queries, keys)  # bool, True = may attend
"""


def _sdpa(parts: _Parts) -> Snippet:
    code = (
        parts.opening("import torch", "from torch.nn import functional as F")
        + HEADS
        + parts.allowed_code()
        + "# A bool mask that broadcasts to (batch, heads, queries, keys).\n"
        "# True = may attend, False = forbidden. (A float mask would be added to the scores.)\n"
        "attn_mask = allowed\n"
        + parts.warning("the output there is 0.")
        + "output = F.scaled_dot_product_attention(q, k, v, attn_mask=attn_mask)\n"
    )
    tensor = f"bool (batch, heads, queries, keys) = {parts.sizes}"
    return parts.snippet("sdpa", "attn_mask", tensor, parts.allowed, "zeros", code)


def _mha(parts: _Parts) -> Snippet:
    batch, heads, queries, keys = parts.sizes
    same = parts.mask.depends_on.isdisjoint({"b", "h"})
    if same:
        shape, how = f"(queries, keys) = {(queries, keys)}", "~allowed[0, 0]"
        shape_words = "(queries, keys), one for all batch rows and heads"
    else:
        shape = f"(batch * heads, queries, keys) = {(batch * heads, queries, keys)}"
        how = "(~allowed).reshape(batch * heads, queries, keys)"
        shape_words = "(batch * heads, queries, keys): row b * heads + h is head h of batch row b"
    code = (
        parts.opening("import torch", "from torch import nn")
        + "query = torch.randn(batch, queries, heads * width, generator=generator)\n"
        "source = torch.randn(batch, keys, heads * width, generator=generator)  # gives keys and values\n"
        "attend = nn.MultiheadAttention(heads * width, heads, batch_first=True)\n"
        + parts.allowed_code()
        + f"# A bool mask {shape_words}.\n"
        "# True = forbidden, False = may attend: the opposite of scaled_dot_product_attention.\n"
        f"attn_mask = {how}\n"
        + parts.warning("NaN there; with need_weights=False the bias of the output projection.")
        + "output, weights = attend(\n"
        "    query, source, source, attn_mask=attn_mask, average_attn_weights=False\n"
        ")  # weights: (batch, heads, queries, keys)\n"
    )
    shown = parts.mask.to_mha(queries, keys, batch=batch, heads=heads)
    return parts.snippet("mha", "attn_mask", f"bool {shape}", shown, "nan", code)


def _additive(parts: _Parts) -> Snippet:
    code = (
        parts.opening("import math", "", "import torch")
        + HEADS
        + parts.allowed_code()
        + "# A float mask that is added to the scores before the softmax.\n"
        "# 0 = may attend, -inf = forbidden, since exp(-inf) = 0.\n"
        "bias = torch.zeros(allowed.shape).masked_fill(~allowed, -math.inf)\n"
        "scores = q @ k.transpose(-2, -1) / math.sqrt(width) + bias\n"
        + parts.warning("all scores there are -inf, and the softmax gives NaN.")
        + "weights = torch.softmax(scores, dim=-1)  # (batch, heads, queries, keys)\n"
        "output = weights @ v\n"
    )
    shown = torch.zeros(parts.sizes).masked_fill(~parts.allowed, -torch.inf)
    tensor = f"float32 (batch, heads, queries, keys) = {parts.sizes}"
    return parts.snippet("additive", "bias", tensor, shown, "nan", code)


EAGER = """\
# What attn_implementation="eager" does with it:
scores = q @ k.transpose(-2, -1) / math.sqrt(width) + bias
weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(q.dtype)  # (batch, heads, queries, keys)
output = weights @ v
"""


def _hugging_face(parts: _Parts) -> Snippet:
    batch, _, queries, keys = parts.sizes
    padding = parts.mask.depends_on <= {"b", "k"}
    shown = parts.mask.to_hf(queries, keys, batch=batch, heads=parts.sizes[1])
    if padding:
        name, tensor = "hf_padding", f"int64 (batch, keys) = {(batch, keys)}"
        how = """\
# An integer mask (batch, keys), one number a token, the same for every query.
# 1 = may attend, 0 = forbidden (padding). A decoder adds its own causal part to it.
attention_mask = allowed[:, 0, 0].long()
#
#     model = AutoModel.from_pretrained(...)
#     model(input_ids, attention_mask=attention_mask)
#
# The model spreads it over heads and queries:
keep = attention_mask.bool()[:, None, None, :]
"""
    else:
        shown = shown.bool()
        per_head = "h" in parts.mask.depends_on
        axis = "heads" if per_head else "1"
        name, tensor = "hf", f"bool (batch, {axis}, queries, keys) = {tuple(shown.shape)}"
        cut = "allowed" if per_head else "allowed[:, :1]  # the same for all heads"
        how = f"""\
# A mask of four dimensions, (batch, {axis}, queries, keys), is used as it is: nothing causal is added.
# With attn_implementation="sdpa" bool: True = may attend, False = forbidden.
# With "eager" float: 0 = may attend, the most negative number = forbidden.
# Do not swap them: a bool mask in "eager" is added as 1 and 0, which forbids nothing. (transformers >= 4.41)
attention_mask = {cut}
#
#     model = AutoModel.from_pretrained(..., attn_implementation="sdpa")
#     model(input_ids, attention_mask=attention_mask)
#
keep = attention_mask
"""
    code = (
        parts.opening("import math", "", "import torch", "from torch.nn import functional as F")
        + HEADS
        + parts.allowed_code()
        + how
        + "bias = torch.where(keep, 0.0, torch.finfo(q.dtype).min)\n\n"
        + parts.warning('with "eager" all keys weigh the same there, forbidden or not; with "sdpa" 0.')
        + EAGER
        + '\n# What "sdpa" does with it:\n'
        "sdpa_output = F.scaled_dot_product_attention(\n"
        "    q, k, v, attn_mask=keep.expand(-1, -1, queries, -1)\n"
        ")\n"
    )
    return parts.snippet(name, "attention_mask", tensor, shown, "uniform", code)


def _flex(parts: _Parts) -> Snippet:
    depends = parts.mask.depends_on
    batch = "batch" if "b" in depends else "None"
    heads = "heads" if "h" in depends else "None"
    code = (
        parts.opening("import torch", "from torch.nn.attention.flex_attention import create_block_mask, flex_attention")
        + HEADS
        + f"\n\n{mask_function('mask_mod', parts.mask)}\n\n\n"
        + "# No tensor but the rule itself, on the numbers of batch row, head, query and key.\n"
        "# True = may attend, False = forbidden. None = the same for all batch rows, or all heads.\n"
        f'block_mask = create_block_mask(mask_mod, {batch}, {heads}, queries, keys, device="cpu")\n'
        + parts.warning("the output there is 0.")
        + "# On a GPU: flex_attention = torch.compile(flex_attention), which skips forbidden blocks.\n"
        "output = flex_attention(q, k, v, block_mask=block_mask)\n"
    )
    tensor = "mask_mod(b, h, q, k) -> bool"
    return parts.snippet("flex", "mask_mod", tensor, parts.allowed, "zeros", code)
