"""Lets vLLM's CPU build be loaded into a process that has used Numba."""

from __future__ import annotations

import sys


def give_llvmlite_a_namespace() -> None:
    """Make `vars` of llvmlite's library object a dict, if llvmlite is loaded.

    While it loads a model, vLLM (0.32) takes `vars` of every value in every module. llvmlite's
    library object takes each name that it does not know for a function of the library, `__dict__`
    too, and what it gives is no dict: loading then fails. Functions that it has looked up before
    it keeps in a table, in which `__dict__` may stand as well.
    """
    ffi = sys.modules.get("llvmlite.binding.ffi")
    known = getattr(getattr(ffi, "lib", None), "_fntab", None)
    if isinstance(known, dict):
        known["__dict__"] = {}
