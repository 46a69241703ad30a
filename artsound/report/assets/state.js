/* What is looked at: kept in the address's hash, so that a link shows another person the same. */
"use strict";

const RANGES = ["similarity", "artwork", "music"];

const state = (() => {
  const DEFAULTS = {
    view: "explore", q: "", strategy: "", style: [], genre: [], similarity: null, artwork: null,
    music: null, accepted: "", split: "", sort: "order", scope: "sample", pair: "", a: "", b: "",
    differ: false, worst: "similarity",
  };
  const VIEWS = ["explore", "compare", "worst", "overview"];
  const now = structuredClone(DEFAULTS);
  const listeners = new Set();

  function read() {
    const found = new URLSearchParams(location.hash.slice(1));
    for (const [key, standard] of Object.entries(DEFAULTS)) {
      if (Array.isArray(standard)) now[key] = found.getAll(key);
      else if (RANGES.includes(key)) now[key] = range(found.get(key));
      else if (typeof standard === "boolean") now[key] = found.get(key) === "yes";
      else now[key] = found.get(key) ?? standard;
    }
    if (!VIEWS.includes(now.view)) now.view = DEFAULTS.view;
    if (!["sample", "whole"].includes(now.scope)) now.scope = DEFAULTS.scope;
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
      if (hash() === location.hash || (hash() === "#" && !location.hash)) return;
      read();
      tell(Object.keys(DEFAULTS));
    });
  }
  return { now, set, reset, hash, permalink, filters, listen: (one) => listeners.add(one) };
})();
