"""What each position scheme consists of, as pictures: its table, its curves, and what it adds on this sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attention_core.experiment import Experiment
from attention_core.lessons import position as lesson
from attention_core.lessons.waves import likeness, wavelengths
from attention_core.positions import T5Buckets, TransformerXL, alibi_slopes, position_encoding, t5_buckets
from attention_core.positions.relative import Shaw
from attention_core.trace import AttentionTrace
from attention_viz.labels import names
from attention_viz.lessons.picture import Picture
from attention_viz.lines import lines_spec
from attention_viz.matrix import matrix_spec
from attention_viz.panel import Say, to_numpy

REACH = 160  # positions to either side of the query, in the curve of T5's buckets
HALF = (410.0, 300.0)  # a picture that shares its line with another
LINES = 240  # height of a plot of lines


def pictures(
    experiment: Experiment,
    scheme: str,
    *,
    length: int = 32,
    both: bool = True,
    narrow: bool = False,
    say: Say = str,
) -> list[Picture]:
    """The pictures of one scheme, in reading order; for "rope" see `position.products_picture`.

    `length` is the number of positions in tables that do not belong to the sentence, `both` whether T5 tells keys ahead
    from keys behind.

    >>> [p.name for p in pictures(Experiment("the sun rises", num_heads=2), "alibi")]
    ['slopes', 'bias']
    """
    draw = _Drawer(experiment, narrow, say)
    if scheme in ("sinusoidal", "learned"):
        return draw.added(scheme, length)
    return {"alibi": draw.alibi, "shaw": draw.shaw, "transformer_xl": draw.transformer_xl}.get(
        scheme, lambda: draw.t5(length, both)
    )()


def changes_picture(experiment: Experiment, head: int, labels: dict[str, str], *, narrow: bool, say: Say) -> Picture:
    """What every scheme does to the scores of one head, side by side on one scale."""
    draw = _Drawer(experiment, narrow, say)
    title = say("Change of the scores, by scheme")
    titles = [labels[name] for name in lesson.SCHEMES]
    return draw.blocks("changes", title, lesson.changes(experiment, head), titles, 430)


class _Drawer:
    def __init__(self, experiment: Experiment, narrow: bool, say: Say) -> None:
        self.experiment, self.narrow, self.say = experiment, narrow, say
        self.words = lesson.words(experiment)

    def added(self, scheme: str, length: int) -> list[Picture]:
        """The table that is added to x, how alike its rows are, and for sinusoids their waves."""
        width = self.experiment.d_model
        table = cast(Tensor, position_encoding(scheme, length, width, self.experiment.seed))  # (position, d_model)
        drawn = [
            self.numbered("table", self.say("The table: one row a position"), table, ("position", "column"), wide=True)
        ]
        if scheme == "sinusoidal":
            drawn += [self._waves(table), self._wavelengths(width)]
        alike = self.say("How alike two positions are (cosine)")
        drawn.append(self.numbered("likeness", alike, likeness(table), ("position", "position"), scale=1.0))
        return drawn

    def _waves(self, table: Tensor) -> Picture:
        pairs = table.shape[1] // 2
        chosen = sorted({0, pairs // 8, pairs // 4, pairs // 2}) if pairs > 1 else [0]
        name = self.say("column {n}")
        series = {name.format(n=2 * pair + 1): table[:, 2 * pair].tolist() for pair in chosen}
        spec = lines_spec(
            list(range(len(table))),
            series,
            x_title=self.say("position"),
            y_title=self.say("number in the table"),
            height=LINES,
        )
        return Picture("waves", self.say("Sines, from fast to slow"), spec, LINES)

    def _wavelengths(self, width: int) -> Picture:
        lengths = wavelengths(width)
        spec = lines_spec(
            list(range(1, len(lengths) + 1)),
            {self.say("wavelength"): lengths},
            x_title=self.say("pair of columns"),
            y_title=self.say("positions until it repeats"),
            log_y=True,
            markers=True,
            height=LINES,
        )
        return Picture("wavelengths", self.say("Wavelength of each pair"), spec, LINES)

    def alibi(self) -> list[Picture]:
        """A line a head, and the bias that it makes on this sentence."""
        slopes = alibi_slopes(self.experiment.num_heads)
        distance = list(range(len(self.words)))
        name = self.say("head {h}: slope {slope}")
        spec = lines_spec(
            distance,
            {name.format(h=h, slope=f"{m:.3g}"): [-m * d for d in distance] for h, m in enumerate(slopes, 1)},
            x_title=self.say("distance |i − j|"),
            y_title=self.say("added to the score"),
            height=LINES + 20,
        )
        return [
            Picture("slopes", self.say("One slope a head"), spec, LINES + 20, wide=True),
            self.by_head("bias", self.say("What is added to the scores"), self._added("alibi")),
        ]

    def t5(self, length: int, both: bool) -> list[Picture]:
        """The bucket of every pair, its growth with the distance, and the learned number of each bucket."""
        heads = self.experiment.num_heads
        mod = T5Buckets(heads, seed=self.experiment.seed, bidirectional=both)
        offsets = torch.arange(-REACH, REACH + 1)  # (offset,), i - j
        curve = t5_buckets(offsets, bidirectional=both)  # (offset,)
        # Two lines with a gap: joined they would suggest buckets between the last key ahead and the query itself.
        spec = lines_spec(
            offsets.tolist(),
            {
                self.say("key ahead (i < j)"): [b if o < 0 else math.nan for o, b in _pairs(offsets, curve)],
                self.say("key behind or here"): [b if o >= 0 else math.nan for o, b in _pairs(offsets, curve)],
            },
            x_title=self.say("offset i − j"),
            y_title=self.say("bucket"),
            height=LINES + 40,
        )
        buckets = self.numbered(
            "buckets",
            self.say("Bucket of each pair of positions"),
            mod.buckets(length, length).float(),
            ("query position", "key position"),
            scale=float(mod.num_buckets - 1),
            kind="weight",
        )
        bias = mod.bias(len(self.words), len(self.words))  # (head, query, key)
        return [
            buckets,
            Picture("curve", self.say("Bucket by offset"), spec, LINES + 40),
            self.by_head("bias", self.say("What is added to the scores: the number of the pair's bucket"), bias),
        ]

    def shaw(self) -> list[Picture]:
        """The table of distances, and q . a of every pair."""
        mod = cast(Shaw, lesson.scheme_mod(self.experiment, "shaw"))
        most = mod.max_distance
        offsets = [f"{offset:+d}".replace("-", "−") if offset else "0" for offset in range(-most, most + 1)]
        table = self.numbered(
            "table",
            self.say("The table: one vector for each offset j − i"),
            mod.table,
            ("offset j − i", "column"),
            rows=offsets,
            wide=True,
        )
        return [table, self.by_head("bias", self.say("What is added to the scores"), self._added("shaw"))]

    def transformer_xl(self) -> list[Picture]:
        """The two parts of what is added."""
        mod = cast(TransformerXL, lesson.scheme_mod(self.experiment, "transformer_xl"))
        content, position = lesson.transformer_xl_terms(self._trace("transformer_xl"), mod)
        scale = float(torch.stack((content, position)).abs().max())
        return [
            self.by_head("content", self.say("u · k: the key alone, the same for every query"), content, scale),
            self.by_head("position", self.say("(q + v) · r: the offset, seen by the query"), position, scale),
        ]

    def _trace(self, scheme: str) -> AttentionTrace:
        return lesson.traced(self.experiment, scheme)

    def _added(self, scheme: str) -> Tensor:
        return lesson.added_to_scores(self._trace(scheme), lesson.scheme_mod(self.experiment, scheme))

    def by_head(self, name: str, title: str, values: Tensor, scale: float | None = None) -> Picture:
        """(head, query, key), a block a head."""
        heads = [self.say("Head {number}").format(number=head + 1) for head in range(len(values))]
        return self.blocks(name, title, values, heads, 330, scale)

    def blocks(
        self, name: str, title: str, values: Tensor, titles: Sequence[str], height: int, scale: float | None = None
    ) -> Picture:
        """(block, query, key), titled."""
        labels = names(self.words, len(self.words))
        spec = matrix_spec(
            _array(values),
            row_labels=labels,
            col_labels=labels,
            rows_are="query",
            cols_are="key",
            names=titles,
            dims=("query", "key"),
            field=f"position_{name}",
            scale=scale,
            box=(350 if self.narrow else 860, height),
            say=self.say,
        )
        return Picture(name, title, spec, height, values.numel(), wide=True)

    def numbered(
        self,
        name: str,
        title: str,
        values: Tensor,
        dims: tuple[str, str],
        *,
        rows: Sequence[str] | None = None,
        scale: float | None = None,
        kind: Any = "signed",
        wide: bool = False,
    ) -> Picture:
        """A matrix whose rows and columns are numbers: positions from 0, all others from 1."""
        width, height = (860, 280) if wide else HALF
        spec = matrix_spec(
            _array(values),
            row_labels=rows or _from(0 if dims[0].endswith("position") else 1, values.shape[0]),
            col_labels=_from(0 if dims[1].endswith("position") else 1, values.shape[1]),
            kind=kind,
            dims=(self.say(dims[0]), self.say(dims[1])),
            field=f"position_{name}",
            scale=scale,
            box=(350 if self.narrow else width, height),
            say=self.say,
        )
        return Picture(name, title, spec, int(height), values.numel(), wide=wide)


def _from(first: int, count: int) -> list[str]:
    return [str(number) for number in range(first, first + count)]


def _array(values: Tensor) -> NDArray[np.float32]:
    return to_numpy(values)


def _pairs(offsets: Tensor, buckets: Tensor) -> list[tuple[int, Any]]:
    return list(zip(offsets.tolist(), buckets.tolist(), strict=True))
