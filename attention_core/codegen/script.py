"""`Experiment` -> a standalone PyTorch script that recomputes what is on the screen and asserts it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from attention_core.codegen import blocks
from attention_core.experiment import Experiment
from attention_core.experiment.hand_built import BUILT, content_numbers, head_kinds, position_pairs
from attention_core.masks import Full
from attention_core.trace import AttentionTrace

__all__ = ["join", "literal", "titled", "to_code"]

ROW = 8  # weights of the first row that are written out


def to_code(experiment: Experiment) -> str:
    """A script of its own, to be read from top to bottom: torch and the standard library, nothing else.

    It recomputes the embedding, Q, K, V, scores, weights, context and output step by step, prints the
    weights, asserts that they are those of `experiment.run()` in float32, and ends by asserting equality
    with `F.scaled_dot_product_attention` where that function can express the case. Text enters it only as
    Python literals (`repr`), so no text can change what the script does. UTF-8.

    >>> to_code(Experiment("a b")).splitlines()[0]
    '"\""Multi-head attention step by step: 2 queries, 2 keys, 4 heads.'
    """
    trace = experiment.run()
    sections = [
        _title(trace),
        blocks.IMPORTS,
        _settings(experiment, trace),
        blocks.SEEDED,
        *titled("Embedding: a vector for each token, (token, d_model)", _embedding(experiment)),
        *titled("Weights: one matrix for each projection and head", _weights(experiment)),
        *titled("Queries, keys and values", _projections(experiment)),
        *titled("Scores: how well query i and key j go together", _scores(experiment)),
        *titled("Weights of attention: each row of scores becomes shares of 1", _softmax(experiment)),
        *titled("Output: the values, mixed by the weights", _output(experiment, trace)),
        *titled("The same numbers as on the screen?", _checks(trace)),
        *titled("The same numbers as PyTorch's own attention?", _sdpa(experiment)),
        'print("Everything agrees.")\n',
    ]
    return join(sections)


def join(sections: Iterable[str]) -> str:
    """The script: one empty line between paragraphs, two around functions."""
    script, after_function = "", False
    for section in sections:
        wide = after_function or section.startswith("def ")
        script += ("\n\n" if wide else "\n") * bool(script) + section.strip("\n") + "\n"
        outermost = [line for line in section.splitlines() if line and not line.startswith(" ")]
        after_function = outermost[-1].startswith("def ")
    return script


def titled(title: str, paragraphs: Iterable[str]) -> Iterator[str]:
    """The paragraphs of a part of a script, the first under its title."""
    for number, paragraph in enumerate(paragraphs):
        if number:
            yield paragraph
        elif paragraph.startswith("def "):
            yield f"# ---- {title}"
            yield paragraph
        else:
            yield f"# ---- {title}\n{paragraph}"


def _title(trace: AttentionTrace) -> str:
    _, heads, queries, keys = trace.heads.weights.shape
    return (
        f'"""Multi-head attention step by step: {queries} queries, {keys} keys, {heads} heads.\n\n'
        "Made by the attention playground. It needs torch alone, and asserts at its end that it computes\n"
        'what the playground showed.\n"""\n'
    )


def literal(words: Sequence[str]) -> str:
    """A list of texts as Python source, wrapped; `repr` leaves nothing in them that could end a literal."""
    lines, line = [], ""
    for word in words:
        piece = f"{word!r}, "
        if line and len(line) + len(piece) > 104:
            lines.append(line.rstrip())
            line = ""
        line += piece
    lines.append(line.rstrip())
    if len(lines) == 1:
        return f"[{lines[0].rstrip(',')}]"
    return "[\n" + "".join(f"    {line}\n" for line in lines) + "]"


def _settings(experiment: Experiment, trace: AttentionTrace) -> str:
    widths = experiment.widths
    cross = experiment.mode == "cross"
    lines = [
        f"tokens = {literal(trace.tokens)}",
        f"source_tokens = {literal(trace.source_tokens)}" if cross else "source_tokens = tokens",
        "queries, keys = len(tokens), len(source_tokens)",
        f"seed = {experiment.seed}",
        f"d_model = {widths.d_model}  # numbers in the vector of a token",
        f"num_heads, num_kv_heads = {widths.num_heads}, {widths.num_kv_heads}",
        "group = num_heads // num_kv_heads  # query heads that share one head of keys and values",
        f"d_k, d_v = {widths.d_k}, {widths.d_v}  # width of q and k, width of v",
        f"temperature = {experiment.temperature!r}",
    ]
    if experiment.dropout:
        lines.append(f"dropout = {experiment.dropout!r}")
    if experiment.position == "t5":
        lines.append(f"bidirectional = {experiment.mode != 'causal'}  # are there keys ahead of the query?")
    lines.append(f"content_width = {experiment.content_width}  # numbers of x that come from the word")
    return "\n".join(lines) + "\n"


