"""How the next token is drawn from the model's logits, and where an answer stops.

The order is vLLM's: repetition penalty, temperature, min-p, top-k, top-p. Each filter works on
what the ones before it left over, renormalised.

Sources: repetition penalty, Keskar et al. 2019 (arXiv:1909.05858), section 4.1; top-p, Holtzman
et al. 2020 (arXiv:1904.09751); min-p, Nguyen et al. 2024 (arXiv:2407.01082).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.models import Sampling

_GREEDY_BELOW = 1e-5
"""vLLM, too, takes a temperature below this for greedy."""


def draw(logits: Any, sampling: Sampling, seen: Sequence[int], generator: Any) -> int:
    """Draw one token.

    Args:
        logits: float32 [vocabulary], on any device.
        sampling: how to draw.
        seen: token ids so far, prompt and answer, which the repetition penalty discourages.
        generator: a torch.Generator on the CPU, so that a seed means the same on every device.
    """
    import torch

    logits = penalise_repetition(logits, seen, sampling.repetition_penalty)
    if sampling.temperature < _GREEDY_BELOW:
        return int(logits.argmax())
    probs = distribution(logits, sampling)
    return int(torch.multinomial(probs.cpu(), 1, generator=generator))


def distribution(logits: Any, sampling: Sampling) -> Any:
    """What a token is drawn from: [vocabulary] probabilities after temperature and filters."""
    probs = (logits / sampling.temperature).softmax(dim=-1)
    if sampling.min_p > 0:
        probs = keep_min_p(probs, sampling.min_p)
    if sampling.top_k > 0:
        probs = keep_top_k(probs, sampling.top_k)
    if sampling.top_p < 1:
        probs = keep_top_p(probs, sampling.top_p)
    return probs


def penalise_repetition(logits: Any, seen: Sequence[int], penalty: float) -> Any:
    """Make every token seen less likely: positive logits are divided, negative ones multiplied."""
    if penalty == 1 or not seen:
        return logits
    import torch

    places = torch.tensor(sorted(set(seen)), device=logits.device)
    old = logits[places]
    penalised = logits.clone()
    penalised[places] = torch.where(old > 0, old / penalty, old * penalty)
    return penalised


def keep_min_p(probs: Any, min_p: float) -> Any:
    """Keep tokens at least `min_p` times as likely as the likeliest."""
    return _renormalised(probs, probs >= min_p * probs.max())


def keep_top_k(probs: Any, top_k: int) -> Any:
    """Keep the `top_k` likeliest tokens, and those as likely as the last of them."""
    least = probs.topk(min(top_k, probs.numel())).values[-1]
    return _renormalised(probs, probs >= least)


def keep_top_p(probs: Any, top_p: float) -> Any:
    """Keep the smallest set of likeliest tokens whose probabilities reach `top_p`."""
    ordered, places = probs.sort(descending=True, stable=True)
    before = ordered.cumsum(dim=-1) - ordered
    kept = before < top_p
    kept[0] = True  # however small top_p is
    return _renormalised(probs, kept[places.argsort()])


def _renormalised(probs: Any, kept: Any) -> Any:
    probs = probs * kept
    return probs / probs.sum()


def cut_at_stop(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """The text before the first of the stop texts, and whether there was one."""
    ends = [text.index(stop) for stop in stops if stop in text]
    return (text[: min(ends)], True) if ends else (text, False)


def left_pad(rows: Sequence[Sequence[int]], device: Any) -> tuple[Any, Any, Any]:
    """Token ids, attention mask and positions, each int64 [rows, longest row].

    Rows end in the last column, so that the next token of every row follows there. What stands in
    the padding is masked and never matters; id 0 exists in every vocabulary.
    """
    import torch

    longest = max(map(len, rows))
    gaps = [longest - len(row) for row in rows]
    ids = torch.tensor([[0] * gap + list(row) for gap, row in zip(gaps, rows, strict=True)])
    columns = torch.arange(longest)
    starts = torch.tensor(gaps).unsqueeze(1)
    mask = (columns >= starts).long()
    positions = (columns - starts).clamp(min=0)
    return ids.to(device), mask.to(device), positions.to(device)
