// A search as it goes: the best mask so far, what the model makes of it, and how it improved.

const SEARCH_CSS = `
  .found { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 10px 12px; max-width: 1100px; }
  @container (max-width: 560px) { .found { grid-template-columns: repeat(2, minmax(0, 1fr)); } .found .chart { grid-column: 1 / -1; } }
  .frame { container-type: inline-size; }
  figure { margin: 0; display: grid; gap: 4px; align-content: start; min-width: 0; }
  figcaption { font-size: 0.82rem; font-weight: 600; }
  .stage { position: relative; aspect-ratio: var(--shape, 1); border-radius: 8px; overflow: hidden; background: var(--st-secondary-background-color); }
  .stage img { position: absolute; inset: 0; width: 100%; height: 100%; display: block; }
  svg { width: 100%; height: 100%; display: block; overflow: visible; }
  .chart .stage { overflow: visible; padding: 0; }
  svg text { font-size: 11px; fill: currentColor; opacity: 0.75; font-family: var(--st-font); font-variant-numeric: tabular-nums; }
  svg .axis { stroke: currentColor; opacity: 0.35; }
  svg .line { fill: none; stroke: var(--st-primary-color); stroke-width: 2; stroke-linejoin: round; }
  svg .aim { stroke: var(--st-orange-color, #c77700); stroke-dasharray: 4 4; }
  .words { margin: 8px 0 0; font-size: 0.86rem; }
  .recipe { margin: 6px 0 0; font-size: 0.76rem; overflow-wrap: anywhere; opacity: 0.75; max-height: 5.6em; overflow-y: auto; }
  .open { display: inline-block; margin-top: 8px; padding: 5px 12px; border-radius: 8px; text-decoration: none; font-weight: 600;
    background: var(--st-primary-color); color: var(--st-background-color); }
`;
const WIDE = 300;
const HIGH = 300;
const PAD = { left: 46, right: 8, top: 12, bottom: 34 };

function drawn(tag, attributes, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function digits(value) {
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toPrecision(2);
}

// A line of [place, value] pairs; `end` is where the first axis ends at least, `aim` a level to reach.
function line(points, { axes, end, aim, step }) {
  const svg = drawn("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": `${axes[1]} against ${axes[0]}` });
  if (!points.length) return svg;
  const last = Math.max(end, points.at(-1)[0], 1);
  const levels = points.map((point) => point[1]).concat(aim === null ? [] : [aim]);
  let low = Math.min(...levels);
  let high = Math.max(...levels);
  if (low === high) [low, high] = [low - 0.5 * Math.abs(low || 1), high + 0.5 * Math.abs(high || 1)];
  const x = (place) => PAD.left + (place / last) * (WIDE - PAD.left - PAD.right);
  const y = (value) => HIGH - PAD.bottom - ((value - low) / (high - low)) * (HIGH - PAD.top - PAD.bottom);
  const path = points.map(([place, value], at) => {
    const across = step && at ? `H${x(place)}` : "";
    return at ? `${across}${step ? `V${y(value)}` : `L${x(place)} ${y(value)}`}` : `M${x(place)} ${y(value)}`;
  }).join("") + (step ? `H${x(last)}` : "");
  const [floor, right] = [HIGH - PAD.bottom, WIDE - PAD.right];
  svg.append(
    drawn("path", { class: "axis", fill: "none", d: `M${PAD.left} ${PAD.top}V${floor}H${right}` }),
    drawn("text", { x: PAD.left - 5, y: y(high) + 4, "text-anchor": "end" }, digits(high)),
    drawn("text", { x: PAD.left - 5, y: y(low), "text-anchor": "end" }, digits(low)),
    drawn("text", { x: PAD.left, y: floor + 14 }, "0"),
    drawn("text", { x: right, y: floor + 14, "text-anchor": "end" }, String(last)),
    drawn("text", { x: (PAD.left + right) / 2, y: floor + 28, "text-anchor": "middle" }, axes[0]),
  );
  if (aim !== null) svg.append(drawn("path", { class: "aim", d: `M${PAD.left} ${y(aim)}H${right}` }));
  svg.append(drawn("path", { class: "line", d: path }));
  return svg;
}

export default mounter((root) => {
  const masked = picture("The best mask so far");
  const composite = picture("What the model makes of it");
  const plot = make("div", { class: "stage" });
  const title = make("figcaption");
  const words = make("p", { class: "words", role: "status", "data-found": "words" });
  const recipe = make("p", { class: "recipe", "data-found": "recipe" });
  const open = make("a", { class: "open hidden", text: "Open in the first view" });
  const found = make("div", { class: "found hidden" },
    make("figure", {}, make("div", { class: "stage" }, masked), make("figcaption", { text: "Best mask so far" })),
    make("figure", {}, make("div", { class: "stage" }, composite), make("figcaption", { text: "Paste-back" })),
    make("figure", { class: "chart" }, plot, title));
  let points = [];
  let data = { axes: ["", ""], aim: null };
  const bar = new JobBar("masks", heard);
  root.append(make("style", { text: SHARED_CSS + JOB_CSS + SEARCH_CSS }), bar.node, make("div", { class: "frame" }, found, words, open, recipe));

  function heard(report) {
    for (const { place, value } of report.events) {
      while (points.length && points.at(-1)[0] >= place) points.pop();
      points.push([place, value]);
    }
    if (!report.now) return;
    const { now } = report;
    found.classList.remove("hidden");
    root.style.setProperty("--shape", now.shape);
    swap(masked, now.masked);
    swap(composite, now.composite);
    setText(words, now.words);
    setText(recipe, now.mask);
    open.href = `/?${now.query}`;
    open.classList.toggle("hidden", ["waiting", "running"].includes(report.state));
    plot.replaceChildren(line(points, { ...data, end: data.step ? Math.max(report.total, report.done) : 0 }));
    root.dataset.state = report.state;
  }

  return {
    update(next) {
      const other = !data.hint || next.job !== bar.mark;
      data = next;
      setText(title, next.axes[1]);
      if (!other) return;
      points = [];
      root.dataset.state = "";
      root.dataset.job = next.job;
      found.classList.add("hidden");
      open.classList.add("hidden");
      setText(words, next.job ? "" : next.hint);
      setText(recipe, "");
      bar.follow(next.job);
    },
    destroy: () => bar.stop(),
  };
});
