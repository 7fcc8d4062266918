// Saving what is shown: an SVG or PNG that stands alone, a CSV of its numbers. Uses base.js, chart.js, explorer_view.js.
// A view is what one side shows: { name, about, setting, step, range, scale, color, choice }.
const Save = (() => {
  const { make, lines, HEIGHT } = Chart;
  const WIDE = 640, MARGIN = 20, BESIDE = 40, INNER = 16;
  const FONTS = "system-ui, 'Segoe UI', Roboto, 'Apple SD Gothic Neo', 'Malgun Gothic', 'Noto Sans KR', 'Noto Sans CJK KR', sans-serif";
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  // where the system has no Korean font the page's own goes first
  const family = () => (root.classList.contains("hangul") ? "'Relu Hangul', " : "") + FONTS;

  /** Text at most so wide, as lines from `y` on; returns where they end. */
  const write = (group, text, y, kind, width) => {
    const size = kind === "heading" ? 16 : 12;
    pen.font = `${kind === "heading" ? 600 : 400} ${size}px ${family()}`;
    const rows = [""];
    for (const part of text.split(" ")) {
      const longer = `${rows.at(-1)} ${part}`.trim();
      if (rows.at(-1) && pen.measureText(longer).width > width) rows.push(part); else rows[rows.length - 1] = longer;
    }
    rows.forEach((row, place) => group.append(make("text", { class: kind, x: 0, y: y + size + place * (size + 5) }, row)));
    return y + rows.length * (size + 5);
  };
  const moved = (x, y, nodes) => {
    const group = make("g", { transform: `translate(${x} ${y})` });
    group.append(...nodes);
    return group;
  };

  /** One view as a group `WIDE` wide, and its height. */
  const column = ({ name, about, setting, step, range, scale, color }) => {
    const group = make("g", { style: `--series: ${color}` }), half = (WIDE - INNER) / 2;
    let y = write(group, `${name}: ${about}`, 0, "heading", WIDE);
    y = write(group, View.now(setting, step).map((pair) => pair.join(" ")).join(" · "), y, "said strong", WIDE);
    y = write(group, View.facts(setting, step), y, "caption", WIDE) + 12;
    const histograms = Histograms.draw(WIDE, setting, step, scale);
    group.append(moved(0, y, histograms.childNodes));
    y += Number(histograms.getAttribute("height"));
    const charts = Object.entries(View.charts(setting, step, range)), tall = HEIGHT + 62;
    charts.forEach(([key, chart], place) => {
      const block = moved((place % 2) * (half + INNER), y + Math.floor(place / 2) * tall, []);
      const begins = write(block, word(key + "_axis"), write(block, word(key), 0, "said strong", half), "caption", half);
      block.append(moved(0, Math.max(begins, 51), lines(half, chart).childNodes));
      group.append(block);
    });
    return { group, height: y + Math.ceil(charts.length / 2) * tall };
  };

  /** What the saved picture says of itself. */
  const caption = (views) => [
    ...views.map(({ name, about, setting, step }) => word("saved_setting", {
      name, n: setting.experiment.id, first: about, total: setting.steps[step].toLocaleString("en"), last: setting.seedNames,
    })), word("histograms_means"), "relu-exp",
  ].join(" ");

  const COLORS = ["fill", "stroke"], SHAPE = ["stroke-width", "stroke-dasharray", "stroke-linejoin"], TEXT = ["font-size", "font-weight", "paint-order"];
  const hex = (color) => {
    if (color === "none") return color;
    pen.canvas.width = pen.canvas.height = 1;
    pen.fillStyle = color;
    pen.fillRect(0, 0, 1, 1);
    return "#" + [...pen.getImageData(0, 0, 1, 1).data.slice(0, 3)].map((part) => part.toString(16).padStart(2, "0")).join("");
  };
  /** Write into each element how the page's style sheet draws it: a file of its own has no style sheet. */
  const styled = (svg) => {
    const known = new Map();
    for (const node of $$("path, line, text, rect", svg)) {
      const style = getComputedStyle(node);
      for (const name of COLORS) {
        if (!known.has(style[name])) known.set(style[name], hex(style[name]));
        if (style[name] !== "none" || name === "fill") node.setAttribute(name, known.get(style[name]));
      }
      for (const name of node.localName === "text" ? TEXT : []) node.setAttribute(name, style.getPropertyValue(name));
      if (style.stroke !== "none") for (const name of SHAPE) node.setAttribute(name, style.getPropertyValue(name));
    }
  };
  /** The embedded Korean font, where the page itself needs it. */
  const font = (svg) => {
    if (!root.classList.contains("hangul") || !/[가-힣]/.test(svg.textContent)) return "";
    const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]);
    return rules.filter((rule) => rule instanceof CSSFontFaceRule).map((rule) => rule.cssText).join("\n");
  };

  /** What is shown as one SVG that needs nothing else; `host` is an element within the explorer. */
  const picture = (host, views) => {
    const columns = views.map(column), width = 2 * MARGIN + columns.length * WIDE + (columns.length - 1) * BESIDE;
    const svg = make("svg", { xmlns: "http://www.w3.org/2000/svg", width, role: "img", lang: root.lang });
    const page = make("rect", { class: "page", width, height: 1 });
    svg.append(make("title", {}, views.map(({ name, about }) => `${name}: ${about}`).join("; ")), make("desc", {}, `${caption(views)} ${location.hash}`), page);
    columns.forEach(({ group }, place) => {
      group.setAttribute("transform", `translate(${MARGIN + place * (WIDE + BESIDE)} ${MARGIN})`);
      svg.append(group);
    });
    const below = moved(MARGIN, MARGIN + Math.max(...columns.map((each) => each.height)), []);
    const ends = write(below, caption(views), 0, "caption", width - 2 * MARGIN);
    svg.append(below);
    const height = MARGIN + Math.max(...columns.map((each) => each.height)) + ends + MARGIN;
    page.setAttribute("height", height);
    for (const [name, value] of Object.entries({ height, viewBox: `0 0 ${width} ${height}`, "font-family": family() })) svg.setAttribute(name, value);
    host.append(svg);
    styled(svg);
    svg.remove();
    const faces = font(svg);
    if (faces) svg.prepend(make("style", {}, faces));
    for (const node of $$("[style]", svg)) node.removeAttribute("style");
    return { text: new XMLSerializer().serializeToString(svg), width, height };
  };

  const SCALE = 2;
  const png = async ({ text, width, height }) => {
    const address = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" })), image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = SCALE * width;
    canvas.height = SCALE * height;
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    URL.revokeObjectURL(address);
    return new Promise((done) => { canvas.toBlob(done, "image/png"); });
  };

  const COLUMNS = ["setting", "experiment", "activation", "initializer", "depth", "learning_rate", "variant", "seeds", "update", "num_measured", "layer", "quantity", "from", "to", "value"];
  /** The numbers of what is shown: a row for each bin, quantity and point of a curve. Names are English, as in the tables. */
  const rows = ({ setting, step, scale, letter }) => {
    const same = [letter, setting.experiment.id, ...["activation", "initializer", "depth", "learning_rate", "variant"].map((axis) => setting.value(axis)), setting.seedNames];
    const at = setting.steps[step], found = [];
    const add = (update, layer, quantity, value, from = "", to = "", measured = setting.alive(step)) => {
      if (value !== null && value !== undefined) found.push([...same, update, measured, layer, quantity, from, to, Number.isFinite(value) ? Number(value.toPrecision(6)) : value]);
    };
    const edge = (bin) => Number((scale.low + bin * scale.wide).toFixed(4));
    for (let layer = 0; layer < setting.layers; layer++) {
      const shares = setting.experiment.kinds.includes(scale.kind) ? [...setting.histogram(scale.kind, step, layer)] : [];
      if (shares.some(Boolean)) {
        shares.forEach((share, bin) => add(at, layer + 1, `share of ${scale.kind}s`, share / 10000, bin ? edge(bin - 1) : "", bin > scale.bins ? "" : edge(bin)));
      }
      for (const quantity of setting.experiment.quantities) add(at, layer + 1, quantity, setting.byLayer(quantity, step)[layer]);
      add(0, layer + 1, "activation_std by theory", setting.theory(0)[layer]);
      add(0, layer + 1, "activation_grad_norm by theory", View.gradientTheory(setting)[layer]);
    }
    for (const name of Runs.curves) for (const [update, value] of setting.curve(name)) add(update, "", name, value, "", "", "");
    return found;
  };
  const csv = (views) => {
    const cell = (value) => (/[",\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
    // spreadsheets know by the mark at the beginning that the text is UTF-8
    return "\ufeff" + [COLUMNS, ...views.flatMap(rows)].map((row) => row.map(cell).join(",") + "\r\n").join("");
  };

  const download = (blob, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  /** Save what is shown as `svg`, `png` or `csv`. */
  const save = async (kind, host, views) => {
    const { setting, step } = views[0];
    const words = [setting.experiment.id, setting.value("activation"), setting.value("initializer"), `step-${setting.steps[step]}`];
    const name = words.join("-").replace(/[^\p{L}\p{N}.]+/gu, "-").replace(/-+$/, "").slice(0, 80);
    if (kind === "csv") return download(new Blob([csv(views)], { type: "text/csv" }), `${name}.csv`);
    const drawn = picture(host, views);
    return download(kind === "png" ? await png(drawn) : new Blob([drawn.text], { type: "image/svg+xml" }), `${name}.${kind}`);
  };
  return { save };
})();
