"""What a stage may ask of a model, and what it gets back.

Engines implement some of `Generator`, `HiddenReader`, `Rewarder` and `Embedder`. Requests carry an
id that is unique within a call; results come back one per request, in request order. A request
that fails yields a `Failure` in its place; only a dead engine raises (`schemas.errors.EngineDied`).
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Capability = Literal[
    "generate",  # sample an answer to a conversation
    "raw_prompt",  # continue any text: needed for Magpie and for principles in raw form
    "seed",  # the same request and seed give the same text
    "logprobs",  # the sum of log p of what was sampled
    "score",  # sum of log p(y|x) of a given text
    "label_probs",  # probabilities of given next-token labels
    "structured",  # output constrained to choices, a regular expression or a JSON schema
    "hidden_states",  # sums of the last layer's hidden states over a given text
    "reward",  # scores of a finished conversation, from a sequence-classification model
    "embed",  # a vector for a text, from an embedding model
]

FailureKind = Literal[
    "context_length",  # prompt (and answer) do not fit the model's window
    "bad_request",  # the engine refused the request, e.g. an invalid schema
    "empty_prompt",
    "rate_limit",  # still refused after all retries
    "server",  # 5xx after all retries
    "timeout",
    "connection",
    "malformed",  # an answer that is not what the protocol promises
    "no_logprobs",  # the server answered without the log-probabilities asked for
]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model continues.

    Attributes:
        text: rendered text, special tokens spelled out; None if only a server can render.
        messages: the conversation it was rendered from; empty for a raw prompt such as
            Magpie's left-hand prompt.
    """

    text: str | None
    messages: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Structure:
    """Constrain the output; exactly one of the three is set."""

    choices: tuple[str, ...] = ()
    regex: str = ""
    json_schema: str = ""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample. Every field changes the text, so every field is part of a stage's key.

    Attributes:
        temperature: 0 is greedy.
        top_p: nucleus mass, (0, 1].
        top_k: 0 means all tokens.
        min_p: least probability relative to the likeliest token.
        repetition_penalty: 1 means none.
        max_tokens: at most this many tokens are sampled.
        stop: texts that end the answer; not part of it.
        stop_token_ids: tokens that end the answer, besides the model's own end of sequence.
        structure: constraint on the output.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    max_tokens: int = 512
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    structure: Structure | None = None


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """Sample one answer."""

    request_id: str
    prompt: Prompt
    sampling: Sampling
    seed: int


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Ask for log p(completion | prompt), end-of-turn token not included."""

    request_id: str
    prompt: Prompt
    completion: str


@dataclass(frozen=True, slots=True)
class LabelRequest:
    """Ask for the probability of each label as the next text after the prompt."""

    request_id: str
    prompt: Prompt
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HiddenRequest:
    """Ask for the hidden states that predict the completion, end-of-turn token not included."""

    request_id: str
    prompt: Prompt
    completion: str


@dataclass(frozen=True, slots=True)
class RewardRequest:
    """Ask what an answer is worth.

    Attributes:
        prompt: the conversation up to the answer, ready for it.
        conversation: the whole, answer included, as the model's chat template writes it.
    """

    request_id: str
    prompt: Prompt
    conversation: Prompt


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """Ask for the vector of a text, as it stands: no chat template."""

    request_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Generation:
    """A sampled answer.

    Attributes:
        text: special tokens removed.
        finish_reason: `stop` (end of turn or a stop) or `length`.
        n_tokens: tokens sampled, the stop token included.
        n_prompt_tokens: tokens of the prompt.
        logprob_sum: sum of log p of the sampled tokens in nats; None where the engine has none.
        text_logprob_sum: the part of that sum that `Score` would give for the text, without the
            stop token; None where it is not known, or where other tokens were sampled than the
            text is split into.
        n_cached_tokens: tokens of the prompt that the engine had read before, in another prompt
            that starts alike; 0 where it doesn't say.
    """

    request_id: str
    text: str
    finish_reason: Literal["stop", "length"]
    n_tokens: int
    n_prompt_tokens: int
    logprob_sum: float | None = None
    text_logprob_sum: float | None = None
    n_cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Score:
    """The likelihood of a given text.

    Attributes:
        logprob_sum: sum over the completion's tokens, in nats.
        n_tokens: number of tokens in the sum.
    """

    request_id: str
    logprob_sum: float
    n_tokens: int
    n_prompt_tokens: int


@dataclass(frozen=True, slots=True)
class LabelProbs:
    """Next-token probabilities of given labels, in the order of the request.

    Attributes:
        probs: p(label), not renormalised; each in [0, 1], together at most 1.
        n_cached_tokens: as in `Generation`.
    """

    request_id: str
    probs: tuple[float, ...]
    n_prompt_tokens: int
    n_cached_tokens: int = 0

    @property
    def mass(self) -> float:
        """How much probability the model gave to the labels altogether."""
        return sum(self.probs)


@dataclass(frozen=True, slots=True)
class HiddenSum:
    """What a model is in while it predicts a text.

    Attributes:
        vector: sum of the last layer's hidden states, as the unembedding sees them, at the
            positions that predict each token of the completion: from the prompt's last token to
            the last but one of all.
        n_tokens: number of states in the sum.
    """

    request_id: str
    vector: tuple[float, ...]
    n_tokens: int
    n_prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Reward:
    """What a reward model says of a conversation.

    Attributes:
        attributes: names of the model's outputs, in its own order; never empty.
        values: one per output, as computed: before any sigmoid or softmax, perhaps not finite.
        n_prompt_tokens: tokens that the model read, the answer's included.
        n_truncated: tokens at the conversation's end that did not fit the model's window.
    """

    request_id: str
    attributes: tuple[str, ...]
    values: tuple[float, ...]
    n_prompt_tokens: int
    n_truncated: int = 0


@dataclass(frozen=True, slots=True)
class Embedding:
    """A text as a vector.

    Attributes:
        vector: float32; of length 1 only if the model's own last step is to make it so.
        n_prompt_tokens: tokens that the model read.
        n_truncated: tokens of the text that did not fit the model's window.
        n_cached_tokens: as many as were read, where the vector was known from before; else 0.
    """

    request_id: str
    vector: array[float]
    n_prompt_tokens: int
    n_truncated: int = 0
    n_cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that could not be served.

    Attributes:
        kind: what went wrong, one of a short list that reports can count.
        message: one sentence for a person.
        raw: what the engine returned, verbatim where there is something.
    """

    request_id: str
    kind: FailureKind
    message: str
    raw: str = ""


