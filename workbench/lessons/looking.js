// A photo whose patches can be asked what they look at; the maps beside it come from Python.

function make(tag, name, parent) {
  const node = document.createElement(tag);
  node.className = name;
  parent.append(node);
  return node;
}

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

export default {
  render({ model, el }) {
    make("style", "", el).textContent = LOOKING_CSS;
    const root = make("div", "lk", el);
    root.dataset.testid = "looking";
    const photo = make("button", "lk-photo", root);
    photo.type = "button";
    photo.dataset.lmSuppressShortcuts = "true";
    photo.setAttribute("aria-description", "click a patch, or move with the arrow keys");
    const image = make("img", "", photo);
    const side = make("div", "lk-side", root);
    const maps = make("img", "lk-maps", side);
    const label = make("label", "lk-switch", side);
    const own = make("input", "", label);
    own.type = "checkbox";
    label.append(" each map on its own scale");
    const said = make("div", "lk-said", side);
    said.setAttribute("role", "status");

    function ask(row, col) {
      const [rows, cols] = model.get("shape");
      const at = [Math.min(rows - 1, Math.max(0, row)), Math.min(cols - 1, Math.max(0, col))];
      model.set("query", at[0] * cols + at[1]);
      model.save_changes();
    }
    photo.addEventListener("click", (event) => {
      if (event.detail === 0) return; // Enter or space: the arrow keys choose
      const [rows, cols] = model.get("shape");
      const box = image.getBoundingClientRect();
      const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
      ask(row, Math.floor(((event.clientX - box.left) / box.width) * cols));
    });
    photo.addEventListener("keydown", (event) => {
      const step = STEPS[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      const cols = model.get("shape")[1];
      const at = model.get("query");
      ask(Math.floor(at / cols) + step[0], (at % cols) + step[1]);
    });
    own.addEventListener("change", () => {
      model.set("own_scale", own.checked);
      model.save_changes();
    });
    const tell = () => {
      image.src = model.get("photo");
      maps.src = model.get("maps");
      said.textContent = model.get("said");
      image.alt = maps.alt = model.get("said");
      own.checked = model.get("own_scale");
    };
    model.on("change:photo change:maps change:said change:own_scale", tell);
    tell();
    return () => model.off("change:photo change:maps change:said change:own_scale", tell);
  },
};
