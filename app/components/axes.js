// Ticks and units of the charts of runs.

// Logged in other units than a person reads: by which each is divided.
const UNITS = { memory: ["MB", 2 ** 20], seconds: ["s per step", 1] };

function unitOf(name) {
  const [unit, size] = UNITS[name] ?? ["", 1];
  return { size, title: unit ? `${name} (${unit})` : name };
}

// Round numbers between two values; on a log scale, of which low and high are exponents, 1, 2 and 5 times a power of ten.
function ticks(low, high, count = 4, log = false) {
  if (log) {
    const found = [];
    for (let power = Math.floor(low); power <= high; power += 1) {
      for (const by of high - low > 3 ? [1] : [1, 2, 5]) found.push(Number(`${by}e${power}`));
    }
    const inside = found.filter((each) => Math.log10(each) >= low - 1e-9 && Math.log10(each) <= high + 1e-9);
    return inside.length > 1 ? inside : ticks(10 ** low, 10 ** high, count);
  }
  const raw = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((by) => by * power).find((each) => each >= raw * 0.999);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-9; at += step) found.push(Number(at.toPrecision(12)));
  return found;
}
