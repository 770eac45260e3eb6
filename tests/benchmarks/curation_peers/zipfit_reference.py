"""zip-fit's own run, gzip at level 9: SOURCES_JSONL TARGETS_JSONL K OUT_JSONL.

It starts a process for each processor it counts; it is made to count those it may use.
"""

import os
import sys

import zip_fit.zipfit as reference
from costs import measured

if __name__ == "__main__":
    reference.cpu_count = lambda: len(os.sched_getaffinity(0))
    sources, targets, k, out = sys.argv[1:]
    with measured():
        reference.ZIPFIT(
            sources,
            targets,
            k=int(k),
            output_file=out,
            compression_algorithm="gzip",
            compress_level=9,
        ).run()
