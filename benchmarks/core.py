"""What it costs to keep every stage: `python -m benchmarks.core [--quick] [--causal] [--threads 1 2]`.

Five ways through the same attention of 8 heads, with the same weights, from input to output projection:

* trace: `MultiHeadAttention.trace`, every stage kept;
* all read: the same, and every field read once, head contributions included;
* torch: `nn.MultiheadAttention(need_weights=True, average_attn_weights=False)`, positions first;
* torch fast: the same with `batch_first=True`, which takes torch's fused path and overwrites its scores;
* floor: linear, `F.scaled_dot_product_attention`, linear: no weights to look at.

They run in turn, forwards and backwards, so that a busy machine disturbs all alike. Times are medians; a
ratio is the median of the ratios within each round. Memory is the sum of the storages that the trace holds,
each counted once, without the input and the parameters.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from attention_core.masks import Causal
from attention_core.modules.multi_head import MultiHeadAttention
from attention_core.trace import AttentionTrace

HEADS = 8
TOKENS = (16, 32, 64, 128, 256, 512, 1024)
WIDTHS = (64, 128, 256, 512)
QUICK_TOKENS, QUICK_WIDTHS = (16, 128, 512), (64, 256)
WAYS = ("trace", "all read", "torch", "torch fast", "floor")


def ways(tokens: int, width: int, causal: bool) -> tuple[dict[str, Callable[[], object]], Callable[[], AttentionTrace]]:
    """The competitors on one input, checked to agree, and a call that makes the trace."""
    generator = torch.Generator().manual_seed(0)
    ours = MultiHeadAttention(width, HEADS, generator=generator).eval()
    fast = ours.to_torch()
    slow = ours.to_torch()
    slow.batch_first = False
    x = torch.randn(1, tokens, width, generator=generator)
    x_first = x.transpose(0, 1).contiguous()
    allowed = Causal().materialize(1, 1, tokens, tokens)[0, 0].contiguous() if causal else None
    forbidden = None if allowed is None else ~allowed
    w_in, b_in, w_out, b_out = (
        ours.in_proj_weight,
        ours.in_proj_bias,
        ours.out_proj_weight,
        ours.out_proj_bias,
    )
    assert w_in is not None and w_out is not None

    def trace() -> AttentionTrace:
        return ours.trace(x, mask=allowed)

    def all_read() -> list[Tensor]:
        record = trace()
        return [record.field(name) for name in record.fields()]

    def torch_slow() -> Any:
        return slow(x_first, x_first, x_first, attn_mask=forbidden, average_attn_weights=False)

    def torch_fast() -> Any:
        return fast(x, x, x, attn_mask=forbidden, average_attn_weights=False)

    def floor() -> Tensor:
        qkv = F.linear(x, w_in, b_in).view(1, tokens, 3, HEADS, width // HEADS).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)  # (batch, head, position, d_k)
        context = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return F.linear(context.transpose(1, 2).reshape(1, tokens, width), w_out, b_out)

    record = trace()
    for output, weights in (torch_slow(), torch_fast()):
        torch.testing.assert_close(output.reshape(1, tokens, width), record.output, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(weights, record.heads.weights, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(floor(), record.output, atol=1e-4, rtol=1e-4)
    return dict(zip(WAYS, (trace, all_read, torch_slow, torch_fast, floor), strict=True)), trace


def timed(calls: dict[str, Callable[[], object]], seconds: float, clock: Callable[[], float]) -> dict[str, list[float]]:
    """The seconds of each call, round by round, for about that many seconds in all, five rounds at least."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():  # once for the caches
        call()
    order = list(calls.items())
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times["trace"]) < 5:
        for name, call in order:
            start = clock()
            call()
            times[name].append(clock() - start)
        order.reverse()
    return times


def ratio(ours: list[float], theirs: list[float]) -> float:
    """The median of the ratios within each round."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def tensors(record: AttentionTrace) -> Iterator[Tensor]:
    """The tensors that a trace holds now; fields that nobody has read take no memory."""
    for held in (*vars(record.heads).values(), record.concat, record.output):
        if isinstance(held, Tensor):
            yield held


def mebibytes(held: Iterator[Tensor]) -> float:
    """The memory behind some tensors, each storage once."""
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in held}
    return sum(storages.values()) / 2**20


def rows(
    tokens: Sequence[int], widths: Sequence[int], seconds: float, causal: bool, clock: Callable[[], float]
) -> Iterator[str]:
    """The lines of the table."""
    columns = [
        "tokens",
        "width",
        *(f"{name} us" for name in WAYS),
        "trace / torch",
        "trace / torch fast",
        "trace MiB",
        "all read MiB",
    ]
    yield f"| {' | '.join(columns)} |"
    yield "|" + " ---: |" * len(columns)
    for width in widths:
        for length in tokens:
            calls, trace = ways(length, width, causal)
            times = timed(calls, seconds, clock)
            record = trace()
            held = mebibytes(tensors(record))
            for name in record.fields():
                record.field(name)
            numbers = [
                f"{length}",
                f"{width}",
                *(f"{statistics.median(times[name]) * 1e6:.0f}" for name in WAYS),
                f"{ratio(times['trace'], times['torch']):.2f}",
                f"{ratio(times['trace'], times['torch fast']):.2f}",
                f"{held:.2f}",
                f"{mebibytes(tensors(record)):.2f}",
            ]
            yield f"| {' | '.join(numbers)} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer sizes and rounds")
    parser.add_argument("--causal", action="store_true", help="with a causal mask")
    parser.add_argument("--no-grad", action="store_true", help="torch.no_grad() in place of inference_mode()")
    parser.add_argument("--cpu-time", action="store_true", help="processor time, for one thread on a busy machine")
    parser.add_argument("--threads", type=int, nargs="+", help="default: torch's own number, and 1")
    chosen = parser.parse_args(arguments)
    tokens, widths = (QUICK_TOKENS, QUICK_WIDTHS) if chosen.quick else (TOKENS, WIDTHS)
    clock = time.process_time if chosen.cpu_time else time.perf_counter
    own = torch.get_num_threads()
    for threads in chosen.threads or dict.fromkeys((own, 1)):
        torch.set_num_threads(threads)
        mode: AbstractContextManager[object] = torch.no_grad() if chosen.no_grad else torch.inference_mode()
        print(
            f"\ntorch {torch.__version__}, {threads} thread(s), batch 1, {HEADS} heads, float32, "
            f"{'causal mask' if chosen.causal else 'no mask'}, "
            f"{'no_grad' if chosen.no_grad else 'inference_mode'}, "
            f"{'processor time' if chosen.cpu_time else 'time on the wall'}\n"
        )
        with mode:
            for row in rows(tokens, widths, 0.3 if chosen.quick else 1.0, chosen.causal, clock):
                print(row, flush=True)
    torch.set_num_threads(own)


if __name__ == "__main__":
    main()
