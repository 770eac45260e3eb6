"""How much memory a model needs at least, from its files, without loading it.

All figures are lower bounds, so that what is refused for them could not have run: activations,
the engine's own code and its scratch memory come on top.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.engines.base import ModelSpec
from pipeline.engines.bundled import ALIASES
from pipeline.files import read_json

DEFAULT_KV_CACHE_MB = 1024
"""Of a vLLM engine on a CPU, in MiB."""

_BYTES_PER_VALUE = {"float32": 4, "bfloat16": 2, "float16": 2}
_CONVERTED = {"F32": 4, "BF16": 2, "F16": 2}
"""Bytes of the number formats that an engine converts to its own, by their safetensors names;
quantised weights keep theirs."""

_SPARING = (
    "attention_chunk_size",
    "attn_layer_indices",
    "attn_layer_period",
    "full_attention_interval",
    "hybrid_override_pattern",
    "kv_lora_rank",
    "layers_block_type",
    "quantization_config",
)
"""Keys by which a configuration says that it needs less KV cache than plain full attention."""

_LONGEST_HEADER_BYTES = 100_000_000
"""The safetensors format allows no more."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Memory of one copy of a model, over all devices it is split over.

    Attributes:
        weights_bytes: its weights in the number format they are run in.
        kv_bytes: its KV cache: as set on a CPU, one full window on a GPU.
    """

    weights_bytes: int
    kv_bytes: int

    @property
    def total_bytes(self) -> int:
        """Weights and KV cache."""
        return self.weights_bytes + self.kv_bytes


def footprint(spec: ModelSpec, on_gpu: bool) -> Footprint | None:
    """What a model needs where it runs; None if its files are not here or cannot be read."""
    if not spec.has_weights:
        return Footprint(0, 0)
    weights = _weights_bytes(spec, _width(spec, on_gpu))
    if weights is None:
        return None
    if spec.origin_path:
        beside = replace(spec, path=spec.origin_path, revision=spec.origin_revision)
        weights += _weights_bytes(beside, _width(spec, on_gpu)) or 0
    if spec.engine != "vllm":
        return Footprint(weights, 0)
    return Footprint(weights, window_bytes(spec, on_gpu) if on_gpu else kv_cache_bytes(spec))


def kv_cache_bytes(spec: ModelSpec) -> int:
    """The KV cache that a vLLM engine takes on a CPU: per process it is split over."""
    megabytes = spec.placement.kv_cache_mb or DEFAULT_KV_CACHE_MB
    return megabytes * spec.placement.tensor_parallel * 2**20


def attention_heads(spec: ModelSpec) -> int | None:
    """Attention heads of a model; None if its configuration is not here or does not say."""
    return _number(_config(spec), "num_attention_heads")


def window_bytes(spec: ModelSpec, on_gpu: bool) -> int:
    """KV cache of one request that fills the window, without which vLLM does not start.

    0 where it cannot be told: the formula is that of full attention in every layer.
    """
    config = _config(spec)
    layers, heads = _number(config, "num_hidden_layers"), _number(config, "num_attention_heads")
    kv_heads, width = _number(config, "num_key_value_heads"), _number(config, "hidden_size")
    if not (layers and heads and kv_heads and width) or _is_uneven(config):
        return 0
    head_size = _number(config, "head_dim") or width // heads
    values_per_token = 2 * layers * kv_heads * head_size
    return values_per_token * _window(spec, config) * _width(spec, on_gpu)


def _is_uneven(config: dict[str, Any]) -> bool:
    """Whether some layers keep less than a key and a value per head and token, in full width."""
    slides = config.get("sliding_window") and config.get("use_sliding_window", True)
    others = set(config.get("layer_types") or ()) - {"full_attention"}
    return bool(slides or others) or any(config.get(key) for key in _SPARING)


def _window(spec: ModelSpec, config: dict[str, Any]) -> int:
    """Tokens; 0 if unknown. vLLM takes the tokenizer's limit where that is lower."""
    if spec.entry.max_model_len is not None:
        return spec.entry.max_model_len
    folder = model_folder(spec)
    tokenizer = (read_json(folder / "tokenizer_config.json") or {}) if folder else {}
    own = _number(config, "max_position_embeddings") or 0
    return min(own, _number(tokenizer, "model_max_length") or own)


def _width(spec: ModelSpec, on_gpu: bool) -> int:
    """Bytes per weight; `auto` is a 16-bit format on a GPU, but for embeddings."""
    if spec.entry.dtype == "auto":
        return 2 if on_gpu and spec.entry.kind != "embedding" else 4
    return _BYTES_PER_VALUE[spec.entry.dtype]


def _config(spec: ModelSpec) -> dict[str, Any]:
    """The part of a model's configuration that is about text; empty if it is not here."""
    if spec.path in ALIASES:
        return dict(ALIASES[spec.path].config)
    folder = model_folder(spec)
    config = (read_json(folder / "config.json") or {}) if folder else {}
    text = config.get("text_config")
    return text if isinstance(text, dict) else config


def _number(config: dict[str, Any], key: str) -> int | None:
    value = config.get(key)
    return int(value) if isinstance(value, (int, float)) and value > 0 else None


def model_folder(spec: ModelSpec) -> Path | None:
    """Where a model's files lie: its folder, or the hub's local cache; None if nowhere yet."""
    folder = Path(spec.path)
    if folder.is_dir():
        return folder
    if spec.revision is None:
        return None
    from huggingface_hub import constants

    cached = Path(constants.HF_HUB_CACHE) / f"models--{spec.path.replace('/', '--')}"
    snapshot = cached / "snapshots" / spec.revision
    return snapshot if snapshot.is_dir() else None


def _weights_bytes(spec: ModelSpec, width: int) -> int | None:
    if spec.path in ALIASES:
        return ALIASES[spec.path].parameters * width
    folder = model_folder(spec)
    if folder is None:
        return None
    try:
        return _files_bytes(folder, width) or None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # damaged files are the engine's to report


def _files_bytes(folder: Path, width: int) -> int:
    """Weights of a folder in a format of `width` bytes; of several copies the first kind."""
    if safetensors := _safetensors(folder):
        return sum(_tensors_bytes(path, width) for path in safetensors)
    if pickles := list(folder.glob("pytorch_model*.bin")):
        config = read_json(folder / "config.json") or {}
        stored = config.get("torch_dtype") or config.get("dtype") or "float32"
        total = sum(path.stat().st_size for path in pickles)
        return total * width // _BYTES_PER_VALUE.get(stored, width)
    return sum(path.stat().st_size for path in folder.glob("*.gguf"))


def _safetensors(folder: Path) -> list[Path]:
    """The weight files; those that an index does not name are copies in another layout."""
    index = read_json(folder / "model.safetensors.index.json")
    if index is not None:
        return [folder / name for name in sorted(set(index["weight_map"].values()))]
    return list(folder.glob("*.safetensors"))


def _tensors_bytes(path: Path, width: int) -> int:
    """Bytes of a safetensors file's tensors once loaded, from its header."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _LONGEST_HEADER_BYTES:
            raise ValueError("not a safetensors header")
        header = json.loads(file.read(length))
    total = 0
    for name, tensor in header.items():
        if name != "__metadata__":
            start, end = tensor["data_offsets"]
            stored = _CONVERTED.get(tensor["dtype"])
            total += (end - start) * width // stored if stored else end - start
    return total
