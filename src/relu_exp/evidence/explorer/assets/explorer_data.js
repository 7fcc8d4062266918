// The explorer's data: base64 of deflated 16-bit numbers, then 8-bit histograms (explorer.py packs them).
const Runs = (() => {
  const MISSING = -32768, ZERO = -32767, OVERFLOW = 32767;
  /** The number that a float16 of these bits is. */
  const half = (code) => {
    const exponent = (code >> 10) & 31, fraction = code & 1023;
    const size = exponent === 31 ? Infinity : exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24;
    return code < 0 ? -size : size;
  };
  const decode = {
    log: (code) => (code === MISSING ? null : code === ZERO ? 0 : code === OVERFLOW ? Infinity : 10 ** (code / 1000)),
    share: (code) => (code === MISSING ? null : code / 10000),
    real: (code) => (code === MISSING ? null : half(code)),
  };

  /** One setting that was run, with what it measured; nothing is copied until it is asked for. */
  class Setting {
    constructor(experiment, row, about) {
      const num = experiment.axes.length;
      this.place = row.slice(0, num);
      [this.seeds, this.diverged, this.layers, this.stepsId, this.evaluatedId, this.at, this.countsAt] = row.slice(num);
      this.steps = experiment.steps[this.stepsId];
      this.evaluated = experiment.steps[this.evaluatedId];
      Object.assign(this, { experiment, about });
    }
    get numbers() { return this.experiment.numbers; }
    /** How many seeds were measured at a step (by its place). */
    alive(step) { return this.numbers[this.at + step]; }
    /** A quantity by layer at a step: null where it was not measured. */
    byLayer(quantity, step) {
      const { quantities, codes } = this.experiment, which = quantities.indexOf(quantity), size = this.steps.length;
      const from = this.at + size + (which * size + step) * this.layers;
      return Array.from(this.numbers.subarray(from, from + this.layers), decode[codes[which]]);
    }
    /** Theory at step 0: 0 is the activations' spread, 1 the gradient over that of the last layer. */
    theory(which) {
      const from = this.at + this.steps.length * (1 + this.experiment.quantities.length * this.layers) + which * this.layers;
      return Array.from(this.numbers.subarray(from, from + this.layers), decode.log);
    }
    /** A curve as points [step, value]. */
    curve(name) {
      const which = this.about.curves.indexOf(name), size = this.evaluated.length;
      const from = this.at + this.steps.length * (1 + this.experiment.quantities.length * this.layers) + 2 * this.layers + which * size;
      return this.evaluated.map((step, place) => [step, decode[this.about.curve_codes[which]](this.numbers[from + place])]);
    }
    /** The square roots (of 255) of the shares in each bin, below and above all bins included. */
    histogram(kind, step, layer) {
      const { kinds, counts } = this.experiment;
      let from = this.countsAt;
      for (const each of kinds) {
        const bins = this.about.bins[each][2] + 2;
        if (each === kind) {
          from += (step * this.layers + layer) * bins;
          return counts.subarray(from, from + bins);
        }
        from += this.steps.length * this.layers * bins;
      }
      return null;
    }
  }

  const about = JSON.parse($("#runs").textContent);
  for (const experiment of about.experiments) {
    experiment.quantities = [...about.quantities, ...experiment.learned];
    experiment.codes = [...about.codes, ...experiment.learned.map(() => "real")];
    experiment.settings = experiment.settings.map((row) => new Setting(experiment, row, about));
    experiment.find = (choice) => experiment.settings.find((setting) =>
      setting.place.every((place, axis) => experiment.values[axis][place] === choice[experiment.axes[axis]]));
    /** The setting nearest to a choice that was run; what `kept` names counts most. */
    experiment.nearest = (choice, kept = "") => {
      const distance = (setting) => setting.place.reduce((sum, place, axis) => {
        const name = experiment.axes[axis], wanted = experiment.values[axis].indexOf(choice[name]);
        const weight = name === kept ? 1000 : { activation: 40, initializer: 30, depth: 20 }[name] || 10;
        return sum + (wanted === place ? 0 : weight + (wanted < 0 ? 0 : Math.abs(wanted - place) / 10));
      }, 0);
      return experiment.settings.reduce((best, each) => (distance(each) < distance(best) ? each : best));
    };
    experiment.load = () => {
      experiment.loading ||= inflate(experiment.data).then((bytes) => {
        experiment.numbers = new Int16Array(bytes, 0, experiment.num_numbers);
        experiment.counts = new Uint8Array(bytes, 2 * experiment.num_numbers);
        experiment.data = null;
      });
      return experiment.loading;
    };
  }
  return about;
})();
