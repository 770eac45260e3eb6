"""Constraints on an answer that a program can check, as a recipe or an input file declares them.

Each kind is a model whose `check` says whether a text keeps it. Ids of IFEval (Zhou et al., 2023,
arXiv 2311.07911) are read by `stages._ifeval`. Texts are data throughout: patterns run on RE2, and
JSON Schemas fetch nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from stages import _measures as measures
from stages._patterns import compiled, found_in
from stages._schema import schema_fault, schema_problem
from stages._words import words_of

Phrase = Annotated[str, Field(pattern=r"\S")]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        passed: None if nothing can be said.
        found: what stood in the text, or why nothing can be said.
    """

    passed: bool | None
    found: str


class _Constraint(BaseModel, ABC):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, strict=True)

    @abstractmethod
    def check(self, text: str) -> Finding:
        """Whether a text keeps the constraint."""

    @property
    def wanted(self) -> str:
        """The settings that were made, as JSON."""
        return self.model_dump_json(exclude={"kind"}, exclude_none=True, by_alias=True)


class Count(_Constraint):
    """So many of something.

    Words are as in `filter_rules`. Characters are counted without white space at either end.
    Paragraphs are set apart by blank lines, or by `separator`.
    """

    kind: Literal["words", "sentences", "characters", "paragraphs", "bullets", "numbered_items"] = (
        Field(description="Which constraint.")
    )
    least: int | None = Field(None, ge=0, description="At least so many.")
    most: int | None = Field(None, ge=0, description="At most so many.")
    separator: Phrase | None = Field(
        None, description="For `paragraphs`: what stands between two, in place of a blank line."
    )

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        _check_bounds(self.least, self.most)
        if self.separator is not None and self.kind != "paragraphs":
            raise ValueError(f"`separator` is for `paragraphs`, not for `{self.kind}`")
        return self

    def check(self, text: str) -> Finding:
        """Count, and compare with the bounds."""
        return _within(self._count(text), self.least, self.most)

    def _count(self, text: str) -> int:
        if self.kind == "words":
            return len(words_of(text))
        if self.kind == "characters":
            return len(text.strip())
        if self.kind == "paragraphs":
            return measures.paragraphs(text, self.separator)
        counters = {
            "sentences": measures.sentences,
            "bullets": measures.bullets,
            "numbered_items": measures.numbered_items,
        }
        return counters[self.kind](text)


class Form(_Constraint):
    """A form that needs no setting.

    `json`: one JSON value, alone or in a fenced block. `heading`: the first line is a Markdown
    heading. `title`: somewhere a `<<title>>`. `no_commas`: of no script. `lowercase`, `uppercase`:
    all letters that have case, and there is one. `quoted`: double quotes around the whole.
    """

    kind: Literal["json", "heading", "title", "no_commas", "lowercase", "uppercase", "quoted"] = (
        Field(description="Which constraint.")
    )

    def check(self, text: str) -> Finding:
        """Look at the form."""
        if self.kind == "json":
            value = _json(text)
            return value if isinstance(value, Finding) else Finding(True, "JSON")
        looks = {
            "heading": measures.has_heading,
            "title": measures.has_title,
            "no_commas": measures.has_no_commas,
            "lowercase": str.islower,
            "uppercase": str.isupper,
            "quoted": measures.is_quoted,
        }
        passed = looks[self.kind](text)
        return Finding(passed, self.kind if passed else f"not {self.kind}")


class JsonSchema(_Constraint):
    """JSON that a JSON Schema (2020-12) accepts; no reference in it is fetched."""

    kind: Literal["json_schema"] = Field(description="Which constraint.")
    json_schema: dict[str, Any] = Field(alias="schema", description="The schema.")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if problem := schema_problem(self.json_schema):
            raise ValueError(f"`schema` is no JSON Schema that can be used: {problem}")
        return self

    def check(self, text: str) -> Finding:
        """Read the text as JSON, and hold it against the schema."""
        value = _json(text)
        if isinstance(value, Finding):
            return value
        try:
            fault = schema_fault(self.json_schema, value[0])
        except RecursionError:
            return Finding(None, "schema and text recurse too deep")
        except LookupError as error:
            return Finding(None, f"a reference of the schema leads nowhere: {error}")
        return Finding(fault is None, fault or "accepted by the schema")


