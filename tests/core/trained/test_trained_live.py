"""A training run that is watched, stopped, kept and taken up: plan, steps, history, files, and what the page says."""

from __future__ import annotations

import base64
import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from safetensors.torch import load

from attention_core.trained import SHIPPED, Training, measure, task
from attention_core.trained.coreference import ADJECTIVES
from attention_core.trained.history import History
from attention_core.trained.kept import LARGEST, from_bytes, to_bytes
from attention_core.trained.measure import alignment_of
from attention_core.trained.plan import LIVE, Plan
from attention_core.trained.sample import look, sample_of
from attention_core.trained.shipped import FOLDER
from attention_core.trained.training import MEASURED
from attention_core.trained.watch import Moment, first_hop, observe
from attention_core.weights_io import load_metadata, weights_to_bytes

SMALL = {name: replace(Plan.of(name), d_model=16, heads=2, seed=5, steps=40) for name in LIVE}


def weights_of(training: Training) -> torch.Tensor:
    return torch.cat([weight.detach().flatten() for weight in training.model.parameters()])


def same(a: Training, b: Training) -> None:
    torch.testing.assert_close(weights_of(a), weights_of(b), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", LIVE)
def test_a_run_that_was_kept_and_loaded_goes_on_as_if_it_had_never_stopped(name: str) -> None:
    plan = SMALL[name]
    whole, half = plan.training(), plan.training()
    losses = [whole.step() for _ in range(6)]
    first = [half.step() for _ in range(3)]
    file = to_bytes(plan, half.checkpoint())
    plan_again, again = from_bytes(file, "run.safetensors")
    assert plan_again == plan and again.done == 3
    assert [*first, *(again.step() for _ in range(3))] == pytest.approx(losses, abs=1e-6)
    same(whole, again)
    assert half.done == 3  # what was kept is a copy


def test_without_the_running_means_it_goes_on_differently_and_with_the_first_samples() -> None:
    plan = SMALL["reversal"]
    whole, half = plan.training(), plan.training()
    for _ in range(6):
        whole.step()
    for _ in range(3):
        half.step()
    bare = replace(half.checkpoint(), means={}, squares={}, updates=0, numbers=None)
    again = from_bytes(to_bytes(plan, bare), "run.safetensors")[1]
    torch.testing.assert_close(weights_of(again), weights_of(half))
    fresh = plan.training()
    fresh.restore(replace(bare, step=0))
    assert again.step() == pytest.approx(fresh.step())  # the same samples, drawn from the beginning
    again.step(), again.step()
    assert not torch.allclose(weights_of(whole), weights_of(again), atol=1e-4)


def test_steps_and_run_are_the_same_training() -> None:
    walked, stepped = Training(task("reversal"), 2, 8), Training(task("reversal"), 2, 8)
    found = list(walked.run(every=3))
    assert [one.step for one in found] == [3, 6, 8]
    losses = [stepped.step() for _ in range(8)]
    assert [one.loss for one in found] == pytest.approx([losses[2], losses[5], losses[7]], abs=1e-6)
    same(walked, stepped)
    before = weights_of(stepped).clone()
    stepped.step()  # past the end the rate stays at a twentieth of its highest
    moved = float((weights_of(stepped) - before).abs().max())
    assert 0 < moved < 4 * 0.05 * task("reversal").recipe.rate


def test_a_plan_gives_other_heads_width_rate_and_seed() -> None:
    training = Plan("translation", 9, 2, 32, 0.01, 50).training()
    assert training.model.heads() == {"encoder1": 2, "decoder1": 2, "cross1": 1}
    assert training.model.shape.d_model == 32 and training.rate == 0.01 and training.seed == 9
    default = Training(task("coreference"))
    planned = Plan.of("coreference").training()
    assert planned.step() == pytest.approx(default.step(), abs=1e-6)
    same(planned, default)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "chess"},
        {"seed": -1},
        {"seed": 2**31},
        {"heads": 5},
        {"heads": 0},
        {"heads": 32},
        {"d_model": 512},
        {"rate": 0.0},
        {"rate": math.nan},
        {"rate": 2.0},
        {"steps": 0},
        {"steps": 10**6},
    ],
)
def test_a_plan_that_cannot_be_is_refused_by_name(wrong: dict[str, object]) -> None:
    field = next(iter(wrong))
    with pytest.raises(ValueError, match=f"{'task' if field == 'name' else field}=.*allowed are"):
        replace(Plan.of("reversal"), **wrong)


