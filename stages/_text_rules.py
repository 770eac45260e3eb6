"""Rules on texts, each over many at once: which texts break it, with the value and the limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from stages._refusals import refusal_opening

if TYPE_CHECKING:
    import pyarrow as pa

Findings = dict[int, str]
"""What is wrong with a text, by its place among the texts; those that keep the rule are not in."""
Rule = Callable[["pa.LargeStringArray"], Findings]

READ_FOR_LANGUAGE = 1000
"""Characters by which a language is told; more change the verdict on one text in a thousand."""
_READ_FOR_REFUSAL = 500
_URL = r"(?i)\bhttps?://[^\s<>\"')\]]+|\bwww\.[^\s<>\"')\]]+"


def fewer_than(least: int, unit: str) -> Rule:
    """A rule that a text has at least so many `characters` or `words`."""
    return lambda texts: _bounded(_sizes(texts, unit), unit, least, None)


def more_than(most: int, unit: str) -> Rule:
    """A rule that a text has at most so many `characters` or `words`."""
    return lambda texts: _bounded(_sizes(texts, unit), unit, None, most)


def _sizes(texts: pa.LargeStringArray, unit: str) -> Any:
    """Size of each text, shape (n,); white space at its ends does not count."""
    import pyarrow.compute as pc

    from stages._words import character_kinds
    from stages.kernels.characters import count_words
    from stages.kernels.texts import buffers_of

    if unit == "words":
        return count_words(*buffers_of(texts), character_kinds())
    return pc.utf8_length(pc.utf8_trim_whitespace(texts)).to_numpy(zero_copy_only=False)


def _bounded(values: Any, unit: str, least: float | None, most: float | None) -> Findings:
    import numpy as np

    found: Findings = {}
    if least is not None:
        for place in np.flatnonzero(values < least).tolist():
            found[place] = f"{values[place]} {unit}, fewer than {least}"
    if most is not None:
        for place in np.flatnonzero(values > most).tolist():
            found[place] = f"{values[place]} {unit}, more than {most}"
    return found


def too_many_urls(most: int) -> Rule:
    """A rule that at most so many addresses of the web stand in a text."""

    def rule(texts: pa.LargeStringArray) -> Findings:
        import pyarrow.compute as pc

        counts = pc.count_substring_regex(texts, _URL).to_numpy(zero_copy_only=False)
        return _bounded(counts, "URLs", None, most)

    return rule


def too_much_url(most: float) -> Rule:
    """A rule that addresses of the web take at most this share of a text's characters."""

    def rule(texts: pa.LargeStringArray) -> Findings:
        import numpy as np
        import pyarrow.compute as pc

        rest = pc.utf8_length(pc.replace_substring_regex(texts, _URL, ""))
        sizes = pc.utf8_length(texts).to_numpy(zero_copy_only=False)
        shares = 1 - rest.to_numpy(zero_copy_only=False) / np.maximum(sizes, 1)
        shares[sizes == 0] = 0.0
        return {
            place: f"URLs take {shares[place]:.2f} of the characters, more than {most}"
            for place in np.flatnonzero(shares > most).tolist()
        }

    return rule


def other_language(languages: Sequence[str], least: float) -> Rule:
    """A rule that a text is in one of these languages with at least this probability."""

    def rule(texts: pa.LargeStringArray) -> Findings:
        import numpy as np

        from stages._languages import languages_of

        codes, probabilities = languages_of(texts, READ_FOR_LANGUAGE)
        wanted = [place for place, code in enumerate(codes) if code in languages]
        together = probabilities[:, wanted].sum(axis=1)
        names, found = ", ".join(languages), {}
        for place in np.flatnonzero(together < least).tolist():
            likeliest = int(probabilities[place].argmax())
            found[place] = (
                f"P({names}) is {together[place]:.2f}, less than {least}; likeliest is "
                f"{codes[likeliest]}, {probabilities[place, likeliest]:.2f}"
            )
        return found

    return rule


def opens_with(openings: Sequence[str]) -> Rule:
    """A rule that a text opens with none of these."""

    def rule(texts: pa.LargeStringArray) -> Findings:
        import pyarrow.compute as pc

        room = max(_READ_FOR_REFUSAL, *(len(opening) for opening in openings))
        starts = pc.utf8_slice_codeunits(pc.utf8_ltrim_whitespace(texts), 0, room).to_pylist()
        found = ((place, refusal_opening(text, openings)) for place, text in enumerate(starts))
        return {place: f"opens with `{opening}`" for place, opening in found if opening}

    return rule
