// The explorer: two sides, each an experiment's setting and a step; what was not run is greyed.
// Uses base.js, state.js, explorer_data.js, explorer_histograms.js, explorer_view.js, explorer_save.js.
(() => {
  const { experiments } = Runs;
  if (!experiments.length) { $("#explorer-empty").hidden = false; return; }
  $("#explorer-body").hidden = false;
  if (Runs.left_out.length) { $("#left-out").hidden = false; $("#left-out > span:last-child").textContent = Runs.left_out.join(", "); }
  const FIELDS = ["experiment", "activation", "initializer", "depth", "learning_rate", "variant", "step"];
  const SLIDERS = ["depth", "learning_rate", "step"];
  const named = (id) => experiments.find((each) => each.id === id);
  const spread = (label) => Number((/^N\(0, ([\d.e-]+?)²?\)$/.exec(label) || [])[1]);
  const PRESETS = {
    small: (labels) => labels.filter((label) => spread(label) < 0.1).sort((a, b) => spread(a) - spread(b))[0],
    large: (labels) => labels.filter((label) => spread(label) >= 0.5).sort((a, b) => spread(b) - spread(a))[0],
    xavier: (labels) => labels.find((label) => label.startsWith("Xavier")),
    he: (labels) => labels.find((label) => /^He\b/.test(label)),
  };

  /** What was left out of an axis for its size, in words. */
  const omittedWords = (axis, values, side) => (axis === "kind" ? values.map((kind) => word(kind + "_kind")).join(", ")
    : `${word(axis)} ${values.map((value) => side.shown(value)).join(", ")}`);

  class Side {
    constructor(key, wish) {
      this.key = key;
      this.node = $("#side").content.cloneNode(true).firstElementChild;
      $("h3", this.node).dataset.word = "setting_" + key;
      $("h3", this.node).textContent = word("setting_" + key);
      for (const node of $$("[data-axis]", this.node)) {
        this[node.dataset.axis + "Input"] = node;
        node.addEventListener("input", () => this.changed(node.dataset.axis));
      }
      const picker = this.experimentInput;
      picker.append(...experiments.map(({ id, title }) => new Option(`${title} (${id})`, id)));
      picker.parentElement.hidden = experiments.length < 2;
      $(".presets", this.node).addEventListener("click", ({ target }) => {
        const button = target.closest("button");
        if (button) this.preset(button.dataset.preset);
      });
      $(".absent button", this.node).addEventListener("click", () => { this.take(this.near); update(this); });
      $("details.numbers", this.node).addEventListener("toggle", () => redraw());
      $("details.numbers .scroll", this.node).ariaLabel = word("numbers");
      this.choice = { experiment: experiments[0].id, step: "0" };
      this.take(wish);
      this.first = { ...this.choice };
      this.restore();
      $("#sides").append(this.node);
    }
    get experiment() { return named(this.choice.experiment); }
    get setting() { return this.experiment.find(this.choice); }
    /** The place of the last probed step that is not after the chosen one. */
    get place() {
      const { steps } = this.setting, wanted = Number(this.choice.step);
      return Math.max(0, steps.findLastIndex((step) => step <= wanted));
    }
    take(setting) {
      const { axes, values } = setting.experiment;
      this.choice = { ...this.choice, experiment: setting.experiment.id, variant: "" };
      axes.forEach((axis, place) => { this.choice[axis] = values[place][setting.place[place]]; });
    }
    restore() {
      const kept = State.get(this.key).split("~");
      if (kept.length !== FIELDS.length || !named(kept[0])) { this.choice = { ...this.first }; return; }
      this.choice = Object.fromEntries(FIELDS.map((field, place) => [field, kept[place]]));
      // a link may name what this sweep does not have
      const { axes, values } = this.experiment;
      if (axes.some((axis, place) => !values[place].includes(this.choice[axis]))) this.take(this.experiment.nearest(this.choice));
    }
    changed(axis) {
      const input = this[axis + "Input"];
      if (axis === "experiment") this.take(named(input.value).nearest(this.choice));
      else if (axis === "step") this.choice.step = String(this.setting.steps[input.value]);
      else if (SLIDERS.includes(axis)) this.choice[axis] = this.values(axis)[input.value];
      else this.choice[axis] = input.value;
      update(this, axis);
    }
    preset(name) {
      const initializer = PRESETS[name](this.values("initializer"));
      this.choice.initializer = initializer;
      if (!this.setting) this.take(this.experiment.nearest(this.choice, "initializer"));
      update(this);
    }
    values(axis) { return this.experiment.values[this.experiment.axes.indexOf(axis)] || []; }
    /** A value as a reader sees it: the names of an experiment's own may have a Korean form. */
    shown(value) { return (root.lang === "ko" && this.experiment.korean[value]) || value; }
    wasRun(axis, value) { return Boolean(this.experiment.find({ ...this.choice, [axis]: value })); }

    /** Bring the controls up to date: what was not run with the rest is greyed and says so. */
    controls() {
      for (const option of this.experimentInput.options) {
        const { title, title_ko, id } = named(option.value);
        option.textContent = `${root.lang === "ko" ? title_ko : title} (${id})`;
      }
      this.experimentInput.value = this.choice.experiment;
      for (const axis of ["activation", "initializer", "variant"]) {
        const input = this[axis + "Input"], values = this.values(axis);
        input.parentElement.hidden = values.length < 2;
        input.replaceChildren(...values.map((value) => {
          const ran = this.wasRun(axis, value), option = new Option(this.shown(value) + (ran ? "" : ` (${word("not_run")})`), value);
          option.className = ran ? "" : "off";
          return option;
        }));
        input.value = this.choice[axis];
      }
      for (const axis of SLIDERS) {
        const values = axis === "step" ? (this.setting?.steps || []).map(String) : this.values(axis);
        const place = axis === "step" ? (this.setting ? this.place : 0) : values.indexOf(this.choice[axis]);
        const input = this[axis + "Input"], box = input.parentElement;
        const ran = values.map((value) => axis === "step" || this.wasRun(axis, value));
        box.hidden = values.length < 2;
        input.max = Math.max(1, values.length - 1);
        input.value = place;
        const text = values[place] + (ran[place] ? "" : ` (${word("not_run")})`);
        input.setAttribute("aria-valuetext", text);
        $("output", box).textContent = text;
        $(".stops", box).replaceChildren(...values.map((value, each) => {
          const stop = document.createElement("span");
          stop.textContent = value;
          stop.className = ran[each] ? "" : "off";
          return stop;
        }));
      }
      const labels = this.values("initializer");
      for (const button of $$(".presets button", this.node)) {
        const label = PRESETS[button.dataset.preset](labels);
        button.disabled = !label;
        button.setAttribute("aria-pressed", String(Boolean(label) && label === this.choice.initializer));
      }
    }
    describe(choice = this.choice) {
      const { axes, values } = this.experiment;
      return axes.filter((axis, place) => values[place].length > 1)
        .map((axis) => (axis === "depth" || axis === "learning_rate" ? `${word(axis)} ${choice[axis]}` : this.shown(choice[axis]))).join(" · ");
    }
    show(range, scale) {
      const { setting } = this, absent = $(".absent", this.node);
      absent.hidden = Boolean(setting);
      $(".charts", this.node).classList.toggle("off", !setting);
      const { omitted } = this.experiment, left = Object.entries(omitted).map(([axis, values]) => omittedWords(axis, values, this));
      $(".omitted", this.node).textContent = left.length ? word("omitted", { name: left.join("; ") }) : "";
      const now = setting ? View.now(setting, this.place) : [];
      $(".now", this.node).replaceChildren(...now.map(([name, value]) => {
        const pair = document.createElement("div"), term = document.createElement("dt"), said = document.createElement("dd");
        term.textContent = name;
        said.textContent = value;
        pair.append(term, said);
        return pair;
      }));
      if (!setting) {
        this.near = this.experiment.nearest(this.choice);
        const { axes, values } = this.experiment;
        const near = Object.fromEntries(axes.map((axis, place) => [axis, values[place][this.near.place[place]]]));
        $("button", absent).textContent = this.describe(near);
        $(".facts", this.node).textContent = "";
        return;
      }
      this.node.style.setProperty("--series", this.color);
      $(".facts", this.node).textContent = View.facts(setting, this.place);
      View.draw(this.node, setting, this.place, range, scale);
    }
    get color() { return this.experiment.colors[this.setting.place[this.experiment.axes.indexOf("activation")]]; }
  }

  const sides = [];
  let drawn = 0, width = 0;
  const compared = () => (($("#compare").checked) ? sides : sides.slice(0, 1));
  /** Draw both sides, for they share their scales. */
  const redraw = async () => {
    const number = ++drawn, shown = compared();
    const loading = shown.map((side) => side.experiment).filter((experiment) => !experiment.numbers);
    if (loading.length) await Promise.all(loading.map((experiment) => experiment.load()));
    if (number !== drawn) return;
    const { range, scales } = scaled(shown);
    for (const [place, side] of shown.entries()) {
      // the other side changes only where its scale does
      const state = JSON.stringify([side.choice, range, scales[place], root.lang, width, $("details.numbers", side.node).open]);
      if (state === side.drawn) continue;
      side.drawn = state;
      side.controls();
      side.show(range, scales[place]);
    }
  };
  /** The scales of the sides that are shown: of the charts one for all, of histograms one for equal bounds. */
  const scaled = (shown) => {
    const kind = $("#kind").value, known = shown.map((side) => side.setting).filter(Boolean);
    for (const setting of known) {
      setting.ranges ||= View.ranges(setting);
      setting.scales ||= {};
      setting.scales[kind] ||= Histograms.scale(setting, kind);
    }
    const alike = (setting) => known.map((each) => each.scales[kind]).filter(({ key }) => key === setting.scales[kind].key);
    return {
      range: known.length ? known.map((setting) => setting.ranges).reduce(View.together) : null,
      scales: shown.map(({ setting }) => (setting ? alike(setting).reduce(Histograms.together) : null)),
    };
  };
  let saying = 0;
  let last = "", since = 0;
  /** Show a change of a side; Back undoes what a reader did. A slider that is drawn along is one deed. */
  const update = (side, axis = "") => {
    const goesOn = SLIDERS.includes(axis) && last === side.key + axis && performance.now() - since < 1500;
    [last, since] = [side.key + axis, performance.now()];
    redraw();
    State.set({ [side.key]: FIELDS.map((field) => side.choice[field] ?? "").join("~") }, axis !== "played" && !goesOn);
    clearTimeout(saying);
    saying = setTimeout(() => announce(`${word("setting_" + side.key)}: ${side.describe()}. ${$(".facts", side.node).textContent}`), 900);
  };

  let timer = 0;
  const still = () => {
    clearInterval(timer);
    timer = 0;
    $("#play").setAttribute("aria-pressed", "false");
  };
  const advance = () => {
    let moved = false;
    for (const side of compared()) {
      const next = side.setting?.steps[side.place + 1];
      if (next !== undefined) { side.choice.step = String(next); moved = true; update(side, "played"); }
    }
    if (!moved) still();
  };
  $("#play").addEventListener("click", () => {
    if (timer) { still(); return; }
    const playing = compared().filter((side) => side.setting);
    if (playing.every((side) => side.place === side.setting.steps.length - 1)) for (const side of playing) side.choice.step = "0";
    $("#play").setAttribute("aria-pressed", "true");
    timer = setInterval(advance, 700);
    redraw();
  });
  const arrange = () => {
    $("#sides").classList.toggle("one", !$("#compare").checked);
    sides[1].node.hidden = !$("#compare").checked;
    redraw();
  };
  $("#compare").addEventListener("change", () => { State.set({ compare: $("#compare").checked ? "" : "no" }, true); arrange(); });
  $("#kind").addEventListener("change", () => { State.set({ kind: $("#kind").value === "activation" ? "" : $("#kind").value }, true); redraw(); });

  /** What is shown at first: the two initializers that everybody compares, or two settings that differ. */
  const first = experiments[0], wish = { activation: "ReLU", depth: first.values[2].at(-1), learning_rate: "0.1" };
  const one = first.nearest({ ...wish, initializer: "Xavier" }), two = first.nearest({ ...wish, initializer: "He" });
  const other = two === one ? first.settings.find((setting) => setting !== one) || one : two;
  sides.push(new Side("a", one), new Side("b", other));
  if (experiments.length === 1 && first.settings.length === 1) {
    $("#compare").checked = false;
    $("#compare").parentElement.hidden = true;
  }

  const views = () => {
    const shown = compared(), { range, scales } = scaled(shown);
    return shown.flatMap((side, place) => (side.setting ? [{
      letter: side.key.toUpperCase(), name: word("setting_" + side.key), about: side.describe(), setting: side.setting, step: side.place,
      range, scale: scales[place], color: side.color,
    }] : []));
  };
  for (const button of $$("[data-save]")) {
    button.addEventListener("click", async () => {
      const shown = views();
      if (shown.length) await Save.save(button.dataset.save, $("#drawing"), shown);
      announce(word(shown.length ? "saved" : "nothing_to_save"));
    });
  }
  $("#copy-link").addEventListener("click", async () => {
    State.now();
    announce(word((await copy(location.href)) ? "copied" : "not_copied"));
  });

  const restore = () => {
    if (!$("#compare").parentElement.hidden) $("#compare").checked = State.get("compare") !== "no";
    $("#kind").value = State.get("kind") in Runs.bins ? State.get("kind") : "activation";
    for (const side of sides) side.restore();
    arrange();
  };
  State.listen(restore);
  onLanguage.push(() => redraw());
  new ResizeObserver(([{ contentRect }]) => {
    if (Math.abs(contentRect.width - width) > 1) { width = contentRect.width; redraw(); }
  }).observe($("#sides"));
  restore();
})();
