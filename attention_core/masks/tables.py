"""Masks that hold a table: lengths of a padded batch, documents, global positions, a painted grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Bool
from torch import Tensor

from attention_core.masks.base import Indices, Mask
from attention_core.masks.fields import shown, whole_numbers
from attention_core.shapes import Allowed

LARGEST_GRID = 512  # rows and columns that can be painted
SPELLED_OUT = 4  # positions that an expression compares one by one, before it takes a table
OPEN, SHUT = "x", "."  # how a painted cell is kept
_CELLS = str.maketrans("10", OPEN + SHUT)


def _literal(values: Sequence[int], index: str) -> str:
    """The table in generated code, on the device of the index tensor."""
    return f"torch.tensor({list(values)}, device={index}.device)"


@dataclass(frozen=True)
class Padding(Mask):
    """Key j for every query of batch row b where j < lengths[b]: the rest of a shorter text is padding.

    `lengths` is one number for each batch row, or a single one for all; 1 to 4096 whole numbers from 0 to
    1000000, else ValueError. `materialize` raises ValueError when there are several and the batch has
    another number of rows; asked directly, a batch row beyond the table sees nothing.

    >>> Padding((1, 3)).materialize(2, 1, 1, 3)[:, 0, 0].int().tolist()
    [[1, 0, 0], [1, 1, 1]]
    """

    lengths: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "lengths", whole_numbers("lengths", self.lengths, 0))

    @property
    def depends_on(self) -> frozenset[str]:
        """The key, and the batch row unless one length serves all."""
        return frozenset("k") if len(self.lengths) == 1 else frozenset("bk")

    def check_sizes(self, batch: int, heads: int, queries: int, keys: int) -> None:
        """One length for each batch row, or one for all."""
        super().check_sizes(batch, heads, queries, keys)
        if len(self.lengths) not in (1, batch):
            raise ValueError(
                f"lengths={shown(self.lengths)} has {len(self.lengths)} entries and batch={batch}: "
                "allowed are as many lengths as batch rows, or one for all"
            )

    def allows(self, b: Indices, h: Indices, q: Indices, k: Indices) -> Allowed:
        """j < lengths[b]."""
        if len(self.lengths) == 1:
            return k < self.lengths[0]
        table = torch.tensor(self.lengths, device=b.device)  # (batch,)
        last = len(self.lengths) - 1
        return (b <= last) & (k < table[b.clamp(max=last)])

    def expression(self) -> str:
        """`k < length`, from a table when there are several."""
        if len(self.lengths) == 1:
            return f"k < {self.lengths[0]}"
        return f"k < {_literal(self.lengths, 'b')}[b]"


@dataclass(frozen=True)
class Documents(Mask):
    """Key j for query i where ids[i] = ids[j]: several documents packed into one row do not see each other.

    Document masking as in Dubey et al. 2024, section 3.2 (arXiv:2407.21783). `ids` is the number of the
    document at each position: 1 to 4096 whole numbers from 0 to 1000000; else ValueError. Positions beyond
    the ids belong to no document: they see nothing, and nothing sees them.

    >>> Documents((0, 0, 1)).materialize(1, 1, 3, 4)[0, 0].int().tolist()
    [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0]]
    """

    ids: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", whole_numbers("ids", self.ids, 0))

    @property
    def depends_on(self) -> frozenset[str]:
        """Query and key."""
        return frozenset("qk")

    def allows(self, b: Indices, h: Indices, q: Indices, k: Indices) -> Allowed:
        """The same document; what lies beyond the ids is in document -1, which no query may ask for."""
        end = len(self.ids)
        table = torch.tensor((*self.ids, -1), device=q.device)  # (position + 1,)
        return (q < end) & (table[q.clamp(max=end)] == table[k.clamp(max=end)])

    def expression(self) -> str:
        """The same table, indexed by query and key."""
        end = len(self.ids)
        table = _literal((*self.ids, -1), "q")
        return f"(q < {end}) & ({table}[q.clamp(max={end})] == {table}[k.clamp(max={end})])"


@dataclass(frozen=True)
class Global(Mask):
    """Key j for query i where i or j is one of the positions: those rows and columns are open.

    The global tokens of Longformer (Beltagy et al. 2020, section 3.1, arXiv:2004.05150): `Window(3) |
    Global((0,))`. `positions`, counted from 0: 1 to 4096 whole numbers from 0 to 1000000, else ValueError;
    kept sorted, each once.

    >>> Global((1,)).materialize(1, 1, 3, 3)[0, 0].int().tolist()
    [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    """

    positions: tuple[int, ...]

    def __post_init__(self) -> None:
        positions = whole_numbers("positions", self.positions, 0)
        object.__setattr__(self, "positions", tuple(sorted(set(positions))))

    @property
    def depends_on(self) -> frozenset[str]:
        """Query and key."""
        return frozenset("qk")

    def allows(self, b: Indices, h: Indices, q: Indices, k: Indices) -> Allowed:
        """i or j is among the positions."""
        table = torch.tensor(self.positions, device=q.device)  # (position,)
        return (q.unsqueeze(-1) == table).any(-1) | (k.unsqueeze(-1) == table).any(-1)

    def expression(self) -> str:
        """One comparison for each position; a table when there are many."""
        if len(self.positions) <= SPELLED_OUT:
            return " | ".join(f"({index} == {position})" for index in "qk" for position in self.positions)
        table = _literal(self.positions, "q")
        return " | ".join(f"({index}.unsqueeze(-1) == {table}).any(-1)" for index in "qk")


@dataclass(frozen=True)
class Explicit(Mask):
    """Key j for query i where rows[i][j]: what the user painted, cell by cell.

    `rows` are tuples of bool, or strings of "1" or "x" (open) and "0" or "." (shut); 1 to 512 rows of one
    length from 1 to 512, else ValueError. They are kept as strings of "x" and ".": a byte a cell, where a tuple
    takes eight, for a server remembers many. `materialize` raises ValueError for any other number of queries or
    keys than was painted; asked directly, a cell outside is forbidden.

    >>> Explicit(((True, False, False), (True, True, False)))
    Explicit(rows=('x..', 'xx.'))
    >>> Explicit(("x..", "xx.")).materialize(1, 1, 3, 3)
    Traceback (most recent call last):
    ValueError: queries=3, keys=3: the painted mask has 2 queries and 3 keys, and is allowed for these alone
    """

    rows: tuple[tuple[bool, ...] | str, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.rows, Sequence) or isinstance(self.rows, str | bytes) \
                or not 1 <= len(self.rows) <= LARGEST_GRID:
            raise ValueError(f"rows={shown(self.rows)}: allowed are 1 to {LARGEST_GRID} rows")
        rows = tuple(_row(at, row) for at, row in enumerate(self.rows))
        for at, row in enumerate(rows):
            if len(row) != len(rows[0]):
                raise ValueError(f"rows[{at}] has {len(row)} cells: allowed are {len(rows[0])}, as above")
        object.__setattr__(self, "rows", rows)

    @classmethod
    def from_tensor(cls, allowed: Bool[Tensor, "query key"]) -> Explicit:
        """The mask with the cells of a bool tensor, True = may attend.

        >>> from attention_core.masks import Causal
        >>> Explicit.from_tensor(Causal().materialize(1, 1, 2, 2)[0, 0]) == Explicit(("x.", "xx"))
        True
        """
        return cls(tuple(tuple(row) for row in allowed.tolist()))

    @property
    def lines(self) -> tuple[str, ...]:
        """The cells as text, a line a query: "x" is open, "." is shut."""
        return cast("tuple[str, ...]", self.rows)

    @property
    def grid(self) -> tuple[tuple[bool, ...], ...]:
        """The cells, (query, key), made anew each time."""
        return tuple(tuple(cell == OPEN for cell in line) for line in self.lines)

    @property
    def shape(self) -> tuple[int, int]:
        """(queries, keys) that were painted."""
        return len(self.rows), len(self.rows[0])

    def toggled(self, query: int, key: int) -> Explicit:
        """The mask with one cell flipped; ValueError for a cell outside.

        >>> Explicit(("x.",)).toggled(0, 1)
        Explicit(rows=('xx',))
        """
        queries, keys = self.shape
        if not (0 <= query < queries and 0 <= key < keys):
            raise ValueError(f"query={query}, key={key}: allowed are cells of {queries} by {keys}")
        line = self.lines[query]
        changed = line[:key] + (SHUT if line[key] == OPEN else OPEN) + line[key + 1 :]
        return Explicit((*self.lines[:query], changed, *self.lines[query + 1 :]))

    @property
    def depends_on(self) -> frozenset[str]:
        """Query and key."""
        return frozenset("qk")

    def check_sizes(self, batch: int, heads: int, queries: int, keys: int) -> None:
        """As many queries and keys as were painted."""
        super().check_sizes(batch, heads, queries, keys)
        if (queries, keys) != self.shape:
            raise ValueError(
                f"queries={queries}, keys={keys}: the painted mask has {self.shape[0]} queries "
                f"and {self.shape[1]} keys, and is allowed for these alone"
            )

    def allows(self, b: Indices, h: Indices, q: Indices, k: Indices) -> Allowed:
        """rows[i][j]; nothing outside."""
        table = torch.tensor(self.grid, device=q.device)  # (query, key)
        last_query, last_key = self.shape[0] - 1, self.shape[1] - 1
        inside = (q <= last_query) & (k <= last_key)
        return inside & table[q.clamp(max=last_query), k.clamp(max=last_key)]

    def expression(self) -> str:
        """The cells as a table of 0 and 1."""
        rows = ", ".join(f"[{', '.join('1' if cell == OPEN else '0' for cell in line)}]" for line in self.lines)
        return f"torch.tensor([{rows}], dtype=torch.bool, device=q.device)[q, k]"


def _row(at: int, row: object) -> str:
    """One painted row as a string of `OPEN` and `SHUT`."""
    cells = ""
    if isinstance(row, str):
        if len(row) <= LARGEST_GRID and set(row) <= {"0", "1", OPEN, SHUT}:
            cells = row.translate(_CELLS)
    elif isinstance(row, Sequence) and len(row) <= LARGEST_GRID and all(cell in (0, 1) for cell in row):
        cells = "".join(OPEN if cell else SHUT for cell in row)
    if not cells:
        raise ValueError(
            f"rows[{at}]={shown(row)}: allowed are 1 to {LARGEST_GRID} cells, each true or false "
            "(in text, 1 or x, and 0 or .)"
        )
    return cells
