// Which weights are hidden: a picture for each layer, and one of them large.

const WEIGHTS_CSS = `
  .layers { display: grid; gap: 10px; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); margin-top: 4px; }
  .layer { padding: 4px; border: 1px solid transparent; background: none; border-radius: 8px; text-align: left; display: grid; gap: 2px; align-content: start; min-width: 0; }
  .layer:hover, .layer[aria-pressed="true"] { border-color: var(--st-primary-color); }
  .layer canvas, .large canvas { width: 100%; aspect-ratio: 1; image-rendering: pixelated; border-radius: 4px; display: block; background: var(--st-secondary-background-color); }
  .layer b { font-size: 0.74rem; font-weight: 600; overflow-wrap: anywhere; line-height: 1.2; } .layer span { font-size: 0.72rem; opacity: 0.78; font-variant-numeric: tabular-nums; }
  .large { display: grid; gap: 6px; max-width: 520px; margin: 10px 0; } .large p { margin: 0; font-size: 0.82rem; }
  .words { margin: 6px 0; font-size: 0.9rem; max-width: 80ch; } .lead { margin: 0 0 6px; font-size: 0.8rem; max-width: 80ch; }
`;
const KEPT_COLOUR = [15, 118, 110], HIDDEN_COLOUR = [240, 236, 226];

function weightPicture(canvas, layer) {
  const raw = Uint8Array.from(atob(layer.values), (sign) => sign.charCodeAt(0));
  Object.assign(canvas, { width: layer.cols, height: layer.rows });
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(layer.cols, layer.rows);
  raw.forEach((value, at) => image.data.set([...HIDDEN_COLOUR.map((low, channel) => Math.round(low + (KEPT_COLOUR[channel] - low) * (value / 255))), 255], at * 4));
  pen.putImageData(image, 0, 0);
}

export default mounter((root, view) => {
  let data = {};
  let shown = [];
  const sender = new Sender((value) => view.host.setStateValue("choice", value));
  const words = make("p", { class: "words", role: "status", "data-found": "words" });
  const lead = make("p", { class: "lead soft hidden", text: "Rows are outputs, columns inputs; dark is kept, pale hidden, in between the share kept in a spot. Press a layer to see it larger." });
  const large = make("div", { class: "large hidden" });
  const layers = make("div", { class: "layers", role: "group", "aria-label": "Layers" });
  const bar = new JobBar("steps", (report) => {
    if (report.now?.learning) setText(words, `Learning: ${report.now.learning}`);
    if (report.now?.layers && report.state !== "running") show(report.now);
    if (report.state === "done" && !root.dataset.state) view.host.setTriggerValue("ready", bar.mark);
    root.dataset.state = report.state === "done" ? "done" : "";
    root.dataset.recipe = report.state === "done" ? report.now?.recipe ?? "" : "";
  });
  root.append(make("style", { text: SHARED_CSS + JOB_CSS + WEIGHTS_CSS }), bar.node, words, lead, large, layers);

  function show(now) {
    shown = now.layers;
    setText(words, now.words);
    lead.classList.remove("hidden");
    layers.replaceChildren(...shown.map((layer) => {
      const canvas = make("canvas", { role: "img", "aria-label": `${layer.name}: ${layer.told}` });
      weightPicture(canvas, layer);
      return make("button", { type: "button", class: "layer", "data-layer": layer.name, title: layer.shape, "aria-pressed": "false",
        onclick: () => sender.push({ layer: data.layer === layer.name ? "" : layer.name }) }, canvas, make("b", { text: layer.name }), make("span", { text: `${layer.shape}, ${layer.told}` }));
    }));
    press();
  }
  function press() {
    for (const button of layers.children) button.setAttribute("aria-pressed", String(button.dataset.layer === data.layer));
    large.classList.toggle("hidden", !data.large);
    if (!data.large) return;
    const canvas = make("canvas", { role: "img", "aria-label": `${data.large.name}, larger` });
    weightPicture(canvas, data.large);
    large.replaceChildren(canvas, make("p", { text: `${data.large.name}: ${data.large.shape}, ${data.large.told}; shown as ${data.large.rows} x ${data.large.cols} spots.` }));
  }
  return {
    update(next) {
      data = next;
      sender.heard(next.seq);
      if (next.job !== bar.mark) {
        shown = [];
        layers.replaceChildren();
        lead.classList.add("hidden");
        large.classList.add("hidden");
        setText(words, next.job ? "" : next.hint);
        root.dataset.state = "";
        bar.follow(next.job);
      }
      press();
    },
    destroy: () => bar.stop(),
  };
});
