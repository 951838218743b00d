// A few knobs and one picture that follows them; the picture comes from Python.

function make(tag, name, parent) {
  const node = document.createElement(tag);
  node.className = name;
  parent.append(node);
  return node;
}

function slider(knob, parent) {
  const input = make("input", "", parent);
  Object.assign(input, { type: "range", min: 0, max: knob.options.length - 1, step: 1 });
  return input;
}

function menu(knob, parent) {
  const select = make("select", "", parent);
  for (const [at, word] of knob.options.entries()) select.add(new Option(word, at));
  return select;
}

export default {
  render({ model, el }) {
    make("style", "", el).textContent = TRYING_CSS;
    const root = make("div", "tr", el);
    root.dataset.testid = "trying";
    root.dataset.lmSuppressShortcuts = "true";
    const bar = make("div", "tr-knobs", root);
    const knobs = model.get("knobs").map((knob, number) => {
      const label = make("label", "tr-knob", bar);
      const word = make("span", "", label);
      const control = (knob.slides ? slider : menu)(knob, label);
      control.addEventListener("input", () => {
        const at = [...model.get("at")];
        at[number] = Number(control.value);
        model.set("at", at);
        model.save_changes();
      });
      return { knob, word, control };
    });
    const shown = make("img", "tr-shown", root);
    const said = make("div", "tr-said", root);
    said.setAttribute("role", "status");
    const tell = () => {
      for (const [number, { knob, word, control }] of knobs.entries()) {
        const at = model.get("at")[number];
        control.value = at;
        if (knob.slides) control.setAttribute("aria-valuetext", knob.options[at]);
        word.textContent = knob.slides ? `${knob.name}: ${knob.options[at]}` : knob.name;
      }
      shown.src = model.get("picture");
      said.textContent = shown.alt = model.get("said");
    };
    model.on("change:at change:picture change:said", tell);
    tell();
    return () => model.off("change:at change:picture change:said", tell);
  },
};
