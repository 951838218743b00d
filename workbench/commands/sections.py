"""The list of commands under headings, in the order in which people meet them."""

from typing import Any

from typer.core import TyperGroup

SECTIONS = {
    "Masks": ("draw", "strategies", "measure", "gallery", "masks", "atlas"),
    "Pictures filled in": ("reconstruct", "matrix", "search", "score", "scores", "models"),
    "Training": ("objectives", "presets", "train", "runs", "sweep", "sweeps", "evaluate"),
    "Inside a network": (
        "interventions", "attend", "explain", "missingness", "features", "weights", "retrain",
    ),
    "In the browser, and this machine": ("app", "studio", "doctor"),
}  # fmt: skip


class Sections(TyperGroup):
    """A group whose help has a heading for every few commands; what has none comes last."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the headings and a line for each command."""
        named = [name for names in SECTIONS.values() for name in names]
        others = tuple(name for name in self.commands if name not in named)
        limit = formatter.width - 6 - max(map(len, self.commands))
        for heading, names in {**SECTIONS, "Others": others}.items():
            rows = [(each, self.commands[each].get_short_help_str(limit)) for each in names]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows, col_spacing=2)
