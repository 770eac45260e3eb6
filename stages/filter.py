"""Drop rows by rules that anyone can check by eye, and by a condition over their columns.

For whole rows: prompts, pairs, single answers. `filter_rules` is for the answers within a row,
before they are labelled or paired. No rule is on unless it is set; each of the texts named by
`text` is held to all of them, one by one.

    where            a condition over columns that must be true, see below
    length           in characters and in words
    languages        by py3langid, on the first 1000 characters
    repetition       Gopher's limits on repetition: `stages._repetition`
    prose            Gopher's limits on quality: `stages._prose`
    refusals         openings of refusals, as in `filter_rules`
    URLs             how many, and their share of the characters
    personal data    e-mail and IP addresses, telephone and card numbers: `stages._private`
    secrets          tokens and keys: `stages._private`
    finish_reasons   for answers whose input says how they ended

A condition such as `margin >= 0.2 and len(chosen) < 4 * len(rejected)` is made of numbers, texts in
quotes, `true`, `false` and names of columns, of which `prompt`, `conversation` and `system` are the
texts of the prompt; of `and or not`, `== != < <= > >=`, `in ['a', 'b']`, `+ - * /` and brackets; of
`len(text or list)`, `words(text)`, `lower(text)`, `contains(text, 'x')`, `starts_with(text, 'x')`,
`ends_with(text, 'x')`, `matches(text, 'pattern of RE2')`, `abs(x)`, `log(x)`, `min(x, y, ...)`,
`max(x, y, ...)`, `is_null(x)`.
What is computed from a value that is missing is missing, as in SQL; so is a number that is not
finite, such as that of a division by 0. A row of which the condition is unknown is dropped.

Reads: the texts named by `text`, the columns named by `where`; finish_reason if it is there.
Writes: nothing.
Drops: `finish_reason`, `where`, `no_text` (it is null), `too_short`, `too_long`, `too_few_words`,
    `too_many_words`, `too_many_urls`, `too_much_url`, `refusal`, `secret`, `personal_data`,
    `repetitive`, `not_prose`, `other_language`: the first of these that applies, with the text, the
    value and the limit.
Cost: linear in the text, no model but py3langid's table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from schemas.batch import Batch, Reject
from schemas.columns import FINISH_REASON, ROW_ID
from schemas.stage import Context, Stage, StageConfig
from stages._column_names import Condition, columns_named, condition, operands, values_of
from stages._preload import KERNELS, LANGUAGES
from stages._private import PersonalKind, known_regions, personal_data, secrets
from stages._prose import STOP_WORDS, unlike_prose
from stages._refusals import REFUSALS
from stages._repetition import repetitions
from stages._text_rules import (
    Findings,
    Rule,
    fewer_than,
    more_than,
    opens_with,
    other_language,
    too_many_urls,
    too_much_url,
)
from stages._texts import TextName, Texts, text_columns, texts_of

if TYPE_CHECKING:
    import pyarrow as pa


class Config(StageConfig):
    """Settings of `filter`."""

    text: Texts = Field(
        ("prompt",),
        description="The texts that the rules look at, one by one: `prompt` (the last user turn), "
        "`conversation`, `system`, `answer`, `chosen`, `rejected`.",
    )
    where: Condition | None = Field(
        None,
        description="A condition over columns that must be true, such as "
        "`margin >= 0.2 and source in ['a', 'b']`.",
    )
    min_chars: int | None = Field(None, ge=1, description="Least characters of a text.")
    max_chars: int | None = Field(None, ge=1, description="Most characters of a text.")
    min_words: int | None = Field(None, ge=1, description="Least words of a text.")
    max_words: int | None = Field(None, ge=1, description="Most words of a text.")
    languages: tuple[str, ...] = Field(
        (), description="Languages that a text may be in, as ISO 639 codes, e.g. `[en, de]`."
    )
    min_language_probability: float = Field(
        0.5,
        gt=0,
        le=1,
        description="With `languages`: least probability of them together. A text of few words is "
        "rarely sure to be of one.",
    )
    repetition: bool = Field(
        False, description="Drop texts that exceed Gopher's limits on repetition."
    )
    prose: bool = Field(
        False, description="Drop texts that break Gopher's limits on quality, made for prose."
    )
    stop_words: tuple[str, ...] = Field(
        STOP_WORDS,
        description="With `prose`: a text must have two of these; `[]` for other languages.",
    )
    measured_from_words: int = Field(
        50, ge=1, description="`repetition` and `prose` leave texts of fewer words alone."
    )
    refusals: bool = Field(False, description="Drop texts that open like a refusal.")
    refusal_openings: tuple[str, ...] = Field(
        REFUSALS,
        min_length=1,
        description="With `refusals`: the openings, whatever their case and kind of apostrophe.",
    )
    max_urls: int | None = Field(None, ge=0, description="Most web addresses in a text.")
    max_url_share: float | None = Field(
        None, ge=0, lt=1, description="Most of a text's characters that web addresses may take."
    )
    personal: tuple[PersonalKind, ...] = Field(
        (),
        description="Personal data to look for: `email`, `phone`, `ip` (public ones), `card`.",
    )
    phone_regions: tuple[str, ...] = Field(
        (),
        description="With `phone`: countries, as ISO 3166 codes, whose numbers count without their "
        "prefix too. Numbers that start with `+` always count.",
    )
    secrets: bool = Field(False, description="Drop texts with a token or key in them.")
    finish_reasons: tuple[str, ...] = Field(
        (),
        description="Values of the column `finish_reason` that stay, e.g. `[stop]`; so do rows "
        "without one.",
    )

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        for unit in ("chars", "words"):
            least, most = getattr(self, f"min_{unit}"), getattr(self, f"max_{unit}")
            if least is not None and most is not None and least > most:
                raise ValueError(f"`min_{unit}` {least} is more than `max_{unit}` {most}")
        if self.languages:
            _check_known("language", self.languages, _known_languages())
        if self.phone_regions:
            _check_known("region", self.phone_regions, known_regions())
        if not (self.where or self.finish_reasons or any(_rules(self))):
            raise ValueError("no rule is set, so every row would stay: set one, e.g. `where`")
        return self


def _known_languages() -> frozenset[str]:
    from stages._measures import known_languages

    return known_languages()


def _check_known(what: str, given: tuple[str, ...], known: frozenset[str]) -> None:
    for code in given:
        if code not in known:
            raise ValueError(f"no {what} `{code}`; known: {', '.join(sorted(known))}")


def _rules(config: Config) -> Iterator[tuple[str, Rule]]:
    """The rules that are set, each with its code, the cheapest first."""
    if config.min_chars is not None:
        yield "too_short", fewer_than(config.min_chars, "characters")
    if config.max_chars is not None:
        yield "too_long", more_than(config.max_chars, "characters")
    if config.min_words is not None:
        yield "too_few_words", fewer_than(config.min_words, "words")
    if config.max_words is not None:
        yield "too_many_words", more_than(config.max_words, "words")
    if config.max_urls is not None:
        yield "too_many_urls", too_many_urls(config.max_urls)
    if config.max_url_share is not None:
        yield "too_much_url", too_much_url(config.max_url_share)
    if config.refusals:
        yield "refusal", opens_with(config.refusal_openings)
    yield from _costly_rules(config)


def _costly_rules(config: Config) -> Iterator[tuple[str, Rule]]:
    least = config.measured_from_words
    if config.secrets:
        yield "secret", secrets
    if config.personal:
        kinds, regions = config.personal, config.phone_regions
        yield "personal_data", lambda texts: personal_data(texts, kinds, regions)
    if config.repetition:
        yield "repetitive", lambda texts: repetitions(texts, least)
    if config.prose:
        stop_words = tuple(word.lower() for word in config.stop_words)
        yield "not_prose", lambda texts: unlike_prose(texts, least, stop_words)
    if config.languages:
        yield "other_language", other_language(config.languages, config.min_language_probability)


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """Hold every row to the rules that are set; see the module's text."""
    import numpy as np

    table = batch.table
    found: dict[int, Reject] = {}
    if config.finish_reasons:
        _add(found, table, config.text, "finish_reason", _unwanted_ends(table, config))
    if config.where is not None:
        _add(found, table, config.text, "where", _not_true(table, config.where, context))
    for name in config.text:
        _look_at(table, name, config, found)
    left = np.array([place for place in range(table.num_rows) if place not in found], np.int64)
    rows = table.select([ROW_ID.name]).take(left)
    return Batch(rows, tuple(found[place] for place in sorted(found)))


