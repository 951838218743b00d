// A menu in groups whose impossible choices say why; what the choice means stands below it.

const MENU_CSS = `
  .menu { display: grid; gap: 3px; }
  .menu select { width: 100%; background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); border-radius: 8px;
    padding: 7px 8px; text-overflow: ellipsis; }
  .menu label { font-size: 0.875rem; }
  .menu p { margin: 0; font-size: 0.78rem; overflow-wrap: anywhere; }
  .menu details { font-size: 0.78rem; }
  .menu summary { cursor: pointer; opacity: 0.72; }
  .menu ul { margin: 4px 0; padding-left: 1.2em; max-height: 12em; overflow-y: auto; }
`;
let menusMade = 0;

export default mounter((root, view) => {
  const id = `menu-${(menusMade += 1)}`;
  const label = make("label", { for: id });
  const select = make("select", { id, onchange: () => sender.push({ value: select.value }) });
  const about = make("p", { class: "soft" });
  const problem = make("p", { class: "problem", role: "alert" });
  const why = make("summary");
  const reasons = make("ul");
  const cannot = make("details", {}, why, reasons);
  const sender = new Sender((edit) => view.host.setStateValue("edit", edit));
  root.append(make("style", { text: SHARED_CSS + MENU_CSS }), make("div", { class: "menu" }, label, select, about, problem, cannot));
  let shownGroups = "";

  return {
    update(data) {
      if (data.sender) SENDERS.set((sender.name = data.sender), sender);
      const text = JSON.stringify(data.groups);
      if (text !== shownGroups) {
        shownGroups = text;
        const option = ([value, words, reason]) => make("option", { value, text: words, disabled: Boolean(reason) });
        select.replaceChildren(...data.groups.filter(([, options]) => options.length).flatMap(([title, options]) => title
          ? [make("optgroup", { label: title }, ...options.map(option))] : options.map(option)));
        const refused = data.groups.flatMap(([, options]) => options).filter(([, , reason]) => reason);
        cannot.classList.toggle("hidden", !refused.length);
        setText(why, `Why not the other ${refused.length}?`);
        reasons.replaceChildren(...refused.map(([value, , reason]) => make("li", { text: reason.startsWith(value) ? reason : `${value}: ${reason}` })));
      }
      root.dataset.menu = data.name;
      setText(label, data.label);
      if (data.seq >= sender.seq && select.value !== data.value) select.value = data.value;
      setText(about, data.about);
      setText(problem, data.problem ?? "");
      sender.heard(data.seq);
    },
    destroy() {
      if (SENDERS.get(sender.name) === sender) SENDERS.delete(sender.name);
    },
  };
});
