"""The experiment: the frozen description of what a person asked for, and the one door to its computation.

`description` holds it, `checks` validates it, `text` is its link and JSON, `inputs` what enters the heads, `recipes`
and `hand_built` where their weights come from.
"""

from attention_core.experiment.description import MODES, Experiment, ExperimentError

__all__ = ["MODES", "Experiment", "ExperimentError"]