@pytest.mark.parametrize("name", LIVE)
def test_what_is_observed_is_what_is_measured_elsewhere(name: str) -> None:
    plan = SMALL[name]
    training = plan.training()
    for _ in range(3):
        loss = training.step()
    batch = training.task.batch("held_out", MEASURED, plan.seed)
    seen = observe(training.task, training.model, batch, training.done, loss)
    wanted = measure(training.task, training.model, batch, write=False)
    assert (seen.step, seen.loss, seen.accuracy) == (3, loss, pytest.approx(wanted.accuracy))
    layer = training.task.watched[0]
    weights = training.model.run(batch.source, batch.written).traces[layer].heads.weights.detach()
    by_head = [alignment_of(weights[:, head], batch.looks) for head in range(weights.shape[1])]
    assert seen.alignment == pytest.approx(max(by_head)) and wanted.alignment == pytest.approx(by_head[0])
    assert (seen.first is None) == (name not in ("induction", "coreference"))


def test_the_first_hop_of_coreference_is_the_adjective_and_of_induction_the_word_before() -> None:
    one = task("coreference")
    batch = one.batch("held_out", 16, 1)
    looks = first_hop(one, batch)
    assert looks is not None
    everything = {word for words in ADJECTIVES.values() for word in words}
    for row in range(16):
        words = one.words.decode(batch.source[row].tolist())
        found = {(words[q], words[k]) for q, k in looks[row].nonzero().tolist()}
        assert found == {("it", next(word for word in words if word in everything))}
    one = task("induction")
    looks = first_hop(one, one.batch("held_out", 2, 1))
    assert looks is not None and looks.nonzero().tolist() == [[b, i, i - 1] for b in range(2) for i in range(1, 48)]


@pytest.mark.parametrize("name", LIVE)
def test_the_sample_stays_and_its_maps_are_those_of_the_model(name: str) -> None:
    plan = SMALL[name]
    one, sample = plan.task(), sample_of(plan.task())
    training = plan.training()
    seen = look(one, training.model, sample)
    layer = seen.traces[one.watched[0]]
    assert layer.source_tokens == sample.tokens and layer.tokens == sample.rows
    assert len(seen.words) == len(sample.places)
    training.step()
    again = look(one, training.model, sample)
    assert again.traces.keys() == seen.traces.keys()
    for key, trace in again.traces.items():
        assert trace.shape("weights") == seen.traces[key].shape("weights")
        assert not torch.equal(trace.field("weights"), seen.traces[key].field("weights"))
        rows = trace.field("weights").sum(dim=-1)
        torch.testing.assert_close(rows, torch.ones_like(rows))
    assert one.writes == (sample.right is not None)


def test_a_shipped_model_is_right_about_the_sample() -> None:
    from attention_core.trained import load_shipped

    for name in SHIPPED:
        if name in LIVE and task(name).writes:
            sample = sample_of(task(name))
            assert look(task(name), load_shipped(name), sample).words == sample.right
    assert "".join(look(task("reversal"), load_shipped("reversal"), sample_of(task("reversal"))).words) == "snoitnetta"


# ---- history


def moment(step: int) -> Moment:
    return Moment(step, 1.0, 0.0, 0.0)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 64, 200])
def test_a_history_is_bounded_and_even(count: int) -> None:
    history = History(most=8, budget=10**9)
    for step in range(count):
        history.add(moment(step), {"w": torch.full((2,), float(step))})
        assert 0 in history.steps() and step in history.steps()
        assert len(history.steps()) <= 8
    steps = history.steps()
    assert len(history.moments) == count and list(steps) == sorted(steps)
    gaps = {b - a for a, b in pairwise(steps)}
    assert len(gaps) <= 2 and (count < 8 or len(steps) >= 4)  # the last gap may be shorter
    for step in steps:
        found, weights = history.at(step)
        assert found.step == step and weights["w"].tolist() == [step, step]
    assert history.bytes() == 8 * len(steps)


