// The table of verdicts: filtered, searched and sorted in place.
(() => {
  const form = $("#filters"), rows = $$("#table tbody tr"), body = $("#table tbody");
  const names = ["q", "verdict", "topic", "document"];
  const texts = rows.map((row) => {
    const title = row.dataset.id.replaceAll("-", " ") + " " + $("th", row).textContent;
    return [title, title + " " + $(".c-found", row).textContent].map((text) => text.toLowerCase());
  });
  let whole;
  /** Return all that the page says of each claim, for words that its line does not have. */
  const wholeTexts = () => whole ??= rows.map((row, place) =>
    [texts[place][0], document.getElementById(row.dataset.id).textContent.toLowerCase()]);
  // what else answers: questions and experiments, each with where it leads
  const others = ["question", "experiment"].map((kind) => ({ kind, all: $$("[data-found-as=" + kind + "]") }))
    .map(({ kind, all }) => ({ kind, all, texts: all.map((one) =>
      [one, one.closest("tr, summary")].map((node) => node.textContent.toLowerCase())) }));
  const FEW = 5;
  const numbers = { effect: "effect", seeds: "seeds", distance: "distance", verdict: "rank" };
  let order = "", ranked = rows;

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
    body.append(...(key ? [...rows].sort(compare) : ranked));
    for (const head of $$("#table thead th")) {
      if (head.dataset.key === key) head.setAttribute("aria-sort", sign < 0 ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  };
  /** Show the questions and experiments that have all words of a search; return how many they have. */
  const showOthers = (query) => Math.max(...others.map(({ kind, all, texts: theirs }) => {
    const found = Search.find(theirs, query), line = $("#found-" + kind);
    line.hidden = !(query.trim() && found.most && found.isAll);
    const links = line.hidden ? [] : found.places.slice(0, 3).map((place) => {
      const link = document.createElement("a");
      link.href = "#" + all[place].dataset.leads;
      link.append(...[...all[place].childNodes].map((node) => node.cloneNode(true)));
      return link;
    });
    $("span.links", line).replaceChildren(...links);
    return line.hidden ? 0 : found.most;
  }));
  const filter = () => {
    const wanted = Object.fromEntries(names.map((name) => [name, form.elements[name].value]));
    const lines = Search.find(texts, wanted.q), most = showOthers(wanted.q);
    const deep = lines.places.length ? lines : Search.find(wholeTexts(), wanted.q);
    // many claims have words like "batch" somewhere: where another place answers they say nothing
    const claims = deep.isAll && (!most || deep.places.length <= FEW) ? deep : lines;
    // where a question or an experiment has more of the words, claims that have fewer are none
    const isFound = new Set(claims.most < most ? [] : claims.places.map((place) => rows[place]));
    ranked = [...isFound, ...rows.filter((row) => !isFound.has(row))];
    let shown = 0;
    for (const row of rows) {
      const fits = isFound.has(row)
        && (!wanted.verdict || row.dataset.verdict === wanted.verdict)
        && (!wanted.topic || row.dataset.topic === wanted.topic)
        && (!wanted.document || row.dataset.document.split(" ").includes(wanted.document));
      row.hidden = !fits;
      shown += fits;
    }
    if (!order) body.append(...ranked);
    $("#none").hidden = shown > 0 || most > 0;
    $("#none-but-others").hidden = shown > 0 || !most;
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

  $("a[href='#search']").addEventListener("click", (event) => {
    event.preventDefault();
    form.elements.q.scrollIntoView({ block: "center" });
    form.elements.q.focus({ preventScroll: true });
  });
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
