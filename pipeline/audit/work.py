"""Reads labelled rows of a run's work: scores and judgements of all answers, as labels of pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

from pipeline.audit.labels import Cycle, Judgement, Labels, Loss, Orders, Poll
from pipeline.audit.layouts import preference
from pipeline.audit.pairs import LABEL, Pair
from pipeline.audit.table import PairTable
from pipeline.audit.turns import last_user_turn
from schemas.columns import (
    CHOSEN,
    CHOSEN_MODEL,
    JUDGEMENTS,
    MESSAGES,
    PREFERENCES,
    REJECTED,
    REJECTED_MODEL,
    RESPONSES,
    SCORES,
)
from schemas.layouts import is_blank, same_text

Row = dict[str, Any]
Verdict = Callable[[str, str], tuple[float, float] | None]
"""Of two answers, the verdict and P(the first is preferred); None if nothing was said."""


def labels_of_run(
    name: str,
    dataset: Iterable[Pair],
    rows: Iterable[Row],
    losses: Mapping[str, tuple[int, Mapping[str, int]]],
    combining: Collection[str] = (),
    factors: Collection[str] | None = None,
) -> Labels:
    """Everything that is known of a run's labels.

    Args:
        name: of the run.
        dataset: the pairs that came out of it.
        rows: as its labelling steps left them; read once.
        losses: by labelling step, its rows in and its rejects by reason.
        combining: the labelling steps that combine the votes of others.
        factors: of answers that are wanted.
    """
    labels = Labels(name, pairs=PairTable(factors))
    for pair in dataset:
        # Scores beside a pair are those of a labeller whose own rows are here.
        labels.pairs.add(replace(pair, verdicts={LABEL: pair.verdicts[LABEL]}))
    labels.layouts = Counter({"prefmill": len(labels.pairs)})
    labels.losses = [Loss(step, rows_in, reasons) for step, (rows_in, reasons) in losses.items()]
    for row in rows:
        _add(labels, row, combining)
    return labels


def _add(labels: Labels, row: Row, combining: Collection[str]) -> None:
    """What one labelled row says."""
    for pair in labelled_pairs(row):
        labels.pairs.join(pair)
    for name, judgement in judgements(row):
        labels.orders.setdefault(name, Orders()).add(judgement)
    for name, cycle in cycles(row).items():
        seen = labels.cycles.get(name, Cycle())
        labels.cycles[name] = Cycle(seen.triples + cycle.triples, seen.cyclic + cycle.cyclic)
    for name, poll in polls(row, combining).items():
        known = labels.polls.get(name, Poll())
        labels.polls[name] = Poll(known.pairs + poll.pairs, known.unanimous + poll.unanimous)


def labelled_pairs(row: Row) -> Iterator[Pair]:
    """Every two answers of a prompt on which a labeller has said something.

    A judge's verdict is what it said in both orders, a tie if that differs. A labeller without
    judgements prefers the higher score.
    """
    said = _by_labeller(row)
    prompt = last_user_turn(row[MESSAGES.name])
    for a, b in combinations(row[RESPONSES.name], 2):
        ids = a["response_id"], b["response_id"]
        found = {name: verdict(*ids) for name, verdict in said.items()}
        known = {name: value for name, value in found.items() if value is not None}
        texts = a["text"], b["text"]
        if known and not same_text(*texts) and not any(map(is_blank, texts)):
            verdicts, chances = (
                {name: value[which] for name, value in known.items()} for which in (0, 1)
            )
            yield Pair(prompt, *texts, verdicts, (a["model"], b["model"]), chances=chances)


def chosen_pairs(rows: Iterable[Row]) -> Iterator[Pair]:
    """The pairs of a step that made pairs."""
    for row in rows:
        yield Pair(
            last_user_turn(row[MESSAGES.name]),
            row[CHOSEN.name],
            row[REJECTED.name],
            {LABEL: 1.0},
            (row[CHOSEN_MODEL.name], row[REJECTED_MODEL.name]),
        )


def judgements(row: Row) -> Iterator[tuple[str, Judgement]]:
    """The judgements of a row that were made in both orders, with their judges."""
    for item in row.get(JUDGEMENTS.name) or ():
        if item["p_a_shown_first"] is not None and item["p_a_shown_second"] is not None:
            is_aligned = item.get("alignment", "none") != "none"
            orders = item["p_a_shown_first"], item["p_a_shown_second"]
            yield item["labeller"], Judgement(*orders, is_aligned)


def cycles(row: Row) -> dict[str, Cycle]:
    """By judge, the triples of answers with three winners among them, and those in a circle."""
    ids = [response["response_id"] for response in row[RESPONSES.name]]
    found = {}
    for name in {item["labeller"] for item in row.get(JUDGEMENTS.name) or ()}:
        verdict = _judged(row, name)
        triples = cyclic = 0
        for a, b, c in combinations(ids, 3):
            said = verdict(a, b), verdict(b, c), verdict(c, a)
            around = {None if one is None else one[0] for one in said}
            if not {None, 0.5} & around:
                triples, cyclic = triples + 1, cyclic + (len(around) == 1)
        if triples:
            found[name] = Cycle(triples, cyclic)
    return found


def polls(row: Row, combining: Collection[str]) -> dict[str, Poll]:
    """By labeller that combines others, how often all votes on a pair are for the same answer."""
    found: dict[str, Poll] = {}
    for item in row.get(PREFERENCES.name) or ():
        name, unanimous = item["labeller"], item["n_a"] in (0, item["n_votes"])
        if name in combining:
            poll = found.get(name, Poll())
            found[name] = Poll(poll.pairs + 1, poll.unanimous + unanimous)
    return found


def _by_labeller(row: Row) -> dict[str, Verdict]:
    judges = {item["labeller"] for item in row.get(JUDGEMENTS.name) or ()}
    scorers = {item["labeller"] for item in row.get(SCORES.name) or ()} - judges
    return {
        **{name: _judged(row, name) for name in sorted(judges)},
        **{name: _scored(row, name) for name in sorted(scorers)},
    }


def _judged(row: Row, labeller: str) -> Verdict:
    said: dict[tuple[str, str], tuple[float, float]] = {}
    for item in row[JUDGEMENTS.name]:
        if item["labeller"] == labeller:
            p = item["p_a"]
            won = preference(p, 0.5) if item["consistent"] else 0.5
            said[item["response_a"], item["response_b"]] = won, p
            said[item["response_b"], item["response_a"]] = 1 - won, 1 - p
    return lambda a, b: said.get((a, b))


def _scored(row: Row, labeller: str) -> Verdict:
    scores = {
        item["response_id"]: item["score"]
        for item in row[SCORES.name]
        if item["labeller"] == labeller
    }

    def verdict(a: str, b: str) -> tuple[float, float] | None:
        if not {a, b} <= scores.keys():
            return None
        won = preference(scores[a], scores[b])
        return won, won

    return verdict
