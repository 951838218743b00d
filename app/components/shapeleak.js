// Whether the shape of a hole is told from the answers: a bar for each way, chance as a line, and a sentence.

const SHAPELEAK_CSS = `
  .rows { display: grid; grid-template-columns: max-content minmax(120px, 420px) max-content; gap: 5px 10px; align-items: center; font-size: 0.84rem; font-variant-numeric: tabular-nums; }
  .track { position: relative; height: 14px; border-radius: 4px; background: var(--st-secondary-background-color); }
  .track b { position: absolute; inset: 0 auto 0 0; border-radius: 4px; background: var(--st-primary-color); }
  .track i { position: absolute; top: 5px; height: 4px; background: var(--st-text-color); opacity: 0.55; border-radius: 2px; }
  .track u { position: absolute; top: -3px; bottom: -3px; width: 0; border-left: 2px dashed var(--st-orange-color, #c77700); }
  .words { margin: 8px 0 0; font-size: 0.88rem; max-width: 80ch; }
`;

export default mounter((root) => {
  let found = [];
  const rows = make("div", { class: "rows" });
  const words = make("p", { class: "words", "data-leak": "" });
  const bar = new JobBar("ways", (report) => {
    found.push(...report.events);
    rows.replaceChildren(...found.flatMap(({ name, share, low, high, chance, told }) => [make("span", { text: name }),
      make("div", { class: "track", role: "img", "aria-label": `${name}: ${told}` }, make("b", { style: `width: ${share * 100}%` }),
        make("i", { style: `left: ${low * 100}%; width: ${(high - low) * 100}%` }), make("u", { style: `left: ${chance * 100}%`, title: "chance" })),
      make("span", { text: told })]));
    setText(words, report.state === "done" ? report.now?.words ?? "" : "");
    root.dataset.state = report.state;
  });
  root.append(make("style", { text: SHARED_CSS + JOB_CSS + SHAPELEAK_CSS }), bar.node, rows, words);
  return {
    update(data) {
      if (data.job === bar.mark) return;
      found = [];
      rows.replaceChildren();
      setText(words, "");
      root.dataset.state = "";
      bar.follow(data.job);
    },
    destroy: () => bar.stop(),
  };
});
