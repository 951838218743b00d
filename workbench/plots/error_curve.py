"""Error against ratio as a chart, with the ratios that the model was trained with."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# Told apart by lightness and mark too, not by hue alone (Okabe and Ito's colours).
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c8c8c", "#b8a000")
MARKS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star", "triangle-down")
Row = tuple[float, float, float, float]


def error_curve(
    lines: Mapping[str, Sequence[Row]], trained: Sequence[float] = (), usual: float | None = None
) -> "Figure":
    """Draw one line a strategy, with a band from its smallest to its largest error.

    Args:
        lines: rows (realised ratio, mean squared error, smallest, largest) by name.
        trained: ratios that the model was trained with; they are shaded.
        usual: the most frequent of them; it is marked with a line.

    Returns:
        A plotly figure; ratio 0 to 1 across, error in [0, 1] RGB upwards.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    if trained:
        figure.add_vrect(x0=min(trained), x1=max(trained), fillcolor="#0f766e", opacity=0.1,
                         line_width=0)  # fmt: skip
    if usual is not None:
        figure.add_vline(
            x=usual, line={"color": "#0f766e", "dash": "dash", "width": 1.5},
            annotation={"text": f"trained at {usual:g}", "font": {"size": 12}},
            annotation_position="top left",
        )  # fmt: skip
    for at, (name, rows) in enumerate(lines.items()):
        if not rows:
            continue
        x, mean, low, high = zip(*sorted(rows), strict=True)
        colour, mark = COLOURS[at % len(COLOURS)], MARKS[at % len(MARKS)]
        figure.add_scatter(
            x=[*x, *reversed(x)], y=[*high, *reversed(low)], fill="toself", fillcolor=colour,
            opacity=0.14, line={"width": 0}, hoverinfo="skip", showlegend=False, mode="lines",
        )  # fmt: skip
        figure.add_scatter(
            x=x, y=mean, name=name, mode="lines+markers", line={"color": colour, "width": 2},
            marker={"symbol": mark, "size": 6, "color": colour},
            hovertemplate="%{x:.0%} hidden: MSE %{y:.4f}",
        )  # fmt: skip
    figure.update_xaxes(title="share of patches hidden", range=[0, 1], tickformat=".0%")
    figure.update_yaxes(title="mean squared error on hidden pixels", rangemode="tozero")
    figure.update_layout(
        height=460, margin={"l": 10, "r": 10, "t": 26, "b": 10}, hovermode="x unified",
        legend={"orientation": "h", "y": -0.2, "x": 0},
    )  # fmt: skip
    return figure


def error_bars(numbers: Sequence[int], errors: Sequence[float]) -> "Figure":
    """Draw the error of every seed as a bar, with their mean as a line."""
    import plotly.graph_objects as go

    figure = go.Figure(
        go.Bar(
            x=[str(number) for number in numbers], y=list(errors), marker_color="#0f766e",
            hovertemplate="seed %{x}: MSE %{y:.4f}<extra></extra>",
        )
    )  # fmt: skip
    if errors:
        figure.add_hline(y=sum(errors) / len(errors), line={"dash": "dash", "width": 1.5})
    figure.update_xaxes(title="seed", type="category")
    figure.update_yaxes(title="mean squared error on hidden pixels", rangemode="tozero")
    figure.update_layout(height=300, margin={"l": 10, "r": 10, "t": 10, "b": 10})
    return figure
