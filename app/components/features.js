// Features of a block in order, each with its top pictures; one of them large, on a photo and on what a mask leaves of it.

const FEATURES_CSS = `
  .frame { container-type: inline-size; }
  .halves { display: grid; grid-template-columns: minmax(250px, 6fr) minmax(0, 7fr); gap: 20px; align-items: start; }
  @container (max-width: 700px) { .halves { grid-template-columns: minmax(0, 1fr); } .list { max-height: 420px; } }
  .left { display: grid; gap: 8px; min-width: 0; }
  .left h3 { font-size: 0.98rem; margin: 0; font-weight: 600; }
  .pair { display: grid; grid-template-columns: 1fr 1fr; gap: 8px; }
  .tops { display: grid; grid-template-columns: repeat(3, 1fr); gap: 8px; }
  figure { margin: 0; min-width: 0; } figcaption { font-size: 0.74rem; opacity: 0.8; line-height: 1.3; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
  .shot { position: relative; display: block; width: 100%; aspect-ratio: var(--shape, 1); border-radius: 6px; overflow: hidden; background: var(--st-secondary-background-color); }
  .shot img, .shot canvas { position: absolute; inset: 0; width: 100%; height: 100%; display: block; }
  .shot canvas { image-rendering: pixelated; }
  .plain .shot canvas { opacity: 0; }
  .list { display: grid; gap: 2px; max-height: 760px; overflow-y: auto; padding: 2px; }
  .row { display: grid; grid-template-columns: 66px repeat(5, minmax(0, 1fr)); gap: 5px; align-items: center; padding: 3px; border: 1px solid transparent; background: none;
    border-radius: 8px; text-align: left; min-width: 0; }
  .row:hover { border-color: var(--st-border-color); } .row[aria-pressed="true"] { border-color: var(--st-primary-color); background: var(--st-secondary-background-color); }
  .row .name b { display: block; font-size: 0.82rem; font-variant-numeric: tabular-nums; } .row .name span { display: block; font-size: 0.68rem; opacity: 0.75; font-variant-numeric: tabular-nums; line-height: 1.25; }
  .bar { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: center; margin-bottom: 8px; }
  fieldset { border: 0; margin: 0; padding: 0; display: flex; flex-wrap: wrap; min-width: 0; align-items: center; }
  fieldset label { padding: 4px 10px; border: 1px solid var(--st-border-color); margin-left: -1px; cursor: pointer; white-space: nowrap; }
  fieldset label:first-of-type { border-radius: 8px 0 0 8px; margin-left: 0; } fieldset label:last-of-type { border-radius: 0 8px 8px 0; }
  fieldset label:has(:checked) { background: var(--st-primary-color); color: var(--st-background-color); border-color: var(--st-primary-color); }
  fieldset label:has(:focus-visible) { outline: 2px solid var(--st-primary-color); outline-offset: 2px; z-index: 1; }
  fieldset input { position: absolute; opacity: 0; pointer-events: none; }
  .press { background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); border-radius: 8px; padding: 4px 10px; }
  .press:hover { border-color: var(--st-primary-color); }
  .press[aria-pressed="true"] { border-color: var(--st-primary-color); }
  .say { margin: 0; font-size: 0.82rem; max-width: 90ch; overflow-wrap: anywhere; }
  .banner { margin: 0 0 8px; padding: 8px 12px; border-radius: 8px; border-left: 4px solid var(--st-orange-color, #c77700); background: var(--st-secondary-background-color); }
  .legend { display: grid; grid-template-columns: auto minmax(60px, 160px) auto; gap: 8px; align-items: center; font-size: 0.75rem; font-variant-numeric: tabular-nums; justify-content: start; }
  .legend i { height: 10px; border-radius: 5px; border: 1px solid var(--st-border-color); background: linear-gradient(to right, rgb(122, 127, 125), rgb(122, 127, 125, 0)), linear-gradient(135deg, #b33c2e, #e0a52d, #2f7f5f); }
`;
const VEIL = [122, 127, 125], THICKEST = 0.85, SIDE = 192, ROW_PICTURES = 5;

function bytesOf(text) {
  return Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
}

