// The mask's layers, the top one first. One layer alone shows no list, only how to add another.

const LAYERS_CSS = `
  .list { display: grid; gap: 4px; margin: 0 0 6px; padding: 0; list-style: none; }
  .layer { border: 1px solid var(--st-border-color); border-radius: 8px; background: var(--st-background-color); }
  .layer.chosen { border-color: var(--st-primary-color); box-shadow: 0 0 0 1px var(--st-primary-color); }
  .line { display: grid; grid-template-columns: 32px minmax(0, 1fr) auto; align-items: center; gap: 2px; padding: 1px 4px 1px 1px; }
  .icon { width: 32px; height: 32px; padding: 6px; border: 0; border-radius: 6px; background: none; line-height: 0; }
  .icon:hover:enabled { background: var(--st-secondary-background-color); }
  .icon:disabled { opacity: 0.3; cursor: default; }
  .icon svg { width: 100%; height: 100%; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }
  .icon[aria-pressed="true"].flip { background: var(--st-secondary-background-color); color: var(--st-primary-color); }
  .off .title { opacity: 0.5; }
  .title { display: flex; gap: 6px; align-items: baseline; border: 0; background: none; padding: 5px 2px; min-width: 0; text-align: left; }
  .title b { font-weight: 600; white-space: nowrap; }
  .title span { opacity: 0.72; font-size: 0.78rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; min-width: 0; }
  .line select { background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); border-radius: 6px;
    padding: 3px 4px; max-width: 6.6rem; }
  .first { font-size: 0.78rem; opacity: 0.6; padding-right: 4px; }
  .tools { display: none; justify-content: flex-end; gap: 2px; padding: 0 4px 2px; }
  .chosen .tools { display: flex; }
  .add { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; }
  .add > span { font-size: 0.8rem; opacity: 0.75; }
  .add button, .add label { background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color);
    border-radius: 8px; padding: 3px 9px; cursor: pointer; font-size: 0.82rem; }
  .add button:hover:enabled, .add label:hover { border-color: var(--st-primary-color); }
  .add label:focus-within { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
  .add :disabled, .add label:has(:disabled) { opacity: 0.45; cursor: default; }
  .said { margin: 5px 0 0; font-size: 0.82rem; }
  .said:empty { display: none; }
`;
const DRAWN_ICONS = {
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12ZM12 9a3 3 0 1 1 0 6 3 3 0 0 1 0-6Z",
  shut: "M4 4l16 16M9.9 5.8A9 9 0 0 1 12 5.5c6 0 9.5 6.5 9.5 6.5a17 17 0 0 1-2.9 3.6M6 7.7A16.4 16.4 0 0 0 2.5 12s3.5 6.5 9.5 6.500a9 9 0 0 0 3.9-.9",
  up: "M12 19V5m0 0-6 6m6-6 6 6",
  down: "M12 5v14m0 0-6-6m6 6 6-6",
  flip: "M12 3.500a8.5 8.5 0 0 1 0 17 8.5 8.5 0 0 1 0-17ZM12 3.500v17M12 8h5.800M12 12h8.300M12 16h5.8",
  bin: "M5 7h14M10 7V4.500h4V7M7 7l.8 12.500h8.400L17 7",
};
const OPERATIONS = { or: "adds", and: "keeps common", minus: "takes away", xor: "swaps" };

function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("viewBox", "0 0 24 24");
  drawing.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", DRAWN_ICONS[name]);
  drawing.append(path);
  return drawing;
}

