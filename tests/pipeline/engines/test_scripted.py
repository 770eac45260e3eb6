"""Scripted models: plausible, reproducible, and broken exactly where planned."""

import pickle
from pathlib import Path

import pytest

from pipeline.engines.base import LoadedModel
from pipeline.engines.scripted import ScriptedGenerator, open_scripted, resolve_scripted
from schemas.errors import InputError
from schemas.models import (
    Embedding,
    EmbedRequest,
    Failure,
    GenerateRequest,
    Generation,
    LabelProbs,
    LabelRequest,
    Message,
    Prompt,
    Reward,
    RewardRequest,
    Sampling,
    Score,
    ScoreRequest,
    Structure,
)
from schemas.recipe import ModelEntry, ModelPlacement


def opened(model: str, base: Path) -> LoadedModel:
    entry = ModelEntry(model=model, engine="scripted")
    return open_scripted(
        resolve_scripted("policy", entry, ModelPlacement(), base), lambda n, t: None
    )


@pytest.fixture
def echo(tmp_path: Path) -> LoadedModel:
    return opened("echo", tmp_path)


def script(folder: Path, text: str) -> LoadedModel:
    (folder / "script.yaml").write_text(text, encoding="utf-8")
    return opened("script.yaml", folder)


def ask(prompt: Prompt, seed: int, *, choices: tuple[str, ...] = ()) -> GenerateRequest:
    structure = Structure(choices=choices) if choices else None
    return GenerateRequest(f"r{seed}", prompt, Sampling(structure=structure), seed)


def texts(loaded: LoadedModel, prompt: Prompt, seeds: range) -> list[str]:
    results = loaded.generator.generate([ask(prompt, seed) for seed in seeds])
    assert all(isinstance(result, Generation) for result in results)
    return [result.text for result in results if isinstance(result, Generation)]


def said(text: str) -> Prompt:
    return Prompt(None, (Message("user", text),))


def labels(loaded: LoadedModel, prompt: Prompt, *names: str) -> tuple[float, ...]:
    (result,) = loaded.generator.label_probs([LabelRequest("r", prompt, names)])
    assert isinstance(result, LabelProbs)
    return result.probs


# -- echo


def test_an_open_user_turn_gets_a_distinct_question_per_seed(echo: LoadedModel) -> None:
    left_hand = echo.chat.user_turn_prefix(system="Be brief.")
    questions = texts(echo, left_hand, range(500))
    assert len(set(questions)) == 500
    assert questions[0] == "Explain topic 0 of gardening to a child in three sentences."
    assert all(question.endswith(".") and "<" not in question for question in questions)


def test_answers_differ_by_seed_and_repeat(echo: LoadedModel) -> None:
    prompt = echo.chat.render([Message("user", "Why is the sky blue?")])
    answers = texts(echo, prompt, range(1, 9))
    assert answers[0] == "Scripted answer 1 to: Why is the sky blue? And so on."
    assert len(set(answers)) == 8
    assert texts(echo, prompt, range(1, 9)) == answers


def test_a_choice_is_one_of_the_choices(echo: LoadedModel) -> None:
    requests = [ask(said("Well?"), seed, choices=("yes", "no")) for seed in (4, 5)]
    results = echo.generator.generate(requests)
    assert [getattr(result, "text", None) for result in results] == ["yes", "no"]


def test_a_comparison_turns_around_with_the_answers(echo: LoadedModel) -> None:
    one, nine = "Scripted answer 99 to: Q", "Scripted answer 299 to: Q"
    forwards = labels(echo, said(f"First: {one}\nSecond: {nine}"), "A", "B")
    backwards = labels(echo, said(f"First: {nine}\nSecond: {one}"), "A", "B")
    assert forwards == pytest.approx((0.95 * 0.25, 0.95 * 0.75))
    assert backwards == forwards[::-1]


def test_grades_follow_the_answers_number(echo: LoadedModel) -> None:
    grades = ("1", "2", "3", "4", "5")
    low = labels(echo, said("Scripted answer 10 to: Q"), *grades)
    high = labels(echo, said("Scripted answer 99990 to: Q"), *grades)
    assert low.index(max(low)) == 0
    assert high.index(max(high)) == 4
    assert sum(low) == pytest.approx(0.95)


def worth(loaded: LoadedModel, answer: str) -> float:
    asked = Prompt("<user>?</user><assistant>"), Prompt(f"<user>?</user><assistant>{answer}")
    (result,) = loaded.rewarder.reward([RewardRequest("r", *asked)])
    assert isinstance(result, Reward)
    assert result.attributes == ("reward",)
    return result.values[0]


def test_a_reward_follows_the_answers_number(echo: LoadedModel) -> None:
    assert worth(echo, "Scripted answer 75000 to: ?") == 0.75
    assert worth(echo, "Scripted answer 2500 to: ?") == 0.025
    assert 0 <= worth(echo, "mine") != worth(echo, "yours") <= 1


