// anywidget: the traits of workbench.painter.widget.Painter are the painter's state.
const TRAITS = ["image", "grid_shape", "base", "edit", "settled", "label", "disabled", "pictures", "message"];

export default {
  render({ model, el }) {
    const painter = createPatchPainter(el, (edit) => {
      model.set("edit", edit);
      model.save_changes();
    });
    const panel = createPicturePanel(painter.work);
    let waiting = false;
    const sync = () => {
      waiting = false;
      const [image, grid, base, edit, settled, label, disabled, pictures, message] = TRAITS.map((name) => model.get(name));
      const hidden = settled.seq === edit.seq ? settled.hidden : undefined;
      painter.update({ image, grid, base, hidden, label, disabled, ...edit });
      panel.update(pictures, message);
    };
    // Python sends several traits at once; they are one change.
    const soon = () => {
      if (!waiting) queueMicrotask(sync);
      waiting = true;
    };
    for (const name of TRAITS) model.on(`change:${name}`, soon);
    sync();
    return () => {
      for (const name of TRAITS) model.off(`change:${name}`, soon);
      painter.destroy();
    };
  },
};
