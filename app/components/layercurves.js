// What is said as more is hidden: a chart for each order, a line for each way, and which classes are said.

const LAYERCURVES_CSS = `
  .charts { display: grid; gap: 14px; grid-template-columns: repeat(auto-fit, minmax(230px, 1fr)); margin-top: 6px; }
  .bar { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: center; }
  .bar select { background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); border-radius: 8px; padding: 4px 10px; }
  h3 { font-size: 0.9rem; margin: 14px 0 4px; font-weight: 600; }
  .said { display: grid; gap: 14px; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); }
  .said figure { margin: 0; min-width: 0; } .said figcaption { font-size: 0.8rem; font-weight: 600; margin-bottom: 2px; }
  .said table { border-collapse: separate; border-spacing: 1px; width: 100%; table-layout: fixed; font-size: 0.7rem; font-variant-numeric: tabular-nums; }
  .said th { font-weight: 400; opacity: 0.8; text-align: left; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; width: 6.6em; }
  .said thead th { text-align: center; width: auto; } .said td { height: 13px; border-radius: 2px; }
  .lead { margin: 0 0 6px; font-size: 0.82rem; max-width: 80ch; }
`;
const MEASURES = { kept: ["Probability of its class", 1, true], same: ["Same class as whole", 1, true], accuracy: ["Told right", 1, true], class_entropy: ["Entropy of the classes said, bits", 0, false],
  confidence: ["Confidence", 1, true], entropy: ["Entropy of each answer, bits", 0, false] };
const MOST_CLASSES = 10;

export default mounter((root, view) => {
  let data = { choice: {}, labels: [], ways: [] };
  let found = [];
  let lifted = null;
  let chosen = null;
  const sender = new Sender((value) => view.host.setStateValue("choice", value));
  const measure = make("select", { "aria-label": "What is drawn", onchange: () => { chosen = measure.value; sender.push({ measure: chosen }); draw(); } });
  const keys = make("div", { class: "keys", role: "group", "aria-label": "Lift a line" });
  const charts = make("div", { class: "charts" });
  const said = make("div", { class: "said" });
  const classes = make("section", { class: "hidden" }, make("h3", { text: "Classes said, random removal" }),
    make("p", { class: "lead soft", text: "Columns are shares hidden; the lighter, the more often a class is said. A way that pulls everything to one class shows a bright row." }), said);
  const body = make("div", { class: "hidden" }, make("div", { class: "bar" }, measure, keys), charts, classes);
  const bar = new JobBar("points", (report) => {
    found.push(...report.events);
    if (report.events.length) draw();
    root.dataset.state = report.state;
  });
  root.append(make("style", { text: SHARED_CSS + JOB_CSS + LINECHART_CSS + LAYERCURVES_CSS }), bar.node, body);

  function draw() {
    body.classList.toggle("hidden", !found.length);
    if (!found.length) return;
    const known = Object.keys(MEASURES).filter((name) => name in found[0].numbers);
    if (measure.children.length !== known.length) measure.replaceChildren(...known.map((value) => make("option", { value, text: MEASURES[value][0] })));
    const name = known.includes(chosen) ? chosen : known[0];
    measure.value = name;
    const [, fixed, percent] = MEASURES[name];
    const top = fixed || Math.max(...found.map((point) => point.numbers[`${name}_high`] ?? 0), 0.1);
    const orders = [...new Set(found.map((point) => point.order))];
    charts.replaceChildren(...orders.map((order) => lineChart({ title: order.replaceAll("_", " "), top, percent, lifted, across: "share hidden",
      lines: data.ways.map(([way, text]) => ({ name: text, colour: colourOf(way), points: found.filter((point) => point.way === way && point.order === order)
        .map(({ share, numbers }) => [share, numbers[name], numbers[`${name}_low`], numbers[`${name}_high`]]) })).filter((line) => line.points.length) })));
    if (keys.children.length !== data.ways.length) {
      keys.replaceChildren(...data.ways.map(([way, text]) => make("button", { type: "button", "aria-pressed": "false",
        onclick: () => { lifted = lifted === text ? null : text; draw(); } }, make("i", { style: `background: ${colourOf(way)}` }), text)));
    }
    [...keys.children].forEach((key, at) => key.setAttribute("aria-pressed", String(data.ways[at][1] === lifted)));
    histograms();
  }
  function histograms() {
    const random = found.filter((point) => point.order === "random");
    const sums = random.reduce((all, { numbers }) => { numbers.histogram.forEach((count, at) => { all[at] = (all[at] ?? 0) + count; }); return all; }, []);
    const rows = [...sums.keys()].filter((at) => sums[at]).sort((a, b) => sums[b] - sums[a]).slice(0, MOST_CLASSES).sort((a, b) => a - b);
    classes.classList.toggle("hidden", !rows.length);
    said.replaceChildren(...data.ways.filter(([way]) => random.some((point) => point.way === way)).map(([way, text]) => {
      const points = random.filter((point) => point.way === way);
      return make("figure", { "data-classes": way }, make("figcaption", { text }), make("table", {},
        make("thead", {}, make("tr", {}, make("th"), ...points.map((point) => make("th", { text: `${Math.round(point.share * 100)}` })))),
        make("tbody", {}, ...rows.map((row) => make("tr", {}, make("th", { scope: "row", text: data.labels[row] ?? `class ${row}`, title: data.labels[row] ?? `class ${row}` }),
          ...points.map(({ numbers, share }) => {
            const part = numbers.histogram[row] / numbers.count;
            return make("td", { style: `background: rgb(${heat(part)})`, title: `${Math.round(share * 100)}% hidden: ${Math.round(part * 100)}%` });
          }))))));
    }));
  }

  return {
    update(next) {
      data = next;
      chosen ??= next.choice.measure;
      sender.heard(next.seq);
      if (next.job === bar.mark) return;
      found = [];
      lifted = null;
      keys.replaceChildren();
      body.classList.add("hidden");
      root.dataset.state = "";
      bar.follow(next.job);
    },
    destroy: () => bar.stop(),
  };
});
