// One curve of a run: a band from lowest to highest, a line, alerts and checkpoints; parts are changed, never redrawn.

const CHART_CSS = `
  .chart { position: relative; min-height: 230px; }
  .chart svg { width: 100%; height: 230px; display: block; overflow: visible; touch-action: pan-y; }
  .chart text { font-size: 11px; fill: currentColor; opacity: 0.75; font-family: var(--st-font); font-variant-numeric: tabular-nums; }
  .chart .axis { stroke: currentColor; opacity: 0.3; fill: none; }
  .chart .rule { stroke: currentColor; opacity: 0.1; fill: none; }
  .chart .band { fill: var(--st-primary-color); opacity: 0.16; stroke: none; }
  .chart .line { fill: none; stroke: var(--st-primary-color); stroke-width: 1.8; stroke-linejoin: round; }
  .chart .alert { stroke: var(--st-orange-color, #c77700); stroke-dasharray: 3 3; }
  .chart .saved { fill: currentColor; opacity: 0.5; }
  .chart .cross { stroke: currentColor; opacity: 0.5; }
  .chart .read { position: absolute; top: 0; right: 8px; font-size: 0.8rem; font-variant-numeric: tabular-nums; pointer-events: none;
    padding: 1px 6px; border-radius: 6px; background: var(--st-background-color); }
  .chart .none { position: absolute; inset: 0; display: grid; place-items: center; font-size: 0.86rem; }
`;
const CHART_HIGH = 230;
const CHART_PAD = { left: 52, right: 10, top: 26, bottom: 30 };

function svg(tag, attributes = {}) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

