// Streamlit components v2 calls this on every rerun of the script; the painter must be made once only.
const mounted = new WeakMap();

export default function ({ parentElement, data, setStateValue }) {
  let host = mounted.get(parentElement);
  if (!host) {
    host = {};
    host.painter = createPatchPainter(parentElement, (edit) => host.send("edit", edit));
    mounted.set(parentElement, host);
  }
  host.send = setStateValue;
  host.painter.update(data);
  // A rerun that overtakes another also calls this, so only a painter that has left the page may end.
  return () => {
    setTimeout(() => {
      if (parentElement.isConnected || !mounted.delete(parentElement)) return;
      host.painter.destroy();
    });
  };
}
