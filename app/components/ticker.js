// The bar of long work whose charts the page itself draws: it asks the page to look again as they come.

const TICKER_CSS = `
  .tiles { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 10px 12px; max-width: 900px; }
  figure { margin: 0; display: grid; gap: 4px; align-content: start; min-width: 0; }
  figcaption { font-size: 0.8rem; font-weight: 600; }
  figcaption span { font-weight: 400; font-size: 0.72rem; opacity: 0.7; }
  .stage { position: relative; aspect-ratio: var(--shape, 1); border-radius: 8px; overflow: hidden; background: var(--st-secondary-background-color); }
  .stage img { position: absolute; inset: 0; width: 100%; height: 100%; display: block; }
  .words { margin: 8px 0 0; font-size: 0.84rem; }
  .words:empty { display: none; }
`;
const LOOK = 600;

export default mounter((root, view) => {
  let told = 0;
  let last = 0;
  const tiles = make("div", { class: "tiles" });
  const words = make("p", { class: "words", "data-found": "words" });
  const bar = new JobBar("points", (report) => {
    if (report.now?.tiles) show(report.now);
    const over = !["waiting", "running"].includes(report.state);
    const now = performance.now();
    if (over || (report.next > told && now - last > LOOK)) {
      told = report.next;
      last = now;
      view.host.setTriggerValue("tick", `${report.state} ${report.next}`);
    }
    root.dataset.state = report.state;
  });
  root.append(make("style", { text: SHARED_CSS + JOB_CSS + TICKER_CSS }), bar.node, tiles, words);

  function show(now) {
    root.style.setProperty("--shape", now.shape);
    if (tiles.children.length !== now.tiles.length) {
      tiles.replaceChildren(...now.tiles.map(({ caption }) => make("figure", {},
        make("div", { class: "stage" }, picture(caption)),
        make("figcaption", {}, `${caption} `, make("span")))));
    }
    now.tiles.forEach(({ src, hint }, at) => {
      swap(tiles.children[at].querySelector("img"), src);
      setText(tiles.children[at].querySelector("span"), hint);
    });
    setText(words, now.words);
  }

  return {
    update(data) {
      bar.unit = data.unit;
      if (data.job === bar.mark) return;
      told = 0;
      tiles.replaceChildren();
      setText(words, "");
      root.dataset.job = data.job;
      root.dataset.state = "";
      bar.follow(data.job);
    },
    destroy: () => bar.stop(),
  };
});