def _add(
    found: dict[int, Reject],
    table: pa.Table,
    names: tuple[TextName, ...],
    code: str,
    findings: Findings,
) -> None:
    """Turn away the rows that were found, with these texts of theirs."""
    import pyarrow as pa

    places = pa.array([place for place in findings if place not in found], type=pa.int64())
    gone = table.take(places)
    texts = texts_of(gone, names).to_pylist()
    row_ids = gone.column(ROW_ID.name).to_pylist()
    for place, row_id, text in zip(places.to_pylist(), row_ids, texts, strict=True):
        found[place] = Reject(row_id, code, findings[place], text or "")


def _unwanted_ends(table: pa.Table, config: Config) -> Findings:
    allowed = ", ".join(config.finish_reasons)
    reasons = table.column(FINISH_REASON.name).to_pylist()
    return {
        place: f"finish_reason is `{reason}`, allowed: {allowed}"
        for place, reason in enumerate(reasons)
        if reason is not None and reason not in config.finish_reasons
    }


def _not_true(table: pa.Table, where: str, context: Context) -> Findings:
    import numpy as np
    import pyarrow.compute as pc

    from stages._column_reasons import why_not

    expression = condition(where)
    values = values_of(table, expression, "truth", f"stages.{context.stage}.where")
    places = np.flatnonzero(pc.fill_null(pc.invert(values), True).to_numpy(zero_copy_only=False))
    return why_not(expression, operands(table, expression), places.tolist())


