"""Load a model with transformers, and read the limits it declares."""

from __future__ import annotations

from typing import Any

from pipeline.engines.base import ModelSpec
from schemas.errors import EngineUnavailable


def load_model(spec: ModelSpec) -> Any:
    """A causal language model, ready on the best device there is.

    Raises:
        EngineUnavailable: transformers cannot load it here.
    """
    return _load("AutoModelForCausalLM", spec)[0]


def load_classifier(spec: ModelSpec) -> Any:
    """A sequence-classification model, ready on the best device there is.

    Raises:
        EngineUnavailable: transformers cannot load it here, or its files lack some weights, as
            those of a text model lack the head, which would then be random.
    """
    model, missing = _load("AutoModelForSequenceClassification", spec)
    if missing:
        raise EngineUnavailable(
            f"`{spec.entry.model}` (model `{spec.role}`) is no sequence-classification model: its "
            f"files have no {', '.join(missing)}. Take a reward model."
        )
    return model


def load_encoder(spec: ModelSpec) -> Any:
    """A model without a head, whose last layer's states are its output.

    Raises:
        EngineUnavailable: transformers cannot load it here, or its files lack some weights.
    """
    model, missing = _load("AutoModel", spec)
    # A pooler works on what comes out of the last layer; here that is the output itself.
    if lacking := [name for name in missing if not name.startswith("pooler.")]:
        raise EngineUnavailable(
            f"`{spec.entry.model}` (model `{spec.role}`) is not whole: its files have no "
            f"{', '.join(lacking[:3])}. Take another model."
        )
    return model


def _load(auto_class: str, spec: ModelSpec) -> tuple[Any, list[str]]:
    """A model, and the weights that its files lack."""
    import torch
    import transformers
    from transformers.utils import logging

    logging.disable_progress_bar()
    device, entry = _device(), spec.entry
    # Vectors are kept for other runs, which may be on another device.
    is_half = device == "cuda" and entry.kind != "embedding"
    auto = "bfloat16" if is_half else "float32"
    dtype = getattr(torch, auto if entry.dtype == "auto" else entry.dtype)
    try:
        model, report = getattr(transformers, auto_class).from_pretrained(
            spec.path,
            revision=spec.revision,
            dtype=dtype,
            trust_remote_code=entry.trust_remote_code,
            output_loading_info=True,
        )
        return model.to(device).eval(), sorted(report["missing_keys"])
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise EngineUnavailable(
            f"transformers cannot load `{entry.model}` (model `{spec.role}`) on {device}: {error}. "
            "Check the name or folder, or take a smaller model or dtype."
        ) from error


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def window(model: Any, wanted: int | None) -> int:
    """Tokens the model can see; a few architectures have no limit of their own."""
    own = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return min(limit for limit in (own, wanted, 2**31) if limit)


def end_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """Tokens that end an answer, as the model's generation config and its tokenizer say."""
    ends = model.generation_config.eos_token_id
    several = ends if isinstance(ends, list) else [ends]
    return frozenset(end for end in (*several, tokenizer.eos_token_id) if end is not None)
