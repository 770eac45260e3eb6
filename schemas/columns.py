"""The columns a row can have: the one place where their names are spelled.

A row grows as it moves: a *prompt* has `MESSAGES`; a *candidate* gains `RESPONSES`; a *labelled*
row gains `SCORES` and `JUDGEMENTS`; a *pair* has `CHOSEN` and `REJECTED` instead. Lists inside a
row refer to each other by `response_id`, never by position.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.types import BOOL, FLOAT, INT, STRING, Field, ListOf, Struct, Type


@dataclass(frozen=True, slots=True)
class Column:
    """A handle on one column: its name, type and meaning. Columns hold no nulls unless nullable."""

    name: str
    type: Type
    doc: str
    nullable: bool = False


MESSAGE = Struct(
    (
        Field("role", STRING, "`system`, `user`, `assistant` or `tool`"),
        Field("content", STRING, "the text of the turn"),
    )
)

ROW_ID = Column("row_id", STRING, "identity of the row: 32 hex digits, see `schemas.ids`")
LINEAGE = Column(
    "lineage",
    ListOf(
        Struct(
            (
                Field("stage", STRING, "name of the stage that made a child of that row"),
                Field("row_id", STRING, "the parent's row_id"),
            )
        )
    ),
    "the row's ancestors, oldest first; empty for a row that came from a source",
)
SOURCE = Column(
    "source",
    STRING,
    "where the prompt came from: what the step that loaded it calls it, or stage and model",
)
MESSAGES = Column("messages", ListOf(MESSAGE), "the prompt: a conversation ending on a user turn")

RESPONSE = Struct(
    (
        Field("response_id", STRING, "identity within the run, derived from row, model and sample"),
        Field("text", STRING, "the answer, as sampled"),
        Field("model", STRING, "role and model that wrote it, or `given`"),
        Field("system", STRING, "system prompt used for this answer only", nullable=True),
        Field("finish_reason", STRING, "`stop` or `length`, as the engine said"),
        Field("n_tokens", INT, "tokens sampled, the stop token included"),
        Field("logprob_sum", FLOAT, "sum of log p of the sampled tokens, in nats", nullable=True),
        Field("temperature", FLOAT, "0 is greedy"),
        Field("top_p", FLOAT, "nucleus mass"),
        Field("seed", INT, "the sampling seed of this answer"),
        Field("is_baseline", BOOL, "true for the greedy baseline answer"),
        Field(
            "text_logprob_sum",
            FLOAT,
            "log p of the text alone, without the stop token; null if its tokens were others",
            nullable=True,
        ),
    )
)
RESPONSES = Column("responses", ListOf(RESPONSE), "candidate answers; response_id is unique")

SCORES = Column(
    "scores",
    ListOf(
        Struct(
            (
                Field("response_id", STRING, "the answer that is scored"),
                Field("labeller", STRING, "name of the stage, as the recipe calls it"),
                Field("score", FLOAT, "higher is better; raw, comparable within one prompt only"),
            )
        )
    ),
    "raw scores as given; an answer without a score has no entry, never a filler value",
)
JUDGEMENTS = Column(
    "judgements",
    ListOf(
        Struct(
            (
                Field("labeller", STRING, "name of the stage, as the recipe calls it"),
                Field("response_a", STRING, "response_id of the first answer"),
                Field("response_b", STRING, "response_id of the second answer"),
                Field("p_a_shown_first", FLOAT, "P(a wins) when a is shown first"),
                Field("p_a_shown_second", FLOAT, "P(a wins) when b is shown first"),
                Field("p_a", FLOAT, "mean of the two: symmetric by construction"),
                Field("label_mass", FLOAT, "least probability mass the judge put on its labels"),
                Field("consistent", BOOL, "both orders prefer the same answer"),
                Field(
                    "alignment",
                    STRING,
                    "how the answers were cut when the orders first agreed, `length` or "
                    "`semantic`; `none` if they were whole, or the orders never agreed",
                ),
                Field(
                    "round",
                    INT,
                    "round of the tournament, from 1; null where all answers met",
                    nullable=True,
                ),
            )
        )
    ),
    "pairwise judgements, both orders kept",
)
IMPLICIT_REWARDS = Column(
    "implicit_rewards",
    ListOf(
        Struct(
            (
                Field("response_id", STRING, "the answer that is scored"),
                Field("labeller", STRING, "name of the stage, as the recipe calls it"),
                Field("policy_logprob_sum", FLOAT, "sum of log p(y|x), in nats"),
                Field("policy_n_tokens", INT, "tokens in that sum"),
                Field("reference_logprob_sum", FLOAT, "sum of log p_ref(y|x), in nats"),
                Field("reference_n_tokens", INT, "tokens in that sum"),
            )
        )
    ),
    "what an implicit reward was computed from; beta is not applied",
)

CHOSEN = Column("chosen", STRING, "the preferred answer; never equal to `rejected`")
REJECTED = Column("rejected", STRING, "the other answer")
CHOSEN_ID = Column("chosen_id", STRING, "response_id of `chosen`")
REJECTED_ID = Column("rejected_id", STRING, "response_id of `rejected`")
CHOSEN_MODEL = Column("chosen_model", STRING, "the model that wrote `chosen`")
REJECTED_MODEL = Column("rejected_model", STRING, "the model that wrote `rejected`")
SCORE_CHOSEN = Column(
    "score_chosen",
    FLOAT,
    "score of `chosen` by the labeller the pair came from; null if it came without",
    nullable=True,
)
SCORE_REJECTED = Column("score_rejected", FLOAT, "score of `rejected`", nullable=True)
MARGIN = Column("margin", FLOAT, "score_chosen - score_rejected; never negative", nullable=True)
P_CHOSEN = Column(
    "p_chosen", FLOAT, "P(chosen beats rejected) if the labeller gave one", nullable=True
)
LABELLER = Column("labeller", STRING, "the step whose scores decided, or that loaded the label")

CONFIDENCE = Column(
    "confidence", FLOAT, "P(chosen beats rejected) to the model that looks for noise"
)
IS_NOISY = Column("is_noisy", BOOL, "the pair is among the least confident of the dataset")
LABEL_SMOOTHING = Column(
    "label_smoothing",
    FLOAT,
    "share of the label that goes to `rejected`; 0 is a hard label, null one that nobody doubted",
    nullable=True,
)
CHES = Column(
    "ches", FLOAT, "centred hidden embedding similarity of the pair; higher is more alike"
)
LN_CHES = Column("ln_ches", FLOAT, "`ches` from mean hidden states instead of sums")
CHOSEN_TOKENS = Column("chosen_n_tokens", INT, "tokens of `chosen` to the model that measured it")
REJECTED_TOKENS = Column("rejected_n_tokens", INT, "tokens of `rejected` to that model")
REWARD_READINGS = Column(
    "reward_readings",
    ListOf(
        Struct(
            (
                Field("response_id", STRING, "the answer that was read"),
                Field("labeller", STRING, "name of the stage, as the recipe calls it"),
                Field("n_tokens", INT, "tokens read: prompt, answer and template"),
                Field("n_truncated", INT, "tokens cut off at the end, for want of room"),
            )
        )
    ),
    "how much of each answer a reward model saw",
)

RAW_RECORD = Column("raw_record", STRING, "one record of an input file, as JSON")
RAW_PLACE = Column("raw_place", STRING, "file and line or row number of the record")
RAW_PROBLEM = Column(
    "raw_problem", STRING, "`code: why`, if the record could not be read", nullable=True
)

GOLD_ANSWERS = Column(
    "gold_answers", ListOf(STRING), "right answers, any of which will do; empty if none is known"
)
CONSTRAINTS = Column(
    "constraints",
    ListOf(
        Struct(
            (
                Field("kind", STRING, "a kind of constraint that `verify` knows, or an IFEval id"),
                Field("arguments", STRING, "its settings, a JSON object"),
            )
        )
    ),
    "what an answer to this prompt must keep to; empty if nothing is known",
)
CHECKS = Column(
    "checks",
    ListOf(
        Struct(
            (
                Field("response_id", STRING, "the answer that was checked"),
                Field("labeller", STRING, "name of the stage, as the recipe calls it"),
                Field("check", STRING, "`answer`, or the kind of constraint"),
                Field("passed", BOOL, "whether it held"),
                Field("wanted", STRING, "the gold answers, or the constraint's settings as JSON"),
                Field("found", STRING, "what stood in the answer"),
            )
        )
    ),
    "what each programmatic score was computed from, failed checks included",
)
P_CHOSEN_WINS = Column(
    "p_chosen_wins",
    FLOAT,
    "mean P(chosen beats an answer of its prompt, itself at one half); only with `sppo`",
    nullable=True,
)
P_REJECTED_WINS = Column(
    "p_rejected_wins", FLOAT, "the same for `rejected`; only with `sppo`", nullable=True
)
GOALS = Column(
    "goals",
    ListOf(
        Struct(
            (
                Field("name", STRING, "the labeller or attribute, as in `scores`"),
                Field("score", FLOAT, "the score that the prompt asks for"),
            )
        )
    ),
    "target scores that the prompt states",
)
PREFERENCES = Column(
    "preferences",
    ListOf(
        Struct(
            (
                Field("labeller", STRING, "name of the stage, as the recipe calls it"),
                Field("response_a", STRING, "response_id of the first answer"),
                Field("response_b", STRING, "response_id of the second answer"),
                Field("p_a", FLOAT, "P(a wins), if the labellers gave any", nullable=True),
                Field("n_votes", INT, "votes that were cast"),
                Field("n_a", FLOAT, "votes for a; a vote for neither is a half"),
                Field("agree", BOOL, "as far as the step demands; `pair` takes no other"),
            )
        )
    ),
    "pairwise preferences of several labellers, or of several orders of a list, together",
)
WIN_MATRICES = Column(
    "win_matrices",
    ListOf(
        Struct(
            (
                Field("labeller", STRING, "name of the stage, as the recipe calls it"),
                Field("response_ids", ListOf(STRING), "the answers, in the order of the rows"),
                Field(
                    "comparisons",
                    ListOf(ListOf(FLOAT)),
                    "row i, column j: log-odds that i beats j when i is shown first; 0 if i is j",
                ),
                Field("probabilities", ListOf(ListOf(FLOAT)), "P(i beats j) from the scores"),
            )
        )
    ),
    "how each answer fares against each other one, before and after it is made transitive",
)
RANKINGS = Column(
    "rankings",
    ListOf(
        Struct(
            (
                Field("labeller", STRING, "name of the stage, as the recipe calls it"),
                Field("response_ids", ListOf(STRING), "the answers, best first"),
                Field("p", FLOAT, "probability of this ranking; 1 if it is the only one"),
            )
        )
    ),
    "rankings of the answers that several labellers give together",
)
CALIBRATIONS = Column(
    "calibrations",
    ListOf(
        Struct(
            (
                Field("response_id", STRING, "the answer that is scored"),
                Field("labeller", STRING, "name of the stage, as the recipe calls it"),
                Field("raw_labeller", STRING, "whose score was calibrated"),
                Field("raw", FLOAT, "that score"),
                Field("calibrated", FLOAT, "what became of it"),
                Field("n_reference", INT, "answers it was compared with"),
            )
        )
    ),
    "what a calibrated score was computed from, labeller by labeller",
)
RANKING = Column(
    "ranking",
    ListOf(
        Struct(
            (
                Field("response_id", STRING, "identity of the answer"),
                Field("text", STRING, "what it says"),
                Field("model", STRING, "the model that wrote it"),
                Field("score", FLOAT, "its score by the labeller"),
            )
        )
    ),
    "answers to the prompt, best first",
)
SELF_SAMPLES = Column(
    "self_samples",
    ListOf(
        Struct(
            (
                Field("response_id", STRING, "identity of the answer"),
                Field("text", STRING, "what it says"),
                Field("model", STRING, "the model that wrote it"),
            )
        )
    ),
    "the model's own answers, neither good nor bad: what `rejected` is set against",
)
ANSWER = Column("answer", STRING, "one answer to the prompt")
FINISH_REASON = Column(
    "finish_reason", STRING, "how the answer ended, if the input says so", nullable=True
)

VERDICTS = Column(
    "verdicts",
    ListOf(
        Struct(
            (
                Field("labeller", STRING, "name of the stage, as the recipe calls it"),
                Field("judge", STRING, "role and model that judged"),
                Field(
                    "topic",
                    STRING,
                    "`pairwise`, with the alignment after a `/` if the answers were cut; "
                    "`listwise`; or the attribute that was graded",
                ),
                Field("shown", ListOf(STRING), "response_id of each answer, in the order shown"),
                Field(
                    "values",
                    ListOf(FLOAT),
                    "what each of them got: P(it wins), its grade, its share of a list's best, or "
                    "the share of the others that it is ranked above",
                ),
                Field("method", STRING, "`label_probs`, `structured` or `parse`"),
                Field("raw", STRING, "the judge's text, or its label probabilities as JSON"),
                Field("rationale", STRING, "its reasons, if asked for first", nullable=True),
            )
        )
    ),
    "what a judge said, question by question, before anything was combined",
)

LABEL_DETAILS = (
    JUDGEMENTS,
    IMPLICIT_REWARDS,
    REWARD_READINGS,
    CHECKS,
    PREFERENCES,
    WIN_MATRICES,
    RANKINGS,
    CALIBRATIONS,
    VERDICTS,
)
"""What labels came from; gone once answers have been chosen by them."""
