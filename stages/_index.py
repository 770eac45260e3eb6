"""The index of earlier releases: what `export_signatures` wrote, as `dedup` sketches rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from schemas.columns import ROW_ID
from schemas.errors import InputError
from schemas.layouts import FINGERPRINT, SCHEME, SHINGLES, SIGNATURE
from stages._duplicates import of_fingerprints, of_signatures
from stages._signatures import SignatureConfig, Signatures, scheme_of

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

_COLUMNS = (ROW_ID, FINGERPRINT, SIGNATURE, SHINGLES, SCHEME)
_OF_TEXT = ("format", "text", "unicode", "lowercase")
"""What fingerprints depend on; signatures depend on all of a scheme."""


def as_sketches(
    index: pa.Table, config: SignatureConfig, bands: tuple[int, int] | None, where: str
) -> pa.Table:
    """The rows of an index, to be compared by `bands` or, without, by their fingerprints.

    Raises:
        InputError: it is no index, or was made with other settings than `config`.
    """
    import pyarrow as pa

    _check(index, config, bands is None, where)
    if bands is None:
        columns = of_fingerprints(_matrix(index, FINGERPRINT.name, 2).view("u8"))
    else:
        columns = of_signatures(_signatures(index, config), *bands)
    return pa.table({ROW_ID.name: index.column(ROW_ID.name), **columns})


def _signatures(index: pa.Table, config: SignatureConfig) -> Signatures:
    import numpy as np

    shingles = index.column(SHINGLES.name)
    sizes = [np.diff(chunk.offsets.to_numpy()) for chunk in shingles.chunks]
    flat = [chunk.flatten().to_numpy().view("u8") for chunk in shingles.chunks]
    starts = np.concatenate([np.zeros(1, np.int64), *sizes]).cumsum()
    signed = _matrix(index, SIGNATURE.name, config.num_perm).astype(np.uint32)
    return Signatures(starts, np.concatenate([np.empty(0, np.uint64), *flat]), signed)


def _matrix(index: pa.Table, name: str, width: int) -> NDArray[np.int64]:
    """A column of lists of one length, as i64[n, width]."""
    import numpy as np

    chunks = [chunk.flatten().to_numpy() for chunk in index.column(name).chunks]
    joined: NDArray[np.int64] = np.concatenate([np.empty(0, np.int64), *chunks])
    return joined.reshape(index.num_rows, width)


def _check(index: pa.Table, config: SignatureConfig, of_text: bool, where: str) -> None:
    import pyarrow.compute as pc

    names = index.column_names
    if missing := [column.name for column in _COLUMNS if column.name not in names]:
        raise InputError(
            f"index {where}: it has no {_listed(missing)}; seen {_listed(names)}. "
            "An index is what the exporter `signatures` writes: name that folder."
        )
    ours = _compared(scheme_of(config), of_text)
    for scheme in pc.unique(index.column(SCHEME.name)).to_pylist():
        if (theirs := _compared(scheme, of_text)) != ours:
            raise InputError(
                f"index {where}: it was made with {_told(theirs, ours)}, and this step is set to "
                f"{_told(ours, theirs)}. Set the step as the index was made, or export the "
                "signatures of that release again."
            )


def _compared(scheme: str, of_text: bool) -> dict[str, Any]:
    try:
        settings: dict[str, Any] = dict(json.loads(scheme))
    except (TypeError, ValueError):  # a column of that name from elsewhere
        settings = {"format": scheme}
    return {name: settings.get(name) for name in _OF_TEXT} if of_text else settings


def _told(settings: dict[str, Any], others: dict[str, Any]) -> str:
    """The settings that differ, as a recipe has them."""
    return ", ".join(
        f"{name}: {json.dumps(value)}"
        for name, value in settings.items()
        if value != others.get(name)
    )


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
