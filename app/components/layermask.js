// Ways of removing side by side: what the network is shown, what it says, and how far each layer's places moved.

const LAYERMASK_CSS = `
  .ways { display: grid; gap: 12px; grid-template-columns: repeat(auto-fill, minmax(128px, 1fr)); }
  .way { display: grid; gap: 5px; align-content: start; min-width: 0; border-radius: 8px; }
  .way h3 { margin: 0; font-size: 0.88rem; font-weight: 600; }
  .stage { position: relative; width: 100%; aspect-ratio: var(--shape, 1); border-radius: 8px; overflow: hidden; background: var(--st-secondary-background-color); }
  .stage img { position: absolute; inset: 0; width: 100%; height: 100%; display: block; image-rendering: auto; }
  .stage.small img { image-rendering: pixelated; }
  .stage.paint { cursor: crosshair; touch-action: none; user-select: none; }
  .stage canvas { position: absolute; inset: 0; width: 100%; height: 100%; image-rendering: pixelated; pointer-events: none; }
  .top { display: flex; justify-content: space-between; gap: 6px; font-variant-numeric: tabular-nums; font-weight: 600; }
  .top.other { color: var(--st-orange-text-color, #b35c00); }
  .rest { font-size: 0.76rem; font-variant-numeric: tabular-nums; display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 8px; margin: 0; }
  .rest dt { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; } .rest dd { margin: 0; text-align: right; }
  .rest div { display: contents; } .rest .bits { opacity: 0.72; }
  .why { font-size: 0.78rem; margin: 0; }
  h2 { font-size: 1rem; margin: 18px 0 4px; font-weight: 600; }
  .lead { margin: 0 0 8px; font-size: 0.82rem; max-width: 80ch; }
  .maps { display: grid; gap: 4px 6px; overflow-x: auto; padding: 2px; grid-template-columns: max-content repeat(var(--layers), minmax(56px, 104px)); align-items: center; }
  .maps .name { font-size: 0.8rem; position: sticky; left: 0; background: var(--st-background-color); padding-right: 8px; z-index: 1; }
  .maps .head { font-size: 0.72rem; opacity: 0.75; text-align: center; }
  .maps figure { margin: 0; display: grid; gap: 1px; } .maps figcaption { font-size: 0.7rem; text-align: center; opacity: 0.8; font-variant-numeric: tabular-nums; }
  .maps canvas { width: 100%; aspect-ratio: var(--shape, 1); image-rendering: pixelated; border-radius: 3px; display: block; }
  .scale { display: grid; grid-template-columns: auto minmax(60px, 220px) auto 14px auto; justify-content: start; gap: 8px; align-items: center; font-size: 0.75rem; margin-top: 6px; }
  .scale i { height: 10px; border-radius: 5px; border: 1px solid var(--st-border-color); }
  .banner { margin: 0 0 8px; padding: 8px 12px; border-radius: 8px; border-left: 4px solid var(--st-orange-color, #c77700);
    background: var(--st-secondary-background-color); overflow-wrap: anywhere; }
  .notes { font-size: 0.82rem; margin: 8px 0 0; max-width: 80ch; }
`;
const MISSING = [128, 128, 128];

