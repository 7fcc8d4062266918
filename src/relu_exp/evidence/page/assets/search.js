// A search: words in either language, those that mean the same, and how well a text has them.
const Search = (() => {
  const { groups, idle } = JSON.parse($("#synonyms").textContent);
  /** A short word of Latin letters stands only for itself: "he" is in "the" and in "hello". */
  const isShort = (stem) => /^[a-z]{1,3}$/.test(stem);
  const isOf = (stem, word) => (isShort(stem) ? word === stem : word.startsWith(stem));
  const escaped = (stem) => stem.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  /** Latin letters and digits are found where a word begins, Korean anywhere in it. */
  const pattern = (stem, isWhole) => (/^[a-z0-9]/.test(stem)
    ? `(?<![a-z0-9])${escaped(stem)}${isWhole ? "(?![a-z])" : ""}` : escaped(stem));
  const finder = (word) => {
    const same = groups.filter((group) => group.some((stem) => isOf(stem, word))).flat();
    return new RegExp([pattern(word, false), ...same.map((stem) => pattern(stem, isShort(stem)))].join("|"));
  };
  /** Return the words of a query, each as what finds it; a question's idle words ask for nothing. */
  const words = (query) => {
    const all = query.toLowerCase().split(/[^\p{L}\p{N}]+/u).filter(Boolean);
    const asking = all.filter((word) => !idle.includes(word));
    return (asking.length ? asking : all).map(finder);
  };
  /**
   * Return how many words of a query are found, and the places of the texts that have so many, best
   * first: those that have them in the title.
   *
   * @param texts [title, title and all else] of each, in lower case
   */
  const find = (texts, query) => {
    const asked = words(query);
    if (!asked.length) return { most: 0, isAll: true, places: texts.map((_, place) => place) };
    const found = texts.map(([title, all], place) => ({
      place, number: asked.filter((word) => word.test(all)).length,
      inTitle: asked.filter((word) => word.test(title)).length,
    }));
    const most = Math.max(...found.map((one) => one.number), 0);
    // of many words most must be there: a single one of four says little
    const fits = found.filter((one) => most && one.number === most && most >= asked.length / 2);
    fits.sort((one, other) => other.inTitle - one.inTitle || one.place - other.place);
    return { most, isAll: most === asked.length, places: fits.map((one) => one.place) };
  };
  return { find };
})();
