"""`prefmill export`: a finished dataset in the layout of whoever trains on it."""

from __future__ import annotations

import argparse
from pathlib import Path


def handle(args: argparse.Namespace) -> int:
    """Write the export; says what was written and the lines by which it is read.

    Raises:
        InputError: no such layout or dataset, or the layout cannot hold the data.
        ExportRefused: a row breaks a rule of the layout.
    """
    from pipeline.dataset.layouts.choose import Wish
    from pipeline.dataset.layouts.table import LAYOUTS
    from pipeline.dataset.layouts.words import export_text
    from pipeline.dataset.layouts.write import usual_folder, write_export
    from pipeline.dataset.read import open_dataset
    from pipeline.recipe.nearest import did_you_mean
    from schemas.errors import InputError

    if args.layout not in LAYOUTS:
        advice = did_you_mean(args.layout, LAYOUTS)
        raise InputError(
            f"there is no layout `{args.layout}`; known: {', '.join(LAYOUTS)}"
            + (f". {advice[0].upper()}{advice[1:]}" if advice else "")
        )
    layout, dataset = LAYOUTS[args.layout], open_dataset(Path(args.dir))
    folder = Path(args.out) if args.out else usual_folder(dataset, layout)
    wish = Wish(args.config, args.task, args.form, args.split)
    print(export_text(layout, write_export(dataset, layout, [wish], folder), folder))
    return 0