def _embedding(experiment: Experiment) -> Iterator[str]:
    built = experiment.weights == "hand_built"
    yield blocks.EMBEDDING[experiment.embedding]
    if built:
        yield blocks.LAY_CONTENT
    if built or experiment.position == "sinusoidal":
        yield blocks.SINUSOIDAL
    if built:
        yield blocks.LAY_POSITIONS
    if experiment.position == "learned":
        yield blocks.LEARNED
    embedded = "lay(embed({}))" if built else "embed({})"
    lines = []
    if experiment.mode != "cross":
        lines.append(f"x = {embedded.format('tokens')}  # (query, d_model)")
    elif _draws_source(experiment):
        lines.append(f"x = {embedded.format('tokens')}  # (query, d_model); the source follows the weights")
    else:
        lines.append(
            f"both = {embedded.format('tokens + source_tokens')}  # (query + key, d_model), one vocabulary"
        )
        lines.append("x, source = both[:queries], both[queries:]  # (query, d_model), (key, d_model)")
    if _added(experiment, "queries"):
        lines.append(f"x = x + {_added(experiment, 'queries')}  # positions")
    if experiment.mode != "cross":
        lines.append("source = x  # the text attends to itself")
    elif not _draws_source(experiment):
        lines += _source_positions(experiment)
    yield "\n".join(lines) + "\n"


def _added(experiment: Experiment, length: str) -> str:
    """What is added to x, in the order in which the library adds it; empty where no position is added."""
    parts = []
    if experiment.weights == "hand_built":
        parts.append(f"lay_positions({length})")
    if experiment.position in ("sinusoidal", "learned"):
        parts.append(f"{experiment.position}({length}, d_model)")
    return f"({' + '.join(parts)})" if len(parts) > 1 else "".join(parts)


def _source_positions(experiment: Experiment) -> list[str]:
    added = _added(experiment, "keys")
    return [f"source = source + {added}"] if added else []


def _draws_source(experiment: Experiment) -> bool:
    """Whether the source vectors are drawn after the weights, as the article does."""
    return (
        experiment.mode == "cross"
        and experiment.weights == "article"
        and experiment.embedding == "sorted_vocabulary"
    )


def _has_bias(experiment: Experiment) -> bool:
    return experiment.bias or experiment.weights == "hand_built"


def _weights(experiment: Experiment) -> Iterator[str]:
    drawn = experiment.weights != "article"
    if drawn or experiment.out_proj or experiment.bias or experiment.score in ("additive", "bilinear"):
        yield blocks.DRAW
    yield blocks.RANDOM_WEIGHTS if drawn else blocks.ARTICLE_WEIGHTS
    if _draws_source(experiment):
        yield "\n".join([blocks.ARTICLE_SOURCE.strip(), *_source_positions(experiment)]) + "\n"
    if experiment.out_proj:
        yield blocks.RANDOM_OUT
    if _has_bias(experiment):
        yield blocks.BIASES if experiment.bias else blocks.NO_BIASES
    if experiment.weights == "hand_built":
        yield from _hand_built(experiment)
    if experiment.out_proj and experiment.bias:
        yield 'b_o = draw("b_o", 1, (d_model,), num_heads * d_v)[0]  # (d_model,)\n'


def _hand_built(experiment: Experiment) -> Iterator[str]:
    widths = experiment.widths
    kinds = head_kinds(widths)
    gain, pairs = position_pairs(widths)
    lines = [
        f"pairs = {[pair for pair, _ in pairs]}  # the (sin, cos) pairs that are read, from fast to slow",
        f"position_gain = {gain!r}  # so sharp that one of 512 positions stands out",
    ]
    if BUILT[2] in kinds:
        count, gain = content_numbers(widths)
        lines.append(f"content_numbers = {count}  # blocks of four that are read")
        lines.append(f"content_gain = {gain!r}  # so sharp that a word stands out among many")
    yield blocks.PASS_ON
    yield "\n".join(lines) + "\n"
    for kind, block in zip(
        BUILT, (blocks.PREVIOUS_TOKEN, blocks.FIRST_TOKEN, blocks.SAME_TOKEN), strict=True
    ):
        if kind in kinds:
            yield block


def _projections(experiment: Experiment) -> Iterator[str]:
    yield blocks.PROJECT if _has_bias(experiment) else blocks.PROJECT_WITHOUT_BIAS
    if experiment.widths.group > 1:
        yield blocks.SHARE
    if experiment.position == "rope":
        yield blocks.ROPE