export default mounter((root, view) => {
  let data = null;
  let bits = null; // cells while a stroke goes on
  let paints = "1";
  const sender = new Sender((value) => view.host.setStateValue("edit", value));
  const banner = make("p", { class: "banner hidden", role: "alert" });
  const ways = make("div", { class: "ways" });
  const maps = make("div", { class: "maps", role: "group", "aria-label": "Layers by way of removing" });
  const notes = make("p", { class: "notes soft" });
  const hint = make("p", { class: "lead soft", text: "Press or stroke cells of the whole picture to hide them, or show them again." });
  const scale = make("div", { class: "scale" }, make("span", { text: "0" }),
    make("i", { style: `background: linear-gradient(to right, ${[0, 0.25, 0.5, 0.75, 1].map((at) => `rgb(${heat(at)})`).join(", ")})` }),
    make("span", { text: "1" }), make("i", { style: `background: rgb(${MISSING})` }), make("span", { text: "nothing there" }));
  const below = make("section", {}, make("h2", { text: "Where it goes inside" }),
    make("p", { class: "lead soft", text: "How far each place of a layer moved from what it is for the whole picture: 1 − cosine, one scale for all." }), maps, scale);
  root.append(make("style", { text: SHARED_CSS + LAYERMASK_CSS }), banner, hint, ways, notes, below);

  function place(event, stage) {
    const box = stage.getBoundingClientRect();
    const col = Math.floor(((event.clientX - box.left) / box.width) * data.cols);
    const row = Math.floor(((event.clientY - box.top) / box.height) * data.rows);
    return row < 0 || col < 0 || row >= data.rows || col >= data.cols ? -1 : row * data.cols + col;
  }
  function mark(at) {
    if (at < 0 || !bits || bits[at] === paints) return;
    bits[at] = paints;
    overlay();
  }
  function overlay() {
    const canvas = ways.querySelector(".paint canvas");
    if (!canvas) return;
    const cells = bits ?? [...data.hidden];
    Object.assign(canvas, { width: data.cols, height: data.rows });
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, data.cols, data.rows);
    pen.fillStyle = "rgba(20, 32, 28, 0.55)";
    cells.forEach((sign, at) => sign === "1" && pen.fillRect(at % data.cols, Math.floor(at / data.cols), 1, 1));
  }
  function done() {
    if (!bits) return;
    sender.push({ bits: bits.join("") });
    bits = null;
  }
  function stageOf(answer, first) {
    const stage = make("div", { class: `stage${answer.small ? " small" : ""}${first ? " paint" : ""}` }, picture(`Shown: ${answer.name}`));
    if (first) {
      stage.append(make("canvas"));
      stage.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        stage.setPointerCapture(event.pointerId);
        bits = [...data.hidden];
        const at = place(event, stage);
        paints = at >= 0 && bits[at] === "1" ? "0" : "1";
        mark(at);
      });
      stage.addEventListener("pointermove", (event) => bits && mark(place(event, stage)));
      stage.addEventListener("pointerup", done);
      stage.addEventListener("pointercancel", () => { bits = null; overlay(); });
    }
    return stage;
  }
  function card(answer, at) {
    const top = answer.top.map(([name, share]) => make("div", {}, make("dt", { text: name, title: name }), make("dd", { text: share })));
    return make("article", { class: "way", "data-way": answer.way }, make("h3", { text: answer.name, title: answer.recipe }), stageOf(answer, at === 0),
      answer.note ? make("p", { class: "why problem", text: answer.note }) : make("div", { class: `top${answer.changed ? " other" : ""}` },
        make("span", { text: answer.said, "data-said": "" }), make("span", { text: answer.confidence })),
      answer.note ? null : make("dl", { class: "rest" }, ...top, make("div", { class: "bits" }, make("dt", { class: "bits", text: "entropy" }), make("dd", { class: "bits", text: answer.entropy }))),
      answer.empty ? make("p", { class: "why problem", text: answer.empty }) : null);
  }
  function layers() {
    const shown = data.answers.filter((answer) => answer.layers.length);
    below.classList.toggle("hidden", !shown.length);
    if (!shown.length) return;
    const names = shown[0].layers.map((layer) => layer.name);
    maps.style.setProperty("--layers", names.length);
    maps.replaceChildren(make("span"), ...names.map((text) => make("span", { class: "head", text })));
    for (const answer of shown) {
      maps.append(make("span", { class: "name", text: answer.name }));
      for (const layer of answer.layers) {
        const canvas = make("canvas", { role: "img", "aria-label": `${answer.name}, ${layer.name}: ${layer.told}` });
        maps.append(make("figure", { "data-layer": `${answer.way} ${layer.name}` }, canvas, make("figcaption", { text: layer.told })));
        const raw = Uint8Array.from(atob(layer.values), (sign) => sign.charCodeAt(0));
        Object.assign(canvas, { width: layer.cols, height: layer.rows });
        const image = canvas.getContext("2d").createImageData(layer.cols, layer.rows);
        raw.forEach((value, at) => image.data.set([...(value === 255 ? MISSING : heat(value / 254)), 255], at * 4));
        canvas.getContext("2d").putImageData(image, 0, 0);
      }
    }
  }

  return {
    update(next) {
      const before = data?.mark;
      data = next;
      sender.heard(data.seq);
      setText(banner, data.problem ?? "");
      banner.classList.toggle("hidden", !data.problem);
      below.classList.toggle("hidden", !data.answers);
      if (!data.answers) return;
      root.style.setProperty("--shape", data.shape);
      if (data.mark !== before) {
        ways.replaceChildren(...data.answers.map(card));
        data.answers.forEach((answer, at) => swap(ways.children[at].querySelector("img"), answer.src));
        setText(notes, data.notes.join(" "));
        layers();
      }
      overlay();
      root.dataset.mark = data.mark;
    },
  };
});
