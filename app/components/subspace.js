// Gates over feature dimensions as bars, and the features on their two main axes before and after.

const SUBSPACE_CSS = `
  .clouds { display: grid; gap: 14px; grid-template-columns: repeat(auto-fit, minmax(220px, 340px)); margin-top: 6px; }
  .clouds figure { margin: 0; } .clouds figcaption { font-size: 0.82rem; font-weight: 600; }
  .clouds svg { width: 100%; height: auto; display: block; border: 1px solid var(--st-border-color); border-radius: 8px; }
  .bars { display: flex; align-items: flex-end; gap: 0; height: 64px; margin: 10px 0 2px; border-bottom: 1px solid var(--st-border-color); max-width: 720px; }
  .bars i { flex: 1 1 0; min-width: 0; background: var(--st-border-color); } .bars i.open { background: var(--st-primary-color); }
  .words { font-size: 0.88rem; margin: 6px 0; max-width: 80ch; } .soft.note { font-size: 0.78rem; margin: 0; }
  .keys { display: flex; flex-wrap: wrap; gap: 4px 14px; font-size: 0.8rem; } .keys b { display: inline-block; width: 10px; height: 10px; border-radius: 50%; margin-right: 5px; }
`;
const GROUP_COLOURS = ["#c2410c", "#2a7fd4", "#9aa3ab"];

export default mounter((root) => {
  const words = make("p", { class: "words", role: "status", "data-gates": "" });
  const keys = make("div", { class: "keys" });
  const clouds = make("div", { class: "clouds" });
  const bars = make("div", { class: "bars", role: "img" });
  const note = make("p", { class: "soft note", text: "One bar a dimension, the widest gate first; those above one half are open." });
  const body = make("div", { class: "hidden" }, words, keys, clouds, bars, note);
  let names = ["", ""];
  const bar = new JobBar("steps", (report) => {
    if (report.now) show(report.now);
    root.dataset.state = report.state;
  });
  root.append(make("style", { text: SHARED_CSS + JOB_CSS + SUBSPACE_CSS }), bar.node, body);

  function cloud(title, points, group) {
    const reach = Math.max(...points.flat().map(Math.abs), 1e-6) * 1.06;
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 240 240");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `${title}: ${points.length} features`);
    [...points.keys()].sort((a, b) => group[b] - group[a]).forEach((at) => { // others below the pair
      const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
      const [x, y] = points[at].map((value) => 120 + (value / reach) * 114);
      for (const [name, value] of Object.entries({ cx: x, cy: y, r: group[at] === 2 ? 2 : 3, fill: GROUP_COLOURS[group[at]], opacity: 0.75 })) dot.setAttribute(name, value);
      svg.append(dot);
    });
    return make("figure", {}, svg, make("figcaption", { text: title }));
  }
  function show(now) {
    body.classList.remove("hidden");
    setText(words, now.words);
    keys.replaceChildren(...[...names, "others"].map((name, at) => make("span", {}, make("b", { style: `background: ${GROUP_COLOURS[at]}` }), name)));
    clouds.replaceChildren(cloud("In all dimensions", now.flat, now.group), cloud("In the subspace that was picked", now.picked, now.group));
    bars.setAttribute("aria-label", now.words);
    bars.replaceChildren(...now.gates.map((gate, at) => make("i", { class: gate > 0.5 ? "open" : "", style: `height: ${gate * 100}%`, title: `dimension ${now.dimensions[at]}: ${gate}` })));
  }
  return {
    update(data) {
      names = data.names;
      if (data.job === bar.mark) return;
      body.classList.add("hidden");
      root.dataset.state = "";
      bar.follow(data.job);
    },
    destroy: () => bar.stop(),
  };
});
