"""What figures of a run are called, and what each means: one flat vocabulary of dotted names.

    <config>.<...>                          of the rows of a dataset config
    steps.<step>.<...>                      of what a step did
    tokens.<...>                            of all steps together
    audit.<section>.<subject>.<measure>     of the labels, as `prefmill audit` has them

A figure that cannot be had is absent. Shares are from 0 to 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from schemas.columns import MESSAGE, SCORE_CHOSEN, SCORE_REJECTED, Column
from schemas.layouts import (
    CHOSEN_TURN,
    COMPLETION,
    COMPLETIONS,
    LABEL,
    PROMPT,
    REJECTED_TURN,
    TEXT,
)
from schemas.types import FLOAT, STRING, ListOf

AUDIT, STEPS, TOKENS = "audit", "steps", "tokens"
ROWS, NEW_ROWS, PROMPTS, DUPLICATES = "rows", "new_rows", "prompts", "duplicates"
TIES, LONGER_PREFERRED, DESIRABLE = "ties", "longer_preferred", "desirable"
CHARACTERS, WORDS, MEAN, MEDIAN = "characters", "words", "mean", "median"
UNLABELLED, REJECTS, DECIDED = "unlabelled", "rejects", "figures"

_TEXT_NAMES = {
    column.name for column in (PROMPT, CHOSEN_TURN, REJECTED_TURN, COMPLETION, COMPLETIONS, TEXT)
}
_TEXT_TYPES = (STRING, ListOf(STRING), ListOf(MESSAGE))

_OF_ROWS = {
    ROWS: "rows of the config, those of the last release included",
    NEW_ROWS: "rows that this release adds",
    PROMPTS: "different prompts among the new rows",
    DUPLICATES: "share of the new rows whose texts are all those of another one before",
    TIES: "share of the pairs with equal scores, of those that have scores",
    LONGER_PREFERRED: "share in which the longer answer is preferred, of the pairs of unequal "
    "length; one half is no preference",
    DESIRABLE: "share of the answers that are labelled desirable",
}
_OF_STEPS = {
    "rows_in": "rows that came into the step",
    "rows_out": "rows that came out of it",
    "lost": "share of its rows that were turned away whole",
    "failed": "share of its rows that were lost because an engine could not serve them",
    UNLABELLED: "share of its rows for which the labeller found no label at all",
    "prompt_tokens": "tokens that models read in it",
    "sampled_tokens": "tokens that models wrote in it",
}
_OF_TOKENS = {
    "prompt": "tokens that models read in all steps",
    "sampled": "tokens that models wrote in all steps",
}
_OF_AUDIT = {
    "position_bias": {
        "flips": "share of the pairs on which the judge preferred another answer in each order",
        "first_when_it_flips": "share of its flips that favour the answer shown first",
        "first_preferred": "share of its decisions for the answer shown first",
        "aligned": "share of the pairs whose orders agreed only once the answers were cut alike",
    },
    "self_consistency": {
        "repeats_agree": "share of the pairs labelled more than once with the same label each time",
        "no_cycles": "share of the triples of answers that the judge does not put in a circle",
    },
    "ties": {"ties": "share of the pairs that the labeller finds equal"},
    "refusals": {
        "of_preferred": "share of the preferred answers that refuse to answer",
        "of_others": "share of the other answers that refuse to answer",
        "refusal_wins": "share of refusals that are preferred, where one answer of two refuses",
    },
    "lost_labels": {
        "rejects": "labels that could not be had for this reason",
        "rows_in": "rows that the labeller was given",
    },
    "length": {
        "longer_preferred": "share of the pairs of unequal length whose longer answer is preferred",
        "correlation": "Pearson's, of the label with the difference in characters",
    },
    "length_controlled": {
        "win_rate": "how often the model's answers are preferred to those of others",
        "length-controlled": "the same if both answers were equally long",
    },
    "ratings": {
        "Elo": "Bradley-Terry rating of the model on Elo's scale, with mean 1000",
        "strength": "the same as log-odds, with mean 0",
        "games": "pairs in which the model was compared",
    },
    "agreement": {
        "agree": "share of the pairs on which both labellers, or all votes, are the same",
        "kappa": "Cohen's, agreement beyond chance; 1 is perfect, 0 is chance",
        "alpha": "Krippendorff's (nominal), agreement of all labellers beyond chance",
    },
    "factor_weights": {
        "weight": "what one standard deviation more of the factor adds to the log-odds",
        "tau": "Kendall's, agreement of the factor alone with the preference",
    },
}
_MAIN = (
    r"\w+\.(?:margin\.mean|ties|longer_preferred|desirable|duplicates)",
    r"\w+\.(?:chosen|rejected|completion)\.words\.mean",
    r"audit\.(?:position_bias\..*\.flips|ties\..*\.ties|self_consistency\..*)",
    r"audit\.agreement\..*\.(?:kappa|alpha)",
    r"steps\..*\.unlabelled",
)
"""Which figures tell most of a dataset's quality, in the order in which one looks at them."""
_UNKNOWN = "a figure that this version of prefmill does not know"


