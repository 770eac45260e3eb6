"""pyarrow goes without pandas, and knows it as ever once somebody imports it."""

from __future__ import annotations

import subprocess
import sys

import pytest

START = """
import sys
import pyarrow as pa
from pipeline.runtime.pandas_later import leave_pandas_out
leave_pandas_out()
leave_pandas_out()
"""


def told(code: str) -> str:
    """What a new process prints that begins by leaving pandas out."""
    command = [sys.executable, "-c", START + code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_arrays_are_made_without_pandas() -> None:
    code = "print(pa.array(['a', None]).null_count, 'pandas' in sys.modules)"
    assert told(code) == "1 False"


@pytest.mark.parametrize(
    "code",
    [
        "print(pa.array(pd.Series(['a', float('nan')], dtype=object)).null_count)",
        "print(pa.table({'a': pd.Series([1.0, float('nan')])})['a'].null_count)",
        "print(pa.Table.from_pandas(pd.DataFrame({'a': [1.0, float('nan')]}))['a'].null_count)",
    ],
)
def test_a_series_is_known_once_pandas_is_imported(code: str) -> None:
    assert told("pa.array(['before'])\nimport pandas as pd\n" + code) == "1"


def test_to_ask_whether_pandas_is_there_is_not_to_import_it() -> None:
    code = """
from importlib.util import find_spec
print(find_spec("pandas") is not None, "pandas" in sys.modules)
import pandas as pd
print(pa.array(pd.Series([float("nan")])).null_count)
"""
    assert told(code) == "True False\n1"


def test_what_needs_pandas_gets_it() -> None:
    code = "print(type(pa.table({'a': [1]}).to_pandas()).__name__)"
    assert told(code) == "DataFrame"


def test_a_pandas_that_is_there_stays_known() -> None:
    code = """
import pandas as pd
from pipeline.runtime.pandas_later import leave_pandas_out
leave_pandas_out()
import pyarrow as pa
print(pa.array(pd.Series([float('nan')])).null_count)
"""
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "1"
