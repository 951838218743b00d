// Keeps the address in step with a view that has parameters of its own; copies it as link, Python or command.

const LINK_CSS = `
  .bar { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; }
  .bar button { background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); border-radius: 8px;
    padding: 5px 11px; }
  .bar button:hover { border-color: var(--st-primary-color); }
  .status { min-height: 1.3em; margin: 0; font-size: 0.8rem; }
`;

export default mounter((root) => {
  let data = { query: "", python: "", command: "" };
  let timer = 0;
  const status = make("p", { class: "status soft", role: "status" });
  const link = () => location.origin + location.pathname + (data.query ? `?${data.query}` : "");
  const copier = (label, text, done) => make("button", { type: "button", text: label,
    onclick: () => copy(text()).then(() => setText(status, done), () => setText(status, `Copy it from here: ${text()}`)) });
  const python = copier("Copy as Python", () => data.python, "Python is copied.");
  const command = copier("Copy as command", () => data.command, "The command is copied.");
  root.append(make("style", { text: SHARED_CSS + LINK_CSS }),
    make("div", { class: "bar" }, copier("Copy link", link, "The link is copied; it restores this view."), python, command, status));
  return {
    update(next) {
      data = next;
      python.classList.toggle("hidden", !data.python);
      command.classList.toggle("hidden", !data.command);
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
