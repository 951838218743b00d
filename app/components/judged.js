// How maps are judged: marks in a table with words, curves under every way of removing, and who agrees with whom.

const JUDGED_CSS = `
  .judged { display: grid; gap: 10px; border-top: 1px solid var(--st-border-color); padding-top: 12px; margin-top: 6px; grid-template-columns: minmax(0, 1fr); }
  .judged h3 { margin: 0; font-size: 1rem; font-weight: 600; } .judged h4 { margin: 0 0 4px; font-size: 0.82rem; font-weight: 600; }
  .judged .scroll { overflow-x: auto; scrollbar-width: thin; }
  .judged table { border-collapse: collapse; font-size: 0.8rem; font-variant-numeric: tabular-nums; }
  .judged th, .judged td { padding: 4px 7px; border-bottom: 1px solid var(--st-border-color); white-space: nowrap; }
  .judged thead th { font-weight: 600; text-align: right; vertical-align: bottom; } .judged thead small { display: block; font-weight: 400; opacity: 0.75; white-space: normal; min-width: 4.2rem; margin-left: auto; }
  .judged tbody th { text-align: left; font-weight: 400; position: sticky; left: 0; background: var(--st-background-color); } .judged td { text-align: right; }
  .judged thead th:first-child { text-align: left; position: sticky; left: 0; background: var(--st-background-color); }
  .judged .base th, .judged .base td { opacity: 0.75; } .judged .best { font-weight: 700; color: var(--st-primary-color); }
  .judged .worse { color: var(--st-red-text-color, #b3261e); }
  .judged dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 2px 12px; margin: 0; font-size: 0.78rem; }
  .judged dt { font-weight: 600; } .judged dd { margin: 0; opacity: 0.8; max-width: 84ch; }
  @container (max-width: 560px) { .judged dl { grid-template-columns: minmax(0, 1fr); } .judged dd { margin-bottom: 4px; } }
  .judged .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(205px, 1fr)); gap: 12px 18px; }
  .judged .chart svg { width: 100%; height: auto; display: block; overflow: visible; touch-action: pan-y; }
  .judged svg text { font-size: 11px; fill: currentColor; opacity: 0.78; font-family: var(--st-font); font-variant-numeric: tabular-nums; }
  .judged svg .axis { stroke: currentColor; opacity: 0.35; fill: none; } .judged svg .line { fill: none; stroke-width: 1.9; stroke-linejoin: round; }
  .judged .key { display: flex; flex-wrap: wrap; gap: 4px 14px; font-size: 0.78rem; } .judged .key span { display: inline-flex; gap: 6px; align-items: center; }
  .judged .key i { width: 18px; border-top: 3px solid; } .judged .key i.base { border-top-style: dashed; }
  .judged .read { min-height: 1.4em; }
  .judged .matrices { display: flex; flex-wrap: wrap; gap: 14px 26px; } .judged .matrices > div { max-width: 100%; min-width: 0; }
  .judged .matrices td { text-align: center; color: #14201c; } .judged .matrices thead th { text-align: center; white-space: normal; max-width: 7rem; }
  .judged .lead { background: var(--st-primary-color); color: var(--st-background-color); border: 0; border-radius: 8px; padding: 6px 14px; font-weight: 600; justify-self: start; } .judged .lead:disabled { opacity: 0.45; cursor: default; }
`;
const LINES = ["#0f766e", "#c2410c", "#6d28d9", "#1d4ed8", "#be185d", "#4d7c0f", "#b45309", "#0e7490"];
const BASE = { random: "#888888", centre: "#555555" };
const WIDE = 270, HIGH = 170, PAD = { left: 34, right: 8, top: 8, bottom: 30 };
const KIND = {
  deletion: ["Deletion", "The highest cells are taken away first. Area under the curve of the answer: lower is better, the answer should break down soon."],
  insertion: ["Insertion", "The highest cells are shown first, the rest comes later. Area under the curve: higher is better, a few cells should be enough."],
};
const MARKS = [
  ["road", "ROAD", true, "Cells are filled in from their neighbours with a little noise, so that holes betray nothing. Half of what the answer keeps without the least important cells, less what it keeps without the most important: higher is better, 0 is no better than chance."],
  ["infidelity", "Infidelity", false, "Random sets of cells are removed; the share of the falls of the score that the sum of the map over them does not foretell. Lower is better, 0 foretells all, 1 nothing."],
  ["sensitivity", "Sensitivity", false, "How much the map changes when no pixel changes by more than 2%. Lower is better: a map that jumps is not to be relied on."],
  ["randomised", "Random weights", false, "Rank correlation with the map after the head, half of the layers and all layers got random weights. The last number should be near 0: a map that stays the same does not look at what the network has learnt."],
];

