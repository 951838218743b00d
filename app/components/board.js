// Tables of runs: what differs, means over seeds, and the matrix of a sweep.

const BOARD_CSS = `
  .scroller { overflow-x: auto; scrollbar-width: thin; }
  table.plain { border-collapse: collapse; font-size: 0.82rem; font-variant-numeric: tabular-nums; min-width: 100%; }
  .plain th, .plain td { text-align: left; padding: 4px 12px 4px 0; border-bottom: 1px solid var(--st-border-color); vertical-align: top; overflow-wrap: anywhere; }
  .plain thead th { font-weight: 600; }
  .plain tbody th { font-weight: 400; min-width: min(9rem, 28vw); max-width: min(20rem, 38vw); position: sticky; left: 0; background: var(--st-background-color); }
  .plain .result td { font-weight: 600; }
  .plain small { opacity: 0.7; font-weight: 400; white-space: nowrap; }
  .plain td { min-width: 5rem; max-width: 22rem; }
  .board .tools { display: flex; flex-wrap: wrap; gap: 6px 14px; margin-bottom: 6px; font-size: 0.82rem; align-items: center; }
  .board .tools label { display: inline-flex; gap: 5px; align-items: center; }
  .board table { border-collapse: separate; border-spacing: 6px; table-layout: fixed; width: 100%; min-width: var(--wide); }
  .board th { font-size: 0.82rem; font-weight: 600; text-align: left; }
  .board th[scope="row"], .board thead th:first-child { width: 8.2rem; text-align: left; position: sticky; left: 0; z-index: 1;
    background: var(--st-background-color); overflow-wrap: anywhere; padding-right: 4px; }
  .board td { padding: 0; vertical-align: top; }
  .board td a, .board td .empty { display: block; color: inherit; text-decoration: none; border-radius: 8px; }
  .board .box { height: 64px; max-width: 512px; border-radius: 8px; overflow: hidden; background: var(--st-secondary-background-color); }
  .board .box img { height: 100%; width: auto; max-width: none; display: block; }
  .board a:hover .box, .board a:focus-visible .box { box-shadow: 0 0 0 2px var(--st-primary-color); }
  .board .num { max-width: 512px; display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 8px; font-size: 0.8rem; font-variant-numeric: tabular-nums; padding: 2px 2px; }
  .board .best .num b { color: var(--st-primary-color); }
  .board .num b { font-weight: 600; }
  .board .num small { opacity: 0.65; }
  .board .warned b::after { content: " ⚠"; }
  @media (max-width: 640px) { .board th[scope="row"], .board thead th:first-child { width: 5.6rem; font-size: 0.74rem; } }
`;
const FEW = 4;

function runLink(run) {
  return make("a", { href: `/runs?run=${encodeURIComponent(run.id)}`, text: run.label, title: `${run.name}\n${run.id}` });
}

// Knobs go down where there are few runs and across where there are many.
function differing(data) {
  const { knobs, results, alike } = data.differing;
  const all = [...knobs.map((each) => [...each, ""]), ...results.map((each) => [...each, "result"])];
  const states = ["state", data.runs.map((run) => run.state + (run.state === "done" ? "" : ` at ${run.step ?? 0} of ${run.steps ?? "?"}`)), "result"];
  const rows = [...all, states];
  let table;
  if (data.runs.length <= FEW) {
    table = make("table", { class: "plain", "data-table": "differing" },
      make("thead", {}, make("tr", {}, make("th", { text: "" }), ...data.runs.map((run) => make("th", { scope: "col" }, runLink(run))))),
      make("tbody", {}, ...rows.map(([name, values, kind]) => make("tr", { class: kind, "data-key": name }, make("th", { scope: "row", text: kind ? metricName(name) : name }),
        ...values.map((text) => make("td", { text }))))));
  } else {
    table = make("table", { class: "plain", "data-table": "differing" },
      make("thead", {}, make("tr", {}, make("th", { text: "run" }), ...rows.map(([name, , kind]) => make("th", { scope: "col", text: kind ? metricName(name) : name, "data-key": name })))),
      make("tbody", {}, ...data.runs.map((run, at) => make("tr", {}, make("th", { scope: "row" }, runLink(run)),
        ...rows.map(([, values]) => make("td", { text: values[at] }))))));
  }
  const words = data.runs.length < 2 ? "One run alone differs in nothing; choose another beside it."
    : `${knobs.length ? "" : "No knob differs. "}${alike} knobs are the same and left out.`;
  return make("div", {}, make("div", { class: "scroller" }, table), make("p", { class: "soft note", text: words }));
}

