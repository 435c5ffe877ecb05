"""Weights to a file and back, and files that lie, break, or try to run something."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from attention_core import weights_io
from attention_core.modules import MultiHeadAttention
from attention_core.weights_io import (
    LARGEST_HEADER,
    load_into,
    load_metadata,
    load_weights,
    save_weights,
    weights_to_bytes,
)
from tests.core.oracles import numbers

STATE = {"w": numbers(3, 5).float(), "b": numbers(3, seed=1).float()}


def module(seed: int = 0, **options: Any) -> MultiHeadAttention:
    return MultiHeadAttention(6, 3, generator=torch.Generator().manual_seed(seed), **options)


def torch_bytes(value: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def same(state: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return state.keys() == expected.keys() and all(torch.equal(state[k], v) for k, v in expected.items())


# ------------------------------------------------------------------------------------------ there and back


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_safetensors_there_and_back_to_the_bit(tmp_path: Path, dtype: torch.dtype) -> None:
    ours = module(3, dtype=dtype)
    save_weights(ours, tmp_path / "w.safetensors", {"trained on": "reversal", "seed": "3"})
    state = load_weights(tmp_path / "w.safetensors")
    assert same(state, ours.state_dict())
    assert all(tensor.dtype == dtype for tensor in state.values())
    assert load_metadata((tmp_path / "w.safetensors").read_bytes()) == {"trained on": "reversal", "seed": "3"}
    other = module(4, dtype=dtype)
    load_into(other, state)
    assert same(other.state_dict(), ours.state_dict())


@pytest.mark.parametrize("suffix", ["pt", "pth", "PT"])
def test_a_file_of_torch_save(tmp_path: Path, suffix: str) -> None:
    ours = module(3)
    path = tmp_path / f"w.{suffix}"
    torch.save(ours.state_dict(), path)
    assert same(load_weights(path), ours.state_dict())
    assert same(load_weights(path.read_bytes(), path.name), ours.state_dict())
    assert same(load_weights(torch_bytes(dict(ours.named_parameters())), "w.pt"), ours.state_dict())


def test_views_shared_memory_and_open_files() -> None:
    base = numbers(4, 6)
    views = {"turned": base.T, "part": base[1:3, ::2], "wide": base[:1].expand(5, -1), "all": base}
    file = io.BytesIO()
    save_weights(views, file)
    state = load_weights(file.getvalue(), "w.safetensors")
    assert same(state, views)
    again = load_weights(torch_bytes(views), "w.pt")
    assert same(again, views)
    assert len({tensor.untyped_storage().data_ptr() for tensor in again.values()}) == 4
    assert load_metadata(file.getvalue()) == {}


def test_saving_changes_nothing() -> None:
    ours = module()
    before = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    state = load_weights(weights_to_bytes(ours), "w.safetensors")
    state["in_proj_weight"].zero_()
    assert same(ours.state_dict(), before)


@given(cut=st.integers(0, 10_000), flip=st.integers(0, 10_000), to=st.integers(0, 255), torch_file=st.booleans())
def test_a_damaged_file_is_read_as_numbers_or_refused(cut: int, flip: int, to: int, torch_file: bool) -> None:
    content = bytearray(torch_bytes(STATE) if torch_file else weights_to_bytes(STATE))
    content[flip % len(content)] = to
    content = content[: max(len(content) - cut % 50 * (cut % 3), 0)]
    try:
        state = load_weights(bytes(content), "w.pt" if torch_file else "w.safetensors")
    except ValueError as error:
        assert str(error)
    else:
        assert all(tensor.isfinite().all() for tensor in state.values())


# ------------------------------------------------------------------------------------------- hostile files


class Attack:
    """What unpickles to a call of os.system."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"echo owned > {self.path}",)


def rewritten(content: bytes, change: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A file of torch.save with some of its entries replaced."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w", compression) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, change.get(entry.filename.split("/", 1)[1], old.read(entry)))
    return file.getvalue()


@pytest.mark.parametrize("form", ["state", "value", "legacy", "bare pickle", "protocol 4"])
def test_code_in_a_pickle_is_never_run(tmp_path: Path, form: str) -> None:
    marker = tmp_path / "owned"
    attack = Attack(marker)
    content = {
        "state": lambda: torch_bytes(attack),
        "value": lambda: torch_bytes(STATE | {"x": attack}),
        "legacy": lambda: torch_bytes(attack, _use_new_zipfile_serialization=False),
        "bare pickle": lambda: pickle.dumps(attack),
        "protocol 4": lambda: rewritten(torch_bytes(STATE), {"data.pkl": pickle.dumps(attack, protocol=4)}),
    }[form]()
    for name in ("w.pt", "w.pth", "w.safetensors"):
        with pytest.raises(ValueError, match=f"'{name}'"):
            load_weights(content, name)
    assert not marker.exists()
    if form == "value":  # the attack is a real one: reading it without care runs it
        torch.load(io.BytesIO(content), weights_only=False)
        assert marker.exists()


