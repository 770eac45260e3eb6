"""The columns that say why a row was chosen among all, and what that was decided on."""

from __future__ import annotations

from schemas import columns
from schemas.columns import Column
from schemas.types import ANY, FLOAT, INT, ListOf

EMBEDDING = Column("embedding", ListOf(FLOAT), "a vector for the texts that the step `embed` names")
EMBEDDING_TRUNCATED = Column(
    "embedding_n_truncated", INT, "tokens of those texts that did not fit the model's window"
)
DSIR_LOGRATIO = Column(
    "dsir_logratio",
    FLOAT,
    "log of how much likelier the text's n-grams are in the target than in all rows; by n-gram "
    "with `normalise: length`",
)
DSIR_RANK = Column("dsir_rank", INT, "place among all rows by that and its noise, from 1")
QUALITY_SCORE = Column("quality_score", FLOAT, "what the expression `by` of `quality_mix` came to")
QUALITY_RANK = Column("quality_rank", INT, "place by that score among all rows; 1 is the highest")
EMBEDDING_REJECTED = Column(
    "embedding_rejected", ListOf(FLOAT), "where `embedding` is of `chosen`, the same of `rejected`"
)
EMBEDDING_REJECTED_TRUNCATED = Column(
    "embedding_rejected_n_truncated", INT, "as `embedding_n_truncated`, of `embedding_rejected`"
)
ISA_LOGLIK = Column(
    "isa_loglik", FLOAT, "log density of the row under the mixture that was fitted to all, in nats"
)
ISA_P = Column("isa_p", FLOAT, "what ISA calls its probability: by default not normalised")
ISA_DELTA = Column("isa_delta", FLOAT, "entropy that the row takes with it: -p log p")
ISA_RANK = Column("isa_rank", INT, "place by `isa_delta` among all rows, 1 for the greatest")
COMPLEXITY_SCORES = Column(
    "complexity_scores", ListOf(FLOAT), "of the instruction of each turn, 1 to 6"
)
QUALITY_SCORES = Column("quality_scores", ListOf(FLOAT), "of the answer of each turn, 1 to 6")
DEITA_SCORE = Column("deita_score", FLOAT, "complexity times quality, summed over the turns")
DIVERSITY_RANK = Column("diversity_rank", INT, "when `diversity` took the row, 1 for the first")
DIVERSITY_GAIN = Column(
    "diversity_gain",
    FLOAT,
    "what the row added to the objective when it was taken: similarity to it, for `k_center` its "
    "distance to the rows taken before, for `log_det` nats",
)
ZIPFIT_SCORE = Column(
    "zipfit_score", FLOAT, "how well the text compresses together with the targets; 1 is best"
)
ZIPFIT_NORMALISED = Column(
    "zipfit_normalised",
    FLOAT,
    "standard deviations that `zipfit_score` lies above what is usual for the text's length",
)
ZIPFIT_RANK = Column(
    "zipfit_rank", INT, "the row's place among all that `zipfit` compared; 1 is best"
)
TARGET_SIMILARITY = Column(
    "target_similarity",
    FLOAT,
    "cosine between the text's vector and those of a target's examples, -1 to 1",
)
TARGET_SIMILARITY_TRUNCATED = Column(
    "target_similarity_n_truncated", INT, "as `embedding_n_truncated`, of that text"
)


def named_column(name: str) -> Column:
    """The column of that name, whatever its type if it is none of ours but of a user's file."""
    for value in (*vars(columns).values(), *globals().values()):
        if isinstance(value, Column) and value.name == name:
            return value
    return Column(name, ANY, "a column of the input", nullable=True)
