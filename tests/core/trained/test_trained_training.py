"""Training: it repeats itself, it learns, and it writes what it promises."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from attention_core import train
from attention_core.trained import Training, measure, task
from attention_core.trained.training import loss_of, rate_factor
from attention_core.weights_io import load_into, load_metadata, load_weights


def test_reversal_trained_again_is_right_and_looks_where_it_should() -> None:
    """From the seed of the shipped model: alignment moves before accuracy does."""
    training = Training(task("reversal"))
    progress = list(training.run(every=10))
    assert [one.step for one in progress] == list(range(10, 201, 10))
    assert progress[0].accuracy == 0.0 and progress[-1].loss < 0.05
    found = measure(task("reversal"), training.model, task("reversal").batch("test", 256, 1))
    assert found.accuracy >= 0.95 and found.alignment >= 0.95
    halfway = next(one for one in progress if one.alignment > 0.4)
    assert halfway.accuracy < 0.5


def test_a_seed_repeats_a_run_and_another_does_not() -> None:
    def weights(seed: int) -> torch.Tensor:
        training = Training(task("translation"), seed, steps=3)
        list(training.run())
        return torch.cat([weight.detach().flatten() for weight in training.model.parameters()])

    before = torch.random.get_rng_state()
    assert weights(4).equal(weights(4)) and not weights(4).equal(weights(5))
    assert torch.random.get_rng_state().equal(before)  # the global generator is nobody's


def test_a_run_can_be_left_and_taken_up() -> None:
    training = Training(task("reversal"), 2, steps=6)
    walk = training.run(every=2)
    first = next(walk)
    kept = [weight.detach().clone() for weight in training.model.parameters()]
    second = next(walk)
    assert (first.step, second.step) == (2, 4)
    assert any(not a.equal(b) for a, b in zip(kept, training.model.parameters(), strict=True))


def test_the_rate_warms_up_and_comes_down_to_a_twentieth() -> None:
    assert rate_factor(0, 1000, 100) == pytest.approx(0.01)
    assert rate_factor(499, 998, 0) == pytest.approx(
        0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi / 2)), abs=1e-2
    )
    assert rate_factor(10**6, 10**6, 0) == pytest.approx(0.05)


def test_the_loss_leaves_out_what_is_not_asked() -> None:
    logits = torch.tensor([[[2.0, 0.0], [0.0, 0.0]]])
    target = torch.tensor([[0, -100]])
    assert float(loss_of(logits, target, 0.0)) == pytest.approx(math.log(1 + math.exp(-2.0)))
    smooth = -(0.95 * math.log(1 / (1 + math.exp(-2.0))) + 0.05 * math.log(1 / (1 + math.exp(2.0))))
    assert float(loss_of(logits, target, 0.1)) == pytest.approx(smooth)


def test_the_command_writes_weights_and_a_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(["dates", "--steps", "2", "--seed", "9", "--folder", str(tmp_path / "new")]) == 0
    file = tmp_path / "new" / "dates.safetensors"
    facts = load_metadata(file.read_bytes())
    assert facts["task"] == "dates" and facts["seed"] == "9" and facts["steps"] == "2"
    card = file.with_suffix(".md").read_text(encoding="utf-8")
    assert "dates --seed 9 --steps 2`" in card and "Seed 9, 2 steps of 64 samples" in card
    assert f"| accuracy | {float(facts['accuracy']):.3f} |" in card
    model = task("dates").build(0)
    load_into(model, load_weights(file))
    said = capsys.readouterr().out
    assert "2/2" in said and "alignment" in said


@pytest.mark.parametrize("arguments", [["chess"], ["reversal", "--steps", "0"], ["reversal", "--seed", "-1"]])
def test_a_wrong_command_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        train.main(arguments)
    assert "allowed" in capsys.readouterr().err or arguments == ["chess"]


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(Training, "step", lambda training: pytest.fail("it trains, and all would be lost"))
    with pytest.raises(SystemExit):
        train.main(["reversal", "--folder", str(tmp_path / "file" / "below")])
    assert "nothing can be written there" in capsys.readouterr().err


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="steps=0"):
        Training(task("reversal"), steps=0)
    with pytest.raises(ValueError, match="every=0"):
        next(Training(task("reversal"), steps=2).run(every=0))