class Keywords(_Constraint):
    """Words or phrases that must all be there, or none of them; whole words, in any case."""

    kind: Literal["keywords", "forbidden_words"] = Field(description="Which constraint.")
    words: tuple[Phrase, ...] = Field(min_length=1, description="The words or phrases.")

    def check(self, text: str) -> Finding:
        """Look for each."""
        there = [word for word in self.words if measures.occurrences(word, text)]
        passed = len(there) == len(self.words) if self.kind == "keywords" else not there
        return Finding(passed, ", ".join(there) or "none of them")


class KeywordCount(_Constraint):
    """How often a word or phrase stands there; whole words, in any case."""

    kind: Literal["keyword_count"] = Field(description="Which constraint.")
    word: Phrase = Field(description="The word or phrase.")
    least: int | None = Field(None, ge=0, description="At least so often.")
    most: int | None = Field(None, ge=0, description="At most so often.")

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        _check_bounds(self.least, self.most)
        return self

    def check(self, text: str) -> Finding:
        """Count, and compare with the bounds."""
        return _within(measures.occurrences(self.word, text), self.least, self.most)


class Language(_Constraint):
    """The language of the whole, by py3langid; unknown below a probability of one half."""

    kind: Literal["language"] = Field(description="Which constraint.")
    language: str = Field(description="ISO 639 code, e.g. `de`.")

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.language not in (known := measures.known_languages()):
            raise ValueError(f"no language `{self.language}`; known: {', '.join(sorted(known))}")
        return self

    def check(self, text: str) -> Finding:
        """Tell the language."""
        code, probability = measures.language_of(text)
        if probability < measures.MIN_CONFIDENCE:
            return Finding(None, f"language unknown; likeliest {code}, {probability:.2f}")
        return Finding(code == self.language, f"{code}, {probability:.2f}")


class Edge(_Constraint):
    """The phrase that opens or closes the answer, in any case; quotes around the whole aside."""

    kind: Literal["starts_with", "ends_with"] = Field(description="Which constraint.")
    phrase: Phrase = Field(description="The phrase.")

    def check(self, text: str) -> Finding:
        """Look at that end."""
        bare, phrase = text.strip().strip('"').strip().casefold(), self.phrase.strip().casefold()
        opens = self.kind == "starts_with"
        passed = bare.startswith(phrase) if opens else bare.endswith(phrase)
        return Finding(passed, bare[: len(phrase)] if opens else bare[-len(phrase) :])


class Pattern(_Constraint):
    """A regular expression (RE2) that must match somewhere, or nowhere."""

    kind: Literal["pattern"] = Field(description="Which constraint.")
    pattern: str = Field(min_length=1, description="The expression.")
    matches: bool = Field(True, description="False: it must match nowhere.")

    @model_validator(mode="after")
    def _readable(self) -> Self:
        compiled(self.pattern)
        return self

    def check(self, text: str) -> Finding:
        """Search."""
        found = found_in(self.pattern, text)
        return Finding(found == self.matches, "it matches" if found else "it matches nowhere")


Constraint = Annotated[
    Count | Form | JsonSchema | Keywords | KeywordCount | Language | Edge | Pattern,
    Field(discriminator="kind"),
]


def _check_bounds(least: int | None, most: int | None) -> None:
    if least is None and most is None:
        raise ValueError("neither `least` nor `most` is set")
    if least is not None and most is not None and least > most:
        raise ValueError(f"`least` {least} is more than `most` {most}")


def _within(count: int, least: int | None, most: int | None) -> Finding:
    passed = (least is None or count >= least) and (most is None or count <= most)
    return Finding(passed, str(count))


def _json(text: str) -> tuple[Any] | Finding:
    """The JSON value of a text, or what there is to say instead."""
    try:
        return (measures.json_value(text),)
    except measures.Unreadable as error:
        return Finding(None, str(error))
    except ValueError as error:
        return Finding(False, f"no JSON: {error}")
