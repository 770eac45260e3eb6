"""Write the signatures of a release, by which a later run drops what it already has.

The files are Parquet like every config's; `dedup` with `index: [<out>/dataset/signatures]` compares
its rows with them. Each row says how its signature was made, so that no other is compared with it;
the threshold is no part of that. They hold no text.

Reads: the texts that `text` names.
Writes: fingerprint (for `method: exact`), signature, shingles, scheme.
Drops: nothing.
Cost: some 10 microseconds a row of 1,000 characters; 8 bytes for each distinct n-gram, before
    compression.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from schemas.batch import Batch
from schemas.columns import ROW_ID
from schemas.layouts import FINGERPRINT, SCHEME, SHINGLES, SIGNATURE
from schemas.stage import Context, Stage
from stages._preload import KERNELS
from stages._signatures import SignatureConfig, fingerprints_of, scheme_of, signatures_of
from stages._texts import text_columns, texts_of

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


class Config(SignatureConfig):
    """Settings of `export_signatures`."""


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """One row per row."""
    import pyarrow as pa

    from schemas.arrow import arrow_schema

    rows = len(batch)
    texts = texts_of(batch.table, config.text)
    signatures = signatures_of(texts, config)
    columns = [
        batch.table.column(ROW_ID.name),
        _lists(fingerprints_of(texts, config)),
        _lists(signatures.signed),
        pa.ListArray.from_arrays(
            pa.array(signatures.starts, pa.int32()), pa.array(signatures.shingles.view("i8"))
        ),
        pa.repeat(scheme_of(config), rows),
    ]
    schema = arrow_schema((ROW_ID, *STAGE.writes))
    return Batch(
        pa.Table.from_arrays(
            [column.cast(field.type) for column, field in zip(columns, schema, strict=True)],
            schema=schema,
        )
    )


def _lists(values: NDArray[np.uint64] | NDArray[np.uint32]) -> pa.ListArray:
    """Rows of equal length as lists of int64."""
    import numpy as np
    import pyarrow as pa

    n, width = values.shape
    flat = values.view("i8") if values.dtype == np.uint64 else values.astype(np.int64)
    return pa.ListArray.from_arrays(
        pa.array(np.arange(n + 1) * width, pa.int32()), pa.array(flat.ravel())
    )


def _fitted(config: Config) -> Stage[Config]:
    return replace(STAGE, reads=text_columns(config.text))


STAGE = Stage(
    name="export_signatures",
    version=1,
    summary="Write MinHash signatures, the index by which `dedup` knows earlier releases",
    config=Config,
    run=run,
    effect="map",
    reads=text_columns(("prompt",)),
    writes=(FINGERPRINT, SIGNATURE, SHINGLES, SCHEME),
    preload=KERNELS,
    fitted=_fitted,
)
