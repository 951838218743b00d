// Body of gr.HTML's js_on_load. html_template must be the constant "<div class='root'></div>".
const painter = createPatchPainter(element.querySelector(".root"), (edit) => {
  props.value = { ...props.value, ...edit };
  trigger("input");
});
painter.update(props.value);
watch("value", () => painter.update(props.value));
