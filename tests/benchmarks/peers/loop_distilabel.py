"""A distilabel pipeline of a generator step and a step that answers: ROWS PART_ROWS OUT."""

import sys
from pathlib import Path

from distilabel.pipeline import Pipeline
from distilabel.steps import GeneratorStep, Step, StepInput
from noop import answer


class Rows(GeneratorStep):
    rows: int

    @property
    def outputs(self):
        return ["row_id"]

    def process(self, offset=0):
        for start in range(offset, self.rows, self.batch_size):
            stop = min(start + self.batch_size, self.rows)
            yield [{"row_id": f"row-{i:08d}"} for i in range(start, stop)], stop == self.rows


class Answer(Step):
    @property
    def inputs(self):
        return ["row_id"]

    @property
    def outputs(self):
        return ["text", "source"]

    def process(self, inputs: StepInput):
        for row in inputs:
            row["text"], row["source"] = answer(row["row_id"]), "noop"
        yield inputs


if __name__ == "__main__":
    rows, part_rows, out = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    out.mkdir(parents=True)
    with Pipeline(name="noop", cache_dir=out / "cache") as pipeline:
        Rows(rows=rows, batch_size=part_rows) >> Answer(input_batch_size=part_rows)
    done = pipeline.run(use_cache=False)["default"]["train"]
    assert len(done) == rows
    done.to_parquet(out / "all.parquet")
