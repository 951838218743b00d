// Body of gr.HTML's js_on_load. html_template must be the constant "<div class='root'></div>".
// Listen with trigger_mode="always_last", or an edit made while another is worked on is lost.
const painter = createPatchPainter(element.querySelector(".root"), (edit) => {
  props.value = { ...props.value, ...edit };
  trigger("input");
});
painter.update(props.value);
watch("value", () => painter.update(props.value));
