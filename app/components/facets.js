// Facets of a unit: the nearest pictures of each, their mean, and what a climb from there made of it.

const FACETS_CSS = `
  .facet { display: grid; grid-template-columns: 84px repeat(6, minmax(0, 110px)); gap: 6px; align-items: start; margin-bottom: 8px; }
  .facet b { font-size: 0.85rem; } .facet p { margin: 0; font-size: 0.74rem; opacity: 0.78; line-height: 1.3; font-variant-numeric: tabular-nums; }
  .facet img { width: 100%; border-radius: 6px; display: block; background: var(--st-secondary-background-color); }
  .facet span { font-size: 0.72rem; opacity: 0.75; }
  .facet .climbed img { outline: 2px solid var(--st-primary-color); outline-offset: 1px; }
  @media (max-width: 760px) { .facet { grid-template-columns: repeat(3, minmax(0, 1fr)); } .facet > div:first-child { grid-column: 1 / -1; } }
  .press { background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); border-radius: 8px; padding: 4px 10px; }
  .press:hover { border-color: var(--st-primary-color); }
`;

export default mounter((root) => {
  let data = {};
  let found = new Map();
  const rows = make("div");
  const save = make("button", { type: "button", class: "press hidden", text: "Save as PNG", onclick: () => savePng() });
  const bar = new JobBar("steps", (report) => {
    for (const event of report.events) found.set(event.at, event);
    if (report.events.length) draw();
    save.classList.toggle("hidden", report.state !== "done");
    root.dataset.state = report.state;
  });
  const hint = make("p", { class: "soft", style: "margin: 0; font-size: 0.82rem; max-width: 80ch",
    text: "The pictures that excite a unit most fall into groups; from the mean of each a picture is changed until the unit answers more." });
  root.append(make("style", { text: SHARED_CSS + JOB_CSS + FACETS_CSS }), hint, bar.node, rows, save);

  function tile(src, text, kind = "") {
    return make("figure", { class: kind, style: "margin: 0; min-width: 0" }, make("img", { src, alt: text, draggable: "false" }), make("span", { text }));
  }
  function draw() {
    rows.replaceChildren(...[...found.values()].sort((a, b) => a.at - b.at).map((each) => make("div", { class: "facet", "data-facet": each.at },
      make("div", {}, make("b", { text: `Facet ${each.at + 1}` }), make("p", { text: `${each.count} picture${each.count === 1 ? "" : "s"}; ${data.unit.toLowerCase()} is ${each.value}` })),
      ...each.rows.map((row, at) => tile(`${data.pictures}&row=${row}`, at ? "" : "nearest")),
      ...Array.from({ length: 4 - each.rows.length }, () => make("span")),
      tile(each.start, "mean"), tile(each.image, each.ended ? "climbed" : "climbs …", "climbed"))));
  }
  async function savePng() {
    const side = 160, gap = 6;
    const all = [...rows.children].map((row) => [...row.querySelectorAll("img")]);
    const canvas = make("canvas", { width: 6 * (side + gap) + gap, height: all.length * (side + gap) + gap });
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#fbfbfa";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    for (const [row, images] of all.entries()) {
      for (const [at, image] of images.entries()) {
        await image.decode().catch(() => null);
        const col = at < images.length - 2 ? at : at - images.length + 6;
        pen.drawImage(image, gap + col * (side + gap), gap + row * (side + gap), side, side);
      }
    }
    canvas.toBlob((blob) => {
      const link = make("a", { href: URL.createObjectURL(blob), download: `facets-${data.name.replace(":", "-")}.png` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    });
  }
  return {
    update(next) {
      data = next;
      bar.node.classList.toggle("hidden", !data.job);
      hint.classList.toggle("hidden", Boolean(data.job));
      if (data.job === bar.mark) return;
      found = new Map();
      rows.replaceChildren();
      save.classList.add("hidden");
      root.dataset.state = "";
      bar.follow(data.job);
    },
    destroy: () => bar.stop(),
  };
});
