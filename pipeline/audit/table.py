"""Pairs as columns of numbers: what an audit needs of a pair, without its texts.

A dataset is read once and its texts are not kept, so that memory does not grow with them: some 30
bytes a pair, 80 an answer, and 16 for what each labeller says of a pair. Texts are told apart by
64-bit digests; among a million of them two are equal by chance once in thirty million datasets.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Collection
from typing import TYPE_CHECKING

from pipeline.audit.factors import FACTORS
from pipeline.audit.pairs import Pair, answer_digest, text_digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Digests = NDArray[np.uint64]

_NAN = float("nan")
_REMEMBERED = 256
"""Answers whose measures are at hand: those of one prompt stand near each other."""


class PairTable:
    """The pairs, a row each, in the order in which they were added."""

    def __init__(self, factors: Collection[str] | None = None) -> None:
        """No pairs.

        Args:
            factors: of answers that are measured, by default all: most of an audit's time.
        """
        self._measured = {name: FACTORS[name] for name in (FACTORS if factors is None else factors)}
        self._prompts = array("Q")
        self._answers = array("i")
        self._models = array("i")
        self._turned = array("b")
        self._shown = array("b")
        self._digests = array("Q")
        self._factors = array("f")
        self._said: dict[str, tuple[array[float], array[float]]] = {}
        self._names: dict[str | None, int] = {None: -1}
        self._recent: OrderedDict[int, int] = OrderedDict()
        self._partners: dict[int, list[int]] | None = None

    def __len__(self) -> int:
        return len(self._prompts)

    def add(self, pair: Pair) -> None:
        """Put a pair behind the others."""
        self._prompts.append(text_digest(pair.prompt))
        self._answers.extend([self._answer(pair.prompt, t) for t in (pair.first, pair.second)])
        self._models.extend([self._model(name) for name in pair.models])
        self._turned.append(pair.is_turned)
        self._shown.append(pair.is_shown_order)
        for name, verdict in pair.verdicts.items():
            self._say(len(self) - 1, name, verdict, pair.chances.get(name, verdict))

    def join(self, pair: Pair) -> None:
        """Add what is said of a pair to the same pair among those that were there before.

        Each of those is joined once, so that what is said once is not counted twice. A pair that
        is not there comes behind the others. A verdict or a model's name that is there stays.
        """
        if self._partners is None:
            self._partners = {}
            for row, key in enumerate(self.pair_keys()):
                self._partners.setdefault(key, []).append(row)
        waiting = self._partners.get(pair.key)
        if not waiting:
            self.add(pair)
            return
        row = waiting.pop(0)
        turned = pair.is_turned != bool(self._turned[row])
        for name, verdict in pair.verdicts.items():
            chance = pair.chances.get(name, verdict)
            self._say(row, name, *((1 - verdict, 1 - chance) if turned else (verdict, chance)))
        for place, model in enumerate(pair.models[::-1] if turned else pair.models):
            if self._models[2 * row + place] < 0:
                self._models[2 * row + place] = self._model(model)

    def _answer(self, prompt: str, text: str) -> int:
        digest = answer_digest(prompt, text)
        place = self._recent.get(digest)
        if place is None:
            place = self._recent[digest] = len(self._digests)
            self._digests.append(digest)
            self._factors.extend([factor(text.strip()) for factor in self._measured.values()])
            if len(self._recent) > _REMEMBERED:
                self._recent.popitem(last=False)
        return place

    def _model(self, name: str | None) -> int:
        return self._names.setdefault(name, len(self._names) - 1)

    def _say(self, row: int, labeller: str, verdict: float, chance: float) -> None:
        columns = self._said.setdefault(labeller, (array("d"), array("d")))
        for column, value in zip(columns, (verdict, chance), strict=True):
            column.extend([_NAN] * (row + 1 - len(column)))
            if column[row] != column[row]:
                column[row] = value

    @property
    def labellers(self) -> list[str]:
        """All who said something of some pair."""
        return list(self._said)

    @property
    def model_names(self) -> list[str]:
        """By their numbers in `models`."""
        return [name for name in self._names if name is not None]

    def pair_keys(self) -> list[int]:
        """`Pair.key` of every row."""
        ends = self.ends.tolist()
        return [min(one, two) << 64 | max(one, two) for one, two in ends]

    @property
    def prompts(self) -> Digests:
        """A digest of each row's prompt."""
        import numpy as np

        return np.asarray(self._prompts, dtype=np.uint64)

    @property
    def ends(self) -> Digests:
        """Rows by two: digests of the answers, their prompt included."""
        import numpy as np

        return np.asarray(self._digests, dtype=np.uint64)[self._places]

    @property
    def models(self) -> NDArray[np.int64]:
        """Rows by two: who wrote the answers, as places in `model_names`; -1 if not known."""
        import numpy as np

        return np.asarray(self._models, dtype=np.int64).reshape(-1, 2)

    @property
    def turned(self) -> NDArray[np.bool_]:
        """`Pair.is_turned` of every row."""
        import numpy as np

        return np.asarray(self._turned, dtype=np.bool_)

    @property
    def shown(self) -> NDArray[np.bool_]:
        """`Pair.is_shown_order` of every row."""
        import numpy as np

        return np.asarray(self._shown, dtype=np.bool_)

    def factor(self, name: str) -> NDArray[np.float32]:
        """Rows by two: a factor of either answer, without the white space around it."""
        values: NDArray[np.float32] = self._measures[:, list(self._measured).index(name)]
        return values[self._places]

    def differences(self, rows: NDArray[np.int64]) -> Floats:
        """Of some rows, one column a factor: first answer minus second."""
        import numpy as np

        first, second = self._places[rows].T
        differences: Floats = np.subtract(
            self._measures[first], self._measures[second], dtype=np.float64
        )
        return differences

    @property
    def gaps(self) -> Floats:
        """Characters that the first answer of each row has more than the second."""
        import numpy as np

        lengths = self.factor("length").astype(np.float64)
        return lengths[:, 0] - lengths[:, 1]

    def verdicts(self, labeller: str) -> Floats:
        """What a labeller said of each row; NaN where it said nothing."""
        return self._column(labeller, 0)

    def chances(self, labeller: str) -> Floats:
        """P(the first answer is preferred), the verdict where it gave none; NaN likewise."""
        return self._column(labeller, 1)

    def _column(self, labeller: str, which: int) -> Floats:
        import numpy as np

        values = np.full(len(self), np.nan)
        if labeller in self._said:
            said = self._said[labeller][which]
            values[: len(said)] = said
        return values

    @property
    def _places(self) -> NDArray[np.int64]:
        import numpy as np

        return np.asarray(self._answers, dtype=np.int64).reshape(-1, 2)

    @property
    def _measures(self) -> NDArray[np.float32]:
        import numpy as np

        return np.asarray(self._factors, dtype=np.float32).reshape(-1, len(self._measured))
