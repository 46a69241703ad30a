/* What is looked at: kept in the address's hash, so that a link shows another person the same. */
"use strict";

const RANGES = ["similarity", "artwork", "music"];

const state = (() => {
  const DEFAULTS = {
    view: "explore", q: "", strategy: "", style: [], genre: [], similarity: null, artwork: null,
    music: null, accepted: "", split: "", sort: "order", scope: "sample", pair: "", a: "", b: "",
    differ: false, worst: "similarity",
  };
  const values = (id) => [...document.getElementById(id).options].map((one) => one.value);
  // What an address may say; anything else is the standard.
  const KNOWN = {
    view: ["explore", "compare", "worst", "overview"], scope: ["sample", "whole"],
    sort: values("sort"), accepted: values("accepted"), split: values("split"),
    worst: values("worst-of"),
  };
  const now = structuredClone(DEFAULTS);
  const listeners = new Set();

  /** Read the address; returns the keys that it changes. */
  function read() {
    const before = structuredClone(now);
    const found = new URLSearchParams(location.hash.slice(1));
    for (const [key, standard] of Object.entries(DEFAULTS)) {
      if (Array.isArray(standard)) now[key] = found.getAll(key);
      else if (RANGES.includes(key)) now[key] = range(found.get(key));
      else if (typeof standard === "boolean") now[key] = found.get(key) === "yes";
      else now[key] = found.get(key) ?? standard;
    }
    for (const [key, known] of Object.entries(KNOWN)) {
      if (!known.includes(now[key])) now[key] = DEFAULTS[key];
    }
    return Object.keys(now).filter((key) => JSON.stringify(now[key]) !== JSON.stringify(before[key]));
  }

  function range(value) {
    const ends = (value ?? "").split("..").map(Number);
    return ends.length === 2 && ends.every(Number.isFinite) ? ends : null;
  }

  /** Return the hash of a state; of `only`, if given, nothing but these keys. */
  function hash(of = now, only = Object.keys(DEFAULTS)) {
    const shown = new URLSearchParams();
    for (const key of only) {
      const value = of[key];
      if (Array.isArray(DEFAULTS[key])) value.forEach((one) => shown.append(key, one));
      else if (RANGES.includes(key)) value && shown.set(key, value.join(".."));
      else if (typeof value === "boolean") value && shown.set(key, "yes");
      else if (value !== DEFAULTS[key]) shown.set(key, value);
    }
    return "#" + shown;
  }

  /** Change the state; `push` makes a step that the browser's Back undoes. */
  function set(changes, push = false) {
    Object.assign(now, changes);
    const address = location.pathname + location.search + hash();
    history[push ? "pushState" : "replaceState"](null, "", address);
    tell(Object.keys(changes));
  }

  function tell(keys) {
    for (const listener of listeners) listener(keys);
  }

  /** Return the address that shows a pair. */
  const permalink = (pair) => location.href.split("#")[0] + hash({ pair: pair.id }, ["pair"]);
  const filters = ["q", "style", "genre", ...RANGES, "accepted", "split"];
  const reset = () =>
    set(Object.fromEntries(filters.map((key) => [key, structuredClone(DEFAULTS[key])])));

  read();
  for (const event of ["hashchange", "popstate"]) {
    addEventListener(event, () => {
      // An address without `=` names a place in the page, not what is looked at.
      if (location.hash.length > 1 && !location.hash.includes("=")) return;
      const changed = read();
      if (changed.length) tell(changed);
    });
  }
  return { now, set, reset, hash, permalink, listen: (one) => listeners.add(one) };
})();