def audit_name(section: str, subject: str, measure: str) -> str:
    """Name of an audit's figure; a subject's own dots and spaces become `_`."""
    return ".".join((AUDIT, section, slug(subject), slug(measure)))


def slug(text: str) -> str:
    """A text as one part of a name, e.g. `label_judge` for `label / judge`."""
    return re.sub(r"[^\w-]+", "_", text).strip("_") or "_"


def main_figures(names: Iterable[str]) -> list[str]:
    """Those of some figures that tell most of a dataset's quality, the first to look at first."""
    known = sorted(names)
    return [name for pattern in _MAIN for name in known if re.fullmatch(pattern, name)]


def meaning(name: str) -> str:
    """What the figure of this name is, in one line for people."""
    head, *rest = name.split(".")
    if head == STEPS and len(rest) > 1:
        return _step_meaning(rest[0], rest[1], ".".join(rest[2:]))
    if head == TOKENS:
        return _OF_TOKENS.get(".".join(rest), _UNKNOWN)
    if head == AUDIT and len(rest) == 3:
        said = _OF_AUDIT.get(rest[0], {}).get(rest[2])
        return f"{rest[1]}: {said}" if said else _UNKNOWN
    return _config_meaning(rest)


def _step_meaning(step: str, what: str, more: str) -> str:
    if what == REJECTS and more:
        return f"{step}: rejects with the reason `{more}`, per row that came in"
    if what == DECIDED and more:
        return f"{step}: {more.replace('_', ' ')}, as the step says of its decision over all rows"
    said = _OF_STEPS.get(what)
    return f"{step}: {said}" if said and not more else _UNKNOWN


def _config_meaning(rest: list[str]) -> str:
    match rest:
        case [what] if what in _OF_ROWS:
            return _OF_ROWS[what]
        case [column, ("mean" | "median") as which]:
            return f"{which} of `{column}` over the new rows"
        case [column, ("characters" | "words") as unit, ("mean" | "median") as which]:
            return f"{which} length of `{column}` in {unit}, over the new rows"
    return _UNKNOWN


def config_figures(config: str, columns: Iterable[Column]) -> list[str]:
    """The figures that a dataset config with these columns may have."""
    return [f"{config}.{name}" for name in _of_columns(list(columns))]


def _of_columns(columns: list[Column]) -> Iterator[str]:
    names = {column.name for column in columns}
    yield from (ROWS, NEW_ROWS)
    if any(map(is_text, columns)):
        yield DUPLICATES
    if PROMPT in columns:
        yield PROMPTS
    if {CHOSEN_TURN.name, REJECTED_TURN.name} <= names:
        yield LONGER_PREFERRED
    if {SCORE_CHOSEN.name, SCORE_REJECTED.name} <= names:
        yield TIES
    if LABEL in columns:
        yield DESIRABLE
    for column in columns:
        units = (f".{CHARACTERS}", f".{WORDS}") if is_text(column) else ("",)
        if is_text(column) or is_number(column):
            yield from (f"{column.name}{unit}.{at}" for unit in units for at in (MEAN, MEDIAN))


def is_text(column: Column) -> bool:
    """Whether a dataset's column holds what was asked or answered."""
    return column.name in _TEXT_NAMES and column.type in _TEXT_TYPES


def is_number(column: Column) -> bool:
    """Whether a dataset's column holds measured numbers."""
    return column.type in (FLOAT, ListOf(FLOAT))


def step_figures(step: str) -> list[str]:
    """The figures that a step may have, without those by reason and by decision."""
    return [f"{STEPS}.{step}.{what}" for what in _OF_STEPS]


def is_step_detail(name: str, step: str) -> bool:
    """Whether it is a name by reason (`steps.<step>.rejects.<code>`) or by decision."""
    return any(name.startswith(f"{STEPS}.{step}.{kind}.") for kind in (REJECTS, DECIDED))


def token_figures() -> list[str]:
    """The figures of all steps together."""
    return [f"{TOKENS}.{what}" for what in _OF_TOKENS]


def audit_figures(subject: str = "<subject>") -> list[str]:
    """The figures that an audit may have of a subject."""
    return [
        f"{AUDIT}.{section}.{subject}.{measure}"
        for section, measures in _OF_AUDIT.items()
        for measure in measures
    ]