// Grey where a feature is silent, clear where it is as strong as it gets: seen on dark pictures and on bright ones.
function veil(canvas, values, rows, cols) {
  Object.assign(canvas, { width: cols, height: rows });
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(cols, rows);
  values.forEach((value, at) => { image.data.set([...VEIL, Math.round(255 * THICKEST * (1 - value / 255))], at * 4); });
  pen.putImageData(image, 0, 0);
}

function keep(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

export default mounter((root, view) => {
  let data = {};
  let choice = { order: "telling", latent: -1 };
  let mark = "";
  let drawn = "";
  const sender = new Sender((value) => view.host.setStateValue("choice", value));
  const change = (part) => {
    choice = { ...choice, ...part };
    press();
    sender.push(choice);
  };
  const bar = new JobBar("steps", (report) => {
    if (report.state === "running") setText(words, report.now?.said ?? "");
    if (report.state === "done" && mark !== bar.mark) {
      mark = bar.mark;
      view.host.setTriggerValue("ready", bar.mark);
    }
    if (report.state === "failed") setText(words, "");
    if (report.state === "cancelled") setText(words, "Press the button to learn again.");
    root.dataset.state = report.state;
  });
  const words = make("p", { class: "say soft", role: "status", "data-said": "" });
  const banner = make("p", { class: "banner hidden", role: "alert" });
  const orders = make("fieldset", {}, make("legend", { class: "unseen", text: "Order of the features" }));
  const title = make("h3", { "data-feature": "" });
  const told = make("p", { class: "say soft" });
  const pair = make("div", { class: "pair" });
  const tops = make("div", { class: "tops" });
  const ends = [make("span", { text: "silent: grey" }), make("span")];
  const legend = make("div", { class: "legend" }, ends[0], make("i"), ends[1]);
  const bare = make("button", { type: "button", class: "press", text: "Without maps", "aria-pressed": "false", onclick: () => {
    bare.setAttribute("aria-pressed", String(left.classList.toggle("plain"))); } });
  const asPng = make("button", { type: "button", class: "press", text: "Save as PNG", title: "This feature: the photo, its masked version and the top pictures", onclick: () => savePng() });
  const asJson = make("button", { type: "button", class: "press", text: "Save as JSON", title: "Numbers of all features in the list", onclick: () => saveJson() });
  const left = make("div", { class: "left" }, title, told, pair, tops, legend, make("div", { class: "bar" }, bare, asPng, asJson));
  const list = make("div", { class: "list", role: "group", "aria-label": "Features" });
  const halves = make("div", { class: "halves hidden" }, left, make("div", {}, make("div", { class: "bar" }, orders), list));
  root.append(make("style", { text: SHARED_CSS + JOB_CSS + FEATURES_CSS }), make("div", { class: "frame" }, bar.node, banner, words, make("div", { style: "height: 8px" }), halves));

  const size = () => data.rows * data.cols;
  const shown = () => data.features?.find((each) => each.latent === choice.latent) ?? data.features?.[0];
  const address = (row) => `${data.pictures}&row=${row}`;
  const called = (row) => data.names[row].replace(/^upload-[0-9a-f]{32}/, "your upload");
  const mapAt = (each, at) => bytesOf(each.maps).subarray(at * size(), (at + 1) * size());
  function shot(src, values, label) {
    const canvas = make("canvas");
    veil(canvas, values, data.rows, data.cols);
    return make("span", { class: "shot" }, make("img", { src, alt: label, loading: "lazy", draggable: "false" }), canvas);
  }
  function figure(src, values, caption, label = caption) {
    return make("figure", {}, shot(src, values, label), make("figcaption", { text: caption }));
  }

  function drawOrders() {
    if (orders.childElementCount > 1) return;
    for (const [value, text] of data.orders) {
      const input = make("input", { type: "radio", name: "features-order", value, onchange: () => change({ order: value }) });
      orders.append(make("label", { title: HINTS[value] }, input, text));
    }
  }
  function drawList() {
    list.replaceChildren(...data.features.map((each) => make("button", { type: "button", class: "row", "data-latent": each.latent, "aria-label": `Feature ${each.latent}`,
      onclick: () => change({ latent: each.latent }) },
      make("span", { class: "name" }, make("b", { text: each.latent }), make("span", { text: `${each.rate} of patches` })),
      ...each.rows.slice(0, ROW_PICTURES).map((row, at) => shot(address(row), mapAt(each, at), called(row))))));
  }
  function press() {
    for (const input of orders.querySelectorAll("input")) input.checked = input.value === choice.order;
    const each = shown();
    if (!each) return;
    for (const button of list.children) button.setAttribute("aria-pressed", String(Number(button.dataset.latent) === each.latent));
    setText(title, `Feature ${each.latent}`);
    const [whole, masked] = each.peaks;
    const change = whole > 0 ? `${masked > whole ? "+" : ""}${Math.round((masked / whole - 1) * 100)}%` : "";
    setText(told, `Used by ${each.rate} of the patches. ${whole === 0 && masked === 0 ? "Silent on your photo, and stays so under the mask."
      : whole === 0 ? `Silent on your photo; the mask brings it to ${masked.toFixed(2)}.` : `On your photo its peak is ${whole.toFixed(2)}, under the mask ${masked.toFixed(2)} (${change.replace("-", "−")}).`}`);
    const here = bytesOf(each.here);
    pair.replaceChildren(figure(data.photo, here.subarray(0, size()), "Your photo"), figure(data.masked, here.subarray(size()), data.hidden, "Your photo, masked"));
    tops.replaceChildren(...each.rows.map((row, at) => figure(address(row), mapAt(each, at), called(row))));
    setText(ends[1], `clear: ${each.top.toFixed(2)}`);
    root.dataset.latent = each.latent;
  }

  async function savePng() {
    const each = shown();
    const tiles = [...pair.querySelectorAll(".shot"), ...tops.querySelectorAll(".shot")];
    const wide = SIDE, high = Math.round(SIDE / data.shape), gap = 6;
    const canvas = make("canvas", { width: tiles.length * (wide + gap) + gap, height: high + 2 * gap });
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#fbfbfa";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    for (const [at, tile] of tiles.entries()) {
      const [image, over] = tile.children;
      image.loading = "eager";
      await image.decode().catch(() => null);
      pen.imageSmoothingEnabled = true;
      pen.drawImage(image, gap + at * (wide + gap), gap, wide, high);
      pen.imageSmoothingEnabled = false;
      if (!left.classList.contains("plain")) pen.drawImage(over, gap + at * (wide + gap), gap, wide, high);
    }
    canvas.toBlob((blob) => keep(blob, `feature-${each.latent}.png`));
  }
  function saveJson() {
    const record = { ...data.report, order: choice.order, shown: data.features.map((each) => ({ latent: each.latent, rate: each.share,
      pictures: each.rows.map((row) => data.names[row]), photo: each.peaks[0], masked: each.peaks[1] })) };
    keep(new Blob([JSON.stringify(record, null, 1)], { type: "application/json" }), "features.json");
  }

  return {
    update(next) {
      data = next;
      sender.heard(next.choice.seq);
      if (next.choice.seq >= sender.seq) choice = { ...next.choice };
      if (next.job !== bar.mark) {
        root.dataset.state = "";
        bar.follow(next.job);
      }
      bar.node.classList.toggle("hidden", !next.job);
      setText(banner, data.problem ?? "");
      banner.classList.toggle("hidden", !data.problem);
      const there = Boolean(data.features?.length);
      halves.classList.toggle("hidden", !there);
      if (there) setText(words, data.said);
      else if (!data.job) setText(words, data.hint);
      if (!there) return;
      root.style.setProperty("--shape", data.shape);
      drawOrders();
      const list = JSON.stringify([data.pictures, data.features.map((each) => [each.latent, each.maps])]);
      if (list !== drawn) {
        drawn = list;
        drawList();
      }
      press();
      root.dataset.mark = data.mark;
    },
    destroy: () => bar.stop(),
  };
});
const HINTS = { telling: "Strong on some pictures and seldom used", often: "Used by most patches", photo: "Strongest on your photo", mask: "Changed most by your mask" };
