"""Weights to a file and back. What comes back was written by strangers: it is read as data and never run."""

from __future__ import annotations

import io
import json
import pickletools
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

MIB = 1024 * 1024
LARGEST_FILE = 64 * MIB
LARGEST_HEADER = MIB
MOST_TENSORS = 10_000
_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
# Everything a pickled dict of float tensors asks for; torch.load(weights_only=True) would let more through,
# such as builtins.bytearray, with which a small file claims all memory.
_PICKLED = {
    "collections OrderedDict",
    "torch._utils _rebuild_parameter",
    "torch._utils _rebuild_tensor_v2",
    "torch BFloat16Storage",
    "torch DoubleStorage",
    "torch FloatStorage",
    "torch HalfStorage",
}


def weights_to_bytes(
    source: nn.Module | Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> bytes:
    """The weights of a module, or a dict of tensors, in the safetensors format.

    Raises ValueError where a name, tensor or the metadata is of the wrong kind.

    >>> load_weights(weights_to_bytes({"w": torch.ones(2)}), "w.safetensors")
    {'w': tensor([1., 1.])}
    """
    state = source.state_dict() if isinstance(source, nn.Module) else source
    for key, text in (metadata or {}).items():
        if not isinstance(key, str) or not isinstance(text, str):
            raise ValueError(f"metadata {_short(key)}={_short(text)}: allowed are texts")
    _check_state(state, "the weights")
    # Clones, since the format knows no views and no two names for one memory.
    tensors = {
        key: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for key, tensor in state.items()
    }
    return safetensors.torch.save(tensors, dict(metadata) if metadata else None)


def save_weights(
    source: nn.Module | Mapping[str, Tensor],
    target: str | Path | BinaryIO,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write the weights to a `.safetensors` file, or to a file opened for bytes.

    Raises ValueError for another suffix, or where a name, tensor or the metadata is of the wrong kind.

    >>> file = io.BytesIO()
    >>> save_weights({"w": torch.ones(2)}, file, {"trained on": "reversal"})
    >>> load_metadata(file.getvalue())
    {'trained on': 'reversal'}
    """
    if isinstance(target, str | Path):
        path = Path(target)
        if path.suffix != ".safetensors":
            raise ValueError(
                f"the file name is {_short(path.name)}: allowed are names that end in .safetensors"
            )
        path.write_bytes(weights_to_bytes(source, metadata))
    else:
        target.write(weights_to_bytes(source, metadata))


def load_weights(
    source: str | Path | bytes, name: str | None = None, *, limit: int = LARGEST_FILE
) -> dict[str, Tensor]:
    """Read tensors by name from a `.safetensors` file, or a `.pt` or `.pth` file with a plain state dict.

    `source` is a path or the content of a file, whose `name` then says the format. `limit` is the most bytes
    that the file, and the tensors in it, may have. No code in the file is ever run. The tensors are on the
    CPU and own their memory; dtypes are float16, bfloat16, float32 and float64, and every number is finite.

    Raises ValueError, in words for the person who chose the file, for anything else.
    """
    name = str(Path(source).name) if name is None and not isinstance(source, bytes) else name
    suffix = "" if name is None else Path(name).suffix.lower()
    if name is None or suffix not in (".safetensors", ".pt", ".pth"):
        raise ValueError(
            f"the file name is {_short(name)}: allowed are names that end in .safetensors, .pt or .pth"
        )
    content = source if isinstance(source, bytes) else _read(Path(source), limit)
    if len(content) > limit:
        raise ValueError(f"{_short(name)} has {len(content)} bytes: allowed are {limit}")
    state = _safetensors(content, name) if suffix == ".safetensors" else _torch_file(content, name, limit)
    _check_state(state, _short(name), limit)
    return {
        key: tensor.detach().clone(memory_format=torch.contiguous_format) for key, tensor in state.items()
    }


def load_metadata(content: bytes, name: str = "the file") -> dict[str, str]:
    """The metadata of a `.safetensors` file. Raises ValueError where it is not such a file."""
    metadata = _header(content, name).get("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise ValueError(f"{_short(name)}: its metadata is not a dict of texts")
    return metadata


def load_into(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy the tensors into a module of the same names and shapes.

    Raises ValueError that lists what is missing, what is unknown and which shapes differ, or where `state` is no
    dict, the name of a file for instance; the module is then as it was before.

    >>> layer = nn.Linear(2, 1)
    >>> load_into(layer, {"weight": torch.zeros(3), "c": torch.ones(1)})
    Traceback (most recent call last):
    ValueError: the weights differ: missing 'bias'; unknown 'c'; 'weight' has shape (3,): allowed is (1, 2)
    """
    if not isinstance(state, Mapping):
        kind = type(state).__name__
        raise ValueError(f"state is a {kind}: allowed is a dict of tensors, such as load_weights(file) gives")
    mine = module.state_dict()
    differences = []
    for word, names in (("missing", mine.keys() - state.keys()), ("unknown", state.keys() - mine.keys())):
        if names:
            differences.append(f"{word} {_listed(names)}")
    for key in mine:
        if key in state and state[key].shape != mine[key].shape:
            shape = tuple(state[key].shape)
            differences.append(f"{_short(key)} has shape {shape}: allowed is {tuple(mine[key].shape)}")
    if differences:
        raise ValueError(f"the weights differ: {'; '.join(differences)}")
    with torch.no_grad():
        for key, tensor in mine.items():
            tensor.copy_(state[key])


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)  # a byte more than allowed is enough to know
    except OSError as error:
        raise ValueError(f"{_short(path.name)} cannot be read: {error.strerror}") from error


def _header(content: bytes, name: str) -> dict[str, object]:
    """The header of a safetensors file: 8 bytes of length, then that many bytes of JSON."""
    size = int.from_bytes(content[:8], "little")
    if len(content) < 8 or size > len(content) - 8:
        raise ValueError(f"{_short(name)} is no safetensors file, or it is cut short")
    if size > LARGEST_HEADER:
        raise ValueError(f"{_short(name)} has a header of {size} bytes: allowed are {LARGEST_HEADER}")
    try:
        header = json.loads(content[8 : 8 + size])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{_short(name)} is no safetensors file: its header is not JSON") from error
    if not isinstance(header, dict):
        raise ValueError(f"{_short(name)} is no safetensors file: its header is not a JSON object")
    return header


def _safetensors(content: bytes, name: str) -> Mapping[str, Tensor]:
    _header(content, name)
    try:
        return safetensors.torch.load(content)  # numbers and their names: nothing in such a file can run
    except (SafetensorError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{_short(name)} is no valid safetensors file: {_short(str(error))}") from error


def _torch_file(content: bytes, name: str, limit: int) -> Mapping[str, Tensor]:
    """The object in a file written by `torch.save`, after a look at what reading it would do."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            # torch stores without compression; a compressed entry could unfold to any size.
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise ValueError(f"{_short(name)} has compressed entries: allowed is what torch.save writes")
            if sum(entry.file_size for entry in entries) > limit:
                raise ValueError(f"{_short(name)} unfolds to more than the {limit} bytes that are allowed")
            pickles = [entry for entry in entries if entry.filename.rpartition("/")[2] == "data.pkl"]
            if len(pickles) != 1:
                raise ValueError(f"{_short(name)} is no file of torch.save: it has {len(pickles)} data.pkl")
            _check_pickle(archive.read(pickles[0]), name)
    except ValueError:
        raise
    except Exception as error:  # zipfile raises many kinds for a broken file, and all mean the same here
        raise ValueError(
            f"{_short(name)} is no file of torch.save since torch 1.6, or it is cut short"
        ) from error
    try:
        # weights_only: torch's own reader, which builds tensors and plain containers and calls nothing else.
        loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a broken file, and all mean the same here
        raise ValueError(f"{_short(name)} is no valid file of torch.save: {_short(str(error))}") from error
    if not isinstance(loaded, dict):
        raise ValueError(f"{_short(name)} holds a {type(loaded).__name__}: allowed is a dict of tensors")
    return loaded


def _check_pickle(content: bytes, name: str) -> None:
    """Read the opcodes, which runs none of them, and refuse all that a dict of tensors does not need."""
    if len(content) > LARGEST_HEADER:
        raise ValueError(
            f"{_short(name)} describes its tensors in {len(content)} bytes: allowed are {LARGEST_HEADER}"
        )
    try:
        wanted = {
            str(argument) if opcode.name == "GLOBAL" else opcode.name
            for opcode, argument, _ in pickletools.genops(content)
            if opcode.name
            in ("GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4")
        }
    except Exception as error:  # genops raises many kinds for a broken pickle, and all mean the same here
        raise ValueError(f"{_short(name)} is no valid file of torch.save: its pickle is broken") from error
    if wanted - _PICKLED:
        raise ValueError(
            f"{_short(name)} asks for {_listed(wanted - _PICKLED)}: allowed are float tensors only"
        )


def _check_state(state: Mapping[str, Tensor], source: str, limit: int | None = None) -> None:
    """Raise ValueError unless this is a dict of names to finite, dense float tensors of bounded size."""
    if len(state) > MOST_TENSORS:
        raise ValueError(f"{source}: {len(state)} tensors, allowed are {MOST_TENSORS}")
    size = 0
    for key, tensor in state.items():
        if not isinstance(key, str) or type(tensor) not in (Tensor, nn.Parameter):
            raise ValueError(
                f"{source}: {_short(key)} is of type {type(tensor).__name__}, allowed are named tensors"
            )
        if tensor.layout != torch.strided or tensor.dtype not in _DTYPES or tensor.device.type == "meta":
            dtypes = ", ".join(str(dtype).removeprefix("torch.") for dtype in _DTYPES)
            raise ValueError(
                f"{source}: {_short(key)} is {tensor.layout} {tensor.dtype}, allowed are dense {dtypes}"
            )
        size += (
            tensor.numel() * tensor.element_size()
        )  # not the memory: an expanded tensor has little of that
        if limit is not None and size > limit:
            raise ValueError(f"{source}: its tensors have more than the {limit} bytes that are allowed")
        if not bool(tensor.isfinite().all()):
            raise ValueError(f"{source}: {_short(key)} holds NaN or infinity, allowed are finite numbers")


def _listed(names: set[str]) -> str:
    shown = ", ".join(_short(name) for name in sorted(names, key=str)[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"


def _short(text: object) -> str:
    """At most 80 characters of what a file says, quoted."""
    shown = str(text)
    return repr(shown if len(shown) <= 80 else f"{shown[:77]}...")
