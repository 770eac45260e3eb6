"""How much memory a model will need, as far as its files tell."""

from __future__ import annotations

from pathlib import Path

from pipeline.engines.base import ModelSpec
from pipeline.files import read_json

_WEIGHTS = ("*.safetensors", "*.bin", "*.pt")
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
_DEFAULT_KV_CACHE_MB = 1024
_PROCESS_MB = 1200
"""What a process with vLLM or torch in it takes beside the model."""


def weights_mb(spec: ModelSpec, *, on_cpu: bool) -> int | None:
    """Size of the weights once loaded; None for a model whose files are not on this machine."""
    folder = Path(spec.path)
    if not folder.is_dir():
        return None
    stored = max((sum(f.stat().st_size for f in folder.glob(kind)) for kind in _WEIGHTS), default=0)
    if not stored:
        return None
    config = read_json(folder / "config.json") or {}
    saved_as = config.get("dtype") or config.get("torch_dtype") or "float32"
    loaded_as: str = spec.entry.dtype
    if loaded_as == "auto":
        loaded_as = "float32" if on_cpu else saved_as
    return stored * _BYTES.get(loaded_as, 4) // _BYTES.get(saved_as, 4) // 2**20


def host_need_mb(spec: ModelSpec) -> int | None:
    """Memory that an engine on a CPU takes; None if nobody can tell before the model is here."""
    weights = weights_mb(spec, on_cpu=True)
    if weights is None:
        return None
    kv_cache = spec.placement.kv_cache_mb or _DEFAULT_KV_CACHE_MB
    return weights + _PROCESS_MB + (kv_cache if spec.engine == "vllm" else 0)


def attention_heads(spec: ModelSpec) -> int | None:
    """Attention heads of a model on this machine, which tensor parallelism must divide."""
    heads = (read_json(Path(spec.path) / "config.json") or {}).get("num_attention_heads")
    return heads if isinstance(heads, int) else None
