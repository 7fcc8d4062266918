// The table of verdicts: filtered, searched and sorted in place.
(() => {
  const form = $("#filters"), rows = $$("#table tbody tr"), body = $("#table tbody");
  const names = ["q", "verdict", "topic", "document"];
  const texts = new Map(rows.map((row) =>
    [row, (row.dataset.id + " " + $("th", row).textContent + " " + $(".c-found", row).textContent).toLowerCase()]));
  const numbers = { effect: "effect", seeds: "seeds", distance: "distance", verdict: "rank" };
  let order = "";

  const value = (row, key) => {
    if (key in numbers) return Number(row.dataset[numbers[key]]);
    if (key === "topic" || key === "document") return row.dataset[key];
    return $(".c-" + key, row).innerText;
  };
  const sort = () => {
    const key = order.replace("-", ""), sign = order.startsWith("-") ? -1 : 1;
    const compare = (one, other) => {
      const [a, b] = [value(one, key), value(other, key)];
      if (typeof a === "string") return sign * a.localeCompare(b, root.lang);
      // what has no number comes last, whichever way
      if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
      return sign * (a - b);
    };
    body.append(...(key ? [...rows].sort(compare) : rows));
    for (const head of $$("#table thead th")) {
      if (head.dataset.key === key) head.setAttribute("aria-sort", sign < 0 ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  };
  const filter = () => {
    const wanted = Object.fromEntries(names.map((name) => [name, form.elements[name].value]));
    let shown = 0;
    for (const row of rows) {
      const fits = searched(texts.get(row), wanted.q)
        && (!wanted.verdict || row.dataset.verdict === wanted.verdict)
        && (!wanted.topic || row.dataset.topic === wanted.topic)
        && (!wanted.document || row.dataset.document.split(" ").includes(wanted.document));
      row.hidden = !fits;
      shown += fits;
    }
    $("#none").hidden = shown > 0;
    $("#count").textContent = word("shown", { n: shown, total: rows.length });
    for (const link of $$(".tally a")) {
      if (wanted.verdict === link.dataset.verdict) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  };
  const remember = (isStep) =>
    State.set(Object.fromEntries(names.map((name) => [name, form.elements[name].value])), isStep);
  const restore = () => {
    for (const name of names) {
      form.elements[name].value = State.get(name);
      // a link may ask for what is not here
      if (form.elements[name].value !== State.get(name)) form.elements[name].value = "";
    }
    order = State.get("sort");
    if (!$$("#table thead th").some((head) => head.dataset.key === order.replace("-", ""))) order = "";
    sort();
    filter();
  };

  form.addEventListener("submit", (event) => event.preventDefault());
  // Back undoes a choice, and of a typed search all of it
  let isTyping = false;
  form.elements.q.addEventListener("focus", () => { isTyping = false; });
  form.addEventListener("input", (event) => {
    const goesOn = isTyping;
    isTyping = event.target === form.elements.q;
    filter();
    remember(!(isTyping && goesOn));
  });
  form.addEventListener("reset", () => setTimeout(() => { isTyping = false; filter(); remember(true); }));
  $("#table thead").addEventListener("click", (event) => {
    const head = event.target.closest("th");
    if (!head) return;
    const key = head.dataset.key;
    order = order === key ? "-" + key : order === "-" + key ? "" : key;
    sort();
    State.set({ sort: order }, true);
  });
  onLanguage.push(restore);
  State.listen(restore);
  restore();
})();
