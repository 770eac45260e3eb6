"""py3langid with the model of its package, which takes half a second to load."""

from __future__ import annotations

from py3langid.langid import MODEL_FILE, LanguageIdentifier

IDENTIFIER = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
"""It gives probabilities."""
