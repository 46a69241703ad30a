/* Words: folding for the search, marks for what it found, numbers and links as people read them. */
"use strict";

const text = (() => {
  const ASCII = /^[\x00-\x7f]*$/;
  const MARKS = /\p{M}/gu;
  // Letters that have no decomposition in Unicode.
  const LETTERS = { ø: "o", æ: "ae", œ: "oe", ł: "l", đ: "d", ß: "ss", ı: "i", ð: "d", þ: "th" };
  const SPECIAL = /[øæœłđßıðþ]/g;

  /** Return a text without case and accents. */
  function fold(value) {
    const lower = value.toLowerCase();
    if (ASCII.test(lower)) return lower;
    return lower.normalize("NFD").replace(MARKS, "").replace(SPECIAL, (one) => LETTERS[one]);
  }

  /** Return the words and "quoted phrases" of a query, folded. */
  function terms(query) {
    const found = fold(query).matchAll(/"([^"]+)"?|([^\s"]+)/g);
    return [...found].map((one) => (one[1] ?? one[2]).trim()).filter(Boolean);
  }

  /** Return [begin, end) of every occurrence of the terms in a text, merged and ascending. */
  function occurrences(value, wanted) {
    let folded = "";
    const from = [];
    let at = 0;
    for (const letter of value) {
      const plain = fold(letter);
      for (let n = 0; n < plain.length; n++) from.push(at);
      folded += plain;
      at += letter.length;
    }
    from.push(value.length);
    const spans = [];
    for (const term of wanted) {
      for (let hit = folded.indexOf(term); hit >= 0; hit = folded.indexOf(term, hit + term.length)) {
        let end = hit + term.length;
        while (end < folded.length && from[end] === from[end - 1]) end++;
        spans.push([from[hit], from[end]]);
      }
    }
    spans.sort((one, other) => one[0] - other[0]);
    const merged = [];
    for (const span of spans) {
      const last = merged[merged.length - 1];
      if (last && span[0] <= last[1]) last[1] = Math.max(last[1], span[1]);
      else merged.push([...span]);
    }
    return merged;
  }

  /** Return nodes of a text with the terms marked; never parsed as HTML. */
  function marked(value, wanted) {
    const nodes = [];
    let at = 0;
    for (const [begin, end] of wanted.length ? occurrences(value, wanted) : []) {
      if (begin > at) nodes.push(value.slice(at, begin));
      const mark = document.createElement("mark");
      mark.textContent = value.slice(begin, end);
      nodes.push(mark);
      at = end;
    }
    nodes.push(value.slice(at));
    return nodes;
  }

  const count = (number) => number.toLocaleString("en-GB");
  const score = (number, digits = 3) => (number == null ? "–" : number.toFixed(digits));
  /** Return a word of the sources as people write it: `ukiyo-e` stays, `art_nouveau` does not. */
  const name = (word) => (word ? word.replace(/_/g, " ") : "not stated");

  /** Return a web address, or null for whatever else a source may hold (`javascript:`). */
  function address(value) {
    if (!value || !/^https?:\/\//i.test(value)) return null;
    try {
      return new URL(value).href;
    } catch {
      return null;
    }
  }

  return { fold, terms, marked, count, score, name, address };
})();
