"""The listener of a run."""

import io

from pipeline.runtime.progress import Progress
from tests.pipeline.runtime.seen import TOTAL, keyed, part


def test_it_counts_shows_and_keeps_the_reports() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    progress.say("hello")
    progress.opened(keyed("magpie", number=0), 0, 0, TOTAL)
    progress.opened(keyed("respond", number=1), 2, 1, None)
    progress.tell({"task": "respond/run/1", "expect": 8})
    progress.part_done(keyed("respond", number=1), part(1))
    progress.closed(keyed("respond", number=1), TOTAL)
    assert progress.reports == {0: (TOTAL, True), 1: (TOTAL, False)}
    assert progress.tally.step("respond").parts_done == 1
    assert [line.split(":")[0] for line in stream.getvalue().splitlines()] == [
        "hello",
        "magpie",
        "respond",
        "respond",
    ]