class Chart {
  constructor() {
    Object.assign(this, { points: [], steps: 1, name: "loss", log: false, alerts: [], saved: [], at: null });
    this.svg = svg("svg", { role: "img", tabindex: "0" });
    this.rules = svg("g");
    this.band = svg("path", { class: "band" });
    this.line = svg("path", { class: "line" });
    this.alert = svg("path", { class: "alert" });
    this.marks = svg("g");
    this.axis = svg("path", { class: "axis" });
    this.texts = svg("g");
    this.cross = svg("path", { class: "cross" });
    this.svg.append(this.rules, this.band, this.line, this.alert, this.marks, this.axis, this.texts, this.cross);
    this.read = make("span", { class: "read" });
    this.none = make("span", { class: "none soft" });
    this.node = make("div", { class: "chart" }, this.svg, this.read, this.none);
    this.svg.addEventListener("pointermove", (event) => this.look(event));
    this.svg.addEventListener("pointerleave", () => this.point(null));
    this.svg.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by || !this.points.length) return;
      event.preventDefault();
      this.point(Math.min(Math.max((this.at ?? this.points.length) + by, 0), this.points.length - 1));
    });
    this.svg.addEventListener("blur", () => this.point(null));
    this.size = new ResizeObserver(() => this.draw());
    this.size.observe(this.node);
  }
  // Points are [step, mean, lowest, highest]; `none` is said where there are none.
  show(points, { steps, name, log, alerts = [], saved = [], none = "" }) {
    const { size, title } = unitOf(name);
    const sized = points.map(([step, ...values]) => [step, ...values.map((value) => value / size)]);
    Object.assign(this, { points: log ? sized.filter((point) => point[2] > 0) : sized, steps, name: title, log, alerts, saved });
    setText(this.none, this.points.length ? "" : none);
    this.draw();
  }
  scale() {
    const wide = Math.max(this.node.clientWidth, 160);
    const lows = this.points.map((point) => point[2]);
    const highs = this.points.map((point) => point[3]);
    const turn = this.log ? Math.log10 : (value) => value;
    let [low, high] = [turn(Math.min(...lows)), turn(Math.max(...highs))];
    if (low === high) [low, high] = [low - 0.5 * Math.abs(low || 1), high + 0.5 * Math.abs(high || 1)];
    const last = Math.max(this.steps, this.points.at(-1)[0], 1);
    const [floor, right] = [CHART_HIGH - CHART_PAD.bottom, wide - CHART_PAD.right];
    return { wide, low, high, last, floor, right,
      x: (step) => CHART_PAD.left + (step / last) * (right - CHART_PAD.left),
      y: (value) => floor - ((turn(value) - low) / (high - low)) * (floor - CHART_PAD.top) };
  }
  draw() {
    if (!this.points.length) {
      for (const part of [this.band, this.line, this.alert, this.axis, this.cross]) part.setAttribute("d", "");
      for (const part of [this.rules, this.texts, this.marks]) part.replaceChildren();
      this.svg.setAttribute("aria-label", `No ${this.name} yet`);
      return;
    }
    const { wide, low, high, last, floor, right, x, y } = this.scale();
    this.svg.setAttribute("viewBox", `0 0 ${wide} ${CHART_HIGH}`);
    const fixed = (value) => value.toFixed(1);
    const way = (at) => this.points.map((point) => `${fixed(x(point[0]))} ${fixed(y(point[at]))}`);
    this.line.setAttribute("d", `M${way(1).join("L")}${this.points.length === 1 ? "h1" : ""}`);
    this.band.setAttribute("d", `M${way(3).join("L")}L${way(2).reverse().join("L")}Z`);
    this.axis.setAttribute("d", `M${CHART_PAD.left} ${CHART_PAD.top}V${floor}H${right}`);
    this.alert.setAttribute("d", this.alerts.map((step) => `M${fixed(x(step))} ${CHART_PAD.top}V${floor}`).join(""));
    this.marks.replaceChildren(...this.saved.map((step) => svg("circle", { class: "saved", cx: fixed(x(step)), cy: floor, r: 3 })));
    const ups = ticks(low, high, 4, this.log);
    const acrosses = ticks(0, last, Math.max(2, Math.round(wide / 130)));
    this.rules.replaceChildren(svg("path", { class: "rule", d: ups.map((level) => `M${CHART_PAD.left} ${fixed(y(level))}H${right}`).join("") }));
    const text = (words, attributes) => Object.assign(svg("text", attributes), { textContent: words });
    this.texts.replaceChildren(
      ...ups.map((level) => text(brief(level), { x: CHART_PAD.left - 6, y: y(level) + 4, "text-anchor": "end" })),
      ...acrosses.map((step) => text(brief(step), { x: x(step), y: floor + 15, "text-anchor": !step ? "start" : x(step) > right - 20 ? "end" : "middle" })),
      text(this.name, { x: 0, y: 10 }),
      text("step", { x: right, y: floor + 28, "text-anchor": "end" }));
    const [step, mean] = this.points.at(-1);
    this.svg.setAttribute("aria-label", `${this.name} against step; ${brief(mean)} at step ${Math.round(step)} of ${this.steps}`);
    this.point(this.at, false);
  }
  look(event) {
    if (!this.points.length) return;
    const box = this.svg.getBoundingClientRect();
    const { x } = this.scale();
    const across = event.clientX - box.left;
    let best = 0;
    this.points.forEach((point, at) => {
      if (Math.abs(x(point[0]) - across) < Math.abs(x(this.points[best][0]) - across)) best = at;
    });
    this.point(best);
  }
  point(at) {
    this.at = at;
    const found = at === null ? null : this.points[Math.min(at, this.points.length - 1)];
    const shownPoint = found ?? this.points.at(-1);
    setText(this.read, shownPoint ? `${this.name} ${brief(shownPoint[1])} at step ${Math.round(shownPoint[0])}` : "");
    if (!found) return this.cross.setAttribute("d", "");
    const { x, floor } = this.scale();
    this.cross.setAttribute("d", `M${x(found[0]).toFixed(1)} ${CHART_PAD.top}V${floor}`);
  }
  stop() {
    this.size.disconnect();
  }
}
