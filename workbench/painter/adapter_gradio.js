// Body of gr.HTML's js_on_load. html_template must be the constant "<div class='root'></div>".
// Listen with trigger_mode="always_last", or an edit made while another is worked on is lost.
// The picture is value.image, a data URI, or value.photo, an address of this server: it is fetched
// once, so that it need not travel with every stroke.
const place = element.querySelector(".root");
const shadow = place.shadowRoot ?? place.attachShadow({ mode: "open" }); // Gradio styles every button
const painter = createPatchPainter(shadow, (edit) => {
  props.value = { ...props.value, ...edit };
  trigger("input");
});
const fetched = { address: "", image: undefined };
function fetchPhoto(address) {
  fetched.address = address;
  fetch(address).then((answer) => (answer.ok ? answer.blob() : Promise.reject(answer.status))).then(
    (blob) => {
      if (fetched.address !== address) return;
      if (fetched.image) URL.revokeObjectURL(fetched.image);
      fetched.image = URL.createObjectURL(blob);
      show();
    },
    () => { if (fetched.address === address) fetched.address = ""; },
  );
}
function show() {
  const state = props.value;
  if (!state || !state.photo) return painter.update(state);
  const address = String(new URL(state.photo, location.origin));
  if (address !== fetched.address && new URL(address).origin === location.origin) fetchPhoto(address);
  painter.update({ ...state, image: fetched.image });
}
show();
watch("value", show);
