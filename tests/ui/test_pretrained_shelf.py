"""Which models a visitor may have, and how many are in memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from attention_core.pretrained import PretrainedError
from playground.pretrained import policy
from playground.pretrained import shelf as shelves
from playground.pretrained.policy import Offer
from playground.pretrained.shelf import Shelf
from tests.core.pretrained.tiny import saved


def offer(family: str) -> Offer:
    return Offer(family, saved(family))


def test_few_models_are_kept_and_the_last_used_stay() -> None:
    shelf = Shelf(most=2)
    first = shelf.get(offer("bert"), wait=60)
    assert first is not None and shelf.get(offer("bert"), wait=60) is first
    shelf.get(offer("gpt2"), wait=60)
    shelf.get(offer("bert"), wait=60)
    shelf.get(offer("llama"), wait=60)
    assert len(shelf) == 2
    assert shelf.get(offer("bert"), wait=60) is first, "the one used last was kept"


def test_a_model_is_loaded_once_for_all_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    count = []
    load = shelves.load
    monkeypatch.setattr(shelves, "load", lambda *given, **more: (count.append(1), load(*given, **more))[1])
    shelf = Shelf()
    with ThreadPoolExecutor(4) as visitors:
        found = list(visitors.map(lambda _: shelf.get(offer("bert"), wait=60), range(8)))
    assert len({id(one) for one in found}) == 1 and len(count) == 1


def test_while_it_is_loaded_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    go, load = threading.Event(), shelves.load

    def slow(*given: object, **more: object) -> object:
        go.wait(30)
        return load(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(shelves, "load", slow)
    shelf = Shelf()
    assert shelf.get(offer("bert"), wait=0) is None
    go.set()
    assert shelf.get(offer("bert"), wait=60) is not None


def test_what_failed_may_be_asked_for_again(tmp_path: Path) -> None:
    shelf = Shelf()
    wanted = Offer("mine", tmp_path / "mine")
    with pytest.raises(PretrainedError, match="holds no model"):
        shelf.get(wanted, wait=60)
    (tmp_path / "mine").symlink_to(saved("bert"))
    assert shelf.get(wanted, wait=60) is not None


def test_readings_are_remembered_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = Shelf().get(offer("bert"), wait=60)
    assert loaded is not None
    first = loaded.read("the cat")
    assert loaded.read("the cat") is first
    monkeypatch.setattr(shelves, "READINGS_BYTES", 1)
    loaded.read("the river")
    assert loaded.read("the cat") is not first


def test_the_operator_lists_what_there_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ATTENTION_MODELS", f" {saved('bert')} , some/model ,./here")
    monkeypatch.chdir(tmp_path)
    found = policy.offers()
    assert list(found) == ["bert", "some/model", "here"]
    assert found["bert"].folder == saved("bert") and found["some/model"].folder is None
    assert found["here"].folder == tmp_path / "here"


@pytest.mark.parametrize("text", ["/etc", "./x", "~", "other/model", "..", "bert/../x"])
def test_a_visitor_gets_nothing_else(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("ATTENTION_MODELS", str(saved("bert")))
    monkeypatch.delenv("ATTENTION_ANY_MODEL", raising=False)
    assert policy.offer("bert").folder == saved("bert")
    with pytest.raises(PretrainedError, match="is not among the models") as problem:
        policy.offer(text)
    assert str(saved("bert").parent) not in str(problem.value)


def test_a_name_with_a_way_out_is_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENTION_ANY_MODEL", "1")
    assert policy.offer("google-bert/bert-base-uncased").folder is None
    for text in ("models/../../etc", "a b", "x" * 400):
        with pytest.raises(PretrainedError, match="neither the name of a model nor a folder"):
            policy.offer(text)


def test_limits_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    policy.limits.cache_clear()
    monkeypatch.setenv("ATTENTION_MODEL_MAX_LAYERS", "7")
    assert policy.limits().max_layers == 7 and policy.limits().max_tokens == 512
    policy.limits.cache_clear()
    monkeypatch.setenv("ATTENTION_MODEL_MAX_LAYERS", "many")
    with pytest.raises(ValueError, match="ATTENTION_MODEL_MAX_LAYERS='many': allowed are whole numbers from 1"):
        policy.limits()
    policy.limits.cache_clear()
