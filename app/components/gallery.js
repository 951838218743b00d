// Every strategy as a tile; the filter stays in the page and in its address.

const GALLERY_CSS = `
  .bar { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: center; margin-bottom: 12px; }
  input, select { background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); border-radius: 8px;
    padding: 6px 10px; min-width: 0; }
  .tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 158px), 1fr)); gap: 14px; }
  .frame { container-type: inline-size; }
  @container (max-width: 420px) { .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 10px; } }
  article { border: 1px solid var(--st-border-color); border-radius: 10px; overflow: hidden; display: grid; align-content: start;
    position: relative; min-width: 0; }
  article:hover { border-color: var(--st-primary-color); }
  .shown { aspect-ratio: var(--shape, 1); background: var(--st-secondary-background-color); display: grid; place-items: center; }
  .shown img { width: 100%; height: 100%; display: block; }
  .shown p { padding: 10px; font-size: 0.75rem; margin: 0; overflow-wrap: anywhere; }
  .text { padding: 7px 10px 10px; display: grid; gap: 3px; min-width: 0; }
  h3 { margin: 0; font-size: 0.95rem; font-weight: 600; }
  h3 a { color: inherit; text-decoration: none; } h3 a::after { content: ""; position: absolute; inset: 0; }
  article:has(h3 a:focus-visible) { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
  p { margin: 0; font-size: 0.78rem; }
  code { font-size: 0.72rem; overflow-wrap: anywhere; }
  .paper { position: relative; color: var(--st-primary-color); }
`;

export default mounter((root, view) => {
  let tiles = [];
  let mark = "";
  let timer = 0;
  const start = new URLSearchParams(location.search);
  const text = make("input", { type: "search", placeholder: "Search", "aria-label": "Search strategies", value: start.get("text") ?? "",
    oninput: () => filter() });
  const kind = make("select", { "aria-label": "Kind", onchange: () => filter() });
  const found = make("span", { class: "soft", role: "status" });
  const list = make("div", { class: "tiles" });
  root.append(make("style", { text: SHARED_CSS + GALLERY_CSS }),
    make("div", { class: "frame" }, make("div", { class: "bar" }, text, kind, found), list));

  function filter() {
    const words = text.value.toLowerCase().split(/\s+/);
    let left = 0;
    for (const { node, said, kind: own } of tiles) {
      const fits = (!kind.value || own === kind.value) && words.every((word) => said.includes(word));
      node.classList.toggle("hidden", !fits);
      left += Number(fits);
    }
    setText(found, left ? `${left} of ${tiles.length} strategies` : "No strategy fits; clear the search or take every kind.");
    clearTimeout(timer);
    timer = setTimeout(address, 300);
  }

  function address() {
    const query = new URLSearchParams(view.host.data.query);
    for (const [name, value] of [["text", text.value.trim()], ["kind", kind.value]]) {
      if (value) query.set(name, value);
    }
    const wanted = query.size ? `?${query}` : "";
    if (location.search !== wanted) history.replaceState(history.state, "", location.pathname + wanted);
  }

  function article(tile) {
    const open = make("a", { href: tile.href, text: tile.name.replaceAll("_", " "), onclick: (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      view.host.setTriggerValue("open", tile.recipe);
    } });
    const shown = tile.picture ? make("img", { src: tile.picture, alt: `${tile.name}: ${tile.realised}`, loading: "lazy" })
      : make("p", { text: tile.problem, role: "note" });
    const node = make("article", { "data-strategy": tile.name }, make("div", { class: "shown" }, shown),
      make("div", { class: "text" }, make("h3", {}, open), make("p", { text: tile.summary }), make("code", { text: tile.recipe }),
        make("p", { class: "soft", text: [tile.realised, tile.promise, tile.kind_name].filter(Boolean).join(" · ") }),
        tile.link ? make("p", {}, make("a", { class: "paper", href: tile.link, target: "_blank", rel: "noreferrer noopener", text: tile.paper })) : null));
    return { node, kind: tile.kind, said: node.textContent.toLowerCase() };
  }

  return {
    update(data) {
      if (data.mark !== mark) {
        mark = data.mark;
        const chosen = kind.options.length ? kind.value : start.get("kind") ?? "";
        kind.replaceChildren(make("option", { value: "", text: "Every kind" }),
          ...data.kinds.map(([value, name]) => make("option", { value, text: name })));
        kind.value = data.kinds.some(([value]) => value === chosen) ? chosen : "";
        root.style.setProperty("--shape", data.shape);
        tiles = data.tiles.map(article);
        list.replaceChildren(...tiles.map(({ node }) => node));
      }
      filter();
      root.dataset.mark = mark;
    },
    destroy() {
      clearTimeout(timer);
    },
  };
});
