"""What stages name in `preload`."""

from __future__ import annotations

KERNELS = ("stages.kernels.ready",)
"""Half a second: Numba."""

LANGUAGES = ("stages.kernels.langid",)
"""Half a second: py3langid's model."""