function sign(tag, attributes, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function plainWay(recipe) {
  return recipe.replace(/\(.*$/, "").replaceAll("_", " ");
}

// One round end for the answers of all curves, so that charts compare.
function ceiling(found) {
  const top = Math.max(...found.flatMap((each) => each.curves.flatMap((curve) => curve.y)), 0.001);
  const power = 10 ** Math.floor(Math.log10(top));
  return [1, 2, 5, 10].map((by) => by * power).find((each) => each >= top * 0.999);
}

class JudgedPart {
  // `start` is called when a person wants the maps to be judged.
  constructor(start) {
    this.button = make("button", { type: "button", class: "lead", text: "Judge these maps", onclick: start });
    this.intro = make("p", { class: "say soft", text: "A map can look right and be wrong. Judging removes what it names, beside a random map and a bump in the centre, "
      + "under two ways of removing or more, and tells in numbers which map to believe." });
    this.sections = make("div", { class: "judged", style: "border: 0; padding: 0; margin: 0" });
    this.agreeing = make("div", { class: "judged hidden" });
    this.node = make("div", { class: "judged" }, make("h3", { text: "Which map to believe" }), this.button, this.intro, this.sections, this.agreeing);
    this.clear();
  }
  clear() {
    Object.assign(this, { rows: new Map(), agreements: new Map(), drawn: "" });
  }
  take(event) {
    if (event.kind === "agreement") this.agreements.set(event.row, event);
    if (event.kind === "judged") this.rows.set(`${event.row} ${event.method}`, event);
    this.drawn = "";
  }
  busy(on) {
    this.going = on;
  }
  draw(data, any) {
    const shape = JSON.stringify([any, data.networks, data.judge, [...this.rows.keys()], this.agreements.size, this.going]);
    if (this.drawn === shape) return;
    this.drawn = shape;
    this.button.classList.toggle("hidden", data.judge);
    this.button.disabled = !any;
    this.intro.classList.toggle("hidden", data.judge && this.rows.size > 0);
    this.sections.replaceChildren(...data.networks.flatMap((name, row) => this.section(name, row, data)), ...(this.rows.size ? [this.words()] : []));
    const found = [...this.agreements.values()];
    this.agreeing.classList.toggle("hidden", !found.length);
    this.agreeing.replaceChildren(make("h3", { text: "Who points at the same cells" }), ...found.flatMap((each) => this.matrices(each, data)));
  }
  section(name, row, data) {
    const found = [...this.rows.values()].filter((each) => each.row === row);
    if (!found.length) return [];
    const styles = new Map(found.map((each, at) => [each.method, { base: each.baseline, colour: each.baseline ? BASE[plainWay(each.method)] ?? "#777777" : LINES[at % LINES.length] }]));
    const ways = [...new Set(found.flatMap((each) => each.curves.map((curve) => curve.way)))];
    const heading = data.networks.length > 1 ? [make("h4", { text: name })] : [];
    const read = make("p", { class: "say soft read" });
    const key = make("div", { class: "key" }, ...found.map((each) => {
      const { base, colour } = styles.get(each.method);
      return make("span", {}, make("i", { class: base ? "base" : "", style: `border-color: ${colour}` }), each.title);
    }));
    const charts = make("div", { class: "charts" }, ...ways.flatMap((way) => ["deletion", "insertion"].map((kind) => this.chart(found, way, kind, styles, read))));
    return [...heading, this.table(found, ways), charts, key, read];
  }
  words() {
    return make("dl", {}, ...[...Object.values(KIND), ...MARKS.map((mark) => [mark[1], mark[3]])].flatMap(([term, text]) => [make("dt", { text: term }), make("dd", { text })]));
  }
  table(found, ways) {
    const columns = [
      ...ways.flatMap((way) => Object.entries(KIND).map(([kind, [name]]) => ({ name, small: `${plainWay(way)}, ${kind === "deletion" ? "lower" : "higher"} is better`,
        high: kind === "insertion", value: (each) => each.curves.find((curve) => curve.way === way && curve.kind === kind)?.area ?? null }))),
      ...MARKS.map(([field, name, high]) => ({ name, high, field, small: field === "randomised" ? "head, half, all; last near 0" : `${high ? "higher" : "lower"} is better`,
        value: (each) => (field === "randomised" ? (each.randomised.length ? Math.abs(each.randomised.at(-1)) : null) : each[field]) })),
    ];
    const chance = found.find((each) => each.baseline && each.method.startsWith("random"));
    const cell = (each, { value, high, field }) => {
      const own = value(each);
      if (own === null) return make("td", { class: "soft", text: each.baseline ? "–" : "…", title: each.baseline ? "settled by how it is made" : "not there yet" });
      const others = found.filter((other) => !other.baseline).map(value).filter((other) => other !== null);
      const best = !each.baseline && others.length > 1 && own === (high ? Math.max(...others) : Math.min(...others));
      const lot = chance && !each.baseline ? value(chance) : null;
      const worse = lot !== null && (high ? own < lot : own > lot);
      const text = field === "randomised" ? each.randomised.map((one) => one.toFixed(2)).join(", ") : own.toFixed(3);
      return make("td", { class: [best ? "best" : "", worse ? "worse" : ""].join(" "), text, title: worse ? "worse than a random map" : best ? "the best of these" : "" });
    };
    return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Marks of the maps" }, make("table", { "data-marks": "" },
      make("thead", {}, make("tr", {}, make("th", { text: "Map" }), ...columns.map(({ name, small }) => make("th", {}, name, make("small", { text: small }))))),
      make("tbody", {}, ...found.map((each) => make("tr", { class: each.baseline ? "base" : "" }, make("th", { scope: "row", text: each.title }), ...columns.map((column) => cell(each, column)))))));
  }
  chart(found, way, kind, styles, read) {
    const x = (share) => PAD.left + share * (WIDE - PAD.left - PAD.right);
    const high = ceiling(found);
    const y = (value) => HIGH - PAD.bottom - (Math.min(Math.max(value, 0), high) / high) * (HIGH - PAD.top - PAD.bottom);
    const lines = found.flatMap((each) => each.curves.filter((curve) => curve.way === way && curve.kind === kind).map((curve) => ({ ...curve, each })));
    const floor = HIGH - PAD.bottom;
    const svg = sign("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": `${KIND[kind][0]} by ${plainWay(way)}: ${lines.map((line) => `${line.each.title} ${line.area.toFixed(2)}`).join(", ")}` });
    svg.append(sign("path", { class: "axis", d: `M${PAD.left} ${PAD.top}V${floor}H${WIDE - PAD.right}` }),
      ...[0, high / 2, high].map((value) => sign("text", { x: PAD.left - 5, y: y(value) + 4, "text-anchor": "end" }, Number(value.toPrecision(2)))),
      ...[0, 0.5, 1].map((share) => sign("text", { x: x(share), y: floor + 13, "text-anchor": "middle" }, `${share * 100}%`)),
      sign("text", { x: WIDE - PAD.right, y: floor + 26, "text-anchor": "end" }, kind === "deletion" ? "of the cells removed" : "of the cells shown"),
      ...lines.map(({ each, x: shares, y: values }) => sign("path", { class: "line", stroke: styles.get(each.method).colour, "stroke-dasharray": styles.get(each.method).base ? "4 3" : "none",
        d: `M${shares.map((share, at) => `${x(share).toFixed(1)} ${y(values[at]).toFixed(1)}`).join("L")}` })));
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const share = Math.min(1, Math.max(0, (((event.clientX - box.left) / box.width) * WIDE - PAD.left) / (WIDE - PAD.left - PAD.right)));
      setText(read, `${KIND[kind][0]} by ${plainWay(way)} at ${Math.round(share * 100)}%: ${lines.map(({ each, x: shares, y: values }) => {
        const at = shares.reduce((best, one, i) => (Math.abs(one - share) < Math.abs(shares[best] - share) ? i : best), 0);
        return `${each.title} ${values[at].toFixed(2)}`;
      }).join(", ")}`);
    });
    svg.addEventListener("pointerleave", () => setText(read, ""));
    return make("div", { class: "chart" }, make("h4", { text: `${KIND[kind][0]}, removed by ${plainWay(way)}` }), svg);
  }
  matrices(each, data) {
    const table = (title, values, low) => make("div", {}, make("h4", { text: title }), make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, make("table", { "data-agreement": "" },
      make("thead", {}, make("tr", {}, make("th"), ...each.names.map((name) => make("th", { text: name })))),
      make("tbody", {}, ...values.map((line, at) => make("tr", {}, make("th", { scope: "row", text: each.names[at] }),
        ...line.map((value) => make("td", { text: value.toFixed(2), style: `background: rgb(${toned(low ? value : value * 0.8).map((part) => Math.round(part + (255 - part) * 0.35))})` }))))))));
    const heading = data.networks.length > 1 ? [make("h4", { text: data.networks[each.row] })] : [];
    const words = `Rank correlation: 1 orders all cells alike, 0 unlike by chance, −1 the other way round. IoU: shared cells of the ${each.count} highest of each, over all that either names; 1 is the same, 0 none.`;
    return [...heading, make("div", { class: "matrices" }, table("Rank correlation", each.ranks, true), table(`IoU of the ${each.count} highest cells`, each.overlaps, false)),
      make("p", { class: "say soft", text: [words, ...each.notes].join(" ") })];
  }
}
