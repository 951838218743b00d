// Body of gr.HTML's js_on_load: mounts one of the page's own components, the same as in the dashboard.
// SCRIPT is its address. What it says travels to Python as value.told = [name, value].
const place = element.querySelector(".root");
const parentElement = place.shadowRoot ?? place.attachShadow({ mode: "open" }); // Gradio styles every button
const tell = (name, value) => {
  props.value = { ...props.value, told: [name, value] };
  trigger("input");
};
import(new URL(SCRIPT, location.origin)).then(({ default: mount }) => {
  const show = () => props.value && mount({ parentElement, data: props.value, setStateValue: tell, setTriggerValue: tell });
  watch("value", show);
  show();
});
