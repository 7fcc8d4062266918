// A reader's own text: its sentences that make a claim are marked, here in the browser.
const checked = JSON.parse($("#check-data").textContent);
const mentions = mentionsBy(checked.rules);

(() => {
  const MOST = 500_000, MOST_BYTES = 5_000_000;
  const box = $("#check-text"), said = $("#check-summary"), shown = $("#check-found");
  let found = [], message = null, latest = 0;

  /** A word of the page; a key has another one for exactly one. */
  const counted = (key, fill) => word(fill.n === 1 && key + "_one" in WORDS ? key + "_one" : key, fill);
  const inLanguage = (pair) => pair[language()];
  const make = (name, options = {}, ...children) => {
    const node = Object.assign(document.createElement(name), options);
    node.append(...children);
    return node;
  };

  // what a sentence's marks say -------------------------------------------------------------

  /** The marks of a sentence; mistakes apart from its claims are in one of their own. */
  const marksOf = (sentence) => {
    const { claims, errata } = mentions.marksOf(sentence);
    const about = (number) => checked.errata[number].claim;
    const marks = claims.map((id) => ({
      id, errata: [...checked.claims[id].corrected, ...errata.filter((each) => about(each) === id)],
    }));
    const others = errata.filter((each) => !claims.includes(about(each)));
    return others.length ? [...marks, { id: null, errata: others }] : marks;
  };
  const look = ({ id }) => {
    if (!id) return ["!", word("mark_mistake"), "refuted"];
    const name = checked.claims[id].verdict;
    return name ? [checked.signs[name], word(name), name.replace(" ", "-")] : ["·", word("mark_no_verdict"), "open"];
  };
  const verdict = (mark) => {
    const [sign, name, kind] = look(mark);
    const hidden = make("span", { className: "mark", ariaHidden: "true" }, sign);
    return make("span", { className: `verdict ${kind}` }, hidden, ` ${name}`);
  };
  const line = (key, text) => make("p", {}, make("span", { className: "name" }, `${word(key)}: `), text);
  const item = (mark) => {
    const claim = mark.id && checked.claims[mark.id];
    const node = make("li", {}, verdict(mark));
    if (claim) {
      const statement = inLanguage(claim.statement), here = document.getElementById(mark.id);
      node.append(" ", here ? make("a", { href: `#${mark.id}` }, statement) : statement);
      if (claim.answer) node.append(line("mark_measured", inLanguage(claim.answer)));
    }
    const texts = mark.errata.map((number) => checked.errata[number])
      .map(({ right, source }) => `${inLanguage(right)} (${word("mark_source")}: ${inLanguage(source)})`);
    node.append(...[...new Set(texts)].map((text) => line("mark_right", text)));
    return node;
  };

  // the text with its marks -----------------------------------------------------------------

  const marked = ({ sentence, marks }) => make("div", { className: `marked ${look(marks[0])[2]}` },
    make("h3", {}, make("mark", {}, sentence.text), " ",
      make("span", { className: "small" }, word("mark_line", { line: sentence.line }))),
    make("ul", {}, ...marks.map(item)));

  const show = () => {
    const nodes = [];
    let before = null;
    for (const each of found) {
      const goesOn = before && !before.marks.length && before.sentence.block === each.sentence.block;
      if (each.marks.length) nodes.push(marked(each));
      else if (goesOn) nodes.at(-1).append(" " + each.sentence.text);
      else nodes.push(make("p", { className: "plain" }, each.sentence.text));
      before = each;
    }
    shown.replaceChildren(...nodes);
    said.textContent = message ? counted(...message()) : "";
  };
  const summary = () => {
    const counts = new Map(), sentences = found.filter(({ marks }) => marks.length);
    if (!sentences.length) return ["mark_none_found", {}];
    for (const mark of sentences.flatMap(({ marks }) => marks)) {
      const [sign, name] = look(mark), key = `${sign} ${name}`;
      counts.set(key, (counts.get(key) || 0) + 1);
    }
    const verdicts = [...counts].sort((one, other) => other[1] - one[1]).map((pair) => pair.join(" ")).join(", ");
    return ["mark_found", { n: sentences.length, claims: [...counts.values()].reduce((one, other) => one + other, 0), verdicts }];
  };
  const say = (key, fill = {}) => {
    [found, message] = [[], () => [key, fill]];
    show();
  };

  const check = async () => {
    const turn = latest += 1, text = box.value;
    if (!text.trim()) return say("check_empty");
    if (text.length > MOST) return say("check_too_long", { n: MOST.toLocaleString() });
    const all = [];
    let until = performance.now() + 60;
    for (const sentence of mentions.sentencesOf(text)) {
      all.push({ sentence, marks: marksOf(sentence) });
      if (performance.now() < until) continue;
      // the page stays usable meanwhile, and a newer text ends the check of an older one
      said.textContent = word("check_working", { n: all.length });
      await new Promise((resume) => setTimeout(resume));
      if (turn !== latest) return undefined;
      until = performance.now() + 60;
    }
    [found, message] = [all, summary];
    return show();
  };

  // where a text comes from -----------------------------------------------------------------

  const decoded = (bytes) => {
    const starts = (...signs) => signs.every((sign, place) => bytes[place] === sign);
    const name = starts(0xff, 0xfe) ? "utf-16le" : starts(0xfe, 0xff) ? "utf-16be" : "utf-8";
    for (const each of name === "utf-8" ? [name, "euc-kr"] : [name]) {
      try {
        const text = new TextDecoder(each, { fatal: true }).decode(bytes);
        // eslint-disable-next-line no-control-regex
        return /[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(text) ? null : text;
      } catch { /* another encoding */ }
    }
    return null;
  };
  const HIDDEN = "script, style, template, noscript, svg, head";
  const BLOCK = "p, div, ul, ol, dl, dd, dt, hr, tr, td, th, table, section, article, header, footer, main, pre, blockquote, figure, figcaption, h1, h2, h3, h4, h5, h6, li";
  /** What a reader of an HTML page sees, a block in a paragraph and an item after a bullet. */
  const withoutTags = (html) => {
    const body = new DOMParser().parseFromString(html, "text/html").body;
    for (const node of $$(HIDDEN, body)) node.remove();
    const walk = (node) => {
      if (node.nodeType === Node.TEXT_NODE) return node.data.replace(/\s+/g, " ");
      if (node.nodeName === "BR") return "\n";
      const text = [...node.childNodes].map(walk).join("");
      if (node.nodeType !== Node.ELEMENT_NODE || !node.matches(BLOCK)) return text;
      if (node.nodeName === "LI") return `\n- ${text}\n\n`;
      return `\n\n${/^H\d$/.test(node.nodeName) ? "# " : ""}${text}\n\n`;
    };
    return walk(body).trim();
  };
  const open = async (file) => {
    const bytes = file.size <= MOST_BYTES ? new Uint8Array(await file.arrayBuffer()) : null;
    const text = bytes && decoded(bytes);
    if (text === null) return bytes ? say("check_no_text", { name: file.name }) : say("check_too_long", { n: MOST.toLocaleString() });
    const isHtml = /\.x?html?$/i.test(file.name) || /^\s*<(!doctype html|html|head|body)\b/i.test(text);
    box.value = isHtml ? withoutTags(text) : text;
    return check();
  };

  $("#check-now").addEventListener("click", check);
  $("#check-try").addEventListener("click", () => { box.value = word("check_example"); check(); });
  $("#check-clear").addEventListener("click", () => {
    latest += 1;
    [box.value, found, message] = ["", [], null];
    show();
    box.focus();
  });
  $("#check-only").addEventListener("change", ({ target }) => shown.classList.toggle("only", target.checked));
  $("#check-file").addEventListener("change", ({ target }) => {
    if (target.files[0]) open(target.files[0]);
    // so that the same file can be chosen again once it was changed
    target.value = "";
  });
  box.addEventListener("paste", () => setTimeout(check));
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); check(); }
  });
  const area = $("#check-body");
  const hasFile = (event) => event.dataTransfer?.types.includes("Files");
  area.addEventListener("dragover", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    area.classList.add("over");
  });
  for (const end of ["dragleave", "drop"]) area.addEventListener(end, () => area.classList.remove("over"));
  area.addEventListener("drop", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    open(event.dataTransfer.files[0]);
  });
  onLanguage.push(show);
  area.hidden = false;
})();
