// What one side of the explorer shows of one setting at one step. Uses base.js, chart.js, explorer_histograms.js.
const View = (() => {
  const { lines, plain, percent } = Chart;
  const between = (values) => values.reduce(([low, high], each) => [Math.min(low, each), Math.max(high, each)], [Infinity, -Infinity]);
  const extent = (values) => {
    const logs = values.filter((value) => value > 0 && value < Infinity).map(Math.log10);
    return logs.length ? between(logs) : null;
  };
  const merged = (one, other) => (one && other ? [Math.min(one[0], other[0]), Math.max(one[1], other[1])] : one || other);
  const roomy = (range) => {
    const [low, high] = range || [-1, 0], gap = Math.max(0.06 * (high - low), (1 - (high - low)) / 2, 0.05);
    return [low - gap, high + gap];
  };
  const padded = (range) => {
    const [low, high] = range || [0, 1], gap = Math.max(0.1 * (high - low), 0.05);
    return [low - gap, high + gap];
  };
  const gradientTheory = (setting) => {
    const place = setting.steps.indexOf(0);
    if (place < 0) return [];
    const last = setting.byLayer("activation_grad_norm", place).at(-1);
    return setting.theory(1).map((factor) => (factor === null || !last ? null : factor * last));
  };

  /** What the activations of a setting learned: the quantities that were measured. */
  const learned = (setting) => (setting.learned ||= setting.experiment.learned
    .filter((name) => setting.steps.some((_, step) => setting.byLayer(name, step).some((value) => value !== null))));
  const learnedName = (name) => name.replace("learned_", "").replaceAll("_", " ");
  // float16 ends earlier than the logarithms
  const real = (value) => (Number.isFinite(value) ? plain(value) : (value < 0 ? "< −" : "> ") + "65,504");

  /** The ranges that all steps of a setting need, so that a scale stays while time runs. */
  const ranges = (setting) => {
    const all = (quantity) => setting.steps.flatMap((_, step) => setting.byLayer(quantity, step));
    const losses = ["train loss", "validation loss"].flatMap((name) => setting.curve(name).map((point) => point[1]));
    const values = learned(setting).flatMap(all).filter((value) => value !== null && Number.isFinite(value));
    return {
      learned: values.length ? between(values) : null,
      signal: extent([...all("activation_std"), ...setting.theory(0)]),
      gradient: extent([...all("activation_grad_norm"), ...gradientTheory(setting)]),
      loss: extent(losses),
      updates: setting.evaluated.at(-1) || 1,
    };
  };
  const together = (one, other) => (other ? {
    learned: merged(one.learned, other.learned),
    signal: merged(one.signal, other.signal), gradient: merged(one.gradient, other.gradient),
    loss: merged(one.loss, other.loss), updates: Math.max(one.updates, other.updates),
  } : one);

  const layered = (values) => values.map((value, place) => [place + 1, value]);
  const summary = (name, values, write = plain) => {
    const known = values.filter((value) => value !== null);
    if (!known.length) return word("not_probed");
    return word("from_to", { name, first: write(values[0] ?? known[0]), last: write(values.at(-1) ?? known.at(-1)), n: values.length });
  };

  const table = (node, setting, step) => {
    const columns = [
      ["signal", setting.byLayer("activation_std", step), plain], ["theory", setting.theory(0), plain],
      ["gradient", setting.byLayer("activation_grad_norm", step), plain], ["theory", gradientTheory(setting), plain],
      ["dead_now", setting.byLayer("dead_fraction", step), percent], ["zero_now", setting.byLayer("zero_fraction", step), percent],
      ["saturated_now", setting.byLayer("saturated_fraction", step), percent],
      ...learned(setting).map((name) => [name, setting.byLayer(name, step), real]),
    ];
    const named = (key) => (key.startsWith("learned_") ? learnedName(key) : word(key));
    const cell = (kind, text, scope) => {
      const made = document.createElement(kind);
      made.textContent = text;
      if (scope) made.scope = scope;
      return made;
    };
    const line = (cells) => { const row = document.createElement("tr"); row.append(...cells); return row; };
    const head = line([cell("th", word("layer"), "col"), ...columns.map(([key]) => cell("th", named(key), "col"))]);
    const rows = Array.from({ length: setting.layers }, (_, layer) => line([
      cell("th", layer + 1, "row"),
      ...columns.map(([, values, write]) => cell("td", (values[layer] ?? null) === null ? "—" : write(values[layer]))),
    ]));
    node.replaceChildren(head, ...rows);
  };

  /** The charts of a setting at a step: name → what `Chart.lines` draws. */
  const charts = (setting, step, range) => {
    const across = { x: [1, Math.max(2, setting.layers)], xLabel: word("layer") }, found = {};
    for (const [name, quantity, expected] of [
      ["signal", "activation_std", setting.theory(0)], ["gradient", "activation_grad_norm", gradientTheory(setting)],
    ]) {
      const values = setting.byLayer(quantity, step);
      found[name] = {
        ...across, log: true, y: roomy(range[name]), label: `${word(name + "_axis")}. ${summary(word(name), values)}`,
        series: [
          { name: word("theory"), points: layered(expected), look: "theory" },
          { name: word("measured"), points: layered(values), look: "series", mark: "circle" },
        ],
      };
    }
    const shares = [["dead_now", "dead_fraction", "series", "square"], ["zero_now", "zero_fraction", "second", "triangle"], ["saturated_now", "saturated_fraction", "third", "diamond"]]
      .map(([key, quantity, look, mark]) => ({ name: word(key), points: layered(setting.byLayer(quantity, step)), look, mark }));
    // ReLU is saturated where it is zero: one line, not two on top of each other
    if (String(shares[1].points) === String(shares[2].points)) shares.pop();
    found.dead = {
      ...across, share: true, y: [0, 1], series: shares,
      label: shares.map(({ name, points }) => summary(name, points.map((point) => point[1]), percent)).join(". "),
    };
    const names = learned(setting);
    if (names.length) {
      const series = names.map((name, place) => ({
        name: learnedName(name), points: layered(setting.byLayer(name, step)),
        look: ["series", "second", "third"][place], mark: ["circle", "triangle", "diamond"][place],
      }));
      found.learned = {
        ...across, y: padded(range.learned), series,
        label: series.map(({ name, points }) => summary(name, points.map((point) => point[1]), real)).join(". "),
      };
    }
    const curves = [["train", "train loss", "series", "circle"], ["validation", "validation loss", "second", "triangle"]]
      .map(([key, name, look, mark]) => ({ name: word(key), points: setting.curve(name), look, mark }));
    const [first, last] = [curves[0].points[0], curves[0].points.filter((point) => point[1] !== null).at(-1)];
    found.loss = {
      log: true, y: roomy(range.loss), x: [0, range.updates], xLabel: word("update"), cursor: setting.steps[step], series: curves,
      label: first && last ? `${word("loss")}: ${plain(first[1] ?? 0)} → ${plain(last[1])} (${word("num_updates", { n: last[0] })})` : word("not_probed"),
    };
    return found;
  };

  const draw = (side, setting, step, range, scale) => {
    const box = $(".panels", side);
    box.replaceChildren(Histograms.draw(Math.max(150, box.clientWidth), setting, step, scale));
    const drawn = charts(setting, step, range);
    for (const figure of $$("[data-chart]", side)) {
      const chart = drawn[figure.dataset.chart], canvas = $(".canvas", figure);
      if (!canvas) continue;
      figure.hidden = !chart;
      if (chart) canvas.replaceChildren(lines(Math.max(200, canvas.clientWidth), chart));
    }
    if ($("details.numbers", side).open) table($("table", side), setting, step);
  };

  /** What was last evaluated at a step or before it: [step, value]. */
  const latest = (setting, curve, step) => setting.curve(curve).filter(([at, value]) => at <= step && value !== null).at(-1);
  /** The facts of the step that is shown, as pairs of words; where nothing was measured they are not there. */
  const now = (setting, place) => {
    const step = setting.steps[place], found = [[word("update"), step.toLocaleString("en")]];
    for (const [key, curve, write] of [["loss_now", "train loss", plain], ["accuracy_now", "validation accuracy", percent]]) {
      const at = latest(setting, curve, step);
      if (at && setting.alive(place)) found.push([word(key), write(at[1]) + (at[0] === step ? "" : ` (${word("num_updates", { n: at[0] })})`)]);
    }
    const dead = setting.byLayer("dead_fraction", place).filter((share) => share !== null);
    if (dead.length) found.push([word("dead_units"), percent(dead.reduce((sum, share) => sum + share, 0) / dead.length)]);
    return found;
  };

  /** Where values at a step are too large for the page, in words. */
  const overflowed = (setting, step) => {
    const at = (values) => values.flatMap((value, place) => (Math.abs(value) === Infinity ? [place + 1] : [])).join(", ");
    const layers = [["signal", "activation_std", plain(Infinity)], ["gradient", "activation_grad_norm", plain(Infinity)]]
      .map(([key, quantity, limit]) => [word(key), at(setting.byLayer(quantity, step)), limit]);
    layers.push(...learned(setting).map((name) => [learnedName(name), at(setting.byLayer(name, step)), real(Infinity)]));
    const found = layers.filter((each) => each[1]).map(([name, total, n]) => word("overflowed", { name, total, n }));
    const first = ["train loss", "validation loss"].flatMap((name) => setting.curve(name)).filter((point) => point[1] === Infinity).map((point) => point[0]);
    if (first.length) found.push(word("loss_overflowed", { total: Math.min(...first), n: plain(Infinity) }));
    return found;
  };

  /** The facts of a setting at a step, in one line. */
  const facts = (setting, step) => {
    const found = [setting.experiment[root.lang === "ko" ? "facts_ko" : "facts"], word("seeds_alive", { n: setting.alive(step), total: setting.seeds, name: setting.seedNames })];
    if (!setting.alive(step)) found.push(word("all_gone"));
    if (setting.diverged) found.push(word("diverged_of", { n: setting.diverged }));
    found.push(...overflowed(setting, step));
    return found.filter(Boolean).join(" · ");
  };
  return { charts, draw, facts, gradientTheory, learned, now, ranges, together };
})();
