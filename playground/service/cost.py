"""What an experiment will cost, said before it is computed."""

from __future__ import annotations

from dataclasses import dataclass

from attention_core.costs import flop_count, parameter_count
from attention_core.experiment import Experiment

FLOAT = 4  # bytes of a float32
# Nanoseconds on one core, measured on an ordinary server's (docs/operating.md); another machine scales them all.
PER_OPERATION = 0.04  # of a matrix product
PER_DRAWN_NUMBER = 15  # a parameter, or a number of an embedding, drawn from a generator
PER_TOKEN = 20_000  # cutting it out, seeding a generator for its vector
PER_SCORE = 10  # all passes over a score: scale, mask, softmax, dropout
PER_TANH = 11  # one number inside the additive score
PER_RELATIVE = 8  # one score that a scheme of relative positions changes
# A page to keep: so much for fifteen figures and what hovering says of their cells, and a number's share. Other files
# are written piece by piece.
PER_PAGE, PER_DRAWN = 200_000_000, 350
BYTES_OF_PAGE, BYTES_DRAWN = 64 * 2**20, 20  # at the peak, with figures that wait for the collector

SCORE_FIELDS = 6  # raw, scaled, modified and masked scores, weights, dropped weights; and the mask, in bytes


@dataclass(frozen=True)
class Cost:
    """`work` in nanoseconds of one core, `memory` in bytes at the peak."""

    work: int
    memory: int


def weigh(experiment: Experiment) -> Cost:
    """An upper estimate of computing the trace of `experiment`; only its tokens are counted, nothing is computed.

    >>> small, large = (weigh(Experiment("a " * tokens)) for tokens in (16, 512))
    >>> small.work < 10**7 < large.work
    True
    """
    widths = experiment.widths
    queries, keys = (max(1, len(tokens)) for tokens in (experiment.tokens(), experiment.source_tokens()))
    parameters = sum(
        parameter_count(
            widths.d_model,
            widths.num_heads,
            widths.d_k,
            widths.d_v,
            num_kv_heads=widths.num_kv_heads,
            bias=True,
            out_proj=widths.out_proj,
        ).values()
    )
    operations = flop_count(
        queries,
        keys,
        d_model=widths.d_model,
        num_heads=widths.num_heads,
        d_k=widths.d_k,
        d_v=widths.d_v,
        num_kv_heads=widths.num_kv_heads,
        bias=True,
        out_proj=widths.out_proj,
    )
    scores = widths.num_heads * queries * keys
    embedded = 3 * (queries + keys) * widths.d_model
    work = PER_OPERATION * sum(operations.values()) + PER_SCORE * scores
    work += PER_DRAWN_NUMBER * (parameters + embedded) + PER_TOKEN * (queries + keys)
    passing = 2 * scores  # what a stage needs beside its result
    if experiment.score == "additive":
        work += PER_TANH * scores * widths.d_k
        passing += 2 * scores * widths.d_k
    if experiment.position in ("shaw", "transformer_xl", "t5", "alibi"):
        work += PER_RELATIVE * scores
        passing += 4 * scores  # indices are 8 bytes each
    return Cost(round(work), FLOAT * (passing + trace_numbers(experiment)))


def trace_numbers(experiment: Experiment) -> int:
    """How many numbers a trace of `experiment` holds, an upper bound: every field counted, what each head adds too."""
    widths = experiment.widths
    queries, keys = len(experiment.tokens()), len(experiment.source_tokens())
    heads, d_model = widths.num_heads, widths.d_model
    output = max(d_model, heads * widths.d_v)  # without W_O the heads stay side by side
    by_score = (SCORE_FIELDS + 1) * heads * queries * keys
    by_query = queries * (3 * d_model + 2 * heads * (widths.d_k + widths.d_v) + output)
    by_key = keys * (4 * d_model + heads * (2 * widths.d_k + widths.d_v))
    added = heads * queries * output
    parameters = (d_model + 1) * heads * (2 * widths.d_k + widths.d_v) + (heads * widths.d_v + 1) * d_model
    return by_score + by_query + by_key + added + parameters


def weigh_page(numbers: int) -> Cost:
    """Drawing a page to keep with so many numbers."""
    return Cost(PER_PAGE + PER_DRAWN * numbers, BYTES_OF_PAGE + BYTES_DRAWN * numbers)
