"""gaoya's MinHash index, its Rust analyser and its bulk calls: PARQUET PAIRS_NPY.

The signatures of a pair must agree by the threshold, or the pair is not found.
"""

import sys

import numpy as np
import pyarrow.parquet as pq
from costs import measured
from gaoya.minhash import MinHashStringIndex
from survivors import kept_greedily

CHUNK = 10_000

if __name__ == "__main__":
    with measured() as said:
        index = MinHashStringIndex(
            hash_size=32,
            jaccard_threshold=0.8,
            num_bands=16,
            band_size=8,
            analyzer="word",
            lowercase=False,
            ngram_range=(5, 5),
            id_container="vec",
        )
        texts = pq.read_table(sys.argv[1], columns=["text"])["text"].to_pylist()
        for start in range(0, len(texts), CHUNK):
            chunk = texts[start : start + CHUNK]
            index.par_bulk_insert_docs(list(range(start, start + len(chunk))), chunk)
        pairs = []
        for start in range(0, len(texts), CHUNK):
            alike = index.par_bulk_query(texts[start : start + CHUNK])
            pairs += [(o, i) for i, others in enumerate(alike, start) for o in others if o < i]
        said["kept"] = kept_greedily(len(texts), pairs)
    np.save(sys.argv[2], np.array(pairs, np.int64).reshape(-1, 2))