def _scores(experiment: Experiment) -> Iterator[str]:
    yield blocks.SCORE[experiment.score] + blocks.SCALE
    if experiment.position not in blocks.MOD:
        yield "modified_scores = scaled_scores  # no position scheme changes the scores\n"
        return
    if experiment.position != "t5":
        yield blocks.RELATIVE
    yield blocks.MOD[experiment.position]


def _softmax(experiment: Experiment) -> Iterator[str]:
    mask = experiment.effective_mask()
    if mask == Full():
        yield blocks.SOFTMAX
    else:
        yield (
            "def may_attend(b, h, q, k):\n"
            '    """Whether query number q may attend to key number k: True = may attend."""\n'
            f"    return {mask.expression()}\n"
        )
        yield blocks.MASKED_SOFTMAX
    yield "print(weights)\n"
    if experiment.dropout:
        yield blocks.DROPOUT


def _output(experiment: Experiment, trace: AttentionTrace) -> Iterator[str]:
    context = blocks.CONTEXT.format(weights="dropped_weights" if experiment.dropout else "weights")
    if not experiment.out_proj:
        yield context + "output = concat  # there is no W_o\n"
    else:
        bias = " + b_o" if experiment.bias else ""
        yield context + f"output = concat @ W_o.flatten(0, 1){bias}  # (query, d_model)\n"


def _fingerprint(tensor: Tensor) -> float:
    numbers = tensor.double().flatten()
    return float((numbers * torch.cos(torch.arange(len(numbers), dtype=torch.float64))).sum())


def _checks(trace: AttentionTrace) -> Iterator[str]:
    heads = trace.heads
    # Rounding grows with the scores: hand-built ones reach thousands where heads are narrow.
    sizes = heads.raw_scores.abs().max() * (trace.scale or 1.0)
    tolerance = max(1e-5, 4e-6 * float(sizes), 4e-6 * float(heads.modified_scores.abs().max()))
    first, last = (
        [float(f"{weight:.6f}") for weight in heads.weights[0, 0, row, :ROW].tolist()] for row in (0, -1)
    )
    yield (
        f"tolerance = {tolerance:.3g}  # float32 rounds\n"
        "# Head 0: how the first and the last query look at the first keys.\n"
        f"first_row = {first}\n"
        f"last_row = {last}\n"
        f"assert torch.allclose(weights[0, 0, :{ROW}], torch.tensor(first_row), atol=tolerance)\n"
        f"assert torch.allclose(weights[0, -1, :{ROW}], torch.tensor(last_row), atol=tolerance)\n"
    )
    stages = {
        "x": trace.embedding,
        "source": trace.source_embedding,
        "raw_scores": heads.raw_scores,
        "modified_scores": heads.modified_scores,
        "weights": heads.weights,
        "context": heads.context,
        "output": trace.output,
    }
    lines = [f'    ("{name}", {name}, {_fingerprint(tensor)!r}),' for name, tensor in stages.items()]
    yield "shown = [\n" + "\n".join(lines) + "\n]\n"
    yield blocks.FINGERPRINT
    yield blocks.COMPARE


def _sdpa(experiment: Experiment) -> Iterator[str]:
    if experiment.score == "additive":
        yield (
            "# F.scaled_dot_product_attention knows only the dot product of q and k: it cannot express the\n"
            "# additive score, whose tanh stands between the two.\n"
        )
        return
    query, key = {
        "cosine": ("unit_q", "unit_k"),
        "bilinear": ("q @ M", "k"),
    }.get(experiment.score, ("q", "k"))
    lines, mask = [], "None"
    masked = experiment.effective_mask() != Full()
    if experiment.position in blocks.MOD:
        lines.append(
            "bias = modified_scores - scaled_scores  # (head, query, key): it adds any number to the scores"
        )
        if masked:
            lines.append("bias = bias.masked_fill(~allowed, -math.inf)  # minus infinity forbids")
        mask = "bias"
    elif masked:
        mask = "allowed"
    if experiment.dropout:
        lines.append("# Compared before dropout: it would draw weights of its own to drop.")
    lines += [
        f"theirs = F.scaled_dot_product_attention({query}, {key}, v, attn_mask={mask}, scale=scale)",
        f"ours = {'weights @ v' if experiment.dropout else 'context'}  # (head, query, d_v)",
        "assert torch.allclose(theirs, ours, atol=tolerance * max(1.0, float(v.abs().max())), rtol=1e-4)",
    ]
    yield "\n".join(lines) + "\n"
