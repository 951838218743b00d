// What two networks, their base and their merge are worth on the data of each; learnt scales below.

const MERGE_CSS = `
  table { border-collapse: collapse; font-size: 0.84rem; font-variant-numeric: tabular-nums; width: 100%; max-width: 640px; table-layout: fixed; }
  th { text-align: left; font-weight: 600; padding: 4px 8px 4px 0; } thead th { font-weight: 400; opacity: 0.75; } th:first-child { width: 6.4rem; }
  td { padding: 4px 10px 4px 0; } .merged th, .merged td { color: var(--st-primary-color); }
  .track { position: relative; height: 10px; border-radius: 4px; background: var(--st-secondary-background-color); margin-top: 2px; }
  .track b { position: absolute; inset: 0 auto 0 0; border-radius: 4px; background: currentColor; opacity: 0.8; }
  .scales { font-size: 0.76rem; margin-top: 10px; } .words { font-size: 0.84rem; margin: 4px 0; }
`;

export default mounter((root, view) => {
  const words = make("p", { class: "words", role: "status" });
  const table = make("table", { class: "hidden" });
  const scales = make("details", { class: "scales hidden" });
  let told = "";
  const bar = new JobBar("steps", (report) => {
    setText(words, report.now?.learning && report.state === "running" ? `Learning: ${report.now.learning}` : "");
    if (report.now?.rows) show(report.now);
    if (report.state === "done" && told !== bar.mark) {
      told = bar.mark;
      view.host.setTriggerValue("ready", bar.mark);
    }
    root.dataset.state = report.state;
  });
  root.append(make("style", { text: SHARED_CSS + JOB_CSS + MERGE_CSS }), bar.node, words, table, scales);

  function show(now) {
    table.classList.remove("hidden");
    table.replaceChildren(make("thead", {}, make("tr", {}, ...["", "on the data of A", "on the data of B"].map((text) => make("th", { text })))),
      make("tbody", {}, ...now.rows.map(({ name, values }) => make("tr", { class: name === "Merged" ? "merged" : "" }, make("th", { scope: "row", text: name }),
        ...values.map(({ share, told: text }) => make("td", {}, text, make("div", { class: "track" }, make("b", { style: `width: ${share * 100}%` }))))))));
    scales.classList.toggle("hidden", !now.scales.length);
    scales.replaceChildren(make("summary", { text: "The largest learnt scales" }), make("table", {},
      make("thead", {}, make("tr", {}, ...["weights", "of A's vector", "of B's vector"].map((text) => make("th", { text })))),
      make("tbody", {}, ...now.scales.map(([name, one, two]) => make("tr", {}, make("th", { scope: "row", text: name, style: "font-weight: 400; overflow-wrap: anywhere" }), make("td", { text: one }), make("td", { text: two }))))));
  }
  return {
    update(data) {
      if (data.job === bar.mark) return;
      table.classList.add("hidden");
      scales.classList.add("hidden");
      root.dataset.state = "";
      bar.follow(data.job);
    },
    destroy: () => bar.stop(),
  };
});
