// The leak meter: asks for its numbers once a picture has been drawn and the person pauses.

const LEAK_CSS = `
  .meter { display: grid; gap: 4px; }
  h3 { font-size: 0.86rem; margin: 0 0 5px; font-weight: 600; }
  .line { display: grid; grid-template-columns: minmax(6.5rem, auto) 1fr 3.6rem; gap: 8px; align-items: center; font-size: 0.8rem; }
  .bar { height: 9px; border-radius: 5px; background: var(--st-secondary-background-color); overflow: hidden; }
  .bar i { display: block; height: 100%; border-radius: 5px; background: var(--st-text-color); opacity: 0.42; transition: width 120ms; }
  .model .bar i { background: var(--st-primary-color); opacity: 1; }
  .line span:first-child { max-width: 9.5rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  .model span { font-weight: 600; }
  .line b { font-weight: 500; text-align: right; font-variant-numeric: tabular-nums; }
  p { margin: 2px 0 0; font-size: 0.78rem; }
  .old { opacity: 0.5; }
`;
const PAUSE = 250;

export default mounter((root, view) => {
  const lines = make("div", { class: "meter" });
  const verdict = make("p", { class: "soft", text: "Waits for the first picture." });
  root.append(make("style", { text: SHARED_CSS + LEAK_CSS }),
    make("h3", { text: "Leak meter: error of guessing without a model" }), lines, verdict);
  let wanted = "";
  let shown = "";
  let timer = 0;
  const hear = (event) => {
    wanted = event.detail;
    lines.classList.toggle("old", wanted !== shown);
    clearTimeout(timer);
    if (wanted !== shown) timer = setTimeout(() => view.host.setStateValue("want", wanted), PAUSE);
  };
  window.addEventListener("workbench:drawn", hear);
  if (window.workbenchDrawn) hear({ detail: window.workbenchDrawn });
  return {
    update(data) {
      if (!data.mark || data.mark === shown) return;
      shown = data.mark;
      root.dataset.mark = shown;
      lines.classList.toggle("old", wanted !== "" && wanted !== shown);
      lines.replaceChildren(...data.rows.map((row) => {
        const bar = make("i");
        bar.style.width = `${row.share}%`;
        return make("div", { class: row.model ? "line model" : "line", "data-method": row.name, title: row.detail },
          make("span", { text: row.name }), make("div", { class: "bar" }, bar), make("b", { text: row.mse }));
      }));
      setText(verdict, data.verdict);
    },
    destroy() {
      clearTimeout(timer);
      window.removeEventListener("workbench:drawn", hear);
    },
  };
});