def test_a_script_rewards_what_a_conversation_says(tmp_path: Path) -> None:
    rules = "rules: [{match: good, reward: 1.5}, {match: bad, fail: server}]"
    loaded = script(tmp_path, rules)
    assert worth(loaded, "a good one") == 1.5
    asked = RewardRequest("r", Prompt("?"), Prompt("? a bad one"))
    (failure,) = loaded.rewarder.reward([asked])
    assert isinstance(failure, Failure) and failure.kind == "server"


def embeddings(loaded: LoadedModel, *texts: str) -> list[Embedding | Failure]:
    return loaded.embedder.embed([EmbedRequest(text, text) for text in texts])


def test_texts_that_share_words_are_near_each_other(echo: LoadedModel) -> None:
    found = [one for one in embeddings(echo, "a b c", "C b a", "x") if isinstance(one, Embedding)]
    first, mixed, other = (one.vector for one in found)
    assert first == mixed != other
    assert (sum(first), found[0].n_prompt_tokens) == (3.0, 3)


def test_a_script_fails_texts_that_match(tmp_path: Path) -> None:
    loaded = script(tmp_path, "rules: [{match: bad, fail: server}]")
    good, bad = embeddings(loaded, "good", "bad")
    assert isinstance(good, Embedding)
    assert isinstance(bad, Failure) and bad.kind == "server"
    faulty = script(tmp_path, "faults: [{match: bad, fail: timeout}]")
    good, bad = embeddings(faulty, "good", "bad")
    assert isinstance(good, Embedding)
    assert isinstance(bad, Failure) and bad.kind == "timeout"


def test_a_likelihood_depends_on_prompt_and_completion(echo: LoadedModel) -> None:
    asked = [("p", "two words"), ("q", "two words"), ("p", "two others"), ("p", "two words")]
    scores = echo.generator.score([ScoreRequest("r", Prompt(p), c) for p, c in asked])
    sums = [score.logprob_sum for score in scores if isinstance(score, Score)]
    assert len(set(sums[:3])) == 3
    assert sums[3] == sums[0]
    assert all(-3.0 <= value <= -1.0 for value in sums)


# -- scripts


def test_the_first_rule_with_an_answer_decides(tmp_path: Path) -> None:
    loaded = script(
        tmp_path,
        """
        rules:
          - {match: France, labels: {A: 0.7, B: 0.2}}
          - {match: France, answer: [Paris., It is Paris.], logprob_per_token: -0.5}
          - {regex: "^Poison \\\\d+$", fail: server}
        """,
    )
    assert texts(loaded, said("Capital of France?"), range(2)) == ["Paris.", "It is Paris."]
    assert labels(loaded, said("France?"), "B", "A") == (0.2, 0.7)
    (score,) = loaded.generator.score([ScoreRequest("r", said("France?"), "one two three")])
    assert score == Score("r", -1.5, 3, 1)
    (failure,) = loaded.generator.generate([ask(said("Poison 12"), 0)])
    assert isinstance(failure, Failure)
    assert failure.kind == "server"


def test_what_no_rule_answers_is_echoed(tmp_path: Path) -> None:
    loaded = script(tmp_path, "rules: [{match: France, answer: [Paris.]}]")
    assert texts(loaded, said("Hello"), range(1)) == ["Scripted answer 0 to: Hello"]


def test_a_label_that_the_script_lacks_is_a_failure(tmp_path: Path) -> None:
    loaded = script(tmp_path, "rules: [{labels: {A: 0.7}}]")
    (result,) = loaded.generator.label_probs([LabelRequest("r", said("?"), ("A", "B"))])
    assert isinstance(result, Failure)
    assert result.kind == "no_logprobs"


def test_a_bad_script_is_refused_when_resolved(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"script\.yaml.*\n.*rules\.0\.answr"):
        script(tmp_path, "rules: [{answr: [x]}]")


def test_a_missing_script_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="model `policy`: cannot read the script"):
        opened("nowhere.yaml", tmp_path)


def test_the_fingerprint_is_the_scripts_content(tmp_path: Path) -> None:
    entry = ModelEntry(model="script.yaml", engine="scripted")
    fingerprints = []
    for folder, text in (("a", "rules: []"), ("b", "rules: []"), ("c", "rules: [{answer: [x]}]")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "script.yaml").write_text(text, encoding="utf-8")
        spec = resolve_scripted("policy", entry, ModelPlacement(), tmp_path / folder)
        assert pickle.loads(pickle.dumps(spec)) == spec
        fingerprints.append(spec.fingerprint)
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_progress_counts_requests_and_sampled_tokens() -> None:
    told: list[tuple[int, int]] = []
    generator = ScriptedGenerator(
        answer=lambda request: "three more words", progress=lambda n, t: told.append((n, t))
    )
    generator.generate([ask(said("a"), 1)])
    generator.label_probs([LabelRequest("l", said("a"), ("A",))])
    assert told == [(1, 4), (1, 0)]
