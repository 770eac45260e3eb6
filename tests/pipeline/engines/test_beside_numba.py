import sys

import pytest

from pipeline.engines.beside_numba import give_llvmlite_a_namespace


def test_what_vllm_looks_at_in_every_module_is_a_dict() -> None:
    from llvmlite.binding import ffi

    give_llvmlite_a_namespace()
    assert vars(ffi.lib) == {}
    assert ffi.lib.LLVMPY_GetVersionInfo() > 0, "its functions are still there"


@pytest.mark.parametrize("module", [None, object()])
def test_without_llvmlite_or_with_another_one_nothing_happens(
    module: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "llvmlite.binding.ffi", module)  # type: ignore[arg-type] # no module
    give_llvmlite_a_namespace()
