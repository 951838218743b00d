// A row of captioned pictures that change without a blank frame.
//
//   const panel = createPicturePanel(root);
//   panel.update([{name, src: data URI, note}, ...], message);   an empty list hides it; the message says what is wrong

function createPicturePanel(root) {
  const row = make("div", { class: "pp-pictures", "data-testid": "painter-pictures" });
  const trouble = make("p", { class: "pp-message", role: "alert", "data-testid": "painter-message", hidden: "" });
  const panel = make("div", { class: "pp-panel" }, trouble, row);
  root.append(panel);
  const shown = new Map();

  function place(picture) {
    let figure = shown.get(picture.name);
    if (!figure) {
      const title = make("b", {}, picture.name);
      const note = make("span", {});
      const node = make("figure", { "data-testid": `picture-${picture.name}` });
      figure = { node, note, image: make("img", { alt: picture.name }), source: "" };
      node.append(figure.image, make("figcaption", {}, title, note));
      shown.set(picture.name, figure);
    }
    figure.note.textContent = picture.note ?? "";
    row.append(figure.node);
    if (figure.source === picture.src || !/^data:image\//.test(picture.src)) return;
    figure.source = picture.src;
    const next = figure.image.cloneNode();
    next.src = picture.src;
    const swap = () => {
      if (figure.source !== picture.src) return;
      figure.image.replaceWith(next);
      figure.image = next;
    };
    next.decode().then(swap, swap);
  }

  return {
    update(pictures, message = "") {
      trouble.textContent = message;
      trouble.hidden = !message;
      const names = new Set(pictures.map((picture) => picture.name));
      for (const [name, { node }] of shown) {
        if (names.has(name)) continue;
        node.remove();
        shown.delete(name);
      }
      pictures.forEach(place);
      row.hidden = !pictures.length;
      panel.hidden = !pictures.length && !message;
    },
    destroy: () => panel.remove(),
  };
}
