"""The tiny model that reads a text and then writes another, word after word."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Generator, Tensor, nn

from attention_core.masks import Causal, Mask
from attention_core.positions import sinusoidal
from attention_core.trace import AttentionTrace
from attention_core.trained.change import Change, attend
from attention_core.trained.layers import FeedForward, initialise, linear, table
from attention_core.trained.model import Block, Model, Names, Run, Shape
from attention_core.trained.vocabulary import BEGIN, END, MARKS, PAD

__all__ = ["Writer"]


class Writer(Model):
    """An encoder that reads, and a decoder that writes word after word, looking back through one cross head."""

    def __init__(self, shape: Shape, generator: Generator) -> None:
        super().__init__()
        self.shape = shape
        width = shape.d_model
        self.word_table = table(shape.words, width)
        self.answer_table = table(shape.answers, width)
        learned = shape.positions == "added"
        self.position_table = table(shape.length, width) if learned else None
        self.answer_position_table = table(shape.length, width) if learned else None
        self.encoder1 = Block(width, shape.heads)
        self.encoder_feed = FeedForward(width, shape.d_ff)
        self.encoder_norm = nn.LayerNorm(width)
        self.decoder1 = Block(width, shape.heads)
        self.cross1 = Block(width, 1)
        self.decoder_feed = FeedForward(width, shape.d_ff)
        self.norm = nn.LayerNorm(width)
        self.out = linear(width, shape.answers)
        initialise(self, generator)

    def run(
        self,
        source: Tensor,
        written: Tensor | None = None,
        *,
        change: Change | None = None,
        names: Names | None = None,
    ) -> Run:
        """What comes next after each word of `written` (batch, query)."""
        if written is None:
            raise ValueError("written=None: allowed are the numbers of the words that are written so far")
        change = change or Change()
        encoded, words, trace = self.encode(source, change, names)
        found = self.decode(source != PAD, encoded, words, written, change, names)
        return Run(found.logits, {"encoder1": trace, **found.traces})

    def encode(
        self, source: Tensor, change: Change, names: Names | None
    ) -> tuple[Tensor, Tensor, AttentionTrace]:
        """The encoded source, its bare words (batch, key, d_model), and the trace of the encoder."""
        words = self.word_table[source]  # (batch, key, d_model)
        places = self._places(self.position_table, source.shape[1])  # (key, d_model)
        x = words + places  # (batch, key, d_model)
        normed = self.encoder1.norm(x)
        trace = attend(
            self.encoder1.attention,
            "encoder1",
            normed,
            normed,
            normed,
            own=None,
            real=source != PAD,
            change=change,
            names=None if names is None else (names[0], names[0]),
        )
        if names is not None:
            trace = _of_tokens(trace, words, places)
        x = self.encoder_feed(x + trace.output)
        return self.encoder_norm(x), words, trace

    def decode(
        self,
        real: Tensor,
        encoded: Tensor,
        words: Tensor,
        written: Tensor,
        change: Change,
        names: Names | None,
    ) -> Run:
        """What comes next after each word of `written`, given what the encoder made of the source."""
        own: Mask | None = Causal() if self.shape.causal else None
        before = self.answer_table[written]  # (batch, query, d_model)
        places = self._places(self.answer_position_table, written.shape[1])  # (query, d_model)
        x = before + places  # (batch, query, d_model)
        normed = self.decoder1.norm(x)  # (batch, query, d_model)
        rows = None if names is None else names[1]
        first = attend(
            self.decoder1.attention,
            "decoder1",
            normed,
            normed,
            normed,
            own=own,
            real=written != PAD,
            change=change,
            # A place is called after the word that it writes; what it can look at is what was written before.
            names=None if rows is None else (rows, (MARKS[BEGIN], *rows[:-1])),
        )
        x = x + first.output  # (batch, query, d_model)
        second = attend(
            self.cross1.attention,
            "cross1",
            self.cross1.norm(x),
            encoded,
            words if self.shape.values == "words" else encoded,
            own=None,
            real=real,
            change=change,
            names=None if names is None or rows is None else (rows, names[0]),
        )
        if rows is not None:
            first = _of_tokens(first, before, places)
            second = replace(second, origin="attention", normed=True, source_origin="encoder")
        x = self.decoder_feed(x + second.output)
        return Run(self.out(self.norm(x)), {"decoder1": first, "cross1": second})

    def write(self, source: Tensor, most: int, change: Change | None = None) -> tuple[Tensor, Tensor]:
        """Write the likeliest word again and again, until every sentence has ended.

        Returns the words, END and what follows it included, (batch, query), and the logits that each was
        chosen by, (batch, query, answer).
        """
        change = change or Change()
        encoded, words, _ = self.encode(source, change, None)
        written = torch.full((source.shape[0], 1), BEGIN)  # (batch, 1)
        ended = torch.zeros(source.shape[0], dtype=torch.bool)  # (batch,)
        chosen_by = []
        for _ in range(min(most, self.shape.length)):
            logits = self.decode(source != PAD, encoded, words, written, change, None).logits[:, -1]
            chosen_by.append(logits)
            best = logits.argmax(dim=-1)  # (batch,)
            best = torch.where(ended, torch.full_like(best, END), best)
            written = torch.cat([written, best[:, None]], dim=1)  # (batch, query)
            ended |= best == END
            if bool(ended.all()):
                break
        return written[:, 1:], torch.stack(chosen_by, dim=1)

    def _places(self, learned: Tensor | None, length: int) -> Tensor:
        return (
            sinusoidal(length, self.shape.d_model) if learned is None else learned[:length]
        )  # (length, d_model)


def _of_tokens(trace: AttentionTrace, words: Tensor, places: Tensor) -> AttentionTrace:
    """The trace of a first layer, with what entered it: norm(words + places)."""
    return replace(
        trace, normed=True, source_normed=True, token_embedding=words, position_encoding=places.expand_as(words)
    )
