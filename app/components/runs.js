// All runs, or the page of one: the address says which, so every run has a link.

export default mounter((root) => {
  const page = new RunPage((event) => go(event, ""));
  const list = new RunList((event, id) => go(event, id));
  let shownRun = null;
  root.append(make("style", { text: SHARED_CSS + ORDERS_CSS + CHART_CSS + RUNLIST_CSS + RUNPAGE_CSS }), list.node, page.node);

  const wanted = () => new URLSearchParams(location.search).get("run") ?? "";

  // A plain click stays on this page; others (a new tab) are the browser's.
  function go(event, id) {
    if (event && (event.ctrlKey || event.metaKey || event.shiftKey || event.button > 0)) return;
    event?.preventDefault();
    history.pushState(history.state, "", id ? `/runs?run=${encodeURIComponent(id)}` : list.address());
    show(id);
  }

  function show(id) {
    if (id === shownRun) return;
    const shownBefore = shownRun;
    shownRun = id;
    document.title = `${id || "Runs"} – Mask workbench`;
    list.node.classList.toggle("hidden", Boolean(id));
    page.node.classList.toggle("hidden", !id);
    if (id) {
      list.stop();
      page.open(id);
    } else {
      page.stop();
      if (shownBefore) document.title = "Runs – Mask workbench";
      list.start();
    }
  }

  const back = () => show(wanted());
  addEventListener("popstate", back);
  return {
    update: () => show(shownRun ?? wanted()),
    destroy() {
      removeEventListener("popstate", back);
      list.stop();
      page.stop();
      page.chart.stop();
    },
  };
});
