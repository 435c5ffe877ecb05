"""The page that trains as a visitor finds it: its numbers and maps are those of a model trained elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from attention_core.codegen.training import training_code
from attention_core.trained import Training
from attention_core.trained.kept import from_bytes, to_bytes
from attention_core.trained.plan import LIVE, Plan
from attention_core.trained.sample import Seen, look, sample_of
from attention_core.trained.training import MEASURED
from attention_core.trained.watch import Moment, observe
from playground.live import moving, visitor
from playground.live.limits import training_limits
from playground.live.run import EVERY, Run
from playground.live.runner import runner
from tests.ui.lessons import open_lesson, words
from tests.ui.reading import alerts, elements, expected, healthy, panel, same, tell

SMALL = {"live_width": "16", "live_seed": "3"}
PLAN = replace(Plan.of("reversal"), d_model=16, seed=3)


def open_page(**query: str) -> AppTest:
    app = open_lesson("live", query)
    return at_rest(app)


def at_rest(app: AppTest) -> AppTest:
    """Wait until nobody trains for this visitor, and draw the page once more."""
    end = time.monotonic() + 60
    while any(runner().busy(run) for run in app.session_state["training_runs"].values()):
        assert time.monotonic() < end
        time.sleep(0.01)
    app.run()
    healthy(app)
    return app


def run_of(app: AppTest) -> Run:
    found: Run = list(app.session_state["training_runs"].values())[-1]
    return found


def elsewhere(plan: Plan, step: int) -> tuple[Training, Moment, Seen]:
    """The same plan, trained here without a page."""
    training = plan.training()
    for _ in range(step):
        training.step()
    batch = training.task.batch("held_out", MEASURED, plan.seed)
    moment = observe(training.task, training.model, batch, step, training.loss)
    return training, moment, look(training.task, training.model, sample_of(training.task))


def status(app: AppTest) -> str:
    found: str = panel(app, "live_status").header["sentence"]
    return found


def numbers(app: AppTest) -> list[str]:
    found: list[str] = panel(app, "live_numbers").header["rows"][0]
    return found


def curve(app: AppTest, key: str, name: str) -> tuple[list[float], list[float]]:
    (line,) = [line for line in panel(app, key).header["figure"]["data"] if line["name"] == name]
    return line["x"], line["y"]


def test_it_begins_with_random_weights_and_says_so() -> None:
    app = open_page(**SMALL)
    assert "Not trained yet" in status(app) and alerts(app) == []
    _, moment, seen = elsewhere(PLAN, 0)
    assert numbers(app) == ["0", "–", f"{moment.accuracy:.2f}", f"{moment.alignment:.2f}"]
    same(panel(app, "live_map_self1").blocks, expected(seen.traces["self1"], "weights"))
    assert panel(app, "live_map_self1").header["figure"]["data"][0]["showscale"]  # what the colours mean
    (label,) = [one.value for one in app.main.caption if "made-up samples" in one.value]
    learning = sum(weight.numel() for weight in PLAN.training().model.parameters())
    assert "seed 3" in label and f"{learning:,} numbers" in label and "128 samples that are held out" in label
    assert app.query_params["live_width"] == "16" and "live_step" not in app.query_params


@pytest.fixture(scope="module")
def trained() -> AppTest:
    return open_page(**SMALL, live_step="8")


def test_a_link_that_names_a_step_trains_up_to_there(trained: AppTest) -> None:
    training, moment, seen = elsewhere(PLAN, 8)
    assert status(trained) == "Paused at step 8." and run_of(trained).done == 8
    assert numbers(trained) == ["8", f"{moment.loss:.3f}", f"{moment.accuracy:.2f}", f"{moment.alignment:.2f}"]
    same(panel(trained, "live_map_self1").blocks, expected(seen.traces["self1"], "weights"))
    for field in ("q", "k", "v", "raw_scores", "weights", "context", "output"):
        same(panel(trained, f"trained_stage_{field}").blocks, expected(seen.traces["self1"], field), field)
    assert "".join(seen.words) in panel(trained, "live_answer").header["sentence"]
    again = PLAN.training()
    losses = [again.step() for _ in range(8)]
    x, y = curve(trained, "live_loss", "loss")
    assert x == [2, 4, 6, 8] and y == pytest.approx(losses[1::2], abs=1e-5)
    x, y = curve(trained, "live_scores", "alignment")
    assert x == [0, 2, 4, 6, 8] and y[-1] == pytest.approx(moment.alignment, abs=1e-5)
    assert training.done == 8 and panel(trained, "live_scores").meta["at"] == 8


def test_the_scrubber_goes_back_to_any_remembered_step() -> None:
    app = open_page(**SMALL, live_step="8")
    app.select_slider(key="live_scrub").set_value(4).run()
    app.run()  # AppTest runs a fragment with the page, and not again after it
    healthy(app)
    _, moment, seen = elsewhere(PLAN, 4)
    assert numbers(app)[:2] == ["4", f"{moment.loss:.3f}"]
    assert panel(app, "live_status").header["detail"] == "The pictures show step 4."
    same(panel(app, "live_map_self1").blocks, expected(seen.traces["self1"], "weights"))
    same(panel(app, "trained_stage_q").blocks, expected(seen.traces["self1"], "q"))
    assert app.query_params["live_step"] == "4" and panel(app, "live_scores").meta["at"] == 4
    app.select_slider(key="live_scrub").set_value(8).run()
    app.run()
    assert "live_step" not in app.query_params and numbers(app)[0] == "8"
    tell(app, "live_map_self1", cell=["weights", 0, 2, 7])
    assert "looks" in panel(app, "sentence").header["sentence"]


def test_run_pause_few_steps_and_reset() -> None:
    app = open_page(**SMALL, live_step="2")
    app.button(key="live_few").click().run()
    at_rest(app)
    assert run_of(app).done == 2 + EVERY["reversal"] and "live_step" not in app.query_params
    app.button(key="live_run").click().run()
    app.button(key="live_pause").click().run()
    healthy(app)
    rested = run_of(app).done
    assert 4 <= rested < 200 and status(app) == f"Paused at step {rested}."
    assert not runner().busy(run_of(app)) and numbers(app)[0] == str(rested)
    app.button(key="live_reset").click().run()
    assert run_of(app).done == 0 and "Not trained yet" in status(app)


def test_a_link_that_is_being_followed_can_be_paused() -> None:
    app = open_lesson("live", {"live_task": "dates", "live_step": "1000"})
    assert runner().busy(run_of(app))
    app.button(key="live_pause").click().run()
    healthy(app)
    app.run()
    assert not runner().busy(run_of(app)) and run_of(app).done < 1000 and "live_step" not in app.query_params


def test_a_link_beyond_the_last_step_that_this_server_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENTION_MAX_TRAINING_STEPS", "200")
    training_limits.cache_clear()
    app = open_page(**SMALL, live_step="900")
    assert run_of(app).done == 200 and app.button(key="live_run").disabled and app.button(key="live_few").disabled
    assert numbers(app)[0] == "200"
    said = panel(app, "live_status").header["detail"]
    assert said == "The link asks for step 900: this server trains to step 200 at most."


def test_it_goes_on_after_its_last_step() -> None:
    app = open_page(**SMALL, live_steps="6", live_step="6")
    assert status(app) == "Trained: 6 steps."
    button = app.button(key="live_run")
    assert button.label == "Run 6 more steps"
    button.click().run()
    at_rest(app)
    assert run_of(app).done == 12


def test_a_replay_shows_the_steps_in_order() -> None:
    app = open_page(**SMALL, live_step="6")
    app.button(key="live_replay").click().run()
    shown = [numbers(app)[0]]
    while "Replay" in status(app):
        app.run()
        shown.append(numbers(app)[0])
    assert shown[:4] == ["0", "2", "4", "6"]


def test_another_task_brings_its_recipe_and_the_first_run_waits() -> None:
    app = open_page(**SMALL, live_step="4")
    first = run_of(app)
    app.button(key="live_run").click().run()
    app.selectbox(key="live_task").set_value("induction").run()
    healthy(app)
    assert not runner().busy(first)
    recipe = Plan.of("induction")
    assert run_of(app).plan == recipe and app.session_state["live_width"] == recipe.d_model
    _, _, seen = elsewhere(recipe, 0)
    for layer in ("self1", "self2"):
        same(panel(app, f"live_map_{layer}").blocks, expected(seen.traces[layer], "weights"))
    assert "Olsson" in words(app)
    app.selectbox(key="live_task").set_value("reversal").run()
    app.select_slider(key="live_width").set_value(16).run()
    app.number_input(key="live_seed").set_value(3).run()
    assert run_of(app).done == 0 and len(app.session_state["training_runs"]) == 2  # two are kept, that was the third


def test_a_slider_moved_back_brings_the_run_back() -> None:
    app = open_page(**SMALL, live_step="4")
    first = run_of(app)
    app.select_slider(key="live_heads").set_value(2).run()
    assert run_of(app) is not first and run_of(app).plan.heads == 2
    at_rest(app)
    app.select_slider(key="live_heads").set_value(1).run()
    assert run_of(app) is first


@pytest.mark.parametrize("name", [name for name in LIVE if name != "reversal"])
def test_every_task_trains(name: str) -> None:
    step = EVERY[name]
    app = open_page(live_task=name, live_step=str(step))
    _, moment, seen = elsewhere(Plan.of(name), step)
    assert numbers(app)[:2] == [str(step), f"{moment.loss:.3f}"]
    for layer, trace in seen.traces.items():
        same(panel(app, f"live_map_{layer}").blocks, expected(trace, "weights"))
    if moment.first is not None:
        assert numbers(app)[4] == f"{moment.first:.2f}"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"live_heads": "3"}, "3 heads cannot share a width of 64 evenly: the number of heads has to divide it."),
        ({"live_heads": "2", "live_width": "33"}, "2 heads cannot share a width of 33 evenly: the number of heads"),
        ({"live_heads": "16"}, "16 heads: this server trains with at most 8."),
        ({"live_width": "256"}, "A width of 256: this server trains with at most 128."),
        ({"live_steps": "20000"}, "20000 steps: this server trains for at most 4000."),
    ],
)
def test_a_link_over_the_limits_is_refused_in_words(query: dict[str, str], words: str) -> None:
    app = open_page(**query)
    [said] = alerts(app)
    assert said.startswith(words)
    assert run_of(app).plan == Plan.of("reversal")


@pytest.mark.parametrize(
    "query",
    [
        {"live_task": "<b>chess</b>"},
        {"live_rate": "nan"},
        {"live_rate": "1e99"},
        {"live_seed": "-1"},
        {"live_step": "1e3"},
        {"live_width": "0"},
    ],
)
def test_a_link_that_says_nothing_sensible_opens_the_recipe(query: dict[str, str]) -> None:
    app = open_page(**query)
    assert run_of(app).plan == Plan.of("reversal") and run_of(app).done == 0


def test_a_visitor_who_waits_sees_the_place_in_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(**SMALL)

    class Full:
        """A runner that has others to do first."""

        def busy(self, run: Run) -> bool:
            return True

        def ahead(self, run: Run) -> int:
            return 2

        def hear(self, run: Run) -> None:
            heard.append(run)

    heard: list[Run] = []
    monkeypatch.setattr(moving, "runner", Full)
    app.run()
    healthy(app)
    assert status(app) == "2 runs before yours: this one begins by itself."
    assert heard == [run_of(app)] and "trained_stage_q" not in elements(app)


def test_a_run_that_fails_says_why() -> None:
    app = open_page(**SMALL)
    run_of(app).failed = "the loss is <b>nan</b>"
    app.session_state["live_step"] = 50  # what has failed is not tried again and again
    app.run()
    assert not runner().busy(run_of(app))
    assert alerts(app) == ["The run has stopped: the loss is <b>nan</b>"]


# ---- a run that is no longer there


def test_the_address_says_how_far_a_run_was_asked_to_learn() -> None:
    app = open_page(**SMALL, live_steps="6")
    assert "live_until" not in app.query_params
    app.button(key="live_run").click().run()
    assert app.query_params["live_until"] == "6"  # while it learns: that is when a server may go
    at_rest(app)
    app.button(key="live_few").click().run()
    at_rest(app)
    assert app.query_params["live_until"] == "8" and run_of(app).done == 8
    app.button(key="live_reset").click().run()
    assert "live_until" not in app.query_params


def test_a_page_that_comes_back_without_its_run_says_so_and_trains_it_again() -> None:
    app = open_page(**SMALL, live_until="6")
    found = panel(app, "live_status").header
    assert found["sentence"] == "The training that was here, up to step 6, is gone." and alerts(app) == []
    assert "started anew" in found["detail"] and "the same numbers" in found["detail"]
    assert app.query_params["live_until"] == "6" and run_of(app).done == 0
    button = app.button(key="live_run")
    assert button.label == "Train it again, to step 6"
    button.click().run()
    at_rest(app)
    _, moment, seen = elsewhere(PLAN, 6)
    assert numbers(app)[:2] == ["6", f"{moment.loss:.3f}"] and status(app) == "Paused at step 6."
    same(panel(app, "live_map_self1").blocks, expected(seen.traces["self1"], "weights"))
    assert app.query_params["live_until"] == "6" and app.button(key="live_run").label == "Run"


def test_a_link_of_a_run_that_was_scrubbed_back_brings_all_of_it() -> None:
    app = open_page(**SMALL, live_step="4", live_until="8")
    assert run_of(app).done == 8 and numbers(app)[0] == "4"
    found = panel(app, "live_status").header
    assert (found["sentence"], found["detail"]) == ("Paused at step 8.", "The pictures show step 4.")


@pytest.mark.parametrize("more", [{}, {"live_step": "4"}])
def test_a_run_from_a_file_is_not_trained_again_from_nothing(more: dict[str, str]) -> None:
    app = open_page(**SMALL, live_until="8.file", **more)
    assert run_of(app).done == 0 and app.button(key="live_run").label == "Run"
    found = panel(app, "live_status").header
    assert found["sentence"] == "The training that was here, up to step 8, is gone."
    assert "load that again" in found["detail"] and "same numbers" not in found["detail"]
    upload(app, "run.safetensors", file_of(PLAN, 7))
    assert status(app).startswith("Loaded at step 7") and app.query_params["live_until"] == "7.file"
    app.button(key="live_few").click().run()
    at_rest(app)
    assert app.query_params["live_until"] == f"{7 + EVERY['reversal']}.file"


def test_another_plan_has_a_run_of_its_own() -> None:
    app = open_page(**SMALL, live_until="6")
    app.select_slider(key="live_heads").set_value(2).run()
    healthy(app)
    assert "Not trained yet" in status(app) and "live_until" not in app.query_params
    app = open_page(**SMALL, live_step="4")
    app.button(key="live_few").click().run()
    at_rest(app)
    app.select_slider(key="live_heads").set_value(2).run()
    assert "live_until" not in app.query_params
    app.select_slider(key="live_heads").set_value(1).run()
    assert app.query_params["live_until"] == "6" and status(app) == "Paused at step 6."


@pytest.mark.parametrize("text", ["abc", "-4", "0", "99999", ".file", "6.files", "6.file.file"])
def test_an_address_that_asks_for_no_step_is_named(text: str) -> None:
    app = open_page(**SMALL, live_until=text)
    (words,) = alerts(app)
    assert words.startswith("live_until=") and "whole numbers from 1 to 20000" in words
    assert "Not trained yet" in status(app)


def test_a_run_that_was_left_says_why_it_rests() -> None:
    app = open_page(**SMALL, live_step="4")
    run_of(app).left = True
    app.run()
    assert status(app) == "It rests at step 4: this page was closed or out of sight. Press “Run” to go on."
    app.button(key="live_few").click().run()
    at_rest(app)
    assert status(app) == "Paused at step 6."


# ---- the arithmetic


def test_a_cell_of_a_map_opens_beside_the_maps_and_one_of_the_stages_beside_these() -> None:
    app = open_page(**SMALL, live_step="4")

    def order() -> list[str]:
        return [key for key in elements(app) if key in ("sentence", "live_map_self1", "trained_stage_q")]

    assert order() == ["live_map_self1", "trained_stage_q", "sentence"]  # one to begin with, beside the stages
    tell(app, "live_map_self1", cell=["weights", 0, 2, 7])
    assert order() == ["live_map_self1", "sentence", "trained_stage_q"]
    assert any(one.value.startswith("**1. The query vector**") for one in app.main.markdown)
    next(button for button in app.main.button if button.label == "Close").click().run()
    healthy(app)
    assert order() == ["live_map_self1", "trained_stage_q", "sentence"] and "cell" not in app.query_params
    tell(app, "trained_stage_weights", cell=["weights", 0, 2, 7])
    assert order() == ["live_map_self1", "trained_stage_q", "sentence"]


@pytest.mark.parametrize("narrow", [False, True])
def test_a_cell_of_several_maps_has_the_arithmetic_of_its_layer(narrow: bool) -> None:
    app = open_page(live_task="induction", live_step="5")
    app.session_state["narrow"] = narrow
    app.run()
    tell(app, "live_map_self1", cell=["weights", 0, 5, 2])
    _, _, seen = elsewhere(Plan.of("induction"), 5)
    keys = list(elements(app))
    assert max(map(keys.index, ("live_map_self1", "live_map_self2"))) < keys.index("sentence")
    assert keys.index("sentence") < keys.index("trained_stage_q")
    bars = panel(app, "row_bars").header["figure"]["data"][0]["x"]
    wanted = seen.traces["self1"].heads.weights[0, 0, 5, :6].numpy()
    np.testing.assert_allclose(np.asarray(bars, dtype=float)[:6], wanted, atol=1e-5)


# ---- files


def file_of(plan: Plan, step: int) -> bytes:
    training = plan.training()
    for _ in range(step):
        training.step()
    return to_bytes(plan, training.checkpoint())


def upload(app: AppTest, name: str, content: bytes) -> AppTest:
    app.file_uploader(key="live_file").set_value((name, content, "application/octet-stream")).run()
    healthy(app)
    return app


def test_a_file_is_loaded_and_goes_on_as_if_it_had_never_stopped() -> None:
    plan = Plan("sorting", 5, 2, 32, 0.004, 90)  # a rate and a width that the sliders do not have
    app = upload(open_page(), "run.safetensors", file_of(plan, 7))
    assert alerts(app) == [] and status(app).startswith("Loaded at step 7, with the optimizer")
    assert run_of(app).plan == plan and app.query_params["live_rate"] == "0.004"
    app.button(key="live_few").click().run()
    at_rest(app)
    _, moment, seen = elsewhere(plan, 7 + EVERY["sorting"])
    assert numbers(app)[:2] == [str(moment.step), f"{moment.loss:.3f}"]
    same(panel(app, "live_map_self1").blocks, expected(seen.traces["self1"], "weights"))


def test_a_file_of_weights_alone_says_what_begins_anew() -> None:
    from attention_core.trained.shipped import FOLDER

    app = upload(open_page(), "reversal.safetensors", (FOLDER / "reversal.safetensors").read_bytes())
    assert "the weights alone" in status(app) and "begin anew" in status(app)
    assert run_of(app).done == 200 and "snoitnetta" in panel(app, "live_answer").header["sentence"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("broken.safetensors", b"\x00" * 20, "safetensors"),
        ("wide.safetensors", file_of(replace(PLAN, d_model=256), 0), "A width of 256: this server trains"),
    ],
)
def test_a_file_that_cannot_be_taken_changes_nothing(name: str, content: bytes, said: str) -> None:
    app = open_page(**SMALL, live_step="2")
    before = panel(app, "live_map_self1").blocks
    upload(app, name, content)
    [alert] = alerts(app)
    assert said in alert
    assert run_of(app).plan == PLAN and run_of(app).done == 2
    np.testing.assert_array_equal(panel(app, "live_map_self1").blocks, before)
    app.run()  # the file itself is no longer there, and that it was refused is still said
    assert alerts(app) == [alert]
    app.run()
    assert alerts(app) == [alert]


def test_what_can_be_taken_away() -> None:
    app = open_page(**SMALL, live_step="4")
    labels = [button.label for button in app.main.download_button]
    assert labels[0].startswith("The weights of step 4") and "code" in labels[1]
    plan, training = from_bytes(run_of(app).file(4), "a.safetensors")
    assert plan == PLAN and training.done == 4
    assert "seed = 'reversal', 3" in training_code(run_of(app).plan)


# ---- who is there


def test_a_session_is_asked_for_at_streamlits_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    class Runtime:
        def is_active_session(self, session: str) -> bool:
            return session == "open"

    monkeypatch.setattr(visitor.runtime, "exists", lambda: True)
    monkeypatch.setattr(visitor.runtime, "get_instance", Runtime)
    assert visitor.is_here("open") and not visitor.is_here("closed")
    monkeypatch.setattr(visitor.runtime, "exists", lambda: False)
    assert visitor.is_here("closed")


@pytest.fixture(autouse=True)
def defaults() -> Iterator[None]:
    training_limits.cache_clear()
    yield
    for run in [ticket.run for ticket in (*runner()._learning, *runner()._waiting)]:
        runner().pause(run)
