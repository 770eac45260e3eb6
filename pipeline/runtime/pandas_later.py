"""Arrow without pandas, until somebody wants pandas.

For the first array that pyarrow makes of a list it imports pandas, only to tell whether the list is
a Series. In a process where nobody has a Series that costs a quarter of a second and 45 MB.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_PANDAS = "pandas"


def leave_pandas_out() -> None:
    """Have pyarrow go without pandas in this process, unless pandas is there, or until it is."""
    import pyarrow as pa

    if _PANDAS in sys.modules or any(isinstance(finder, _Later) for finder in sys.meta_path):
        return
    absent = _Absent()
    sys.meta_path.insert(0, absent)
    try:
        pa.array([])  # pyarrow looks now, and then never again
    finally:
        sys.meta_path.remove(absent)
    sys.meta_path.insert(0, _Later())


class _Absent(MetaPathFinder):
    """Says that pandas is not installed."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == _PANDAS:
            raise ModuleNotFoundError(name)
        return None


class _Later(MetaPathFinder):
    """Lets pyarrow know of pandas once it is imported, so that arrays of a Series are as ever."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != _PANDAS:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        specs = (finder.find_spec(name, path, target) for finder in others)
        spec = next((found for found in specs if found is not None), None)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_tell(module: ModuleType) -> None:
                import pyarrow as pa

                load(module)
                pa.nulls(0).to_pandas()  # needs pandas, so pyarrow looks again

            spec.loader.exec_module = load_and_tell  # type: ignore[method-assign]  # of this one
        return spec
