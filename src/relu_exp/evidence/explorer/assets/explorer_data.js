// The explorer's data: base64 of deflated 16-bit numbers, then histograms (packing.py packs them).
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

  /** How many integers a number takes. */
  const wideOf = (code) => (code === "float" ? 2 : 1);

  /** One setting that was run, with what it measured; nothing is copied until it is asked for. */
  class Setting {
    constructor(experiment, row, about) {
      const num = experiment.axes.length;
      this.place = row.slice(0, num);
      [this.seeds, this.diverged, this.layers, this.stepsId, this.evaluatedId, this.at, this.countsAt, this.seedsId] = row.slice(num);
      this.steps = experiment.steps[this.stepsId];
      this.evaluated = experiment.steps[this.evaluatedId];
      Object.assign(this, { experiment, about });
    }
    get numbers() { return this.experiment.numbers; }
    /** Which seeds were run, in words. */
    get seedNames() { return this.experiment.seeds[this.seedsId]; }
    /** A value of an axis, in words. */
    value(axis) {
      const which = this.experiment.axes.indexOf(axis);
      return which < 0 ? "" : this.experiment.values[which][this.place[which]];
    }
    /** The smallest and the largest value that the activation can take: null where there is none. */
    get bounds() { return this.experiment.bounds[this.place[this.experiment.axes.indexOf("activation")]]; }
    /** How many seeds were measured at a step (by its place). */
    alive(step) { return this.numbers[this.at + step]; }
    /** A quantity by layer at a step: null where it was not measured. */
    byLayer(quantity, step) {
      const { quantities, codes, starts } = this.experiment, which = quantities.indexOf(quantity), size = this.steps.length;
      const wide = wideOf(codes[which]), from = this.at + size + (starts[which] * size + step * wide) * this.layers;
      const part = this.numbers.subarray(from, from + wide * this.layers);
      // a copy, because floats must begin at a multiple of four bytes
      if (wide === 2) return Array.from(new Float32Array(part.slice().buffer), (value) => (Number.isNaN(value) ? null : value));
      return Array.from(part, decode[codes[which]]);
    }
    /** Theory at step 0: 0 is the activations' spread, 1 the gradient over that of the last layer. */
    theory(which) {
      const from = this.at + this.steps.length * (1 + this.experiment.starts.at(-1) * this.layers) + which * this.layers;
      return Array.from(this.numbers.subarray(from, from + this.layers), decode.log);
    }
    /** A curve as points [step, value]. */
    curve(name) {
      const which = this.about.curves.indexOf(name), size = this.evaluated.length;
      const from = this.at + this.steps.length * (1 + this.experiment.starts.at(-1) * this.layers) + 2 * this.layers + which * size;
      return this.evaluated.map((step, place) => [step, decode[this.about.curve_codes[which]](this.numbers[from + place])]);
    }
    /** The shares of values, in ten-thousandths: below all bins, in each bin, above all bins. */
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

  const about = JSON.parse($("#explored").textContent);
  for (const experiment of about.experiments) {
    experiment.quantities = [...about.quantities, ...experiment.learned];
    experiment.codes = [...about.codes, ...experiment.learned.map(() => "real")];
    // where each quantity begins, in integers for a layer and step, and where the last one ends
    experiment.starts = experiment.codes.reduce((found, code) => [...found, found.at(-1) + wideOf(code)], [0]);
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
        // the lower bytes of all shares, then the upper ones
        const planes = new Uint8Array(bytes, 2 * experiment.num_numbers), size = planes.length / 2;
        experiment.counts = Uint16Array.from({ length: size }, (_, place) => planes[place] | (planes[size + place] << 8));
        experiment.data = null;
      });
      return experiment.loading;
    };
  }
  return about;
})();
