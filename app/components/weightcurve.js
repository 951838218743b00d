// What a network is worth against the share of its weights that is kept, a line for each way of hiding.

const WEIGHTCURVE_CSS = `
  .plot { max-width: 440px; } .note { margin: 4px 0 0; font-size: 0.8rem; max-width: 80ch; }
`;

export default mounter((root) => {
  let found = [];
  let lifted = null;
  let ways = [];
  let measure = "";
  const keys = make("div", { class: "keys", role: "group", "aria-label": "Lift a line" });
  const plot = make("div", { class: "plot" });
  const notes = make("div");
  const bar = new JobBar("points", (report) => {
    found.push(...report.events);
    if (report.events.length) draw();
    root.dataset.state = report.state;
  });
  root.append(make("style", { text: SHARED_CSS + JOB_CSS + LINECHART_CSS + WEIGHTCURVE_CSS }), bar.node, keys, plot, notes);

  function draw() {
    const lines = ways.map((name, at) => ({ name, colour: OTHER_COLOURS[at % OTHER_COLOURS.length], points: found.filter((value) => value.way === name && !value.note)
      .map(({ kept, share, low, high }) => [kept, share, low, high]).sort((a, b) => a[0] - b[0]) })).filter((line) => line.points.length);
    plot.replaceChildren(...(lines.length ? [lineChart({ title: measure, lines, top: 1, across: "share of the weights kept", lifted })] : []));
    keys.replaceChildren(...lines.map(({ name, colour }) => make("button", { type: "button", "aria-pressed": String(lifted === name),
      onclick: () => { lifted = lifted === name ? null : name; draw(); } }, make("i", { style: `background: ${colour}` }), name)));
    const told = new Map(found.filter((value) => value.note).map((value) => [value.way, value.note]));
    notes.replaceChildren(...[...told].map(([way, note]) => make("p", { class: "note problem", text: `${way}: ${note}` })));
  }
  return {
    update(data) {
      ({ ways, measure } = data);
      if (data.job === bar.mark) return;
      found = [];
      lifted = null;
      plot.replaceChildren();
      keys.replaceChildren();
      notes.replaceChildren();
      root.dataset.state = "";
      bar.follow(data.job);
    },
    destroy: () => bar.stop(),
  };
});
