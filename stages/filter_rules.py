"""Drop answers and prompts by rules that anyone can check by eye.

Repetition is measured as in Gopher (Rae et al., 2021, arXiv 2112.11446, Table A1): a text is
dropped if one of these shares is exceeded. The limits were set for web pages, so texts of fewer
than `repetition_min_words` words are not measured.

    repeated lines 0.30 (their characters 0.20)      repeated paragraphs 0.30 (0.20)
    characters in the most frequent 2-gram 0.20, 3-gram 0.18, 4-gram 0.16
    characters in repeated 5-grams 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10-grams 0.10

Repeated means: the second occurrence and later ones. Words are runs of letters and digits; in the
scripts of Chinese and Japanese each character is one.

Reads: messages, responses. Scores of dropped answers stay behind, so filter before labelling.
Writes: responses, those that passed.
Drops: of a row's candidates, `truncated`, `response_too_short`, `response_too_long`, `refusal`,
    `repetitive`; of rows, `prompt_too_short`, `prompt_too_long`, `too_few_responses`.
Cost: linear in the text, no model.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

from pydantic import Field

from schemas.batch import Batch, Reject, Row, make_batch
from schemas.columns import MESSAGES, RESPONSES, ROW_ID
from schemas.stage import Context, Stage, StageConfig
from stages._words import words_of

REFUSALS = (
    "i can't assist with",
    "i can't help with",
    "i cannot assist with",
    "i cannot fulfill",
    "i cannot help with",
    "i'm sorry, but i can't",
    "i'm sorry, but i cannot",
    "i'm sorry, i can't",
    "i'm unable to assist",
    "i am unable to assist",
    "as an ai language model, i can",
    "sorry, but i can't",
    "es tut mir leid, aber ich kann",
    "je suis désolé, mais je ne peux pas",
    "lo siento, pero no puedo",
    "desculpe, mas não posso",
    "抱歉，我无法",
    "很抱歉，我无法",
    "申し訳ありませんが",
)
"""How a refusal opens, in a few languages."""

TOP_NGRAMS = {2: 0.20, 3: 0.18, 4: 0.16}
REPEATED_NGRAMS = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
REPEATED_PIECES = 0.30
REPEATED_PIECES_CHARS = 0.20

_PARAGRAPHS = re.compile(r"\n\s*\n")


class Config(StageConfig):
    """Settings of `filter_rules`."""

    prompt_min_chars: int = Field(1, ge=0, description="Shortest last user turn, in characters.")
    prompt_max_chars: int | None = Field(None, ge=1, description="Longest last user turn.")
    response_min_chars: int = Field(1, ge=0, description="Shortest answer, in characters.")
    response_max_chars: int | None = Field(None, ge=1, description="Longest answer.")
    allow_truncated: bool = Field(
        False, description="Keep answers that ran into `max_tokens` before they ended."
    )
    refusal_openings: tuple[str, ...] = Field(
        REFUSALS,
        description="An answer that opens with one of these is dropped, whatever its case and kind "
        "of apostrophe; `[]` keeps refusals.",
    )
    repetition: bool = Field(
        True, description="Drop answers that exceed Gopher's limits on repetition."
    )
    repetition_min_words: int = Field(
        50, ge=1, description="Answers of fewer words are not measured for repetition."
    )
    min_responses: int = Field(
        2, ge=1, description="A row with fewer answers left is dropped; a pair needs two."
    )


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """Apply the rules to every row; see the module's text."""
    kept: list[Row] = []
    rejects: list[Reject] = []
    for row in batch.rows:
        if reject := _check_prompt(row, config):
            rejects.append(reject)
            continue
        dropped = [_check_response(row, response, config) for response in row[RESPONSES.name]]
        rejects += [reject for reject in dropped if reject]
        pairs = zip(row[RESPONSES.name], dropped, strict=True)
        passed = [response for response, reject in pairs if not reject]
        if len(passed) < config.min_responses:
            rejects.append(_too_few(row, len(passed), config))
        else:
            kept.append({ROW_ID.name: row[ROW_ID.name], RESPONSES.name: passed})
    return make_batch((ROW_ID, RESPONSES), kept, rejects)


def _check_prompt(row: Row, config: Config) -> Reject | None:
    text = row[MESSAGES.name][-1]["content"]
    problem = _length_problem(text, config.prompt_min_chars, config.prompt_max_chars)
    if problem is None:
        return None
    which, message = problem
    return Reject(row[ROW_ID.name], f"prompt_{which}", f"the prompt has {message}", text)


def _check_response(row: Row, response: Row, config: Config) -> Reject | None:
    problem = next(_problems(response, config), None)
    if problem is None:
        return None
    code, message = problem
    return Reject(
        row[ROW_ID.name], code, message, response["text"], response_id=response["response_id"]
    )