@pytest.mark.parametrize("form", [lambda attack: attack, lambda attack: STATE | {"x": attack}])
def test_without_our_look_at_the_pickle_torch_still_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Any
) -> None:
    """Two guards, each enough: this is the one of `weights_only`."""
    monkeypatch.setattr(weights_io, "_check_pickle", lambda content, name: None)
    with pytest.raises(ValueError, match=r"'w.pt' is no valid file of torch.save: 'Weights only load failed"):
        load_weights(torch_bytes(form(Attack(tmp_path / "owned"))), "w.pt")
    assert not (tmp_path / "owned").exists()


def test_a_refused_call_is_named() -> None:
    with pytest.raises(ValueError, match=r"'w.pt' asks for '(posix|nt) system': allowed are float tensors only"):
        load_weights(torch_bytes(Attack(Path("x"))), "w.pt")
    with pytest.raises(ValueError, match=r"asks for 'builtins bytearray'|asks for '__builtin__ bytearray'"):
        load_weights(torch_bytes({"w": bytearray(8)}), "w.pt")


def test_a_zip_bomb_is_not_unfolded() -> None:
    bomb = rewritten(torch_bytes(STATE), {"data/0": bytes(50_000_000)}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 100_000
    with pytest.raises(ValueError, match=r"compressed entries: allowed is what torch.save writes"):
        load_weights(bomb, "w.pt")


def test_a_small_file_with_an_endless_tensor() -> None:
    """One number expanded to 10**15: next to no memory until someone copies it."""
    with pytest.raises(ValueError, match="more than the 67108864 bytes that are allowed"):
        load_weights(torch_bytes({"w": torch.zeros(1).expand(10**15)}), "w.pt")


def test_a_storage_that_claims_more_than_there_is() -> None:
    content = torch_bytes({"w": torch.arange(4.0)})
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        text = archive.read(next(n for n in archive.namelist() if n.endswith("data.pkl")))
    assert text.count(b"K\x04") == 2
    with pytest.raises(ValueError, match=r"no valid file of torch.save"):
        load_weights(rewritten(content, {"data.pkl": text.replace(b"K\x04", b"J\x00\x00\x10\x00")}), "w.pt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cut short"),
        (b"\x01", "cut short"),
        ((10**12).to_bytes(8, "little") + b"{}", "cut short"),
        (
            (2 * LARGEST_HEADER).to_bytes(8, "little") + b" " * 2 * LARGEST_HEADER,
            "header of 2097152 bytes: allowed are 1048576",
        ),
        ((4).to_bytes(8, "little") + b"nope", "its header is not JSON"),
        ((100_000).to_bytes(8, "little") + b"[" * 100_000, "its header is not JSON"),
        ((2).to_bytes(8, "little") + b"[]", "its header is not a JSON object"),
        (weights_to_bytes(STATE)[:-1], "no valid safetensors file"),
        (weights_to_bytes(STATE) + b"more", "no valid safetensors file"),
        (torch_bytes(STATE), "cut short|header"),
    ],
)
def test_broken_safetensors(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_weights(content, "w.safetensors")


def header_of(**tensors: Any) -> bytes:
    text = json.dumps(tensors).encode()
    return len(text).to_bytes(8, "little") + text


@pytest.mark.parametrize(
    "tensor",
    [
        {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [0, 2**50]},
        {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]},
        {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]},
        {},
    ],
)
def test_safetensors_whose_header_lies(tensor: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no valid safetensors file"):
        load_weights(header_of(w=tensor) + bytes(4), "w.safetensors")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", torch_bytes(STATE)[:-30], torch_bytes(STATE)[:200]])
def test_broken_torch_files(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"no file of torch.save since torch 1.6, or it is cut short"):
        load_weights(content, "w.pt")


def test_a_zip_that_is_no_torch_file() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(ValueError, match=r"it has 0 data.pkl"):
        load_weights(file.getvalue(), "w.pt")
    with pytest.raises(ValueError, match="its pickle is broken"):
        load_weights(rewritten(torch_bytes(STATE), {"data.pkl": b"\xff\xff"}), "w.pt")
    long = rewritten(torch_bytes(STATE), {"data.pkl": b"(" * (LARGEST_HEADER + 1)})
    with pytest.raises(ValueError, match="describes its tensors in 1048577 bytes"):
        load_weights(long, "w.pt")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.zeros(2), "holds a Tensor: allowed is a dict of tensors"),
        ([torch.zeros(2)], "holds a list: allowed is a dict of tensors"),
        ({"w": 3}, "'w' is of type int, allowed are named tensors"),
        ({3: torch.zeros(2)}, "'3' is of type Tensor, allowed are named tensors"),
        ({"w": {"v": torch.zeros(2)}}, "'w' is of type dict, allowed are named tensors"),
        ({"w": torch.zeros(2, dtype=torch.int64)}, "asks for 'torch LongStorage'"),
        ({"w": torch.zeros(2).to_sparse()}, "asks for .*'torch._utils _rebuild_sparse_tensor'"),
        ({"w": torch.tensor([1.0, float("nan")])}, "'w' holds NaN or infinity, allowed are finite numbers"),
        ({"w": torch.tensor([1.0, float("-inf")])}, "'w' holds NaN or infinity"),
    ],
)
def test_contents_that_are_no_weights(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_weights(torch_bytes(value), "w.pt")


def test_safetensors_of_another_kind() -> None:
    whole = header_of(w={"dtype": "I64", "shape": [1], "data_offsets": [0, 8]}) + bytes(8)
    with pytest.raises(ValueError, match=r"'w' is torch.strided torch.int64, allowed are dense float16, bfloat16"):
        load_weights(whole, "w.safetensors")
    nan = header_of(w={"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}) + b"\xff\xff\xff\xff"
    with pytest.raises(ValueError, match="'w' holds NaN or infinity"):
        load_weights(nan, "w.safetensors")


def test_the_limit_of_size(tmp_path: Path) -> None:
    content = weights_to_bytes(STATE)
    assert same(load_weights(content, "w.safetensors", limit=len(content)), STATE)
    with pytest.raises(ValueError, match=f"has {len(content)} bytes: allowed are {len(content) - 1}"):
        load_weights(content, "w.safetensors", limit=len(content) - 1)
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="bytes: allowed are 40"):
        load_weights(path, limit=40)


@pytest.mark.parametrize("name", [None, "w", "w.bin", "w.pkl", "w.safetensors.zip", "x" * 1000])
def test_other_file_names(name: str | None) -> None:
    with pytest.raises(ValueError, match=r"allowed are names that end in .safetensors, .pt or .pth") as caught:
        load_weights(b"", name)
    assert len(str(caught.value)) < 200


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'no.pt' cannot be read: No such file"):
        load_weights(tmp_path / "no.pt")
    with pytest.raises(ValueError, match=r"'w.pt': allowed are names that end in .safetensors"):
        save_weights(STATE, tmp_path / "w.pt")
    with pytest.raises(ValueError, match="'b' holds NaN or infinity"):
        weights_to_bytes({"b": torch.tensor([float("nan")])})
    with pytest.raises(ValueError, match="metadata 'seed'='3': allowed are texts"):
        weights_to_bytes(STATE, {"seed": 3})  # type: ignore[dict-item]


def test_metadata_of_the_wrong_kind() -> None:
    with pytest.raises(ValueError, match="its metadata is not a dict of texts"):
        load_metadata(header_of(__metadata__={"a": 1}))
    with pytest.raises(ValueError, match=r"'file.safetensors' is no safetensors file"):
        load_metadata(b"", "file.safetensors")


# ------------------------------------------------------------------------------------------ into a module


def test_what_does_not_fit_is_listed_and_nothing_changes() -> None:
    layer = nn.Linear(5, 3)
    before = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    with pytest.raises(ValueError, match=r"the weights differ: missing 'bias', 'weight'; unknown 'b', 'w'$"):
        load_into(layer, STATE)
    with pytest.raises(ValueError, match=r"'weight' has shape \(5, 3\): allowed is \(3, 5\)$"):
        load_into(layer, {"weight": STATE["w"].T, "bias": torch.zeros(3)})
    assert same(layer.state_dict(), before)
    load_into(layer, {"weight": STATE["w"], "bias": STATE["b"]})
    assert torch.equal(layer.weight, STATE["w"]) and layer.weight.requires_grad


@pytest.mark.parametrize("state", ["weights.safetensors", Path("weights.safetensors"), b"...", None, [STATE["w"]]])
def test_what_is_no_dict_of_tensors_is_refused_by_its_kind(state: object) -> None:
    kind = type(state).__name__
    with pytest.raises(ValueError, match=rf"^state is a {kind}: allowed is a dict of tensors, such as load_weights"):
        load_into(nn.Linear(5, 3), state)  # type: ignore[arg-type]


def test_a_long_list_of_names_is_shortened() -> None:
    many = {f"{i:02}" + "x" * 500: torch.zeros(1) for i in range(20)}
    with pytest.raises(ValueError, match="and 12 more") as caught:
        load_into(nn.Identity(), many)
    assert len(str(caught.value)) < 1000


def test_loading_converts_to_the_dtype_of_the_module() -> None:
    layer = nn.Linear(5, 3, dtype=torch.float64)
    load_into(layer, {"weight": STATE["w"], "bias": STATE["b"]})
    assert torch.equal(layer.weight, STATE["w"].double())


def test_an_archive_whose_offset_overflows_is_refused(root: Path) -> None:
    """Found by the search that is guided by coverage (tests/fuzz): zipfile lets the OverflowError through."""
    content = (root / "tests" / "data" / "overflowing_offset.pt").read_bytes()
    with pytest.raises(ValueError, match=r"is no file of torch\.save"):
        load_weights(content, "weights.pt")
