"""datasketch's MinHash.generator and MinHashLSH: PARQUET PAIRS_NPY."""

import sys

import numpy as np
import pyarrow.parquet as pq
import xxhash
from costs import measured
from datasketch import MinHash, MinHashLSH
from shingles import shingles
from survivors import kept_greedily

if __name__ == "__main__":
    with measured() as said:
        texts = pq.read_table(sys.argv[1], columns=["text"])["text"].to_pylist()
        index = MinHashLSH(threshold=0.8, num_perm=128)
        sets = ([gram.encode() for gram in shingles(text)] for text in texts)
        sketches = MinHash.generator(sets, num_perm=128, seed=1, hashfunc=xxhash.xxh32_intdigest)
        pairs = []
        for row, sketch in enumerate(sketches):
            pairs += [(other, row) for other in index.query(sketch)]
            index.insert(row, sketch, check_duplication=False)
        said["kept"] = kept_greedily(len(texts), pairs)
    np.save(sys.argv[2], np.array(pairs, np.int64).reshape(-1, 2))
