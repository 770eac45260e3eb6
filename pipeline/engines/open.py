"""Open a resolved model with its engine."""

from __future__ import annotations

from dataclasses import replace

from pipeline.engines.base import LoadedModel, ModelSpec, ProgressHook, no_progress
from pipeline.engines.bundled import ALIASES, bundled_folder


def open_model(spec: ModelSpec, progress: ProgressHook = no_progress) -> LoadedModel:
    """Load the model or connect to its server; only the engine in question is imported.

    Raises:
        EngineUnavailable: the engine cannot serve it here.
        InputError: its files, tokenizer or script cannot be used.
    """
    loaded = _open(with_files(spec), progress)
    return replace(loaded, spec=spec)


def with_files(spec: ModelSpec) -> ModelSpec:
    """The same model with bundled aliases replaced by the folders they stand for."""
    return replace(
        spec,
        path=_files(spec.path),
        tokenizer_path=_files(spec.tokenizer_path),
        origin_path=_files(spec.origin_path),
    )


def _files(name: str) -> str:
    return str(bundled_folder(ALIASES[name])) if name in ALIASES else name


def _open(spec: ModelSpec, progress: ProgressHook) -> LoadedModel:
    match spec.engine:
        case "vllm" if spec.entry.kind == "reward":
            from pipeline.engines.vllm_reward import open_vllm_reward

            return open_vllm_reward(spec, progress)
        case "transformers" if spec.entry.kind == "reward":
            from pipeline.engines.transformers_reward import open_transformers_reward

            return open_transformers_reward(spec, progress)
        case "transformers" if spec.entry.kind == "embedding":
            from pipeline.engines.transformers_embed import open_transformers_embedder

            return open_transformers_embedder(spec, progress)
        case "vllm":
            from pipeline.engines.vllm_engine import open_vllm

            return open_vllm(spec, progress)
        case "transformers":
            from pipeline.engines.transformers_engine import open_transformers

            return open_transformers(spec, progress)
        case "openai":
            from pipeline.engines.openai_engine import open_openai

            return open_openai(spec, progress)
        case "scripted":
            from pipeline.engines.scripted import open_scripted

            return open_scripted(spec, progress)
