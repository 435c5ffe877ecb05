"""An experiment as a PyTorch script of its own: the `script`, and the `blocks` it is made of."""

from attention_core.codegen.script import to_code

__all__ = ["to_code"]
