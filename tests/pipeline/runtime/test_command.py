"""The command to type again, without what nobody should read."""

from pathlib import Path

import pytest

from pipeline.runtime.command import masked, resume_command

SECRET = "sk-1234"


@pytest.mark.parametrize(
    "word",
    [
        "placement.models.policy.api_key=sk-1234",
        "--set=placement.models.policy.api_key=sk-1234",
        "x.apikey=sk-1234 and more",
        "x.auth_token=sk-1234",
        "PASSWORD: sk-1234",
        "placement.cluster.options={queue: a, token: sk-1234}",
        'options={"secret": "sk-1234", "queue": "a"}',
        "placement.models.policy.base_url=https://me:sk-1234@host/v1",
    ],
)
def test_secrets_are_hidden(word: str) -> None:
    (shown,) = masked([word])
    assert SECRET not in shown
    assert "***" in shown
    assert "queue" not in word or "queue" in shown


@pytest.mark.parametrize(
    "word",
    [
        "placement.models.policy.api_key_env=KEY_OF_MINE",
        "models.policy.tokenizer=org/name",
        "stages.respond.max_new_tokens=64",
        "placement.models.policy.base_url=https://host/v1",
        "key.yaml",
    ],
)
def test_what_is_no_secret_stays(word: str) -> None:
    assert masked([word]) == [word]


@pytest.mark.parametrize(
    ("typed", "again"),
    [
        (["run", "a b.yaml", "--limit", "8"], "prefmill run 'a b.yaml' --limit 8"),
        (["run", "--resume", "never", "r.yaml", "--quiet"], "prefmill run r.yaml --quiet"),
        (["run", "r.yaml", "--resume=never"], "prefmill run r.yaml"),
        (["run", "r.yaml", "--res", "never"], "prefmill run r.yaml"),
    ],
)
def test_the_command_that_goes_on(typed: list[str], again: str) -> None:
    assert resume_command(typed, str(Path.cwd())) == again


def test_it_is_typed_where_it_was_typed() -> None:
    assert resume_command(["run", "r.yaml"], "/a b") == "cd '/a b' && prefmill run r.yaml"
