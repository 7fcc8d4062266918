// What a link keeps: the place on the page, and after "?" language, filter and the explorer's settings.
const State = (() => {
  const KEPT = { kept: true };
  let anchor = "", params = new URLSearchParams();
  const listeners = [];
  const read = (again = false) => {
    const [place, query] = location.hash.slice(1).split("?");
    anchor = decodeURIComponent(place);
    // where Back leads is as it was, but for the language; a plain link within the page changes the
    // place and nothing else
    const chosen = again && params.get("lang");
    if (again) params = new URLSearchParams(chosen ? { lang: chosen } : {});
    for (const [key, value] of new URLSearchParams(query || "")) {
      if (key !== "lang" || !chosen) params.set(key, value);
    }
  };
  const write = () => {
    const query = params.toString();
    const hash = "#" + encodeURIComponent(anchor) + (query ? "?" + query : "");
    if (hash === location.hash || (hash === "#" && !location.hash)) { undoable = false; return; }
    if (undoable) history.pushState(KEPT, "", hash); else history.replaceState(KEPT, "", hash);
    undoable = false;
  };
  let due = 0, undoable = false, again = false;
  /** Change the state; with `deed` it is something that Back undoes. */
  const set = (changes, deed = false) => {
    // what waits to be written belongs to the deed before
    if (deed) now();
    undoable ||= deed;
    for (const [key, value] of Object.entries(changes)) {
      if (value === "" || value === null) params.delete(key); else params.set(key, value);
    }
    // browsers limit how often an address may change, and a played training changes it often
    if (deed) { now(); return; }
    clearTimeout(due);
    due = setTimeout(write, 150);
  };
  /** Write what waits into the address. */
  const now = () => { clearTimeout(due); write(); };
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
    // who follows a link to a claim or a question wants all of it
    const place = anchor ? document.getElementById(anchor) : null;
    const closed = place?.matches("details") ? place : place?.querySelector(":scope > details.evidence");
    if (closed) closed.open = true;
    until = performance.now() + 1000;
    keep();
  };
  for (const deed of ["wheel", "touchstart", "pointerdown", "keydown"]) {
    addEventListener(deed, () => { until = 0; }, { passive: true });
  }
  const changed = () => {
    const before = anchor, undone = again;
    clearTimeout(due);
    undoable = again = false;
    read(undone);
    for (const listen of listeners) listen();
    // what is undone stays in view
    if (!undone || anchor !== before) show();
    write();
  };
  read();
  // an entry of the history that this page wrote has the whole state; a plain link has only a place
  history.replaceState(KEPT, "");
  addEventListener("popstate", ({ state }) => { again = Boolean(state?.kept); });
  addEventListener("hashchange", changed);
  return { get: (key) => params.get(key) || "", set, now, show, listen: (call) => listeners.push(call) };
})();
