"""Which folders and names are opened, and what is said where they are not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from attention_core.pretrained import ModelLimits, PretrainedError, cached, find, forward, is_name, library, load, read
from tests.conftest import ROOT
from tests.core.pretrained.tiny import saved


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the small BERT that a test may spoil."""
    return Path(shutil.copytree(saved("bert"), tmp_path / "mine"))


def test_the_package_works_without_the_extra() -> None:
    """In a Python of its own, in which the libraries cannot be found: everything imports, and the reason is said."""
    program = """
import sys
class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("transformers", "tokenizers", "huggingface_hub", "sentencepiece"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Gone())
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in ("transformers", "tokenizers") else real(name, *rest)
import attention_core, attention_core.pretrained as p
assert not p.installed()
try:
    p.load(sys.argv[1])
except p.PretrainedError as problem:
    print(problem, "|", problem.remedy)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(saved("bert"))], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "transformers and tokenizers, and they are not installed" in done.stdout
    assert "pip install -r requirements-pretrained.txt" in done.stdout


def test_importing_the_core_imports_no_extra() -> None:
    program = "import sys, attention_core, attention_core.pretrained; print('transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    "name", ["../x", "a/../b", "/etc/passwd", "a/b/c", "", ".hidden", "a b", "https://x.y/z", "a\n", "~/m", "a--b/c"]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(PretrainedError, match="is no name of a model"):
        find(name, ModelLimits())


def test_a_model_that_is_not_there_is_said_with_what_to_type(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("socket.socket.connect", lambda *given: pytest.fail("the network was asked"))
    with pytest.raises(PretrainedError, match="not on this machine, and nothing is downloaded") as problem:
        find("somebody/some-model", ModelLimits())
    assert "(.venv): hf download somebody/some-model" in problem.value.remedy


@pytest.mark.parametrize("family", ["bert", "llama", "marian"])
def test_loading_and_reading_ask_no_network(monkeypatch: pytest.MonkeyPatch, family: str) -> None:
    def asked(*given: object, **more: object) -> None:
        pytest.fail(f"the network was asked: {given}")

    monkeypatch.setattr("socket.getaddrinfo", asked)
    monkeypatch.setattr("socket.socket.connect", asked)
    assert read(load(saved(family)), "the cat").layers


def test_what_lies_in_the_cache_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache as huggingface_hub lays it out: names of folders, and a file that says which snapshot is the newest."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    home = tmp_path / "models--somebody--small"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("a" * 40)
    shutil.copytree(saved("bert"), home / "snapshots" / ("a" * 40))
    assert cached("somebody/small") and not cached("somebody/other")
    folder = find("somebody/small", ModelLimits())
    assert read(load(folder, name="somebody/small"), "the cat").difference <= 1e-5


def test_a_download_without_a_network_fails_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*given: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr("socket.getaddrinfo", unreachable)
    with pytest.raises(PretrainedError, match="somebody/some-model could not be downloaded") as problem:
        find("somebody/some-model", ModelLimits(), download=True)
    assert "does this machine reach huggingface.co" in problem.value.remedy


def test_a_name_is_never_taken_for_a_folder_beside_the_script(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    with pytest.raises(PretrainedError, match="mine is not on this machine"):
        find("mine", ModelLimits())


def test_pickled_weights_are_not_opened(folder: Path) -> None:
    class Boom:
        def __reduce__(self) -> tuple[object, tuple[object]]:
            return (exec, ("raise SystemExit('a pickle was opened')",))

    (folder / "model.safetensors").unlink()
    torch.save({"weight": Boom()}, folder / "pytorch_model.bin")
    with pytest.raises(PretrainedError, match=r"pytorch_model.bin only.*not opened: allowed are") as problem:
        load(folder)
    assert "save_pretrained" in problem.value.remedy


def test_a_folder_without_a_model_is_said(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(PretrainedError, match=r"holds no model: there is no config\.json"):
        load(tmp_path)
    with pytest.raises(PretrainedError, match="holds no model"):
        load(tmp_path / "missing")
    (folder / "model.safetensors").unlink()
    with pytest.raises(PretrainedError, match="mine has no weights"):
        load(folder)


@pytest.mark.parametrize("family", ["bert", "gpt2", "t5", "marian", "llama", "bert without its words"])
def test_a_folder_without_a_tokenizer_is_said(family: str, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        shutil.copy(saved(family.split()[0]) / name, tmp_path)
    if "without" in family:  # then the library makes up a vocabulary of marks alone
        (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(PretrainedError, match="own-model has no tokenizer") as problem:
        load(tmp_path, name="own-model")
    assert "tokenizer.json" in problem.value.remedy


def test_weights_that_are_missing_are_not_made_up(folder: Path) -> None:
    import safetensors.torch

    state = safetensors.torch.load_file(folder / "model.safetensors")
    gone = "encoder.layer.0.attention.self.query.weight"
    del state[gone]
    safetensors.torch.save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(PretrainedError, match=gone.replace(".", r"\.")):
        load(folder)


def test_code_that_comes_with_a_model_is_not_run(folder: Path) -> None:
    (folder / "own.py").write_text("raise SystemExit('code of the model was run')", encoding="utf-8")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "own.Config", "AutoModel": "own.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(PretrainedError, match="mine could not be loaded") as problem:
        load(folder)
    assert str(folder) not in str(problem.value)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (ModelLimits(max_bytes=1000), "bytes of weights: the limit here"),
        (ModelLimits(max_layers=1), "has 2: the limit here .max_layers. is 1"),
        (ModelLimits(max_heads=3), "has 4: the limit here .max_heads. is 3"),
        (ModelLimits(max_parameters=1000), "parameters: the limit here"),
    ],
)
def test_a_model_beyond_a_limit_is_refused(limits: ModelLimits, said: str) -> None:
    with pytest.raises(PretrainedError, match=said):
        load(saved("bert"), limits=limits)


def test_a_config_that_claims_all_memory_is_refused_before_it_gets_any(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": 2**40}))
    with pytest.raises(PretrainedError, match="parameters: the limit here"):
        load(folder)


def test_broken_files_are_said(folder: Path) -> None:
    (folder / "config.json").write_text("{")
    with pytest.raises(PretrainedError, match=r"config\.json cannot be read"):
        load(folder)
    (folder / "config.json").write_text("[]")
    with pytest.raises(PretrainedError, match="describes no model"):
        load(folder)


def test_a_model_that_computes_attention_by_itself_is_refused(tmp_path: Path) -> None:
    import transformers as t

    config = t.GPTJConfig(
        vocab_size=330, n_embd=16, n_layer=1, n_head=2, n_positions=32, rotary_dim=4, bos_token_id=1, eos_token_id=1
    )
    t.GPTJModel(config).save_pretrained(tmp_path)
    t.AutoTokenizer.from_pretrained(saved("gpt2")).save_pretrained(tmp_path)
    with pytest.raises(PretrainedError, match="gptj do not use the attention interface"):
        read(load(tmp_path), "the cat")


@pytest.mark.parametrize(
    ("family", "forwards"),
    [("bert", False), ("roberta", False), ("gpt2", True), ("llama", True), ("t5", False), ("marian", False)],
)
def test_which_way_a_family_reads_is_known_before_it_is_loaded(family: str, forwards: bool) -> None:
    assert forward(saved(family)) is forwards


def test_the_extra_is_found_here() -> None:
    assert library.installed()
