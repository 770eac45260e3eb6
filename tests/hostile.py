"""Texts that a page must show and never obey, and a recipe that makes a dataset of them."""

import json
from pathlib import Path

MARK = "window.__ran = true"
TEXTS = (
    f"<script>{MARK}</script>",
    f'<img src="https://elsewhere.example/x.png" onerror="{MARK}">',
    f'"><svg onload="{MARK}">',
    f"</script><script>{MARK}</script><!-- <script>",
    f"' onmouseover='{MARK}' x='",
    "<meta http-equiv=refresh content='0;url=https://elsewhere.example/'>",
    f"<a href='javascript:{MARK}' onclick='{MARK}'>press</a>",
    "<style>* { display: none }</style> ]]> --> &lt; &#60; ${7 * 7}",
    "\u202egnp.exe\u202c \u2066isolated\u2069 \u200fright",
    "\x1b[31mred\x1b[0m \x07 \x7f \x85 \u2028 \ufeff",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 \U0001f469\u200d\U0001f52c",
    "W" * 100_000,
)
BROKEN = ("\ud800 lone", "\x00 nul")
"""What no row can hold: their raw text ends among the rejects."""


def hostile_recipe(folder: Path) -> Path:
    """Write a recipe over pairs of these texts, some of them duplicates; returns its file."""
    rows = [
        {
            "prompt": f"{text} prompt {n}",
            "chosen": f"better: {text} {n}",
            "rejected": f"worse: {text} {n}" + " and more" * (n % 3),
            "score_chosen": 5.0 + n % 3,
            "score_rejected": 2.0 + n % 2,
        }
        for n, text in enumerate([*TEXTS, *TEXTS, *TEXTS, *BROKEN])
    ]
    rows += rows[:2]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = folder / "hostile.yaml"
    recipe.write_text(
        "name: hostile\nseed: 7\nmodels:\n  policy: {engine: scripted, model: echo}\nstages:\n"
        "  - {stage: load_pairs, path: pairs.jsonl, on_bad_record: reject}\n"
        "  - {stage: dedup, text: [prompt], method: exact}\n"
        "export:\n  - {config: dpo}\n  - {config: kto}\nplacement: {workers: 0}\n"
    )
    return recipe
