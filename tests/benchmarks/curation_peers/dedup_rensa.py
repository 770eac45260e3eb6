"""rensa's digest matrix and its LSH, which flags rows and names no pair: PARQUET FLAGS_NPY."""

import sys

import numpy as np
import pyarrow.parquet as pq
from costs import measured
from rensa import RMinHash, RMinHashLSH
from shingles import shingles

if __name__ == "__main__":
    with measured() as said:
        texts = pq.read_table(sys.argv[1], columns=["text"])["text"].to_pylist()
        sets = [shingles(text) for text in texts]
        matrix = RMinHash.digest_matrix_from_token_sets(sets, 128, 1)
        index = RMinHashLSH(threshold=0.8, num_perm=128, num_bands=16)
        flags = np.array(index.query_duplicate_flags_matrix_one_shot(matrix), bool)
        said["flagged"] = int(flags.sum())
    np.save(sys.argv[2], flags)
