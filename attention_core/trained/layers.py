"""The parts of the tiny models that are no attention: tables of vectors, and the feed-forward network."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

__all__ = ["FeedForward", "initialise", "linear", "table"]

TABLE = 0.5  # standard deviation of the tables of words and positions


def linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer that has not drawn from the global generator; `initialise` fills it."""
    made = nn.utils.skip_init(nn.Linear, inputs, outputs)  # type: ignore[no-untyped-call]
    assert isinstance(made, nn.Linear)
    return made


def table(rows: int, width: int) -> nn.Parameter:
    """One vector a row; `initialise` fills it."""
    return nn.Parameter(torch.empty(rows, width))


class FeedForward(nn.Module):
    """x + W_2 relu(W_1 LN(x)) (Vaswani et al. 2017, 3.3, in the pre-norm order of Xiong et al. 2020)."""

    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(d_model)
        self.hidden = linear(d_model, d_ff)
        self.out = linear(d_ff, d_model)

    def forward(self, x: Tensor) -> Tensor:
        """Return x with the network's update added, (batch, position, d_model)."""
        update: Tensor = self.out(F.relu(self.hidden(self.norm(x))))
        return x + update


def initialise(model: nn.Module, generator: Generator) -> None:
    """Fill a model's weights: tables N(0, 0.5), matrices uniform in +-1/sqrt(columns), biases 0, norms 1 and 0."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight.fill_(1.0 if name.endswith("weight") else 0.0)
            elif weight.dim() == 1:
                weight.zero_()
            elif "table" in name:
                weight.copy_(torch.randn(weight.shape, generator=generator) * TABLE)
            else:
                drawn = 2.0 * torch.rand(weight.shape, generator=generator) - 1.0
                weight.copy_(drawn / weight.shape[1] ** 0.5)
