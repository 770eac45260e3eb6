"""A new card in the place of one that people have edited: theirs stays, ours is renewed.

Sections: one whose checksum fits is prefmill's and is renewed; one that was changed, and all text
between sections, is a person's and stays. A section that is gone comes back behind the one that
it follows.

YAML: `configs`, `dataset_info` and `size_categories` say what the files hold and are always
renewed. Any other key is renewed while its value is what prefmill wrote, which a comment below the
head remembers by checksum; a value that a person gave stays, and so do keys of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipeline.dataset.card_head import Entry, Head, comments_of, read_head, read_memory, split_card
from pipeline.dataset.card_marks import GUIDE, Block, Section, read_blocks

_OF_FILES = frozenset(("configs", "dataset_info", "size_categories"))


def merge_card(old: str | None, new: str, place: str = "README.md") -> str:
    """The card `new` with everything that people wrote into `old`.

    Args:
        old: the card as it stands; None if there is none.
        new: as `render_card` makes it.
        place: what errors call the file of `old`.

    Raises:
        InputError: the YAML of `old` cannot be used.
    """
    if old is None or not old.strip():
        return new
    old_head, new_head = read_head(old, place), read_head(new, "the new card")
    old_lines, new_lines = split_card(old, place)[1], split_card(new, "the new card")[1]
    entries = _entries(old_head, new_head, _memory(old_lines))
    head = [*old_head.before, *(line for entry in entries for line in entry.lines)]
    blocks = _blocks(read_blocks(_plain(old_lines)), _sections(new_lines))
    body = [line for block in blocks for line in _lines(block)]
    ours = [line for line in new_lines if _is_ours(line)]
    return "\n".join(["---", *head, "---", "", *ours, "", *_trimmed(body), ""])


def card_notes(card: str, place: str) -> list[str]:
    """Sentences about a finished card: what of it is a person's, and that no licence is stated.

    Raises:
        InputError: its YAML cannot be used.
    """
    entries = read_head(card, place).entries
    lines = split_card(card, place)[1]
    memory = _memory(lines)
    keys = [f"`{e.key}`" for e in entries if memory.get(e.key, e.checksum) != e.checksum]
    blocks = [block for block in read_blocks(lines) if isinstance(block, Section)]
    kept = keys + [f"section `{block.name}`" for block in blocks if block.is_changed]
    notes = []
    if kept:
        notes.append(
            f"{place}: {', '.join(kept)} changed by hand, so left as they are, and perhaps out of "
            "date; delete them there to have them made anew"
        )
    if all(entry.key != "license" for entry in entries):
        notes.append(
            f"{place}: no licence is stated, and none is guessed; name one by `card.license` in "
            "the recipe, or in the card"
        )
    return notes


def _memory(lines: list[str]) -> dict[str, str]:
    return next((found for line in lines if (found := read_memory(line)) is not None), {})


def _is_ours(line: str) -> bool:
    return line.strip() == GUIDE or read_memory(line) is not None


def _plain(lines: list[str]) -> list[str]:
    return _trimmed([line for line in lines if not _is_ours(line)])


def _trimmed(lines: list[str]) -> list[str]:
    """Without the blank lines at both ends."""
    full = [number for number, line in enumerate(lines) if line.strip()]
    return lines[full[0] : full[-1] + 1] if full else []


def _sections(lines: list[str]) -> dict[str, Section]:
    found = read_blocks(_plain(lines))
    return {block.name: block for block in found if isinstance(block, Section)}


def _lines(block: Block) -> tuple[str, ...] | list[str]:
    return block.lines if isinstance(block, Section) else block


def _entries(old: Head, new: Head, memory: Mapping[str, str]) -> Iterator[Entry]:
    """The keys of both, those of the old head in their order."""
    ours = {entry.key: entry for entry in new.entries}
    for entry in old.entries:
        fresh = ours.pop(entry.key, None)
        is_unchanged = memory.get(entry.key) == entry.checksum
        if fresh is None:
            lines = tuple(comments_of(entry)) if is_unchanged else entry.lines
            yield Entry(entry.key, lines, entry.value)
        elif fresh.value == entry.value or not (is_unchanged or entry.key in _OF_FILES):
            yield entry
        else:
            yield Entry(entry.key, (*fresh.lines, *comments_of(entry)), fresh.value)
    yield from ours.values()


def _blocks(old: list[Block], new: dict[str, Section]) -> list[Block]:
    """The old blocks with the new sections in them."""
    changed = {block.name for block in old if isinstance(block, Section) and block.is_changed}
    placed = set(changed)
    merged: list[Block] = []
    for block in old:
        if not isinstance(block, Section) or block.is_changed:
            merged.append(block)
        elif block.name in new and block.name not in placed:
            merged.append(new[block.name])
            placed.add(block.name)
        elif merged and _lines(merged[-1])[-1:] == [""]:
            merged[-1] = list(_lines(merged[-1])[:-1])  # the blank line that stood before it
    for name, follows in zip(new, [None, *new], strict=False):
        if name not in placed:
            _insert(merged, new[name], follows)
    return merged


def _insert(blocks: list[Block], section: Section, follows: str | None) -> None:
    """Put a section behind the one that it follows; the first of all before all others."""
    names = [block.name if isinstance(block, Section) else None for block in blocks]
    if follows is not None:
        at = names.index(follows) + 1
        blocks[at:at] = [[""], section]
    elif any(names):
        at = next(i for i, name in enumerate(names) if name)
        blocks[at:at] = [section, [""]]
    else:
        blocks += [[""], section]
