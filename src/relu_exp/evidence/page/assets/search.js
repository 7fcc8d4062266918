// Words of a search, with those that mean the same in either language.
const searched = (() => {
  const groups = JSON.parse($("#synonyms").textContent);
  /** A short word of Latin letters stands only for itself: "he" is in "the" and in "hello". */
  const isOf = (stem, word) => (/^[a-z]{1,3}$/.test(stem) ? word === stem : word.startsWith(stem));
  const holds = (text, stem) => (/^[a-z]{1,3}$/.test(stem)
    ? new RegExp(`(?:^|[^a-z])${stem}(?![a-z])`).test(text) : text.includes(stem));
  /** Whether a text in lower case has every word of a search, or one that means the same. */
  return (text, query) => query.toLowerCase().split(/\s+/).filter(Boolean).every((word) =>
    text.includes(word)
    || groups.some((group) => group.some((stem) => isOf(stem, word)) && group.some((stem) => holds(text, stem))));
})();
