// Keeps the address in step with the view; copies it as link, Python or command; saves files.

const SHARE_CSS = `
  .bar { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; }
  .bar button { background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); border-radius: 8px;
    padding: 5px 11px; }
  .bar button:hover { border-color: var(--st-primary-color); }
  .group { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; }
  .group > span { opacity: 0.75; font-size: 0.8rem; }
  .bar label { display: inline-flex; gap: 6px; align-items: center; font-size: 0.8rem; }
  input { accent-color: var(--st-primary-color); }
  .status { min-height: 1.3em; margin: 4px 0 0; font-size: 0.8rem; }
`;

export default mounter((root, view) => {
  let data = { query: "", python: "", command: "" };
  let timer = 0;
  const status = make("p", { class: "status soft", role: "status" });
  const original = make("input", { type: "checkbox" });
  const link = () => location.origin + location.pathname + (data.query ? `?${data.query}` : "");
  const copier = (label, text, done) => make("button", { type: "button", text: label,
    onclick: () => copy(text()).then(() => setText(status, done), () => setText(status, `Copy it from here: ${text()}`)) });

  async function save(name) {
    setText(status, `Making ${name} …`);
    const query = [data.query, original.checked ? "original=1" : ""].filter(Boolean).join("&");
    const answer = await fetch(`/api/export/${name}?${query}`).catch(() => null);
    if (!answer?.ok) return setText(status, answer ? await answer.text() : "The server does not answer; start it again.");
    const file = /filename="([^"]+)"/.exec(answer.headers.get("content-disposition") ?? "")?.[1] ?? name;
    const address = URL.createObjectURL(await answer.blob());
    make("a", { href: address, download: file }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
    return setText(status, `Saved ${file}`);
  }
  const saver = (label, name) => make("button", { type: "button", text: label, title: name, "data-file": name, onclick: () => save(name) });

  const maps = make("div", { class: "group hidden" }, make("span", { text: "Score map" }),
    saver("NPY", "map.npy"), saver("PNG", "map.png"));

  root.append(make("style", { text: SHARED_CSS + SHARE_CSS }),
    make("div", { class: "bar" },
      make("div", { class: "group" }, make("span", { text: "Share" }),
        copier("Copy link", link, "The link is copied; it restores this view."),
        copier("Copy as Python", () => data.python, "Python is copied."),
        copier("Copy as command", () => data.command, "The command is copied.")),
      make("div", { class: "group" }, make("span", { text: "Mask" }),
        saver("NPZ", "mask.npz"), saver("PNG", "mask.png"), saver("RLE", "mask.rle.json"), saver("JSON", "mask.json")),
      maps,
      make("div", { class: "group" }, make("span", { text: "Picture" }),
        saver("Paste-back", "composite.png"), saver("Reconstruction", "reconstruction.png"), saver("Masked", "masked.png"),
        make("label", { title: "So that the picture restores the view on any machine" }, original, "with the photo inside"))),
    status);

  return {
    update(next) {
      data = next;
      maps.classList.toggle("hidden", !data.maps);
      clearTimeout(timer);
      // The address follows at rest: browsers refuse hundreds of changes a second.
      timer = setTimeout(() => {
        if (location.search.replace(/^\?/, "") !== data.query) history.replaceState(history.state, "", link());
      }, 200);
    },
    destroy() {
      clearTimeout(timer);
    },
  };
});
