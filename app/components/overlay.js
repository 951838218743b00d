// Curves of several runs in one chart: hover reads all of them, the legend switches each off, bands are seeds.

const OVERLAY_CSS = `
  .overlay .tools { display: flex; flex-wrap: wrap; gap: 6px 14px; align-items: center; margin-bottom: 6px; font-size: 0.82rem; }
  .overlay .tools label { display: inline-flex; gap: 5px; align-items: center; }
  .overlay .tools input[type="range"] { width: 110px; accent-color: var(--st-primary-color); }
  .overlay .tools input[type="checkbox"] { accent-color: var(--st-primary-color); }
  .overlay .area { position: relative; }
  .overlay svg { width: 100%; height: 290px; display: block; overflow: visible; touch-action: pan-y; }
  .overlay text { font-size: 11px; fill: currentColor; opacity: 0.78; font-family: var(--st-font); font-variant-numeric: tabular-nums; }
  .overlay .rule { stroke: currentColor; opacity: 0.1; fill: none; }
  .overlay .axis { stroke: currentColor; opacity: 0.35; fill: none; }
  .overlay .line { fill: none; stroke-width: 1.9; stroke-linejoin: round; }
  .overlay .band { opacity: 0.14; stroke: none; }
  .overlay .cross { stroke: currentColor; opacity: 0.45; fill: none; }
  .overlay .tip { position: absolute; pointer-events: none; background: var(--st-background-color); border: 1px solid var(--st-border-color);
    border-radius: 8px; padding: 5px 9px; font-size: 0.76rem; font-variant-numeric: tabular-nums; max-width: 19rem; z-index: 2; }
  .overlay .tip b { display: block; }
  .overlay .tip div { display: grid; grid-template-columns: 14px 1fr auto; gap: 6px; align-items: center; }
  .overlay .none { position: absolute; inset: 0; display: grid; place-items: center; font-size: 0.86rem; }
  .overlay .legend { display: flex; flex-wrap: wrap; gap: 4px 6px; margin-top: 6px; }
  .overlay .legend button { display: inline-flex; gap: 6px; align-items: center; border: 1px solid var(--st-border-color); border-radius: 999px;
    background: none; padding: 1px 9px; font-size: 0.78rem; text-align: left; overflow-wrap: anywhere; }
  .overlay .legend button[aria-pressed="false"] { opacity: 0.45; text-decoration: line-through; }
  .overlay .legend svg, .overlay .tip svg { width: 16px; height: 8px; overflow: visible; flex: none; }
`;
const OVERLAY_HIGH = 290;
const OVERLAY_PAD = { left: 54, right: 12, top: 26, bottom: 34 };
const SPANS = { step: "step", pictures: "pictures seen", seconds: "training time in seconds" };
const TOLD_LINES = 12;