function means({ metrics, rows }) {
  const head = make("tr", {}, make("th", { text: "" }), make("th", { scope: "col", text: "seeds" }), ...metrics.map((name) => make("th", { scope: "col", text: metricName(name) })));
  const body = rows.map((row) => make("tr", {}, make("th", { scope: "row", text: row.label }), make("td", { text: String(row.count) }),
    ...row.cells.map((cell) => make("td", {}, cell.text, cell.count && cell.count < row.count ? make("small", { text: ` of ${cell.count}` }) : ""))));
  return make("div", {}, make("div", { class: "scroller" }, make("table", { class: "plain", "data-table": "means" }, make("thead", {}, head), make("tbody", {}, ...body))),
    make("p", { class: "soft note", text: "Mean of the runs that differ in the seed only, ± half of its 95% interval (Student's t): two seeds make it wide." }));
}

class SweepBoard {
  // `change(part)` is told what a person sets: rows, columns, metric.
  constructor(change) {
    this.metric = choiceOf("Show", (metric) => change({ metric }));
    this.rows = choiceOf("down", (rows) => change({ rows }));
    this.columns = choiceOf("across", (columns) => change({ columns }));
    this.body = make("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": "Matrix of the sweep" });
    this.note = make("p", { class: "soft note" });
    this.node = make("div", { class: "board" }, make("div", { class: "tools" }, this.metric.node, this.rows.node, this.columns.node), this.body, this.note);
  }
  show(board) {
    const axes = board.axes.map((name) => [name, name]);
    this.metric.fill(board.metrics.map((name) => [name, metricName(name)]), board.metric);
    this.rows.fill(axes.length ? axes : [["", "–"]], board.up);
    this.columns.fill([...(board.across ? [] : [["", "–"]]), ...axes], board.across);
    this.body.style.setProperty("--wide", `calc(8.2rem + ${board.columns.length} * 112px)`);
    const head = make("tr", {}, make("th", { class: "soft", text: [board.up || "all", board.across].filter(Boolean).join(" \\ ") }),
      ...board.columns.map((text) => make("th", { scope: "col", text: text || (board.across ? "–" : "all") })));
    const rows = board.rows.map((name, i) => make("tr", {}, make("th", { scope: "row", text: name || (board.up ? "–" : "all") }),
      ...board.cells[i].map((cell, j) => this.cell(cell, i, j, `${name} ${board.columns[j]}`.trim()))));
    this.body.replaceChildren(make("table", { "data-table": "matrix" }, make("thead", {}, head), make("tbody", {}, ...rows)));
    const mixed = board.mixed.length ? ` Cells are means over ${board.mixed.join(", ")} too.` : "";
    const loss = board.metric === "loss" ? " Losses under different masks or objectives are not of one task: compare with care." : "";
    const best = board.marked ? `, the ${board.higher ? "highest" : "lowest"} mean marked as best: where intervals overlap it may be chance.` : ".";
    const told = board.told ? ` Measured is: ${board.told}.` : "";
    setText(this.note, `The newest picture of each cell's first run; mean over seeds ± half of its 95% interval${best}${mixed}${loss}${told} A cell opens its run.`);
  }
  cell(cell, i, j, label) {
    const image = cell.picture ? make("img", { src: cell.picture, alt: "", draggable: "false" }) : "";
    const seeds = cell.of > 1 ? `${cell.made ? cell.count : 0}/${cell.of} runs` : "";
    const inner = [make("div", { class: "box" }, image), make("div", { class: "num" }, make("b", { text: cell.best ? `${cell.text} best` : cell.text }), make("small", { text: seeds }))];
    const warned = cell.warned.map((sentence) => ` Warned: ${sentence}.`).join("");
    const node = cell.runs.length
      ? make("a", { href: `/runs?run=${encodeURIComponent(cell.runs[0])}`, title: warned.trim(), "aria-label": `${label}: ${cell.text}; opens its run.${warned}` }, ...inner)
      : make("div", { class: "empty" }, ...inner);
    return make("td", { class: `${cell.best ? "best" : ""} ${warned ? "warned" : ""}`, "data-cell": `${i},${j}`, "data-made": String(cell.made) }, node);
  }
}
