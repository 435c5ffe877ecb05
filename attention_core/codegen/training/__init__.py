"""A training run as a script of its own: the `script`, its `data` and the parts (`blocks`) it is made of."""

from attention_core.codegen.training.script import training_code

__all__ = ["training_code"]
