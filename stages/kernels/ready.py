"""Import this, and Numba has loaded what it else loads when a kernel is first called."""

from __future__ import annotations

from numba.core.registry import cpu_target

import stages.kernels.jit  # noqa: F401  # what any kernel imports

cpu_target.typing_context.refresh()
cpu_target.target_context.refresh()
