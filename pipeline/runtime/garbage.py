"""The memory of a process that runs parts: looked through seldom, given back where it matters."""

from __future__ import annotations

import ctypes
import gc
import sys


def relax_collector() -> None:
    """Look for cycles less often.

    A part is many thousand rows of small objects, none of them in a cycle: by default Python goes
    through them again and again, which takes a fifth of the time of a run without a model.
    """
    gc.set_threshold(100_000, 50, 100)


def give_back_memory() -> None:
    """Give the system what parts have left behind free, before something large is made.

    Tens of MB: allocators keep them, for parts to come, in pieces that large arrays do not fit in.
    """
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:  # the GNU C library has it, others have not
            trim(0)
