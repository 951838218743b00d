// Heads by how many pictures they tell from their masked twins: a field of layers and heads, and the first ones.

const HEADCODES_CSS = `
  .ranked { display: grid; grid-template-columns: minmax(0, max-content) minmax(0, 1fr); gap: 22px; align-items: start; }
  @media (max-width: 760px) { .ranked { grid-template-columns: minmax(0, 1fr); } }
  .field { padding: 3px; display: grid; gap: 3px; overflow-x: auto; align-items: center; grid-template-columns: max-content repeat(var(--heads), minmax(24px, 34px)); }
  .field span { font-size: 0.72rem; opacity: 0.75; font-variant-numeric: tabular-nums; text-align: center; } .field .name { text-align: left; padding-right: 6px; white-space: nowrap; }
  .field b { display: grid; place-items: center; height: 22px; border-radius: 4px; font-size: 0.72rem; font-weight: 600; font-variant-numeric: tabular-nums; }
  .field b.won { outline: 2px solid var(--st-primary-color); outline-offset: 1px; }
  table { border-collapse: collapse; font-size: 0.8rem; font-variant-numeric: tabular-nums; } th { text-align: left; font-weight: 400; opacity: 0.75; padding: 2px 14px 2px 0; }
  td { padding: 2px 14px 2px 0; } td a { color: var(--st-primary-color); } td code { font-size: 0.76rem; overflow-wrap: anywhere; }
  .say { margin: 0 0 6px; font-size: 0.82rem; max-width: 80ch; }
`;

export default mounter((root) => {
  let data = {};
  const stale = make("p", { class: "say problem hidden", text: "This is of another mask, set or network; rank again." });
  const words = make("p", { class: "say", role: "status", "data-heads": "" });
  const field = make("div", { class: "field" });
  const table = make("table");
  const ranked = make("div", { class: "ranked hidden" }, field, make("div", { style: "overflow-x: auto" }, table));
  const bar = new JobBar("steps", (report) => {
    if (report.now) show(report.now);
    root.dataset.state = report.state;
  });
  root.append(make("style", { text: SHARED_CSS + JOB_CSS + HEADCODES_CSS }), bar.node, stale, words, ranked);

  function show({ pictures, layers, heads, cells, first }) {
    ranked.classList.remove("hidden");
    field.style.setProperty("--heads", heads);
    const at = new Map(cells.map((each) => [`${each.layer}.${each.head}`, each]));
    const won = cells.filter((each) => each.won);
    setText(words, `The number of ${pictures} pictures that a head has a code for which none of their masked twins has. ${won.length
      ? `${won.length} head${won.length === 1 ? " does" : "s do"} better than luck (framed).` : "No head does better than luck."}`);
    field.replaceChildren(make("span"), ...Array.from({ length: heads }, (_, head) => make("span", { text: head })), ...Array.from({ length: layers }, (_, layer) =>
      [make("span", { class: "name", text: `layer ${layer}` }), ...Array.from({ length: heads }, (_, head) => {
        const each = at.get(`${layer}.${head}`);
        if (!each) return make("span");
        const share = each.count / pictures;
        return make("b", { class: each.won ? "won" : "", text: each.count, title: `Layer ${layer}, head ${head}: ${each.count} of ${pictures}`,
          style: `background: rgb(${heat(share)}); color: ${share > 0.55 ? "#14201c" : "#fff"}` });
      })]).flat());
    table.replaceChildren(make("thead", {}, make("tr", {}, ...["head", "told apart", "codes of pictures", "of twins", ""].map((text) => make("th", { text })))),
      make("tbody", {}, ...first.map((each) => make("tr", {}, make("td", { text: `${each.layer}.${each.head}` }), make("td", { text: `${each.count} of ${pictures}` }),
        make("td", {}, make("code", { text: each.codes.join(" ") })), make("td", {}, make("code", { text: each.twins.join(" ") })),
        make("td", {}, make("a", { href: `${data.inside}&layer=${each.layer}&head=${each.head}`, target: "_blank", text: "Look inside" }))))));
  }
  return {
    update(next) {
      data = next;
      bar.node.classList.toggle("hidden", !data.job);
      if (!data.job) setText(words, "Pictures of the set against twins with the mask painted over: what a head gives is read as one of four codes, and heads come first whose code no twin has.");
      stale.classList.toggle("hidden", !data.stale);
      if (data.job === bar.mark) return;
      ranked.classList.add("hidden");
      if (data.job) setText(words, "");
      root.dataset.state = "";
      bar.follow(data.job);
    },
    destroy: () => bar.stop(),
  };
});
