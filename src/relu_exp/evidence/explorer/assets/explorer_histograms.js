// Histograms of a setting's layers at one step, as one SVG with text in it. Uses base.js, chart.js, explorer_data.js.
// The range is the activation's own, heights are linear, and a bar that is cut has its share written on it.
const Histograms = (() => {
  const { make, plain, percent, linearTicks } = Chart;
  const WHOLE = 10000, COUNTS = 5, FLOOR = 500;
  const LEFT = 36, GAP = 14, NARROWEST = 112, NAME = 17, LINE = 14, BETWEEN = 12;
  const minus = (text) => String(text).replace("-", "−");
  const limited = (value, low, high) => Math.min(high, Math.max(low, value));

  /** The bins and the height that all layers and steps of a setting are shown in.
   *  `first` and `last` are bins, `top` a height in ten-thousandths, `key` names what may share a scale. */
  const scale = (setting, kind) => {
    const [low, high, bins] = Runs.bins[kind], wide = (high - low) / bins, middle = Math.floor(-low / wide);
    const [least, most] = kind === "activation" ? setting.bounds : [null, null];
    const bin = (value) => limited(Math.floor((value - low) / wide + 1e-9), 0, bins - 1);
    const key = [kind, least, most].join();
    if (!setting.experiment.kinds.includes(kind)) return { key, kind, low, wide, bins, first: 0, last: bins - 1, top: FLOOR };
    let first = bins, last = -1, third = 0, tallest = 0;
    for (let step = 0; step < setting.steps.length; step++) {
      for (let layer = 0; layer < setting.layers; layer++) {
        const shares = setting.histogram(kind, step, layer), best = [0, 0, 0];
        if (shares[0] >= COUNTS) first = 0;
        if (shares[bins + 1] >= COUNTS) last = bins - 1;
        for (let each = 0; each < bins; each++) {
          const share = shares[each + 1];
          if (share >= COUNTS) { first = Math.min(first, each); last = Math.max(last, each); }
          if (share > best[2]) { best[2] = share; best.sort((one, other) => other - one); }
        }
        third = Math.max(third, best[2]);
        tallest = Math.max(tallest, best[0]);
      }
    }
    if (last < 0) { first = middle; last = middle; }
    if (kind === "preactivation") {
      const reach = limited(Math.max(middle - first, last - middle) + 1, 5, middle);
      first = middle - reach;
      last = middle + reach;
    } else {
      first = least === null ? limited(Math.min(first - 1, middle - 1), 0, bins - 1) : Math.min(first, bin(least));
      last = most === null ? limited(Math.max(last + 1, first + 10), 0, bins - 1) : Math.max(last, bin(most));
    }
    // at most two bars of a layer tower over the rest
    const top = tallest <= 2 * Math.max(FLOOR, third) ? 1.08 * Math.max(tallest, FLOOR) : Math.max(FLOOR, 1.15 * third);
    return { key, kind, low, wide, bins, first, last, top };
  };
  /** One scale for two settings whose activations have the same bounds. */
  const together = (one, other) => ({
    ...one, first: Math.min(one.first, other.first), last: Math.max(one.last, other.last), top: Math.max(one.top, other.top),
  });

  /** What is written of a layer: numbers, and shares in ten-thousandths. */
  const layerFacts = (setting, kind, step, layer, shown) => {
    const at = (quantity) => setting.byLayer(quantity, step)[layer];
    const shares = setting.histogram(kind, step, layer);
    if (!shares || !shares.some(Boolean)) return null;
    const inside = shares.subarray(1 + shown.first, 2 + shown.last);
    const sum = (part) => part.reduce((total, share) => total + share, 0);
    const center = (bin) => Number((shown.low + (bin + 0.5) * shown.wide).toFixed(4)) + 0;
    const spikes = [...inside].flatMap((share, place) => (share > shown.top ? [{ bin: shown.first + place, share, value: center(shown.first + place) }] : []));
    return {
      shares, inside, spikes, mean: at(kind + "_mean"), std: at(kind + "_std"), zero: kind === "activation" ? at("zero_fraction") : null, saturated: at("saturated_fraction"),
      below: sum(shares.subarray(0, 1 + shown.first)), above: sum(shares.subarray(2 + shown.last)), center,
    };
  };
  const short = (value) => minus(Number.isFinite(value) ? plain(Number(value.toPrecision(2))) : value < 0 ? "< −10³²" : plain(value));
  /** Mean ± standard deviation, both to the second digit of the latter where that stays short. */
  const spread = ({ mean, std }) => {
    if (mean === null || std === null) return "";
    const digits = 1 - Math.floor(Math.log10(std));
    if (!(digits >= 0 && digits <= 4 && Number.isFinite(mean))) return `${short(mean)} ± ${short(std)}`;
    return minus(`${mean.toFixed(digits).replace(/^-(0\.?0*)$/, "$1")} ± ${std.toFixed(digits)}`);
  };
  /** Zeros and saturated values; where they are the same ones, as ReLU's, once. */
  const fractions = ({ zero, saturated }) => [
    ["zero_short", zero > 0 || saturated === null ? zero : null],
    ["saturated_short", saturated !== zero || !zero ? saturated : null],
  ].filter((part) => part[1] !== null).map(([key, value]) => `${word(key)} ${percent(value)}`);
  const outside = ({ below, above }) => [below && `◂ ${percent(below / WHOLE)}`, above && `${percent(above / WHOLE)} ▸`].filter(Boolean).join("  ");
  const label = (facts, layer) => [
    word("layer_n", { n: layer + 1 }), facts.mean === null ? "" : word("mean_spread", { first: short(facts.mean), last: short(facts.std ?? 0) }),
    ...fractions(facts), ...facts.spikes.map(({ value, share }) => word("spike", { n: percent(share / WHOLE), first: minus(value) })), outside(facts),
  ].filter(Boolean).join("; ");

  const panel = (setting, shown, layer, size, facts) => {
    const { width, height, head, first } = size, group = make("g", { class: "panel", role: "img", "data-layer": layer + 1 });
    const bottom = head + height, from = shown.low + shown.first * shown.wide, to = shown.low + (shown.last + 1) * shown.wide;
    const across = (value) => width * (value - from) / (to - from);
    const up = (share) => bottom - height * Math.min(1, share / shown.top);
    group.append(make("text", { class: "name", x: 0, y: 11 }, word("layer_n", { n: layer + 1 })));
    for (const tick of linearTicks(0, shown.top / WHOLE, 2)) {
      const y = up(tick * WHOLE);
      group.append(make("line", { class: tick ? "grid" : "base", x1: 0, x2: width, y1: y, y2: y }));
      if (first) group.append(make("text", { class: "tick", x: -5, y: y + 4, "text-anchor": "end" }, percent(tick)));
    }
    const marks = linearTicks(from, to, width > 180 ? 5 : 3);
    for (const mark of marks) {
      const x = across(mark);
      group.append(make("line", { class: mark ? "grid" : "grid zero", x1: x, x2: x, y1: head, y2: bottom }));
      group.append(make("text", { class: "tick", x, y: bottom + 22, "text-anchor": "middle" }, minus(mark)));
    }
    if (!facts) {
      const why = word(setting.experiment.kinds.includes(shown.kind) ? "not_probed" : "not_embedded");
      group.append(make("text", { class: "tick outside", x: 0, y: head + 14 }, why));
      group.setAttribute("aria-label", why);
      return group;
    }
    const bar = width / facts.inside.length;
    let path = "";
    facts.inside.forEach((share, place) => {
      if (share) path += `M${(place * bar).toFixed(2)} ${bottom}V${up(share).toFixed(2)}h${bar.toFixed(2)}V${bottom}z`;
    });
    group.append(make("path", { class: "bars", d: path }));
    // each label above its bar, beside one another
    const labels = facts.spikes.map(({ bin, share }) => {
      const text = percent(share / WHOLE), long = 7.2 * text.length, left = (bin - shown.first) * bar;
      // a slit says that the bar goes on
      group.append(make("path", { class: "slit", d: `M${(left - 2).toFixed(1)} ${head + 9}L${(left + bar + 2).toFixed(1)} ${head + 5}` }));
      return { bin, text, long, from: limited(left + bar / 2 - long / 2, 0, width - long) };
    });
    labels.forEach((each, place) => { if (place) each.from = Math.max(each.from, labels[place - 1].from + labels[place - 1].long + 7); });
    const over = labels.length ? Math.max(0, labels.at(-1).from + labels.at(-1).long - width) : 0;
    for (const { bin, text, from } of labels) {
      group.append(make("text", { class: "spike", "data-value": facts.center(bin), x: (from - over).toFixed(1), y: head - 4 }, text));
    }
    if (facts.mean !== null && facts.std !== null) {
      const place = (value) => limited(across(value), 0, width);
      group.append(make("line", { class: "spread", x1: place(facts.mean - facts.std), x2: place(facts.mean + facts.std), y1: bottom + 6, y2: bottom + 6 }));
      if (facts.mean >= from && facts.mean <= to) group.append(make("path", { class: "mean", d: "M0-3.5 3.5 0 0 3.5-3.5 0z", transform: `translate(${across(facts.mean).toFixed(1)} ${bottom + 6})` }));
    }
    const few = facts.below + facts.above < 0.005 * WHOLE;
    [[spread(facts), "said strong"], [fractions(facts).join(" · "), "said"], [outside(facts), few ? "outside few" : "outside"]].forEach(([text, kind], line) => {
      if (text) group.append(make("text", { class: kind, x: 0, y: bottom + 37 + LINE * line }, text));
    });
    group.setAttribute("aria-label", label(facts, layer));
    return group;
  };

  /** One SVG of a width with a panel for each layer, in rows of equal length. */
  const draw = (width, setting, step, shown) => {
    const most = Math.max(1, Math.floor((width - LEFT + GAP) / (NARROWEST + GAP))), rows = Math.ceil(setting.layers / most);
    const columns = Math.ceil(setting.layers / rows), wide = Math.min(420, (width - LEFT - GAP * (columns - 1)) / columns);
    const every = Array.from({ length: setting.layers }, (_, layer) => layerFacts(setting, shown.kind, step, layer, shown));
    const cut = every.some((facts) => facts?.spikes.length), beyond = every.some((facts) => facts && outside(facts));
    const size = { width: wide, height: Math.round(limited(0.45 * wide, 64, 130)), head: NAME + (cut ? LINE : 0) };
    const tall = size.head + size.height + 42 + LINE * (beyond ? 2 : 1) + BETWEEN;
    const svg = make("svg", { class: "histograms", width, height: rows * tall, role: "group" });
    every.forEach((facts, layer) => {
      const column = layer % columns, row = Math.floor(layer / columns);
      const group = panel(setting, shown, layer, { ...size, first: !column }, facts);
      group.setAttribute("transform", `translate(${(LEFT + column * (wide + GAP)).toFixed(1)} ${row * tall})`);
      svg.append(group);
    });
    return svg;
  };
  return { draw, scale, together, layerFacts };
})();
