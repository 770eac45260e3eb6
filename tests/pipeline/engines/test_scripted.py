"""Scripted models: plausible, reproducible, and broken exactly where planned."""

import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.engines.base import LoadedModel
from pipeline.engines.scripted import (
    ScriptedGenerator,
    open_scripted,
    resolve_scripted,
)
from pipeline.engines.scripted_pace import Lengths
from schemas.errors import EngineDied, InputError
from schemas.models import (
    Failure,
    GenerateRequest,
    Generation,
    LabelProbs,
    LabelRequest,
    Message,
    Prompt,
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


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("rules: [", "not valid YAML"),
        ("rules: [{answr: [x]}]", "rules.0.answr"),
        ("rules: [{match: a, regex: b}]", "not both"),
        ("rules: [{regex: '('}]", "is no pattern"),
        ("rules: [{labels: {A: 0.7, B: 0.7}}]", "together at most 1"),
        ("rules: [{fail: explosion}]", "rules.0.fail"),
        ("pace: {tokens_per_s: 0}", "pace.tokens_per_s"),
        ("answer_tokens: {min: 5, max: 4}", "`max` is less than `min`"),
        ("faults: [{match: x, effect: sleep}]", "faults.0.effect"),
    ],
)
def test_a_bad_script_is_refused_when_resolved(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(InputError, match=r"script\.yaml") as caught:
        script(tmp_path, text)
    assert problem in str(caught.value)


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


# -- faults


def test_a_planned_death_comes_as_often_as_planned_over_all_engines(tmp_path: Path) -> None:
    text = "faults: [{match: poison, effect: die, times: 2}]"
    engines = [script(tmp_path, text).generator for _ in range(2)]
    for engine in engines:
        assert engine.generate([ask(said("food"), 1)])
        with pytest.raises(EngineDied, match="as planned"):
            engine.generate([ask(said("poison"), 1)])
    assert engines[0].generate([ask(said("poison"), 1)])


def test_a_planned_kill_ends_the_process_and_a_planned_hang_lasts(tmp_path: Path) -> None:
    (tmp_path / "script.yaml").write_text(
        "faults: [{match: kill, effect: kill}, {match: hang, effect: hang}]"
    )
    code = """
import sys
from pathlib import Path
from tests.pipeline.engines.test_scripted import ask, opened, said
engine = opened("script.yaml", Path(sys.argv[1])).generator
print("asking", flush=True)
engine.generate([ask(said(sys.argv[2]), 1)])
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    killed = subprocess.run([*command, "kill"], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with subprocess.Popen([*command, "hang"], stdout=subprocess.PIPE, text=True) as hanging:
        assert hanging.stdout is not None
        assert hanging.stdout.readline() == "asking\n"
        with pytest.raises(subprocess.TimeoutExpired):
            hanging.wait(timeout=0.3)
        hanging.kill()


# -- pace


def test_lengths_lie_between_the_two_and_spread_over_the_logarithm() -> None:
    lengths = Lengths(min=10, max=1000)
    seeds = [n * 2**63 // 1000 for n in range(1000)]
    drawn = [lengths.draw(seed) for seed in seeds]
    assert (drawn[0], drawn[500], max(drawn)) == (10, 100, 995)
    assert drawn == sorted(drawn)


def test_pace_and_faults_are_no_part_of_the_identity_and_lengths_are(tmp_path: Path) -> None:
    def fingerprint(text: str) -> str:
        return script(tmp_path, text).spec.fingerprint

    echo = opened("echo", tmp_path).spec.fingerprint
    assert fingerprint("pace: {tokens_per_s: 100}") == echo
    assert fingerprint("faults: [{match: x, effect: kill}]") == echo
    assert fingerprint("answer_tokens: {min: 1, max: 9}") != echo


def test_requests_of_several_calls_share_the_slots(tmp_path: Path) -> None:
    text = "{answer_tokens: {min: 10, max: 10}, pace: {tokens_per_s: 2000, max_num_seqs: 4}}"
    engine = script(tmp_path, text).generator
    assert opened("script.yaml", tmp_path).spec.continuous
    done: list[int] = []

    def call(size: int) -> None:
        done.append(sum(r.n_tokens for r in engine.generate([ask(said("a"), 1)] * size)))  # type: ignore[union-attr]

    threads = [threading.Thread(target=call, args=(size,)) for size in (4, 6, 2)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # 12 requests of 10 tokens on 4 slots, a step being 2 ms: three rounds of 20 ms at least.
    assert time.monotonic() - started >= 0.06
    assert sorted(done) == [20, 40, 60]


def test_progress_counts_requests_and_sampled_tokens() -> None:
    told: list[tuple[int, int]] = []
    generator = ScriptedGenerator(
        answer=lambda request: "three more words", progress=lambda n, t: told.append((n, t))
    )
    generator.generate([ask(said("a"), 1)])
    generator.label_probs([LabelRequest("l", said("a"), ("A",))])
    assert told == [(1, 4), (1, 0)]