function drawn(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function compact(value) {
  if (Math.abs(value) >= 10000) return value.toLocaleString("en", { notation: "compact", maximumFractionDigits: 1 });
  return Number(value.toPrecision(4)).toString();
}

function swatch(line) {
  return drawn("svg", { "aria-hidden": "true" },
    drawn("line", { x1: 0, x2: 16, y1: 4, y2: 4, stroke: line.colour, "stroke-width": 2.4, "stroke-dasharray": line.dash }));
}

function choiceOf(label, changed) {
  const select = make("select", { "aria-label": label, onchange: () => changed(select.value) });
  return { node: make("label", {}, make("span", { class: "soft", text: label }), select), select, fill(options, value) {
    if (select.dataset.options !== JSON.stringify(options)) {
      select.replaceChildren(...options.map(([name, text]) => make("option", { value: name, text })));
      select.dataset.options = JSON.stringify(options);
    }
    select.value = value;
  } };
}

class Overlay {
  // `change(part)` is told what a person sets: x, y, log, smooth, mean, off.
  constructor(change) {
    Object.assign(this, { change, lines: [], off: new Set(), log: false, at: null });
    this.y = choiceOf("What", (y) => change({ y }));
    this.x = choiceOf("against", (x) => change({ x }));
    this.logBox = make("input", { type: "checkbox", onchange: () => change({ log: this.logBox.checked ? "1" : "" }) });
    this.smooth = make("input", { type: "range", min: 0, max: 0.98, step: 0.02, "aria-label": "Smoothing", oninput: () => change({ smooth: this.smooth.value }) });
    this.smoothTold = make("span", { class: "soft" });
    this.meanBox = make("input", { type: "checkbox", onchange: () => change({ mean: this.meanBox.checked ? "1" : "0" }) });
    this.meanLabel = make("label", {}, this.meanBox, "mean over seeds");
    const tools = make("div", { class: "tools" }, this.y.node, this.x.node, make("label", {}, this.logBox, "log scale"),
      make("label", {}, make("span", { class: "soft", text: "smooth" }), this.smooth, this.smoothTold), this.meanLabel);
    this.svg = drawn("svg", { role: "img", tabindex: "0" });
    this.tip = make("div", { class: "tip hidden" });
    this.none = make("div", { class: "none soft hidden" });
    this.legend = make("div", { class: "legend", role: "group", "aria-label": "Curves shown" });
    this.area = make("div", { class: "area" }, this.svg, this.none, this.tip);
    this.node = make("div", { class: "overlay" }, tools, this.area, this.legend);
    this.svg.addEventListener("pointermove", (event) => this.look(event));
    this.svg.addEventListener("pointerleave", () => this.point(null));
    this.svg.addEventListener("blur", () => this.point(null));
    this.svg.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      const places = this.places();
      if (!by || !places.length) return;
      event.preventDefault();
      const now = this.at === null ? places.length : places.findIndex((x) => x >= this.at);
      this.point(places[Math.min(Math.max(now + by, 0), places.length - 1)]);
    });
    this.size = new ResizeObserver(() => this.draw());
    this.size.observe(this.area);
  }
  show(curves, { log, off }) {
    const { size, title } = unitOf(curves.y);
    const sized = (values) => values.map((value) => value / size);
    const lines = curves.lines.map((line) => ({ ...line, y: sized(line.y), low: sized(line.low), high: sized(line.high) }));
    Object.assign(this, { lines, name: title, across: SPANS[curves.x], log, off: new Set(off) });
    this.y.fill(curves.names.map((name) => [name, name]), curves.y);
    this.x.fill(Object.entries(SPANS), curves.x);
    this.logBox.checked = log;
    if (document.activeElement !== this.smooth && this.smooth.getRootNode().activeElement !== this.smooth) this.smooth.value = curves.smooth;
    setText(this.smoothTold, Number(this.smooth.value) ? Number(this.smooth.value).toFixed(2) : "off");
    this.meanBox.checked = curves.mean;
    this.meanLabel.classList.toggle("hidden", !curves.grouped);
    this.legend.replaceChildren(...(this.lines.length > 1 ? this.lines : []).map((line) => make("button", { type: "button",
      "aria-pressed": String(!this.off.has(line.key)), onclick: () => this.flip(line.key) }, swatch(line), line.label)));
    this.draw();
  }
  flip(key) {
    if (!this.off.delete(key)) this.off.add(key);
    this.change({ off: [...this.off].join(",") });
  }
  shown() {
    return this.lines.filter((line) => !this.off.has(line.key) && line.x.length)
      .map((line) => this.log ? { ...line, low: line.low.map((v) => Math.max(v, 1e-12)) } : line);
  }
  places() {
    return [...new Set(this.shown().flatMap((line) => line.x))].sort((a, b) => a - b);
  }
  scale() {
    const lines = this.shown();
    const turn = this.log ? Math.log10 : (value) => value;
    const values = lines.flatMap((line) => [...line.y, ...line.low, ...line.high]).filter((value) => !this.log || value > 0).map(turn);
    let [low, high] = [Math.min(...values), Math.max(...values)];
    if (!(high > low)) [low, high] = [low - 0.5 * Math.abs(low || 1), high + 0.5 * Math.abs(high || 1)];
    const wide = Math.max(this.area.clientWidth, 200);
    const last = Math.max(...lines.map((line) => line.x.at(-1)));
    const [floor, right] = [OVERLAY_HIGH - OVERLAY_PAD.bottom, wide - OVERLAY_PAD.right];
    return { wide, low, high, last, floor, right, enough: values.length > 0,
      x: (value) => OVERLAY_PAD.left + (value / (last || 1)) * (right - OVERLAY_PAD.left),
      y: (value) => floor - ((turn(value) - low) / (high - low)) * (floor - OVERLAY_PAD.top) };
  }
  draw() {
    const lines = this.shown();
    const { wide, low, high, last, floor, right, enough, x, y } = this.scale();
    this.none.classList.toggle("hidden", enough);
    setText(this.none, this.lines.some((line) => line.x.length) ? "All curves are switched off, or none is above 0." : `No ${this.name ?? "numbers"} logged yet.`);
    this.svg.replaceChildren();
    this.tip.classList.add("hidden");
    if (!enough) return;
    this.svg.setAttribute("viewBox", `0 0 ${wide} ${OVERLAY_HIGH}`);
    const spot = (a, b) => `${x(a).toFixed(1)} ${y(b).toFixed(1)}`;
    const way = (line, values) => line.x.map((a, i) => [a, values[i]]).filter(([, b]) => !this.log || b > 0).map(([a, b]) => spot(a, b));
    const ups = ticks(low, high, 5, this.log);
    const acrosses = ticks(0, last, Math.max(2, Math.round(wide / 120)));
    const text = (words, attributes) => Object.assign(drawn("text", attributes), { textContent: words });
    this.cross = drawn("path", { class: "cross" });
    this.svg.append(drawn("path", { class: "rule", d: ups.map((level) => `M${OVERLAY_PAD.left} ${y(level).toFixed(1)}H${right}`).join("") }),
      drawn("path", { class: "axis", d: `M${OVERLAY_PAD.left} ${OVERLAY_PAD.top}V${floor}H${right}` }),
      ...ups.map((level) => text(compact(level), { x: OVERLAY_PAD.left - 6, y: y(level) + 4, "text-anchor": "end" })),
      ...acrosses.map((at) => text(compact(at), { x: x(at), y: floor + 15, "text-anchor": "middle" })),
      text(this.name, { x: 0, y: 10 }),
      text(this.across, { x: right, y: floor + 30, "text-anchor": "end" }),
      ...lines.filter((line) => line.low.length).map((line) => drawn("path", { class: "band", fill: line.colour,
        d: `M${way(line, line.high).join("L")}L${way(line, line.low).reverse().join("L")}Z` })),
      ...lines.map((line) => drawn("path", { class: "line", stroke: line.colour, "stroke-dasharray": line.dash, "data-line": line.key,
        d: `M${way(line, line.y).join("L")}${line.x.length === 1 ? "h3" : ""}` })), this.cross);
    this.svg.setAttribute("aria-label", `${this.name} against ${this.across}: ${lines.map((line) => `${line.label} ends at ${compact(line.y.at(-1))}`).join("; ")}`);
    this.point(this.at);
  }
  look(event) {
    const places = this.places();
    if (!places.length) return;
    const { x } = this.scale();
    const across = event.clientX - this.svg.getBoundingClientRect().left;
    this.point(places.reduce((best, each) => Math.abs(x(each) - across) < Math.abs(x(best) - across) ? each : best, places[0]));
  }
  point(at) {
    this.at = at;
    this.tip.classList.toggle("hidden", at === null);
    if (at === null) return this.cross?.setAttribute("d", "");
    const { x, floor, wide } = this.scale();
    this.cross.setAttribute("d", `M${x(at).toFixed(1)} ${OVERLAY_PAD.top}V${floor}`);
    const told = this.shown().map((line) => {
      const near = line.x.reduce((best, each, i) => Math.abs(each - at) < Math.abs(line.x[best] - at) ? i : best, 0);
      return { line, value: line.y[near], near: line.x[near] };
    }).filter(({ near }) => Math.abs(x(near) - x(at)) < 16).sort((a, b) => b.value - a.value);
    const more = told.length - TOLD_LINES;
    this.tip.replaceChildren(make("b", { text: `${this.across} ${compact(at)}` }), ...told.slice(0, TOLD_LINES).map(({ line, value }) =>
      make("div", {}, swatch(line), make("span", { text: line.label }), make("span", { text: compact(value) }))),
      ...(more > 0 ? [make("span", { class: "soft", text: `and ${more} more` })] : []));
    const left = x(at) > wide / 2;
    this.tip.style.cssText = `top: 8px; ${left ? `right: ${wide - x(at) + 10}px` : `left: ${x(at) + 10}px`}`;
  }
  stop() {
    this.size.disconnect();
  }
}