def test_a_history_keeps_to_its_bytes_and_finds_the_nearest_step() -> None:
    history = History(most=64, budget=40)
    for step in range(0, 100, 10):
        history.add(moment(step), {"w": torch.zeros(2)})
    assert history.bytes() <= 40 and len(history.steps()) <= 5
    assert history.nearest(1) == 0 and history.nearest(10**6) == 90
    with pytest.raises(ValueError, match="step=1: remembered are 0, "):
        history.at(1)
    with pytest.raises(ValueError, match="step=90: allowed are whole numbers from 91"):
        history.add(moment(90), {})
    large = History(most=64, budget=1)  # the first and the newest are always there
    for step in range(5):
        large.add(moment(step), {"w": torch.zeros(2)})
    assert large.steps() == (0, 4)


# ---- files


@pytest.mark.parametrize("name", [name for name in SHIPPED if name in LIVE])
def test_a_shipped_file_is_taken_with_its_weights_alone(name: str) -> None:
    content = (FOLDER / f"{name}.safetensors").read_bytes()
    plan, training = from_bytes(content, f"{name}.safetensors")
    facts = load_metadata(content)
    assert plan.name == name and str(training.done) == facts["steps"] and str(plan.seed) == facts["seed"]
    for key, weight in training.model.state_dict().items():
        torch.testing.assert_close(weight, load(content)[key])


def changed(**facts: str | None) -> bytes:
    """A file of a small run with other facts in its metadata; None leaves one out."""
    plan = SMALL["reversal"]
    content = to_bytes(plan, plan.training().checkpoint())
    kept = {**load_metadata(content), **facts}
    return weights_to_bytes(load(content), {key: text for key, text in kept.items() if text is not None})


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"task": "chess"}, "does not say for which task"),
        ({"task": None}, "does not say for which task"),
        ({"task": "translation_unmasked"}, "trained for the same translation, trained without the causal mask: this"),
        ({"task": "induction"}, "the weights differ: missing"),
        ({"d_model": "32"}, "the weights differ: .*has shape"),
        ({"d_model": "9" * 30}, "d_model='999"),
        ({"heads": "3"}, "heads=3"),
        ({"heads": "-1"}, "heads='-1'"),
        ({"rate": "nan"}, "rate=nan"),
        ({"rate": "fast"}, "rate='fast'"),
        ({"step": "1e3"}, "step='1e3'"),
        ({"seed": "²"}, "seed='²'"),
        ({"numbers": "AAAA"}, "the state of the samples"),
        ({"numbers": "!"}, "the state of the samples"),
        ({"numbers": base64.b64encode(b"\xff" * 2500).decode()}, "the state of the samples"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(facts: dict[str, str | None], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        from_bytes(changed(**facts), "run.safetensors")


def test_other_files_are_refused() -> None:
    plan = SMALL["reversal"]
    content = to_bytes(plan, plan.training().checkpoint())
    for wrong, name in ((content, "run.pt"), (content[:100], "a.safetensors"), (b"", "a.safetensors")):
        with pytest.raises(ValueError, match=r"allowed|no safetensors file|cut short"):
            from_bytes(wrong, name)
    with pytest.raises(ValueError, match=f"allowed are {LARGEST}"):
        from_bytes(bytes(LARGEST + 1), "large.safetensors")
    training = plan.training()
    training.step()
    kept = training.checkpoint()
    some = dict(list(kept.means.items())[:2])
    with pytest.raises(ValueError, match="running means"):
        from_bytes(to_bytes(plan, replace(kept, means=some)), "a.safetensors")
    below = {key: square - 1.0 for key, square in kept.squares.items()}
    with pytest.raises(ValueError, match="below 0"):
        from_bytes(to_bytes(plan, replace(kept, squares=below)), "a.safetensors")
    wide = {key: weight.double() * 1e300 for key, weight in kept.weights.items()}
    with pytest.raises(ValueError, match="float32"):
        from_bytes(to_bytes(plan, replace(kept, weights=wide)), "a.safetensors")
