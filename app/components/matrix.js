// Strategies against ratios: a table of pictures that fills as they are made; a cell opens its scene.

const MATRIX_CSS = `
  .scroll { overflow-x: auto; scrollbar-width: thin; }
  table { border-collapse: separate; border-spacing: 5px; width: 100%; table-layout: fixed; min-width: var(--wide); }
  th { font-weight: 600; font-size: 0.8rem; text-align: center; }
  th[scope="row"] { text-align: left; width: 8.4rem; overflow-wrap: anywhere; position: sticky; left: 0; z-index: 1;
    background: var(--st-background-color); padding-right: 4px; }
  thead th:first-child { width: 8.4rem; position: sticky; left: 0; background: var(--st-background-color); z-index: 1; }
  @media (max-width: 640px) { th[scope="row"], thead th:first-child { width: 5.4rem; font-size: 0.72rem; } }
  td { padding: 0; vertical-align: top; }
  td a { display: block; text-decoration: none; color: inherit; border-radius: 8px; }
  .box { position: relative; aspect-ratio: var(--shape, 1); border-radius: 8px; overflow: hidden;
    background: var(--st-secondary-background-color); }
  .box img { position: absolute; inset: 0; width: 100%; height: 100%; display: block; }
  .box .why { position: absolute; inset: 0; padding: 6px; font-size: 0.68rem; line-height: 1.25; overflow: auto; }
  a:hover .box { box-shadow: 0 0 0 2px var(--st-primary-color); }
  .num { display: flex; justify-content: space-between; gap: 4px; font-size: 0.74rem; font-variant-numeric: tabular-nums; padding: 1px 2px; }
  .num b { font-weight: 500; }
  .best .num b { font-weight: 700; color: var(--st-primary-color); }
  .num small { opacity: 0.65; font-size: 0.68rem; }
  @media (max-width: 640px) { .num small { display: none; } }
  .legend { font-size: 0.76rem; margin: 2px 0 0; }
`;

export default mounter((root) => {
  const body = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Matrix of strategies and ratios" });
  let cells = new Map();
  let lowest = new Map();
  const bar = new JobBar("cells", ({ events }) => events.forEach(fill));
  const legend = make("p", { class: "legend soft",
    text: "Paste-back; MSE on hidden pixels in [0, 1] RGB, the lowest of each ratio marked. A cell opens its scene." });
  root.append(make("style", { text: SHARED_CSS + JOB_CSS + MATRIX_CSS }), bar.node, body, legend);

  function fill(event) {
    const cell = cells.get(`${event.row},${event.col}`);
    if (!cell) return;
    cell.dataset.state = event.src ? "made" : "none";
    if (!event.src) {
      cell.querySelector(".box").replaceChildren(make("span", { class: "why soft", text: event.note }));
      return;
    }
    const image = picture(`${event.mask}, MSE ${event.mse}`);
    cell.querySelector(".box").replaceChildren(image);
    swap(image, event.src);
    const link = cell.querySelector("a");
    link.href = `/?${event.query}`;
    link.title = `${event.mask}\n${event.detail}`;
    setText(cell.querySelector("b"), event.mse);
    setText(cell.querySelector("small"), event.count);
    const best = lowest.get(event.col);
    if (!best || event.value < best.value) {
      best?.cell.classList.remove("best");
      cell.classList.add("best");
      lowest.set(event.col, { value: event.value, cell });
    }
  }

  function lay(data) {
    cells = new Map();
    lowest = new Map();
    body.style.setProperty("--shape", data.shape);
    body.style.setProperty("--wide", `calc(8.4rem + ${data.cols.length} * 84px)`);
    const head = make("tr", {}, make("th", { class: "soft", text: "hidden" }),
      ...data.cols.map((ratio) => make("th", { scope: "col", text: ratio })));
    const rows = data.rows.map((name, row) => make("tr", {}, make("th", { scope: "row", text: name, title: name }),
      ...data.cols.map((_, col) => {
        const cell = make("td", { "data-cell": `${row},${col}` },
          make("a", {}, make("div", { class: "box" }), make("div", { class: "num" }, make("b"), make("small"))));
        cells.set(`${row},${col}`, cell);
        return cell;
      })));
    body.replaceChildren(make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)));
  }

  return {
    update(data) {
      if (data.job === bar.mark) return;
      lay(data);
      root.dataset.job = data.job;
      bar.follow(data.job);
    },
    destroy: () => bar.stop(),
  };
});
