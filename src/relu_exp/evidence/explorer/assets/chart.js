// Drawing: lines over an axis, as SVG with text in it. Colors come from the style sheet.
// No library: the explorer needs bars and lines with intervals and no zooming. uPlot, Observable Plot,
// Vega-Lite and Plotly (50 kB to 1 MB) leave labels, languages and theme to the page, and change.
const Chart = (() => {
  const HEIGHT = 190, LEFT = 46, RIGHT = 10, TOP = 24, BOTTOM = 36;
  const make = (name, attributes = {}, text = null) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== null) node.textContent = text;
    return node;
  };
  const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  const power = (exponent) => "10" + (exponent < 0 ? "⁻" : "")
    + [...String(Math.abs(exponent))].map((digit) => RAISED[digit]).join("");

  /** A number as people write it. */
  const plain = (value) => {
    if (value === 0) return "0";
    if (value === Infinity) return "> 10³²"; // the largest that the page holds
    const size = Math.abs(value);
    if (size >= 0.001 && size < 10000) return String(Number(value.toPrecision(3)));
    const exponent = Math.floor(Math.log10(size));
    const front = Number((value / 10 ** exponent).toPrecision(2));
    return front === 1 ? power(exponent) : front + "·" + power(exponent);
  };
  const percent = (share) => (share > 0 && share < 0.001 ? "<0.1" : Number((100 * share).toPrecision(3))) + "%";

  const linearTicks = (low, high, most) => {
    const raw = (high - low) / most || 1, size = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((each) => each * size).find((each) => each >= raw);
    const found = [];
    for (let value = Math.ceil(low / step) * step; value <= high + step / 1e6; value += step) found.push(Number(value.toPrecision(12)));
    return found;
  };
  const logTicks = (low, high) => {
    const from = Math.ceil(low - 1e-9), to = Math.floor(high + 1e-9), skip = Math.max(1, Math.ceil((to - from) / 4));
    const found = [];
    for (let exponent = from; exponent <= to; exponent += skip) found.push(10 ** exponent);
    if (found.length > 1) return found;
    return linearTicks(10 ** low, 10 ** high, 4).filter((value) => value > 0);
  };
  const MARKS = {
    circle: "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0", square: "M-3-3H3V3H-3z",
    triangle: "M0-3.6 3.4 2.6H-3.4z", diamond: "M0-4 4 0 0 4-4 0z",
  };

  /** Series over x, as an SVG of a width. `y` and `x` are [low, high]; with `log` y is a decade.
   *  A point without a value breaks the line: nothing is drawn where nothing was measured. */
  const lines = (width, { series, x, y, log, share, xLabel, label, cursor }) => {
    const svg = make("svg", { width, height: HEIGHT, role: "img", "aria-label": label });
    const across = (value) => LEFT + (value - x[0]) / ((x[1] - x[0]) || 1) * (width - LEFT - RIGHT);
    const up = (value) => {
      const place = ((log ? Math.log10(value) : value) - y[0]) / ((y[1] - y[0]) || 1);
      return HEIGHT - BOTTOM - Math.min(1.02, Math.max(-0.02, place)) * (HEIGHT - TOP - BOTTOM);
    };
    for (const tick of log ? logTicks(...y) : linearTicks(...y, 4)) {
      svg.append(make("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: up(tick), y2: up(tick) }));
      svg.append(make("text", { class: "tick", x: LEFT - 6, y: up(tick) + 4, "text-anchor": "end" }, share ? percent(tick) : plain(tick)));
    }
    const wholes = linearTicks(...x, Math.max(2, Math.min(8, width / 60))).filter(Number.isInteger);
    // an axis says where it begins
    for (const tick of new Set([x[0], ...wholes])) {
      svg.append(make("text", { class: "tick", x: across(tick), y: HEIGHT - BOTTOM + 15, "text-anchor": "middle" }, tick));
    }
    svg.append(make("text", { class: "tick", x: width - RIGHT, y: HEIGHT - 5, "text-anchor": "end" }, xLabel));
    if (cursor !== undefined) svg.append(make("line", { class: "cursor", x1: across(cursor), x2: across(cursor), y1: TOP - 4, y2: HEIGHT - BOTTOM }));
    let legend = 4;
    for (const { name, points, look, mark } of series) {
      const known = points.map(([place, value]) => [place, value, value !== null && (!log || value > 0)]);
      let path = "", pen = "M";
      for (const [place, value, there] of known) {
        if (!there) { pen = "M"; continue; }
        path += pen + across(place).toFixed(1) + " " + up(value).toFixed(1);
        pen = "L";
      }
      svg.append(make("path", { class: "line " + look, d: path }));
      const shown = known.filter((point) => point[2]);
      if (mark && shown.length <= 60) {
        for (const [place, value] of shown) svg.append(make("path", { class: "mark " + look, d: MARKS[mark], transform: `translate(${across(place).toFixed(1)} ${up(value).toFixed(1)})` }));
      }
      if (!shown.length) continue;
      svg.append(make("path", { class: "line " + look, d: `M${legend} 10h20` }));
      if (mark) svg.append(make("path", { class: "mark " + look, d: MARKS[mark], transform: `translate(${legend + 10} 10)` }));
      const text = make("text", { class: "legend", x: legend + 25, y: 14 }, name);
      svg.append(text);
      legend += 36 + [...name].reduce((sum, sign) => sum + (sign > "\u1100" ? 11 : 5.8), 0);
    }
    return svg;
  };
  return { lines, plain, percent, make, linearTicks, HEIGHT };
})();
