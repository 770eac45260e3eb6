"""Laws of what a push does: it makes a place hold the dataset, and touches nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.hub.changes import Held, Remote, changes_between
from pipeline.hub.contents import Contents, digest_of, read_source

CONTENT = st.binary(max_size=3)
OURS = st.sampled_from(
    ["README.md", "manifest.json", "a/x-0.parquet", "a/x-1.parquet", "b/y.parquet"]
)
ANYBODYS = st.sampled_from(["LICENSE", "a/notes.txt", "c/z.parquet", "a/old.parquet", "x/old.csv"])
KINDS = st.sampled_from(["sha256", "git", "blake2b", ""])


def remote_of(files: dict[str, bytes], kind: str, listed: list[str]) -> Remote:
    held = {
        path: Held(len(content), digest_of(content, kind) if kind else "", kind)
        for path, content in files.items()
    }
    return Remote(
        files=held, manifest={"format": "prefmill-dataset-2", "files": dict.fromkeys(listed)}
    )


def apply(contents: Contents, remote: Remote, files: dict[str, bytes]) -> dict[str, bytes]:
    done = dict(files)
    for change in changes_between(contents, remote):
        assert (change.path in done) == (change.action != "add")
        if change.source is None:
            del done[change.path]
        else:
            done[change.path] = read_source(change.source)
    return done


@given(
    st.dictionaries(OURS, CONTENT),
    st.dictionaries(OURS | ANYBODYS, CONTENT),
    st.lists(ANYBODYS),
    KINDS,
)
def test_afterwards_it_holds_the_dataset_and_what_is_not_ours(
    ours: dict[str, bytes], there: dict[str, bytes], listed: list[str], kind: str
) -> None:
    contents = Contents("n", 1, 1, ("a", "b"), ours, "", False)
    done = apply(contents, remote_of(there, kind, listed), there)
    assert {path: done[path] for path in ours} == ours
    stale = {"a/old.parquet", "a/x-0.parquet", "a/x-1.parquet", "b/y.parquet", *listed}
    assert done.keys() - ours.keys() == there.keys() - ours.keys() - stale
    if kind:
        assert changes_between(contents, remote_of(done, kind, [])) == []
    assert apply(contents, remote_of(done, kind, []), done) == done
