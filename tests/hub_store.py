"""What a hub keeps of dataset repos: commits, branches, tags and blobs, in memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from itertools import count

FIRST_FILE = b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"


@dataclass(frozen=True)
class Blob:
    """A file as committed."""

    content: bytes
    is_lfs: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def git_oid(self) -> str:
        """Of what git holds: for LFS the pointer."""
        held = self.content
        if self.is_lfs:
            held = (
                "version https://git-lfs.github.com/spec/v1\n"
                f"oid sha256:{self.sha256}\nsize {len(self.content)}\n"
            ).encode()
        return hashlib.sha1(f"blob {len(held)}\0".encode() + held).hexdigest()

    @property
    def oid(self) -> str:
        """By which the hub says that an upload would change nothing."""
        return self.sha256 if self.is_lfs else self.git_oid


@dataclass(frozen=True)
class Commit:
    id: str
    parent: str | None
    title: str
    files: dict[str, Blob]


@dataclass
class Repo:
    """A dataset repo; as on the Hub it begins with a commit of `.gitattributes`."""

    name: str
    private: bool = False
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    pulls: dict[str, str] = field(default_factory=dict)
    _serial: count[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        first = self.add(None, "initial commit", {".gitattributes": Blob(FIRST_FILE, False)})
        self.branches["main"] = first.id

    def add(self, parent: str | None, title: str, files: dict[str, Blob]) -> Commit:
        """A commit that no branch points to yet."""
        text = f"{self.name} {next(self._serial)}"
        commit = Commit(hashlib.sha1(text.encode()).hexdigest(), parent, title, files)
        self.commits[commit.id] = commit
        return commit

    def find(self, revision: str) -> Commit | None:
        """The commit of a branch, a tag, a pull request or an id."""
        for names in (self.branches, self.tags, self.pulls):
            if revision in names:
                return self.commits[names[revision]]
        return self.commits.get(revision)

    @property
    def head(self) -> Commit:
        return self.commits[self.branches["main"]]

    @property
    def files(self) -> dict[str, bytes]:
        """What `main` holds."""
        return {path: blob.content for path, blob in self.head.files.items()}

    def write(self, files: dict[str, bytes | None], title: str = "by hand") -> str:
        """Commit to `main` past the server, as another person would; None deletes a file."""
        kept = {path: blob for path, blob in self.head.files.items() if path not in files}
        new = {
            path: Blob(content, path.endswith(".parquet"))
            for path, content in files.items()
            if content is not None
        }
        self.branches["main"] = self.add(self.head.id, title, {**kept, **new}).id
        return self.head.id

    def log(self) -> list[str]:
        """Titles of the commits of `main`, the last first."""
        titles, at = [], self.branches["main"]
        while at is not None:
            commit = self.commits[at]
            titles.append(commit.title)
            at = commit.parent
        return titles
