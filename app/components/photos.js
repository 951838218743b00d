// The photo picker: thumbnails as a radio group, an upload button, and files dropped anywhere.

const PHOTOS_CSS = `
  .strip { display: grid; grid-auto-flow: column; grid-template-rows: repeat(2, 54px); grid-auto-columns: 54px;
    gap: 6px; overflow-x: auto; padding: 3px 3px 8px; scrollbar-width: thin; }
  .strip button { padding: 0; border: 0; border-radius: 8px; overflow: hidden; background: var(--st-secondary-background-color);
    position: relative; width: 54px; height: 54px; }
  .strip img { width: 100%; height: 100%; object-fit: cover; display: block; }
  .strip button[aria-checked="true"] { box-shadow: 0 0 0 3px var(--st-primary-color); }
  .under { display: flex; gap: 6px; align-items: center; }
  .under .name { flex: 1; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  .act { display: inline-flex; gap: 6px; align-items: center; padding: 4px 10px; border-radius: 8px; cursor: pointer;
    background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); }
  .act:hover { border-color: var(--st-primary-color); }
  .act:focus-within { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
  .act svg { width: 16px; height: 16px; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }
  .said:empty { display: none; }
  .said { margin: 6px 0 0; font-size: 0.82rem; }
  .over .strip { outline: 2px dashed var(--st-primary-color); border-radius: 8px; }
`;
const UP = `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 16V4m0 0L7 9m5-5 5 5M4 16v4h16v-4"/></svg>`;
const BIN = `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M5 7h14M10 7V4h4v3m-7 0 1 13h8l1-13"/></svg>`;

async function send(file) {
  const answer = await fetch("/api/upload", {
    method: "POST", body: file, headers: { "content-type": "application/octet-stream", "x-workbench": "upload" },
  }).catch(() => null);
  if (answer === null) throw new Error("The server does not answer; start it again.");
  if (!answer.ok) throw new Error((await answer.text()).trim());
  const told = await answer.json();
  if (told.problem) throw new Error(told.problem);
  return told;
}

export default mounter((root, view) => {
  const strip = make("div", { class: "strip", role: "radiogroup", "aria-label": "Photo" });
  const name = make("span", { class: "name soft" });
  const field = make("input", { type: "file", class: "unseen", "aria-label": "Upload a photo, or a picture saved here",
    accept: "image/png,image/jpeg,image/webp", onchange: () => field.files.length && take(field.files[0]) });
  const up = make("label", { class: "act", title: "PNG, JPEG or WebP; it stays on this machine. Or drop a file anywhere." }, field);
  up.insertAdjacentHTML("afterbegin", UP);
  up.append("Upload");
  const bin = make("button", { type: "button", class: "act hidden", title: "Delete this upload", "aria-label": "Delete this upload",
    onclick: () => tell("remove", chosen) });
  bin.innerHTML = BIN;
  const problem = make("p", { class: "said problem", role: "alert" });
  const note = make("p", { class: "said soft", role: "status" });
  root.append(make("style", { text: SHARED_CSS + PHOTOS_CSS }), strip, make("div", { class: "under" }, name, up, bin), problem, note);
  const presses = new Presses((told) => view.host.setStateValue("presses", told));
  const tell = (event, value) => presses.push({ event, value });
  let listed = "";
  let chosen = "";

  async function take(file) {
    setText(problem, "");
    setText(note, `Reading ${file.name} …`);
    try {
      const stored = await send(file);
      setText(note, stored.notes.join(" "));
      tell("upload", stored.query);
    } catch (error) {
      setText(note, "");
      setText(problem, error.message);
    }
    field.value = "";
  }
  const choose = (id, focus) => {
    setText(problem, "");
    setText(note, "");
    mark(id, focus);
    tell("photo", id);
  };
  const mark = (id, focus) => {
    chosen = id;
    for (const button of strip.children) {
      const on = button.dataset.photo === id;
      button.setAttribute("aria-checked", String(on));
      button.tabIndex = on ? 0 : -1;
      if (on) setText(name, button.title);
      if (on && focus) button.focus();
    }
    if (strip.firstChild && !strip.querySelector('[tabindex="0"]')) strip.firstChild.tabIndex = 0;
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

  // Without these, a picture dropped on the page would replace it.
  const ended = new AbortController();
  const listen = (type, act) => document.addEventListener(type, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    act(event);
  }, { signal: ended.signal });
  listen("dragover", () => root.classList.add("over"));
  listen("dragleave", () => root.classList.remove("over"));
  listen("drop", (event) => {
    root.classList.remove("over");
    const [file] = event.dataTransfer.files;
    if (!file) return;
    if (/\.(npz|json|xml)$/i.test(file.name)) window.dispatchEvent(new CustomEvent("workbench:mask-file", { detail: file }));
    else take(file);
  });

  return {
    update(data) {
      presses.heard(data.done);
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
      if (!presses.list.length || !chosen) mark(data.chosen, false);
      bin.classList.toggle("hidden", !data.removable);
      if (data.problem) setText(problem, data.problem);
    },
    destroy: () => ended.abort(),
  };
});
