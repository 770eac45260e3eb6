"""What a card says of how to load each config, and who reads it."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.dataset.facts import ConfigFacts
from pipeline.tables import markdown_table

_READERS = {
    "dpo": "TRL `DPOTrainer`, `CPOTrainer`, `ORPOTrainer`; `RewardTrainer`, without the column "
    "`margin` where that is null",
    "kto": "TRL `KTOTrainer`, in the order of the file",
    "unpaired": "TRL `KTOTrainer`, in the order of the file",
    "sft": "TRL `SFTTrainer`",
    "sppo": 'the trainer of uclaml/SPPO; TRL `DPOTrainer` with `loss_type="sppo_hard"`',
    "negatives": "the trainer of D2O",
    "ranking": "listwise trainers, such as those of PRO and LiPO",
    "signatures": "prefmill's `dedup`, by its setting `index`",
    "lineage": "nobody's trainer: where each row came from, by `row_id`",
}


def loading_section(configs: Sequence[ConfigFacts]) -> str:
    """A line to load a config, and a table of configs and their readers."""
    if not configs:
        return ""
    first = configs[0]
    code = (
        "from datasets import load_dataset\n\n"
        f'rows = load_dataset("PATH", "{first.name}", split="{first.splits[0].name}")'
    )
    rows = [
        (
            f"`{config.name}`",
            ", ".join(f"`{split.name}`" for split in config.splits),
            _READERS.get(config.name, "see its columns below"),
        )
        for config in configs
    ]
    return (
        f"## How to load it\n\n```python\n{code}\n```\n\n`PATH` is this folder, or the dataset's "
        f"name on the Hub.\n\n{markdown_table(('config', 'splits', 'read by'), rows)}"
    )
