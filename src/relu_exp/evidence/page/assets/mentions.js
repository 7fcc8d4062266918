// Which sentences of a text make which claims: claims/mentions/ in JavaScript, by the same rules.
const mentionsBy = (rules) => {
  const given = rules.sentences;
  const compiled = new Map();
  /** A pattern by code points, as Python reads it; rules share many, and most texts need few. */
  const re = (pattern) => {
    if (!compiled.has(pattern)) compiled.set(pattern, new RegExp(pattern, "u"));
    return compiled.get(pattern);
  };
  const every = (pattern) => new RegExp(pattern, "gu");
  const has = (pattern, text) => re(pattern).test(text);
  const [wide, ending, lineEnd] = [every(given.wide), every(given.end), new RegExp(given.line_end, "u")];
  const spaces = every(`[${given.space}]+`), edges = every(`^[${given.space}]+|[${given.space}]+$`);
  // not trim(): it knows other spaces than Python does
  const strip = (text) => text.replace(edges, "");
  const stripEnd = (text) => text.replace(new RegExp(`[${given.space}]+$`, "u"), "");
  const words = (text) => strip(text).split(spaces).filter(Boolean).join(" ");

  // sentences -------------------------------------------------------------------------------

  const columns = (line) => [...line].length + (line.match(wide) || []).length;

  const indentOf = (space) => {
    let column = 0;
    for (const sign of space) column += sign === "\t" ? 4 - (column % 4) : 1;
    return column;
  };

  /** A block that is a heading only if it looks like one: short, and no sentence. */
  const withKind = (block) => {
    const [, first] = block.lines[0];
    const looks = block.lines.length === 1 && columns(first) <= given.title && !has(given.no_title, first);
    block.isHeading = block.isHeading && looks;
    if (block.isHeading) block.indent = -1;
    return block;
  };

  /** Paragraphs, headings and items of lists: their lines with their numbers. */
  const blocksOf = function* (text) {
    let block = null;
    const lines = text.split(lineEnd);
    if (lines.at(-1) === "") lines.pop();
    for (const [index, line] of lines.entries()) {
      const item = line.match(re(given.item)), mark = line.match(re(given.heading)), said = strip(line);
      if (block && (!said || item || mark)) {
        yield withKind(block);
        block = null;
      }
      if (!said) continue;
      const number = index + 1;
      if (mark) {
        const title = line.slice(mark[0].length).replace(/^[ #]+|[ #]+$/gu, "");
        yield { lines: [[number, title]], indent: -1, isHeading: true };
      } else if (item) {
        block = {
          lines: [[number, strip(line.slice(item[0].length))]],
          indent: indentOf(item[1]),
          isHeading: has(given.numbered, strip(item[0])),
        };
      } else if (block) {
        block.lines.push([number, said]);
      } else {
        const indent = [...line].length - [...line.replace(new RegExp(`^[${given.space}]+`, "u"), "")].length;
        block = { lines: [[number, said]], indent: indent || -1, isHeading: !indent };
      }
    }
    if (block) yield withKind(block);
  };

  const count = (text, sign) => text.split(sign).length - 1;

  /** Whether a place is in brackets within a sentence, which goes on after them. */
  const isAside = (text, end) => {
    const before = text.slice(0, end);
    if (count(before, "(") - count(before, ")") > 0) {
      return [...text.slice(end, end + 2 * given.aside)].slice(0, given.aside).includes(")");
    }
    if (!has(given.aside_ended, text.slice(Math.max(0, end - 3), end)) || !strip(text.slice(end))) return false;
    const whole = stripEnd(text.slice(0, before.lastIndexOf("(")));
    return whole !== "" && !".!?。…]".includes(whole.at(-1));
  };

  const endsOf = function* (text) {
    for (const found of text.matchAll(ending)) {
      const end = found.index + found[0].length;
      if (!has(given.abbreviation, text.slice(0, end).toLowerCase()) && !isAside(text, end)) yield end;
    }
    yield text.length;
  };

  /** Whether a line was broken to fit, so that the next one goes on with it. */
  const goesOn = (before) => {
    const last = before.slice(before.lastIndexOf("\n") + 1);
    return columns(last) >= given.full && !has(given.line_ended, last);
  };

  const split = function* (lines) {
    const joined = [];
    for (const [number, line] of lines) {
      if (joined.length && goesOn(joined.at(-1)[1])) joined.at(-1)[1] += "\n" + line;
      else joined.push([number, line]);
    }
    for (const [number, text] of joined) {
      let start = 0;
      for (const end of endsOf(text)) {
        const piece = words(text.slice(start, end));
        if (piece) yield [number + count(text.slice(0, start), "\n"), piece];
        start = end;
      }
    }
  };

  /** The sentences of a text: each with its line, its context, nearest last, and its block. */
  const sentencesOf = function* (text) {
    let heading = "", lead = "", items = [], number = 0;
    for (const block of blocksOf(text.normalize("NFC"))) {
      const parts = [...split(block.lines)];
      if (!parts.length) continue;
      number += 1;
      const said = parts.map(([, each]) => each);
      if (block.isHeading) [heading, lead, items] = [said[0], "", []];
      items = items.filter(([indent]) => indent < block.indent);
      const above = block.isHeading ? [] : [heading, lead, ...items.map(([, item]) => item)];
      for (const [index, [line, each]] of parts.entries()) {
        const context = [...above, ...said.slice(Math.max(0, index - given.near), index)].filter(Boolean);
        yield { text: each, line, context, block: number };
      }
      if (block.indent >= 0) items.push([block.indent, said[0]]);
      else if (!block.isHeading) lead = said.slice(-given.near).join(" ");
    }
  };

  // matching --------------------------------------------------------------------------------

  const rewrites = rules.rewrites.map(([pattern, to]) => [every(pattern), to]), named = every(rules.named);

  /** A text as rules read it: lower case, without markup, functions by one name each. */
  const plain = (text) => {
    let read = text.toLowerCase();
    for (const [pattern, to] of rewrites) read = read.replace(pattern, () => to);
    return words(read.replace(named, (whole, ...found) => {
      const place = found.slice(0, rules.names.length).findIndex((each) => each !== undefined);
      return place < 0 ? whole : "@" + rules.names[place];
    }));
  };

  const isAbout = (pattern, context) => {
    for (const piece of context.toReversed()) {
      if (has(pattern, piece)) return true;
      if (pattern.includes("@") && has(rules.subject, piece)) return false;
    }
    return false;
  };

  const fits = (rule, { text, context, denies }) =>
    rule.all.every((each) => has(each, text))
    && (rule.denied || !denies)
    && !rule.none.some((each) => has(each, text))
    && rule.about.every((each) => has(each, text) || isAbout(each, context));

  const found = (of, read) => of.filter(([, each]) => each.some((rule) => fits(rule, read))).map(([name]) => name);

  /** The claims and errata that a sentence makes, by their ids and numbers. */
  const marksOf = (sentence) => {
    const text = plain(sentence.text);
    if (text.endsWith("?") || [...text].length > given.longest) return { claims: [], errata: [] };
    const read = { text, context: sentence.context.map(plain), denies: has(rules.denial, text) };
    return { claims: found(rules.claims, read), errata: found(rules.errata, read) };
  };

  return { sentencesOf, marksOf };
};