class LayerLine {
  constructor(act, ops) {
    const at = () => this.at;
    const press = (name, label, values) =>
      make("button", { type: "button", class: `icon ${name}`, title: label, "aria-label": label, "data-do": name,
        onclick: () => act({ ...values(), at: at() }) }, icon(name));
    this.eye = press("eye", "Layer on or off", () => ({ do: "set", values: { on: !this.data.on } }));
    this.name = make("b");
    this.detail = make("span");
    this.title = make("button", { type: "button", class: "title", title: "Work on this layer",
      onclick: () => act({ do: "select", at: at() }) }, this.name, this.detail);
    this.op = make("select", { title: "How it joins the layers below",
      onchange: () => act({ do: "set", at: at(), values: { op: this.op.value } }) },
      ...ops.map((op) => make("option", { value: op, text: OPERATIONS[op] ?? op })));
    this.first = make("span", { class: "first", text: "begins" });
    this.up = press("up", "Move up", () => ({ do: "move", up: true }));
    this.down = press("down", "Move down", () => ({ do: "move", up: false }));
    this.flip = press("flip", "Invert this layer", () => ({ do: "set", values: { invert: !this.data.invert } }));
    this.bin = press("bin", "Delete this layer", () => ({ do: "remove" }));
    this.node = make("li", { class: "layer" },
      make("div", { class: "line" }, this.eye, this.title, make("span", {}, this.op, this.first)),
      make("div", { class: "tools", role: "group" }, this.flip, this.up, this.down, this.bin));
  }
  show(layer, at, state) {
    Object.assign(this, { data: layer, at });
    const spoken = `${layer.name} ${layer.detail}`.trim();
    this.node.dataset.layer = String(at);
    this.node.classList.toggle("chosen", state.chosen === at);
    this.node.classList.toggle("off", !layer.on);
    this.title.setAttribute("aria-pressed", String(state.chosen === at));
    this.title.title = `${spoken}: work on this layer`;
    setText(this.name, layer.name);
    setText(this.detail, `${layer.invert ? "inverted, " : ""}${layer.detail}`);
    this.eye.replaceChildren(icon(layer.on ? "eye" : "shut"));
    this.eye.setAttribute("aria-pressed", String(layer.on));
    this.eye.setAttribute("aria-label", `${spoken}: on or off`);
    this.flip.setAttribute("aria-pressed", String(layer.invert));
    this.op.value = layer.op;
    this.op.setAttribute("aria-label", `${spoken}: how it joins the layers below`);
    this.op.classList.toggle("hidden", state.lowest === at);
    this.first.classList.toggle("hidden", state.lowest !== at);
    this.up.disabled = at === state.layers.length - 1;
    this.down.disabled = at === 0;
    this.bin.disabled = state.layers.length < 2;
  }
}

export default mounter((root, view) => {
  let query = "";
  let lines = [];
  let focus = ""; // where the keyboard goes on, for the pressed button may have another layer then
  const presses = new Presses((value) => view.host.setStateValue("acts", value));
  const act = (what) => {
    if (!presses.push(what, ["add", "move", "remove"].includes(what.do))) return;
    setText(note, "");
    setText(problem, "");
    focus = { move: what.up ? "up" : "down", remove: "title" }[what.do] ?? "";
  };
  const list = make("ol", { class: "list", "aria-label": "Layers of the mask, the top one first" });
  const adder = (label, of, title) => make("button", { type: "button", text: label, title, "data-add": of,
    onclick: () => act({ do: "add", of }) });
  const field = make("input", { type: "file", class: "unseen", accept: ".npz,.png,.json,.xml", "aria-label": "Import a mask file",
    onchange: () => field.files.length && take(field.files[0]) });
  const file = make("label", { title: "A mask (npz, png, json, RLE), or annotations of LabelMe or CVAT; it stays on this machine" }, field, "File");
  const buttons = [adder("Strategy", "strategy", "Another strategy on top"), adder("Brush", "brush", "A layer to paint on")];
  const word = make("span");
  const problem = make("p", { class: "said problem", role: "alert" });
  const refused = make("p", { class: "said problem", role: "alert" });
  const note = make("p", { class: "said soft", role: "status" });
  root.append(make("style", { text: SHARED_CSS + LAYERS_CSS }), list,
    make("div", { class: "add", role: "group", "aria-label": "Add a layer" }, word, ...buttons, file), problem, refused, note);

  async function take(given) {
    setText(problem, "");
    setText(note, `Reading ${given.name} …`);
    const address = `/api/mask?${query}${query ? "&" : ""}file=${encodeURIComponent(given.name)}`;
    const answer = await fetch(address, {
      method: "POST", body: given, headers: { "content-type": "application/octet-stream", "x-workbench": "upload" },
    }).catch(() => null);
    field.value = "";
    const told = answer?.ok ? await answer.json() : { problem: answer ? (await answer.text()).trim() : "The server does not answer; start it again." };
    setText(note, "");
    setText(problem, told.problem ?? "");
    if (told.recipe) act({ do: "add", recipe: told.recipe, note: told.notes.join(" ") });
  }
  const dropped = (event) => take(event.detail);
  window.addEventListener("workbench:mask-file", dropped);

  return {
    update(data) {
      presses.heard(data.done);
      query = data.query;
      const lowest = data.layers.findIndex((layer) => layer.on);
      if (lines.length !== data.layers.length) {
        lines = data.layers.map(() => new LayerLine(act, data.ops));
        list.replaceChildren(...lines.map((line) => line.node).reverse());
      }
      lines.forEach((line, at) => line.show(data.layers[at], at, { ...data, lowest }));
      list.classList.toggle("hidden", !data.open);
      setText(word, data.open ? "Add" : "Add a layer");
      for (const button of [...buttons, field]) button.disabled = data.full;
      setText(refused, data.problem);
      if (!note.textContent.startsWith("Reading")) setText(note, data.note);
      const line = lines[data.chosen];
      if (focus && line) (line[focus].disabled ? line.title : line[focus]).focus({ preventScroll: true });
      focus = "";
    },
    destroy: () => window.removeEventListener("workbench:mask-file", dropped),
  };
});
