// The photo picker: thumbnails as a radio group. A file dropped anywhere on the page is uploaded.

const PHOTOS_CSS = `
  .strip { display: grid; grid-auto-flow: column; grid-template-rows: repeat(2, 54px); grid-auto-columns: 54px;
    gap: 6px; overflow-x: auto; padding: 3px 3px 8px; scrollbar-width: thin; }
  .strip button { padding: 0; border: 0; border-radius: 8px; overflow: hidden; background: var(--st-secondary-background-color);
    position: relative; width: 54px; height: 54px; }
  .strip img { width: 100%; height: 100%; object-fit: cover; display: block; }
  .strip button[aria-checked="true"] { box-shadow: 0 0 0 3px var(--st-primary-color); }
  .name { display: flex; gap: 6px; justify-content: space-between; }
  .name span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
`;

export default mounter((root, view) => {
  const strip = make("div", { class: "strip", role: "radiogroup", "aria-label": "Photo" });
  const name = make("span", { class: "soft" });
  root.append(make("style", { text: SHARED_CSS + PHOTOS_CSS }), strip, make("div", { class: "name" }, name));
  let listed = "";
  let chosen = "";

  const choose = (id, focus) => {
    mark(id, focus);
    view.host.setStateValue("photo", { name: id, at: Date.now() });
  };
  const mark = (id, focus) => {
    chosen = id;
    for (const button of strip.children) {
      const on = button.dataset.photo === id;
      button.setAttribute("aria-checked", String(on));
      button.tabIndex = on || (!id && button === strip.firstChild) ? 0 : -1;
      if (on) setText(name, button.title);
      if (on && focus) button.focus();
    }
  };
  strip.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 2, ArrowLeft: -2, ArrowDown: 1, ArrowUp: -1 }[event.key];
    const buttons = [...strip.children];
    const here = buttons.findIndex((button) => button.dataset.photo === chosen);
    const next = { Home: 0, End: buttons.length - 1 }[event.key] ?? here + (step ?? 0);
    if (next === here || next < 0 || next >= buttons.length) return;
    event.preventDefault();
    choose(buttons[next].dataset.photo, true);
  });

  // Without this, a picture dropped beside the upload field would replace the page.
  const over = (event) => event.dataTransfer?.types.includes("Files") && event.preventDefault();
  const drop = (event) => {
    const field = [...document.querySelectorAll('[data-testid="stFileUploader"] input[type="file"]')].at(-1);
    const own = event.composedPath().some((node) => node.dataset?.testid === "stFileUploaderDropzone");
    if (!event.dataTransfer?.files.length || own || !field) return;
    event.preventDefault();
    const kept = new DataTransfer(); // the event's own list is emptied once the event is over
    for (const file of event.dataTransfer.files) kept.items.add(file);
    field.files = kept.files;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  };
  document.addEventListener("dragover", over);
  document.addEventListener("drop", drop);

  return {
    update(data) {
      const list = JSON.stringify(data.photos);
      if (list !== listed) {
        listed = list;
        strip.replaceChildren(
          ...data.photos.map((photo) =>
            make(
              "button",
              { type: "button", role: "radio", title: photo.title, "data-photo": photo.name,
                onclick: () => choose(photo.name) },
              make("img", { src: photo.thumbnail, alt: photo.title, loading: "lazy", draggable: "false" }),
            ),
          ),
        );
      }
      mark(data.chosen, false);
      if (![...strip.children].some((button) => button.dataset.photo === data.chosen)) setText(name, data.title);
    },
    destroy() {
      document.removeEventListener("dragover", over);
      document.removeEventListener("drop", drop);
    },
  };
});
