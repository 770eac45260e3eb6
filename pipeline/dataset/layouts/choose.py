"""Which configs of a dataset go into a layout, and in which of its views."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pipeline.dataset.layouts.record import Form, Layout, Task, View, kind_of
from pipeline.dataset.layouts.table import layouts_for, what_makes
from schemas.errors import InputError


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for; None is the usual, and for `config` all that the layout can hold."""

    config: str | None = None
    task: Task | None = None
    form: Form | None = None
    split: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A config and the view that it gets, in a folder of this name."""

    config: str
    view: View
    name: str


def choose_views(
    configs: Mapping[str, Collection[str]], layout: Layout, wish: Wish
) -> list[Choice]:
    """The views to write.

    Args:
        configs: names of the columns of each config of the dataset.
        layout: whose views.
        wish: what is wanted of them.

    Raises:
        InputError: the layout can hold nothing of what is wanted; says what makes what it can.
    """
    wanted = [wish.config] if wish.config else list(configs)
    if wish.config and wish.config not in configs:
        raise InputError(
            f"there is no config `{wish.config}` in the dataset; there are {', '.join(configs)}"
        )
    of_prompts = {view.kind for view in layout.views if "prompts" in view.tasks}
    kinds = of_prompts if wish.task == "prompts" else layout.kinds
    held = [name for name in wanted if kind_of(configs[name]) in kinds]
    if not held:
        raise InputError("\n".join(_cannot_hold(layout, wanted, configs)))
    choices = [choice for name in held for choice in _choice(layout, name, configs[name], wish)]
    if not choices:
        raise InputError(_no_view(layout, held, configs, wish))
    return choices


def _choice(layout: Layout, config: str, columns: Collection[str], wish: Wish) -> list[Choice]:
    kind = kind_of(columns)
    usual, *others = (view for view in layout.views if view.kind == kind)
    for view in (usual, *others):
        is_task = wish.task in view.tasks if wish.task else view.tasks == usual.tasks
        if is_task and wish.form in (None, view.form):
            is_usual = view.tasks == usual.tasks and "prompts" not in view.tasks
            return [Choice(config, view, config if is_usual else f"{config}_{view.tasks[0]}")]
    return []


def _cannot_hold(
    layout: Layout, wanted: list[str], configs: Mapping[str, Collection[str]]
) -> list[str]:
    lines = []
    for name in wanted:
        kind = kind_of(configs[name])
        held_by = (
            ", ".join(layouts_for(kind)) if kind else "none: its own trainer reads it as it is"
        )
        lines.append(
            f"layout `{layout.name}` cannot hold `{name}` ({kind or 'rows of its own kind'}); "
            f"layouts that can: {held_by}"
        )
    return [*lines, what_makes(layout)]


def _no_view(
    layout: Layout, held: list[str], configs: Mapping[str, Collection[str]], wish: Wish
) -> str:
    kinds = {kind_of(configs[name]) for name in held}
    views = [
        f"--task {' or '.join(view.tasks)} --form {view.form}"
        for view in layout.views
        if view.kind in kinds
    ]
    asked = " ".join(
        f"--{key} {value}" for key, value in (("task", wish.task), ("form", wish.form)) if value
    )
    return f"layout `{layout.name}` has no view {asked} of {', '.join(held)}; it has " + "; ".join(
        dict.fromkeys(views)
    )
