from __future__ import annotations

import pyarrow as pa
import pytest

from stages._private import PersonalKind, known_regions, personal_data, secrets

KINDS: tuple[PersonalKind, ...] = ("email", "phone", "ip", "card")


def found(text: str, *regions: str) -> str | None:
    return personal_data(pa.array([text], type=pa.large_string()), KINDS, regions).get(0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Write to jo.doe+x@mail.somewhere.co.uk.", "an e-mail address: `jo.d…`, 29 characters"),
        ("Call +49 30 901820 at noon.", "a telephone number: `+49 …`, 13 characters"),
        ("Call (+1) 650-253-0000.", "a telephone number: `(+1)…`, 17 characters"),
        ("The server is 8.8.8.8, he says", "an IP address: `8.8.…`, 7 characters"),
        ("or 2001:4860:4860::8888.", "an IP address: `2001…`, 20 characters"),
        ("card 4111 1111 1111 1111", "a card number: `4111…`, 19 characters"),
        ("card 3782-822463-10005", "a card number: `3782…`, 17 characters"),
        ("card 5555555555554444", "a card number: `5555…`, 16 characters"),
    ],
)
def test_what_is_found(text: str, said: str) -> None:
    assert found(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "you@example.com, me@mail.example.org, x@host.test, a@b, @name",
        "192.168.0.1 10.0.0.1 127.0.0.1 300.1.1.1 version 1.2.3 at 12:30:45",
        "std::move(a::b) fe80::1 ::1 2001:db8::1",
        "4111 1111 1111 1112 and 1234 5678 9012 3456",
        "5 1 2 3 4 5 6 7 8 9 1 2 3 4 5 6",
        "+999 123 456 and 3.14159265358979 and 2019-11-21",
        "",
    ],
)
def test_what_only_looks_like_it(text: str) -> None:
    assert found(text) is None


def test_numbers_without_their_prefix_count_where_the_country_is_named() -> None:
    assert found("Call (650) 253-0000.") is None
    assert found("Call (650) 253-0000.", "DE", "US") == (
        "a telephone number: `(650…`, 14 characters"
    )
    assert {"US", "DE"} <= known_regions()


def test_only_the_kinds_that_are_asked_for_are_looked_for() -> None:
    texts = pa.array(["a@b.de 8.8.8.8", "nothing"], type=pa.large_string())
    assert list(personal_data(texts, ("ip",), ())) == [0]
    assert "IP" in personal_data(texts, ("ip", "email"), ())[0]
    assert personal_data(texts, (), ()) == {}


# Put together here, so that no scanner takes this file for a leak.
TOKENS = {
    "AWS Access Key": "AKIA" + "IOSFODNN7EXAMPLE",
    "Private Key": "-----BEGIN " + "RSA PRIVATE KEY-----",
    "GitHub Token": "ghp" + "_" + "a1B2" * 9,
    "GitLab Token": "glpat" + "-" + "a1B2c" * 4,
    "Stripe Access Key": "sk" + "_live_" + "a1" * 12,
    "JSON Web Token": "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxIn0.abcdefghijk",
    "Basic Auth Credentials": "https://user:" + "hunter2@host.org",
    "IBM Cloud IAM Key": "ibm_cloud_iam_api_key = '" + "a1B2" * 11 + "'",
}


@pytest.mark.parametrize("kind", TOKENS)
def test_tokens_are_found_by_their_form(kind: str) -> None:
    texts = [f"First line.\nThen {TOKENS[kind]} and more.", "Nothing here, my password is good."]
    said = secrets(pa.array(texts, type=pa.large_string()))
    assert list(said) == [0]
    assert said[0].startswith(f"{kind}: `")
    assert TOKENS[kind] not in said[0]


def test_every_detector_of_the_library_is_asked_where_it_finds_something() -> None:
    """The pass before must let through whatever a detector could find."""
    from stages._private import _any_secret, _detectors

    assert len(_detectors()) >= 20
    assert len(_any_secret()) > 1000


def test_a_token_is_found_wherever_a_long_line_is_cut() -> None:
    token = TOKENS["AWS Access Key"]
    texts = ["x " * at + token + " x" * 6000 for at in (0, 3995, 4990, 4999, 5000, 7990, 9000)]
    assert len(secrets(pa.array(texts, type=pa.large_string()))) == len(texts)
