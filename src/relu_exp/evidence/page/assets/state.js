// What a link keeps: the place on the page, and after "?" language, filter and the explorer's settings.
const State = (() => {
  let anchor = "", params = new URLSearchParams();
  const listeners = [];
  const read = () => {
    const [place, query] = location.hash.slice(1).split("?");
    anchor = decodeURIComponent(place);
    // where Back leads is as it was, but for the language; a plain link within the page changes the
    // place and nothing else
    const chosen = params.get("lang");
    if (history.state === "kept") params = new URLSearchParams(chosen ? { lang: chosen } : {});
    for (const [key, value] of new URLSearchParams(query || "")) {
      if (history.state !== "kept" || key !== "lang" || !chosen) params.set(key, value);
    }
  };
  const write = () => {
    const query = params.toString();
    const hash = "#" + encodeURIComponent(anchor) + (query ? "?" + query : "");
    if (hash === "#" && !location.hash) history.replaceState("kept", "");
    else history.replaceState("kept", "", hash);
  };
  let due = 0;
  /** Keep changes in the address; Back undoes what is a step of the reader. */
  const set = (changes, isStep = false) => {
    if (isStep) {
      clearTimeout(due);
      write();
      history.pushState("kept", "");
    }
    for (const [key, value] of Object.entries(changes)) {
      if (value === "" || value === null) params.delete(key); else params.set(key, value);
    }
    // browsers limit how often an address may change, and a played training changes it often
    clearTimeout(due);
    if (isStep) write(); else due = setTimeout(write, 150);
  };
  /** Bring the place into view, and keep it there while what is above it is still being laid out:
   *  for a second, or until the reader does something. */
  let until = 0;
  const keep = () => {
    const place = anchor && document.getElementById(anchor);
    if (!place || performance.now() > until) return;
    place.scrollIntoView();
    requestAnimationFrame(keep);
  };
  const show = () => {
    // who follows a link to a claim wants all of it
    const closed = anchor && document.getElementById(anchor)?.querySelector(":scope > details.evidence");
    if (closed) closed.open = true;
    until = performance.now() + 1000;
    keep();
  };
  for (const deed of ["wheel", "touchstart", "pointerdown", "keydown"]) {
    addEventListener(deed, () => { until = 0; }, { passive: true });
  }
  const changed = () => {
    const before = anchor, isBack = history.state === "kept";
    read();
    for (const listen of listeners) listen();
    if (!isBack || anchor !== before) show();
    write();
  };
  read();
  write();
  // what is still to be written belongs to the place that was left
  addEventListener("popstate", () => clearTimeout(due));
  addEventListener("hashchange", changed);
  return { get: (key) => params.get(key) || "", set, show, listen: (call) => listeners.push(call) };
})();
