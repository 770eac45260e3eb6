"""A model as it would be, had it been trained further away from the one it came from.

SPA judges how sure a label is with such a model (Kim et al., 2024, arXiv 2406.04412; code:
kingdy2002/SPA, `dpo_trainer.py`, where `mix` is 1 + strength): its vocabulary logits are
(1 + strength) h - strength h_origin, before the softmax. About that of a model trained with the KL
penalty beta / (1 + strength).
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from schemas.errors import EngineUnavailable


def extrapolated(logits: Any, origin: Any, strength: float) -> Any:
    """Logits moved away from those of `origin`, both [..., vocabulary]; float32."""
    return (1 + strength) * logits.float() - strength * origin.float()


class ExtrapolatedModel:
    """Two causal language models that read the same tokens, called like one; keeps no cache."""

    def __init__(self, model: Any, origin: Any, strength: float) -> None:
        """Pair two models.

        Raises:
            EngineUnavailable: their vocabularies differ in size.
        """
        sizes = [one.get_input_embeddings().num_embeddings for one in (model, origin)]
        if sizes[0] != sizes[1]:
            raise EngineUnavailable(
                f"a vocabulary of {sizes[0]} cannot be extrapolated from one of {sizes[1]}: "
                "`extrapolate_from` must be the model that this one was trained from"
            )
        self.config, self.generation_config = model.config, model.generation_config
        self.device = model.device
        self._model, self._origin, self._strength = model, origin, strength

    def __call__(self, **inputs: Any) -> Any:
        """Something with `logits`, as transformers gives it."""
        logits, origin = (one(**inputs).logits for one in (self._model, self._origin))
        return SimpleNamespace(logits=extrapolated(logits, origin, self._strength))