class Model(Protocol):
    """What all loaded models have.

    Attributes:
        fingerprint: identity of everything that decides its answers: weights, revision, dtype,
            tokenizer, chat template, engine.
        capabilities: what may be asked; a call beyond them is a bug in the caller.
    """

    @property
    def fingerprint(self) -> str:
        """Identity of the model and of how it is read."""
        ...

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What it can do."""
        ...

    def close(self) -> None:
        """Free the device and leave no process behind; calling it twice is harmless."""
        ...


class Generator(Model, Protocol):
    """A loaded text model."""

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation | Failure]:
        """Sample one answer per request."""
        ...

    def score(self, requests: Sequence[ScoreRequest]) -> list[Score | Failure]:
        """Return log p(completion | prompt) per request."""
        ...

    def label_probs(self, requests: Sequence[LabelRequest]) -> list[LabelProbs | Failure]:
        """Return the next-token probability of each label per request."""
        ...


class HiddenReader(Model, Protocol):
    """A loaded text model that shows its hidden states."""

    def hidden_sums(self, requests: Sequence[HiddenRequest]) -> list[HiddenSum | Failure]:
        """Return the summed hidden states of each completion."""
        ...


class Rewarder(Model, Protocol):
    """A loaded reward model."""

    def reward(self, requests: Sequence[RewardRequest]) -> list[Reward | Failure]:
        """Score each conversation."""
        ...


class Embedder(Model, Protocol):
    """A loaded embedding model."""

    def embed(self, requests: Sequence[EmbedRequest]) -> list[Embedding | Failure]:
        """Return the vector of each text, all of one length."""
        ...


class ChatFormat(Protocol):
    """How one model's conversations are written down (`prompts.chat` implements it)."""

    def render(self, messages: Sequence[Message]) -> Prompt:
        """A conversation ending on a user (or tool) turn, ready for the assistant's answer."""
        ...

    def render_answered(self, messages: Sequence[Message]) -> Prompt:
        """A conversation ending on the assistant's answer, with what closes its turn."""
        ...

    def user_turn_prefix(
        self,
        *,
        system: str | None = None,
        keep_default_system: bool = True,
        history: Sequence[Message] = (),
    ) -> Prompt:
        """Magpie's left-hand prompt: everything up to where the next user text would start.

        `system` is an own system prompt; without it the template's default system turn is kept
        or dropped. `history` is the conversation so far, ending on an assistant turn.
        """
        ...

    @property
    def user_stop(self) -> Stop:
        """What ends a user turn: to be used when the model writes one."""
        ...


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop conditions derived from a chat template.

    Attributes:
        token_ids: single special tokens that end a turn or open another.
        texts: texts that mark the end of a turn where the template has no token for it.
    """

    token_ids: tuple[int, ...]
    texts: tuple[str, ...]