def _problems(response: Row, config: Config) -> Iterator[tuple[str, str]]:
    """The rules that an answer breaks, the cheapest first."""
    text: str = response["text"]
    if response["finish_reason"] != "stop" and not config.allow_truncated:
        n_tokens, reason = response["n_tokens"], response["finish_reason"]
        yield "truncated", f"cut off after {n_tokens} tokens: finish_reason is `{reason}`"
    length = _length_problem(text.strip(), config.response_min_chars, config.response_max_chars)
    if length:
        yield f"response_{length[0]}", f"the answer has {length[1]}"
    if opening := refusal_opening(text, config.refusal_openings):
        yield "refusal", f"opens with `{opening}`"
    if config.repetition and (repeated := repetition(text, config.repetition_min_words)):
        yield "repetitive", repeated


def _length_problem(text: str, least: int, most: int | None) -> tuple[str, str] | None:
    if len(text) < least:
        return "too_short", f"{len(text)} characters, fewer than {least}"
    if most is not None and len(text) > most:
        return "too_long", f"{len(text)} characters, more than {most}"
    return None


def _too_few(row: Row, left: int, config: Config) -> Reject:
    had = len(row[RESPONSES.name])
    message = f"{left} of {had} answers left, fewer than min_responses {config.min_responses}"
    return Reject(row[ROW_ID.name], "too_few_responses", message, row[MESSAGES.name][-1]["content"])


def refusal_opening(text: str, openings: Sequence[str]) -> str | None:
    """The opening that a text starts with, if any."""
    start = _plain(text)
    return next((opening for opening in openings if start.startswith(_plain(opening))), None)


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).replace("\u2019", "'").casefold()
    return " ".join(folded.split())


def repetition(text: str, min_words: int = 1) -> str | None:
    """Which of Gopher's limits a text exceeds, with its share; None if it keeps them all."""
    words = words_of(text.casefold())
    if len(words) < min_words:
        return None
    return next(
        (
            f"{measure}: {share:.2f}, more than {limit:.2f}"
            for measure, share, limit in _shares(text, words)
            if share > limit
        ),
        None,
    )


def _shares(text: str, words: list[str]) -> Iterator[tuple[str, float, float]]:
    for name, pieces in (("lines", text.splitlines()), ("paragraphs", _PARAGRAPHS.split(text))):
        count, chars = _repeated_pieces([piece.strip() for piece in pieces if piece.strip()])
        yield f"repeated {name}", count, REPEATED_PIECES
        yield f"characters in repeated {name}", chars, REPEATED_PIECES_CHARS
    for n, limit in TOP_NGRAMS.items():
        yield f"characters in the most frequent {n}-gram", _top_ngram(words, n), limit
    for n, limit in REPEATED_NGRAMS.items():
        yield f"characters in repeated {n}-grams", _repeated_ngrams(words, n), limit


def _repeated_pieces(pieces: list[str]) -> tuple[float, float]:
    """Shares of the pieces, and of their characters, that stood earlier in the text."""
    seen: set[str] = set()
    repeated: list[str] = []
    for piece in pieces:
        if piece in seen:
            repeated.append(piece)
        seen.add(piece)
    chars = sum(map(len, pieces))
    return (len(repeated) / len(pieces), sum(map(len, repeated)) / chars) if chars else (0.0, 0.0)


def _ngrams(words: list[str], n: int) -> list[tuple[str, ...]]:
    return list(zip(*(words[i:] for i in range(n)), strict=False))


def _top_ngram(words: list[str], n: int) -> float:
    """Share of characters in the most frequent n-gram, if it occurs twice; the longest of equals.

    Overlapping occurrences count a word once.
    """
    ngrams = _ngrams(words, n)
    counts = Counter(ngrams)
    if not counts or max(counts.values()) == 1:
        return 0.0
    top = max(counts, key=lambda ngram: (counts[ngram], sum(map(len, ngram)), ngram))
    return _covered(words, n, [i for i, ngram in enumerate(ngrams) if ngram == top])


def _repeated_ngrams(words: list[str], n: int) -> float:
    """Share of characters in n-grams that stood earlier in the text; each word counts once."""
    seen: set[tuple[str, ...]] = set()
    starts = []
    for i, ngram in enumerate(_ngrams(words, n)):
        if ngram in seen:
            starts.append(i)
        seen.add(ngram)
    return _covered(words, n, starts)


def _covered(words: list[str], n: int, starts: list[int]) -> float:
    covered = {word for start in starts for word in range(start, start + n)}
    return sum(len(words[i]) for i in covered) / sum(map(len, words))


STAGE = Stage(
    name="filter_rules",
    version=1,
    summary="Drop answers and prompts by length, truncation, refusal and repetition",
    config=Config,
    run=run,
    effect="filter",
    reads=(MESSAGES, RESPONSES),
    writes=(RESPONSES,),
)
