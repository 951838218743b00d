// Small line charts with bands on one frame, drawn anew as points come; a line is lifted by its name.

const LINECHART_CSS = `
  .linechart { min-width: 0; display: grid; gap: 2px; }
  .linechart svg { width: 100%; height: auto; display: block; overflow: visible; }
  .linechart text { font-size: 11px; fill: currentColor; opacity: 0.75; font-family: var(--st-font); font-variant-numeric: tabular-nums; }
  .linechart .rule { stroke: currentColor; opacity: 0.14; fill: none; }
  .linechart .line { fill: none; stroke-width: 2; stroke-linejoin: round; } .linechart .area { stroke: none; opacity: 0.15; }
  .linechart .dim { opacity: 0.18; } .linechart .area.dim { opacity: 0.03; }
  .linechart strong { font-size: 0.82rem; font-weight: 600; }
  .keys { display: flex; flex-wrap: wrap; gap: 4px 6px; }
  .keys button { display: inline-flex; gap: 6px; align-items: center; border: 1px solid transparent; background: none; border-radius: 8px; padding: 2px 7px; font-size: 0.8rem; }
  .keys button:hover, .keys button[aria-pressed="true"] { border-color: var(--st-border-color); background: var(--st-secondary-background-color); }
  .keys i { width: 16px; height: 4px; border-radius: 2px; }
`;
// Told apart by hue and, in grey, by lightness.
const LINE_COLOURS = { grey: "#8a94a0", black: "#454d57", blur: "#c08a12", neighbour: "#2f9e63", layer_mask: "#2a7fd4", drop_tokens: "#2a7fd4", hide_keys: "#c2410c" };
const OTHER_COLOURS = ["#2a7fd4", "#8a94a0", "#c2410c", "#2f9e63", "#8b5cf6", "#c08a12", "#db2777"];

function colourOf(name, at = 0) {
  return LINE_COLOURS[name] ?? OTHER_COLOURS[at % OTHER_COLOURS.length];
}

function drawnNode(tag, attributes, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

// `lines` are { name, colour, points: [[x, y, low, high], ...] }; x and y go from 0 to `right` and from `low` to `top`.
function lineChart({ title, lines, top, low = 0, right = 1, across, lifted = null, percent = true }) {
  const [wide, high, pad] = [300, 210, { left: 40, right: 12, top: 8, bottom: 36 }];
  const svg = drawnNode("svg", { viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": `${title}: ${lines.map((line) => line.name).join(", ")}` });
  const x = (value) => pad.left + (value / right) * (wide - pad.left - pad.right);
  const y = (value) => high - pad.bottom - ((Math.min(Math.max(value, low), top) - low) / (top - low)) * (high - pad.top - pad.bottom);
  const told = (value) => (percent ? `${Math.round(value * 100)}%` : value.toPrecision(2).replace(/\.0+$/, ""));
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    const value = low + (top - low) * part;
    svg.append(drawnNode("path", { class: "rule", d: `M${pad.left} ${y(value)}H${wide - pad.right}` }));
    if (part * 2 % 1 === 0) {
      svg.append(drawnNode("text", { x: pad.left - 5, y: y(value) + 4, "text-anchor": "end" }, told(value)));
      svg.append(drawnNode("text", { x: x(part * right), y: high - pad.bottom + 15, "text-anchor": "middle" }, `${Math.round(part * right * 100)}%`));
    }
  }
  svg.append(drawnNode("text", { x: (pad.left + wide - pad.right) / 2, y: high - 5, "text-anchor": "middle" }, across));
  for (const { name, colour, points } of lines) {
    const dim = lifted && lifted !== name ? " dim" : "";
    const banded = points.filter((point) => point.length > 2);
    if (banded.length > 1) {
      const edge = [...banded.map((p) => [p[0], p[2]]), ...banded.toReversed().map((p) => [p[0], p[3]])];
      svg.append(drawnNode("polygon", { class: `area${dim}`, fill: colour, points: edge.map((p) => `${x(p[0])},${y(p[1])}`).join(" ") }));
    }
    svg.append(drawnNode("polyline", { class: `line${dim}`, stroke: colour, points: points.map((p) => `${x(p[0])},${y(p[1])}`).join(" "), "data-line": name }));
    for (const p of points) {
      const dot = drawnNode("circle", { cx: x(p[0]), cy: y(p[1]), r: 2.6, fill: colour, class: dim.trim() });
      dot.append(drawnNode("title", {}, `${name}, ${Math.round(p[0] * 100)}%: ${told(p[1])}`));
      svg.append(dot);
    }
  }
  return make("div", { class: "linechart" }, make("strong", { text: title }), svg);
}
