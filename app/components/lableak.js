// What policies give away over a set of photos: measured photo by photo, as long as the page asks for the next.

const LABLEAK_CSS = `
  .frame { display: grid; gap: 8px; }
  h3 { font-size: 0.95rem; margin: 0; font-weight: 600; }
  .acts { display: flex; flex-wrap: wrap; gap: 10px; align-items: center; }
  .acts button { background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); border-radius: 8px; padding: 5px 11px; }
  .acts button:hover { border-color: var(--st-primary-color); }
  progress { accent-color: var(--st-primary-color); width: 160px; }
  .scroll { overflow-x: auto; }
  table { border-collapse: collapse; font-size: 0.8rem; font-variant-numeric: tabular-nums; }
  td, th { padding: 3px 14px 3px 0; text-align: right; white-space: nowrap; }
  th { font-weight: 400; opacity: 0.75; }
  td:first-child, th:first-child { text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 130px; }
  td.model { font-weight: 600; }
  .old { opacity: 0.5; }
  p { margin: 0; font-size: 0.78rem; }
`;

export default mounter((root, view) => {
  let mark = "", turn = 0;
  const ask = (kind) => view.host.setTriggerValue("ask", { kind, turn: (turn += 1) });
  const start = make("button", { type: "button", onclick: () => ask("start") });
  const stop = make("button", { type: "button", class: "hidden", onclick: () => ask("stop") }, "Stop");
  const bar = make("progress", { class: "hidden", max: 1, value: 0 });
  const told = make("span", { class: "soft", role: "status" });
  const table = make("table", {});
  root.append(make("style", { text: SHARED_CSS + LABLEAK_CSS }),
    make("div", { class: "frame" }, make("h3", { text: "Leak and difficulty over a set of photos" }),
      make("div", { class: "acts" }, start, stop, bar, told), make("div", { class: "scroll" }, table),
      make("p", { class: "soft", text: "Mean squared error on hidden pixels, RGB in 0 to 1, on the model's own patches. Difficulty is the model's. " +
        "Explained: how much of the mean colour's error the best interpolation takes away, without any model." })));
  return {
    update(data) {
      const running = data.state === "running";
      setText(start, data.label);
      start.classList.toggle("hidden", running);
      stop.classList.toggle("hidden", !running);
      bar.classList.toggle("hidden", !running);
      bar.value = data.share;
      setText(told, data.told);
      table.classList.toggle("old", data.old);
      table.classList.toggle("hidden", !data.rows.length);
      const head = ["Policy", ...data.names].map((text) => make("th", { scope: "col", text }));
      table.replaceChildren(make("tr", {}, ...head), ...data.rows.map((row) => make("tr", {},
        ...row.map((text, at) => make("td", { text, class: row.length > 2 && at === 1 ? "model" : "", colspan: row.length === 2 && at ? 9 : null })))));
      root.dataset.state = data.state;
      if (running && data.mark !== mark) ask("next");
      mark = data.mark;
    },
  };
});