def _look_at(table: pa.Table, name: TextName, config: Config, found: dict[int, Reject]) -> None:
    """Hold one text of the rows that are left to the rules, one rule after the other."""
    import numpy as np
    import pyarrow as pa

    places = np.array([place for place in range(table.num_rows) if place not in found], np.int64)
    texts = texts_of(table.take(places), (name,))
    for code, rule in (("no_text", _nulls), *_rules(config)):
        findings = rule(texts)
        if findings:
            said = {int(places[at]): f"`{name}`: {what}" for at, what in findings.items()}
            _add(found, table, (name,), code, said)
            left = np.delete(np.arange(len(places)), list(findings))
            places, texts = places[left], texts.take(pa.array(left))


def _nulls(texts: pa.LargeStringArray) -> Findings:
    import numpy as np

    missing = texts.is_null().to_numpy(zero_copy_only=False)
    return dict.fromkeys(np.flatnonzero(missing).tolist(), "is null")


def _fitted(config: Config) -> Stage[Config]:
    named = columns_named(condition(config.where)) if config.where is not None else ()
    reads = tuple(dict.fromkeys((*text_columns(config.text), *named)))
    return replace(
        STAGE,
        reads=reads,
        optional=(FINISH_REASON,) if config.finish_reasons else (),
        preload=KERNELS + LANGUAGES if config.languages else KERNELS,
    )


STAGE = Stage(
    name="filter",
    version=1,
    summary="Drop whole rows by readable rules over their texts, or a condition over their columns",
    config=Config,
    run=run,
    effect="filter",
    optional=(FINISH_REASON,),
    fitted=_fitted,
)
