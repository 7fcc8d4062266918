// Classroom mode: the claims' own sections, one at a time. A slide has an address: #slide-<claim>.
(() => {
  const bar = $("#slides-bar"), sections = $$("section.claim"), told = new Set();
  let deck = [], current = null, opened = [], isWhole = false;
  const place = () => decodeURIComponent(location.hash.slice(1).split("?")[0]);
  const isOn = () => root.classList.contains("slides");

  /** The claims that the table shows, in the order of the page; all if the one asked for is not among them. */
  const chosen = (asked) => {
    const rows = new Set($$("#table tbody tr").filter((row) => !row.hidden).map((row) => row.dataset.id));
    const found = sections.filter((section) => rows.has(section.id));
    return found.length && (!asked || found.includes(asked)) ? found : sections;
  };
  const enter = (asked) => {
    deck = isWhole ? sections : chosen(asked);
    for (const section of sections) section.classList.toggle("slide", deck.includes(section));
    const closed = deck.flatMap((section) => $$(":scope > details:not([open])", section));
    for (const each of closed) each.open = true;
    opened.push(...closed);
    // all of them, for who prints wants all of them
    for (const image of deck.flatMap((section) => $$("img[data-picture]", section))) Pictures.show(image);
    root.classList.add("slides");
    bar.hidden = false;
  };
  /** Make a section the slide that is shown; its statement is then the first heading there is. */
  const put = (section) => {
    current?.classList.remove("on");
    if (current) $("h4", current).removeAttribute("aria-level");
    current = section;
    section?.classList.add("on");
    if (section) $("h4", section).setAttribute("aria-level", "1");
  };
  const leave = () => {
    if (!isOn()) return;
    root.classList.remove("slides");
    bar.hidden = true;
    for (const each of opened) each.open = false;
    opened = [];
    isWhole = false;
    put(null);
  };
  const controls = () => {
    if (!current) return;
    const number = deck.indexOf(current), isTold = told.has(current.id);
    $("output", bar).textContent = word("slide_number", { n: number + 1, total: deck.length });
    const all = $("#slides-all");
    all.hidden = deck.length === sections.length;
    all.textContent = word("slides_all", { n: sections.length });
    for (const button of $$("[data-move]", bar)) {
      button.setAttribute("aria-disabled", String(!deck[number + Number(button.dataset.move)]));
    }
    current.classList.toggle("told", isTold);
    $("#slide-tell").setAttribute("aria-pressed", String(isTold));
  };
  const show = (section) => {
    if (section === current) return;
    put(section);
    controls();
    scrollTo(0, 0);
    // who moves by the buttons stays there
    if (!bar.contains(document.activeElement)) section.focus({ preventScroll: true });
    announce(`${$("output", bar).textContent}: ${$("h4", section).innerText.replace(/\s*#$/, "")}`);
  };
  /** Move to a slide; the address of the one before is replaced, so that Back leaves the slides. */
  const move = (section) => {
    if (!section || section === current) return;
    show(section);
    location.replace("#slide-" + section.id);
  };
  const tell = (isTold) => {
    if (isTold) told.add(current.id); else told.delete(current.id);
    controls();
    if (isTold) announce($(".found", current).innerText);
  };
  const next = (by) => move(deck[deck.indexOf(current) + by]);
  const out = () => { location.hash = current.id; };
  const follow = () => {
    const wanted = place(), section = sections.find((each) => "slide-" + each.id === wanted);
    if (!sections.length || (wanted !== "slides" && !section)) { leave(); return; }
    enter(section);
    show(section || deck[0]);
  };

  const KEYS = {
    ArrowRight: () => next(1), ArrowLeft: () => next(-1), PageUp: () => next(-1),
    Home: () => move(deck[0]), End: () => move(deck.at(-1)), Escape: out,
    " ": () => (told.has(current.id) ? next(1) : tell(true)),
  };
  KEYS.PageDown = KEYS.Enter = KEYS[" "];
  document.addEventListener("keydown", (event) => {
    if (!current || event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
    const isPress = event.key === " " || event.key === "Enter";
    if (!(event.key in KEYS) || (isPress && event.target.closest("a, button, summary"))) return;
    event.preventDefault();
    KEYS[event.key]();
  });
  document.addEventListener("click", ({ target }) => {
    if (current && current.contains(target) && !target.closest("a, button, summary, img")) tell(true);
  });
  for (const button of $$("[data-move]", bar)) button.addEventListener("click", () => next(Number(button.dataset.move)));
  $("#slide-tell").addEventListener("click", () => tell(!told.has(current.id)));
  $("#slides-all").addEventListener("click", () => {
    isWhole = true;
    enter(current);
    controls();
    $("[data-move='1']", bar).focus();
  });
  $("#slides-leave").addEventListener("click", out);
  $("#slides-enter").addEventListener("click", () => { location.hash = "slides"; });
  $("#slides-print").addEventListener("click", async () => {
    const images = deck.flatMap((section) => $$("img[data-picture]", section));
    await Promise.all(images.map((image) => Pictures.show(image)));
    await Promise.allSettled(images.map((image) => image.decode()));
    print();
  });
  State.listen(follow);
  onLanguage.push(controls);
  follow();
})();
