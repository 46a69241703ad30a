/* The panel of filters: what there is to choose from, and what is chosen. */
"use strict";

const filters = (() => {
  const { make } = card;
  const get = (id) => document.getElementById(id);
  const BINS = 24;
  const facets = {};
  const ranges = {};

  /** A list of words with boxes to tick, most frequent first, with a count each. */
  class Facet {
    constructor(key, of) {
      this.key = key;
      this.of = of;
      this.list = get(`facet-${key}`);
      this.boxes = new Map();
    }

    fill(pairs) {
      const counts = new Map();
      for (const pair of pairs) counts.set(this.of(pair), (counts.get(this.of(pair)) ?? 0) + 1);
      const words = [...counts.keys()].sort(
        (one, other) => counts.get(other) - counts.get(one) || one.localeCompare(other));
      this.boxes.clear();
      this.list.replaceChildren(...words.map((word) => {
        const box = make("input", { type: "checkbox", value: word });
        box.addEventListener("change", () => state.set({
          [this.key]: [...this.boxes].filter(([, one]) => one.box.checked).map(([name]) => name),
        }));
        const count = make("span.count");
        const row = make("label", {}, box, make("span", {}, text.name(word)), count);
        this.boxes.set(word, { box, count, row });
        return row;
      }));
    }

    show(counts) {
      for (const [word, { box, count, row }] of this.boxes) {
        const left = counts.get(word) ?? 0;
        box.checked = state.now[this.key].includes(word);
        count.textContent = text.count(left);
        row.classList.toggle("none", !left && !box.checked);
      }
    }
  }

  /** Two handles over a histogram of a measure. */
  class Range {
    constructor(key) {
      this.key = key;
      this.box = get(`range-${key}`);
      this.low = this.box.querySelector(".low");
      this.high = this.box.querySelector(".high");
      this.said = this.box.querySelector("output");
      this.bars = this.box.querySelector(".bars");
      this.bars.append(...Array.from({ length: BINS }, () => make("i")));
      for (const handle of [this.low, this.high]) {
        handle.addEventListener("input", () => this.changed(handle));
      }
    }

    fill(pairs) {
      this.ends = query.extent(pairs, this.key);
      this.box.hidden = !this.ends || this.ends[0] === this.ends[1];
      if (this.box.hidden) return;
      const step = 0.001;
      this.ends = [Math.floor(this.ends[0] / step) * step, Math.ceil(this.ends[1] / step) * step];
      const [least, most] = this.ends.map((end) => Number(end.toFixed(3)));
      for (const handle of [this.low, this.high]) Object.assign(handle, { min: least, max: most, step });
      const bins = new Array(BINS).fill(0);
      for (const pair of pairs) {
        const value = query.MEASURES[this.key](pair);
        if (value == null) continue;
        bins[Math.min(BINS - 1, Math.floor((BINS * (value - least)) / (most - least || 1)))]++;
      }
      const top = Math.max(...bins);
      bins.forEach((bin, at) => {
        this.bars.children[at].style.height = `${bin ? Math.max(6, (100 * bin) / top) : 0}%`;
      });
      this.ends = [least, most];
    }

    changed(handle) {
      // The handle that is moved stops at the other one.
      if (handle === this.low) this.low.value = Math.min(this.low.value, this.high.value);
      else this.high.value = Math.max(this.low.value, this.high.value);
      const chosen = [Number(this.low.value), Number(this.high.value)];
      const all = chosen[0] <= this.ends[0] && chosen[1] >= this.ends[1];
      state.set({ [this.key]: all ? null : chosen });
    }

    show() {
      if (!this.ends) return;
      const [low, high] = state.now[this.key] ?? this.ends;
      this.low.value = low;
      this.high.value = high;
      this.said.textContent = `${low.toFixed(2)} to ${high.toFixed(2)}`;
      const [least, most] = this.ends;
      [...this.bars.children].forEach((bar, at) => {
        const middle = least + ((at + 0.5) * (most - least)) / BINS;
        bar.classList.toggle("in", middle >= low && middle <= high);
      });
    }
  }

  const CHOICES = ["strategy", "accepted", "split", "sort"];
  let timer = null;

  function start() {
    facets.style = new Facet("style", query.style);
    facets.genre = new Facet("genre", query.genre);
    for (const key of RANGES) ranges[key] = new Range(key);
    for (const key of CHOICES) {
      get(key).addEventListener("change", (event) => state.set({ [key]: event.target.value }));
    }
    get("search").addEventListener("input", (event) => {
      clearTimeout(timer);
      const q = event.target.value;
      // A hundred thousand captions are read anew for each search: wait until the word is typed.
      timer = setTimeout(() => state.set({ q }), state.now.scope === "whole" ? 350 : 0);
    });
    get("reset").addEventListener("click", () => {
      state.reset();
      focusChip(0);  // the button goes with the last filter
    });
    get("filter-button").addEventListener("click", () => {
      const open = document.body.classList.toggle("filtering");
      get("filter-button").setAttribute("aria-expanded", open);
    });
  }

  /** Offer what the pairs have. */
  function fill(pairs) {
    for (const facet of Object.values(facets)) facet.fill(pairs);
    for (const range of Object.values(ranges)) range.fill(pairs);
  }

  /** Show what is chosen, and as chips what can be taken back. */
  function show(counts) {
    for (const key of Object.keys(facets)) facets[key].show(counts[key]);
    for (const range of Object.values(ranges)) range.show();
    for (const key of CHOICES) get(key).value = state.now[key];
    const { strategies } = artsound.meta;
    get("strategy").value = strategies.includes(state.now.strategy) ? state.now.strategy : strategies[0];
    if (document.activeElement !== get("search")) get("search").value = state.now.q;
    get("chips").replaceChildren(...chips());
    get("reset").hidden = !get("chips").children.length;
  }

  /** Focus the chip that took a place, or what the chips are above of, so that no focus is lost. */
  function focusChip(at) {
    const left = get("chips").children;
    (left[Math.min(at, left.length - 1)] ?? get("main")).focus({ preventScroll: true });
  }

  function chips() {
    const { now } = state;
    const chip = (label, changes) => {
      const made = make("button.chip", { type: "button", "aria-label": `Remove filter ${label}` },
        label, make("span", { "aria-hidden": "true" }, " ×"));
      made.addEventListener("click", () => {
        const at = [...get("chips").children].indexOf(made);
        state.set(changes);
        focusChip(at);
      });
      return made;
    };
    const found = [];
    if (now.q) {
      const made = chip(`“${now.q}”`, { q: "" });
      made.addEventListener("click", () => (get("search").value = ""));
      found.push(made);
    }
    for (const key of ["style", "genre"]) {
      for (const word of now[key]) {
        found.push(chip(text.name(word), { [key]: now[key].filter((one) => one !== word) }));
      }
    }
    const names = { similarity: "similarity", artwork: "ICScore", music: "ACScore" };
    for (const key of RANGES) {
      if (now[key]) {
        const [low, high] = now[key].map((end) => end.toFixed(2));
        found.push(chip(`${names[key]} ${low} to ${high}`, { [key]: null }));
      }
    }
    for (const key of ["accepted", "split"]) {
      if (now[key]) found.push(chip(get(key).selectedOptions[0]?.label ?? now[key], { [key]: "" }));
    }
    return found;
  }

  return { start, fill, show };
})();
