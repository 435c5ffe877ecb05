"""The experiment: the frozen description of what a person asked for, and the one door to its computation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from attention_core.experiment import recipes
from attention_core.experiment.checks import EAGER_TOKENS, MODES, EmptyText, ExperimentError, check_fields
from attention_core.experiment.hand_built import content_width, hand_built_weights, head_kinds
from attention_core.experiment.inputs import Inputs, make_inputs
from attention_core.experiment.recipes import Widths
from attention_core.functional import Mod
from attention_core.masks import Causal, Full, Mask
from attention_core.modules import MultiHeadAttention
from attention_core.positions import position_mods
from attention_core.scores import Score
from attention_core.seeding import seeded
from attention_core.tokens import Token, count_tokens, tokenize
from attention_core.trace import AttentionTrace, Projections

__all__ = ["MODES", "Experiment", "ExperimentError"]


@dataclass(frozen=True)
class Experiment:
    """A text and every choice that multi-head attention leaves open. Frozen, comparable, hashable.

    output = concat_h( softmax( mask( score(x W_q[h], s W_k[h]) ) ) s W_v[h] ) W_o

    x is the embedded text; s is x again or, in cross mode, the embedded source text.

    mode          "self"; "causal": nothing looks ahead, on top of `mask`; "cross": `source_text` gives keys
                  and values (the other modes leave it alone)
    tokenizer     "word", "character", "byte", "bpe"
    num_heads, d_model                whole numbers from 1
    d_k, d_v      widths of a head; None is d_model / num_heads, which has to come out even then
    num_kv_heads  key/value heads, a divisor of num_heads; None is num_heads
    position      one of POSITIONS
    score         one of SCORES, divided by the temperature, a number from 0.001 to 1000
    mask          any `Mask`; an `Explicit` one has to fit the numbers of tokens
    dropout       probability from 0 up to, not including, 1: `run` shows one draw of training
    bias          of the projections; hand-built heads always have them, see `hand_built`
    weights       "random", "hand_built", "article"
    seed          whole number from 0 below 2**63: everything random depends on it and on nothing else
    embedding     "hashed", "sorted_vocabulary", "one_hot"
    out_proj      whether there is a W_o

    Raises ExperimentError, a ValueError, that names the field, its value and what is allowed. For texts
    of more than 4,096 tokens the checks that need them all happen in `run`.

    >>> trace = Experiment("The sun rises in the east", num_heads=4).run()
    >>> trace.shape("weights")
    (1, 4, 6, 6)
    """

    text: str
    source_text: str | None = None
    mode: str = "self"
    tokenizer: str = "word"
    num_heads: int = 4
    d_model: int = 32
    d_k: int | None = None
    d_v: int | None = None
    num_kv_heads: int | None = None
    position: str = "none"
    score: str = "scaled_dot"
    temperature: float = 1.0
    mask: Mask = Full()  # noqa: RUF009  a frozen value
    dropout: float = 0.0
    bias: bool = False
    weights: str = "random"
    seed: int = 0
    embedding: str = "hashed"
    out_proj: bool = True

    def __post_init__(self) -> None:
        """Check every field, and what has to fit together."""
        check_fields(self)
        counts = self.count_tokens(EAGER_TOKENS)
        for name, count in zip(("text", "source_text"), counts, strict=True):
            if not count:
                raise EmptyText(name, getattr(self, name), self.tokenizer)
        if max(counts) <= EAGER_TOKENS:
            self._check_tokens()

    @property
    def _source(self) -> str:
        return (self.source_text or "") if self.mode == "cross" else self.text

    @cached_property
    def _tokens(self) -> tuple[Token, ...]:
        return tokenize(self.text, self.tokenizer)

    @cached_property
    def _source_tokens(self) -> tuple[Token, ...]:
        return tokenize(self._source, self.tokenizer) if self.mode == "cross" else self._tokens

    def tokens(self) -> tuple[Token, ...]:
        """The tokens of the text: one query each.

        >>> [token.text for token in Experiment("The sun.").tokens()]
        ['The', 'sun', '.']
        """
        return self._tokens

    def source_tokens(self) -> tuple[Token, ...]:
        """The tokens that give keys and values: in cross mode those of the source text, else of the text."""
        return self._source_tokens

    def count_tokens(self, most: int) -> tuple[int, int]:
        """How many queries and keys there are, each `most + 1` where it is more: at the cost of `most` tokens.

        >>> Experiment("a b c", "d " * 50_000, mode="cross").count_tokens(100)
        (3, 101)
        """
        queries = count_tokens(self.text, self.tokenizer, most)
        return queries, count_tokens(self._source, self.tokenizer, most) if self.mode == "cross" else queries

    def _check_tokens(self) -> None:
        """What can only be said once the text is cut into tokens."""
        queries, keys = len(self._tokens), len(self._source_tokens)
        try:
            self.mask.check_sizes(1, self.num_heads, queries, keys)
        except ValueError as problem:
            raise ExperimentError(
                ("mask",),
                f"mask={self.mask!s:.60}: does not fit {queries} queries and {keys} keys: {problem}",
            ) from problem
        if self.embedding == "one_hot":
            room = self.content_width
            words = {token.text for token in (*self._tokens, *self._source_tokens)}
            if len(words) > room:
                raise ExperimentError(
                    ("embedding", "d_model"),
                    f"embedding='one_hot': {len(words)} different tokens need one number each, "
                    f"d_model={self.d_model} has room for {room}",
                )

    @property
    def widths(self) -> Widths:
        """The sizes of the projections, with every None filled in; hand-built heads always have biases.

        >>> Experiment("a b", d_model=12, num_heads=3, d_v=5).widths.d_v
        5
        """
        each = self.d_model // self.num_heads
        return Widths(
            num_heads=self.num_heads,
            num_kv_heads=self.num_kv_heads or self.num_heads,
            d_model=self.d_model,
            d_k=self.d_k or each,
            d_v=self.d_v or each,
            bias=self.bias,
            out_proj=self.out_proj,
        )

    @property
    def content_width(self) -> int:
        """How many numbers of x come from the word: d_model, or half of it beside hand-built positions."""
        return content_width(self.d_model) if self.weights == "hand_built" else self.d_model

    def effective_mask(self) -> Mask:
        """The mask that is applied: `mask`, together with a causal one in causal mode.

        >>> str(Experiment("a b", mode="causal").effective_mask())
        'causal'
        """
        if self.mode != "causal":
            return self.mask
        return Causal() if self.mask == Full() else Causal() & self.mask

    def projections(self) -> Projections:
        """The weights of the recipe, by head, in float32."""
        if self.weights == "hand_built":
            return hand_built_weights(self.widths, self.seed)
        if self.weights == "article":
            return recipes.article_weights(self.widths, self.seed)[0]
        return recipes.random_weights(self.widths, self.seed)

    def head_names(self) -> tuple[str, ...]:
        """What each head was built for, or "random" beside such heads; nothing where no head was built for anything.

        A hand-built pattern needs a dot product and positions that leave queries and keys alone; where
        the experiment takes that away, the name says what the head was made for.

        >>> Experiment("a b", weights="hand_built").head_names()
        ('previous token', 'first token', 'same token', 'random')
        >>> Experiment("a b", weights="hand_built", position="rope").head_names()[0]
        'made for previous token'
        """
        if self.weights != "hand_built":
            return ()
        kept = (
            self.score in ("scaled_dot", "dot")
            and self.position in ("none", "alibi", "t5")
            and self.embedding != "one_hot"
        )
        names = head_kinds(self.widths)
        return names if kept else tuple(n if n == "random" else f"made for {n}" for n in names)

    def score_function(self, dtype: torch.dtype = torch.float32) -> Score:
        """The score with its learned parts and its temperature."""
        return recipes.make_score(
            self.score, self.widths, self.seed, temperature=self.temperature, dtype=dtype
        )

    def mods(self) -> tuple[Mod, ...]:
        """Where position enters queries, keys and scores."""
        return position_mods(
            self.position,
            num_heads=self.num_heads,
            d_k=self.widths.d_k,
            seed=self.seed,
            bidirectional=self.mode != "causal",
        )

    def inputs(self, dtype: torch.dtype = torch.float32) -> Inputs:
        """The embedded text and source text, before and after positions are added."""
        return make_inputs(self, dtype)

    def module(self, dtype: torch.dtype = torch.float32) -> MultiHeadAttention:
        """The attention with the weights of the recipe, in eval mode: its `forward` leaves dropout out.

        >>> Experiment("a b", num_heads=2).module().projections().w_q.shape
        torch.Size([2, 32, 16])
        """
        widths, projections = self.widths, self.projections()
        module = MultiHeadAttention(
            widths.d_model,
            widths.num_heads,
            head_dim=widths.d_k,
            value_dim=widths.d_v,
            num_kv_heads=widths.num_kv_heads,
            bias=projections.b_q is not None,
            score=self.score_function(dtype),
            dropout=self.dropout,
            out_proj=widths.out_proj,
            dtype=dtype,
        )
        module.load_projections(projections)
        return module.requires_grad_(False).eval()

    def run(self, dtype: torch.dtype = torch.float32) -> AttentionTrace:
        """Compute everything: the trace with tokens, embeddings, every stage, weights and names of the heads.

        The same experiment gives the same numbers every time; the global generator is neither read nor moved.
        With dropout > 0 the field `dropped_weights` holds one draw, as in training.
        """
        self._check_tokens()
        inputs = self.inputs(dtype)
        x, source = inputs.embedding[None], inputs.source_embedding[None]  # (1, query | key, d_model)
        with torch.no_grad():
            trace = (
                self.module(dtype)
                .train(self.dropout > 0.0)
                .trace(
                    x,
                    x if inputs.source_embedding is inputs.embedding else source,
                    mask=None if self.effective_mask() == Full() else self.effective_mask(),
                    mods=self.mods(),
                    generator=seeded(self.seed, "dropout"),
                    tokens=[token.text for token in self._tokens],
                    source_tokens=[token.text for token in self._source_tokens],
                )
            )
        return replace(
            trace,
            head_names=self.head_names(),
            token_embedding=_batch(inputs.token_embedding),
            position_encoding=_batch(inputs.position_encoding),
            source_token_embedding=_batch(inputs.source_token_embedding),
            source_position_encoding=_batch(inputs.source_position_encoding),
        )

    def to_query(self) -> dict[str, str]:
        """The experiment as short names and values for an address; see `text.to_query`."""
        from attention_core.experiment import text as writing

        return writing.to_query(self)

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Experiment:
        """The inverse of `to_query`; ValueError for anything else."""
        from attention_core.experiment import text as writing

        return writing.from_query(query)

    @classmethod
    def read_query(
        cls, query: Mapping[str, str], *, default_text: str | None = None
    ) -> tuple[Experiment | None, tuple[str, ...]]:
        """What an address asks for as far as it can be made out, and what was wrong, in words."""
        from attention_core.experiment import text as writing

        return writing.read_query(query, default_text=default_text)

    def to_json(self) -> str:
        """The experiment as a JSON object; see `text.to_json`."""
        from attention_core.experiment import text as writing

        return writing.to_json(self)

    @classmethod
    def from_json(cls, text: str) -> Experiment:
        """The inverse of `to_json`; ValueError for anything else."""
        from attention_core.experiment import text as writing

        return writing.from_json(text)

    def to_code(self) -> str:
        """A standalone PyTorch script that recomputes the trace and asserts it; see `codegen.to_code`."""
        from attention_core import codegen

        return codegen.to_code(self)


def _batch(x: Tensor | None) -> Tensor | None:
    """(token, d_model) -> (1, token, d_model)."""
    return None if x is None else x[None]
