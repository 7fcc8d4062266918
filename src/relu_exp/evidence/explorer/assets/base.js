// What every script of a page uses: elements, words, announcements, the clipboard and unpacking.
const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
const root = document.documentElement;
const WORDS = JSON.parse($("#words").textContent);
const language = () => (root.lang === "ko" ? 1 : 0);

/** A word of the page in its language, with {n} and the like filled in. */
const word = (key, fill = {}) =>
  WORDS[key][language()].replace(/\{(\w+)\}/g, (whole, name) => fill[name] ?? whole);

const onLanguage = [];

const announce = (text) => { $("#announce").textContent = text; };

const copy = async (text) => {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
};
/** The bytes that were deflated and written in base64. */
const inflate = async (base64) => {
  const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
};
