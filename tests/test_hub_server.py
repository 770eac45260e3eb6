"""The hub on loopback is one that the real clients can use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.hub_server import Hub

CLIENT = """
import sys
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, snapshot_download
from datasets import Dataset, load_dataset

api = HfApi()
api.create_repo("me/data", repo_type="dataset", private=True)
Dataset.from_dict({"a": [1, 2, 3]}).to_parquet("train.parquet")
config = "configs: [{config_name: c, data_files: [{split: train, path: c/train-*}]}]"
card = "---\\n" + config + "\\n---\\n"
start = api.dataset_info("me/data").sha
done = api.create_commit(
    "me/data", repo_type="dataset", commit_message="one", parent_commit=start,
    operations=[
        CommitOperationAdd("c/train-00000-of-00001.parquet", "train.parquet"),
        CommitOperationAdd("README.md", card.encode()),
        CommitOperationDelete(".gitattributes"),
    ],
)
api.create_tag("me/data", tag="v1", revision=done.oid, repo_type="dataset")
(tag,) = api.list_repo_refs("me/data", repo_type="dataset").tags
assert tag.target_commit == done.oid
for revision in ("main", "v1", done.oid):
    assert load_dataset("me/data", "c", split="train", revision=revision)["a"] == [1, 2, 3]
assert [r["a"] for r in load_dataset("me/data", "c", split="train", streaming=True)] == [1, 2, 3]
folder = snapshot_download("me/data", repo_type="dataset", revision="v1")
assert open(folder + "/README.md").read() == card
pull = api.create_commit(
    "me/data", repo_type="dataset", commit_message="two", create_pr=True,
    operations=[CommitOperationAdd("more.txt", b"x")],
)
assert pull.pr_revision == "refs/pr/1", pull
assert not api.file_exists("me/data", "more.txt", repo_type="dataset")
assert api.file_exists("me/data", "more.txt", repo_type="dataset", revision="refs/pr/1")
"""


def test_the_clients_can_do_with_it_what_they_do_with_the_hub(hub: Hub, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLIENT],
        env=hub.env(tmp_path / "home"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stderr, hub.unknown, hub.calls)
    assert hub.repo("me/data").log() == ["one", "initial commit"]
    assert sorted(hub.repo("me/data").files) == ["README.md", "c/train-00000-of-00001.parquet"]
    assert len(hub.uploads) == 1 and hub.unknown == []
