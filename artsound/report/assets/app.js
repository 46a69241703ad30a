/* The page: its views, its dialogs and its keys. */
"use strict";

(() => {
  const get = (id) => document.getElementById(id);
  const { make } = card;
  const { meta } = artsound;
  const { now } = state;
  const WORST = 100;
  const IDLE = 200;
  let terms = [];
  let filled = null;

  const grids = {
    explore: new Grid(get("explore-grid"), (pair) => card.draw(pair, terms)),
    worst: new Grid(get("worst-grid"), (pair, at) => card.draw(pair, [], `no. ${at + 1} from below`)),
    compare: new Grid(get("compare-grid"), ([pair, other]) => card.versus(pair, other)),
  };

  const strategy = () => (meta.strategies.includes(now.strategy) ? now.strategy : meta.strategies[0]);
  const data = () => artsound.set(now.scope);
  const pairs = (name = strategy()) => data().pairs[name] ?? [];

  // -- views ------------------------------------------------------------------------------------

  function showView() {
    for (const section of document.querySelectorAll("main > section")) {
      section.hidden = section.id !== now.view;
    }
    for (const link of document.querySelectorAll("nav a")) {
      const here = link.dataset.view === now.view;
      if (here) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.body.dataset.view = now.view;
  }

  /** Let the links to views keep all else that is looked at. */
  function showLinks() {
    for (const link of document.querySelectorAll("a[data-view]")) {
      link.href = state.hash({ ...now, view: link.dataset.view, pair: "" });
    }
  }

  function showExplore() {
    const all = pairs();
    const key = [now.scope, strategy(), all.length].join();
    if (filled !== key) {
      filters.fill(all);
      filled = key;
    }
    const result = query.run(all, now, now.scope === "sample");
    terms = result.terms;
    const compact = !meta.media || now.scope === "whole";
    get("explore-grid").classList.toggle("compact", compact);
    grids.explore.show(result.found);
    filters.show(result.counts);
    const { chunks } = meta[now.scope];
    const there = data().chunks;
    const reading = there < chunks ? `, reading ${Math.round((100 * there) / chunks)} %` : "";
    get("found").textContent = `${text.count(result.found.length)} of ${text.count(all.length)}` +
      ` pairs${cut(result.found)}${reading}`;
    get("nothing").hidden = Boolean(result.found.length) || there < chunks;
    for (const button of document.querySelectorAll("[data-scope]")) {
      button.setAttribute("aria-pressed", button.dataset.scope === now.scope);
    }
  }

  const cut = (items) => items.length > MOST ? `; the first ${text.count(MOST)} are shown` : "";

  function showWorst() {
    const of = query.MEASURES[now.worst] ?? query.MEASURES.similarity;
    const known = pairs().filter((pair) => of(pair) != null);
    known.sort(query.SORTS[`${now.worst}-least`] ?? query.SORTS["similarity-least"]);
    get("worst-grid").classList.toggle("compact", !meta.media || now.scope === "whole");
    get("worst-of").value = now.worst;
    get("worst-strategy").value = strategy();
    const note = get("worst-sample");
    if (note) note.hidden = now.scope === "whole";
    grids.worst.show(known.slice(0, WORST));
  }

  function showCompare() {
    const names = meta.strategies;
    const left = names.includes(now.a) ? now.a : names[0];
    const right = names.includes(now.b) ? now.b : names.find((name) => name !== left);
    get("compare-one").hidden = names.length > 1;
    get("compare-bar").hidden = names.length < 2;
    if (names.length < 2) return;
    get("a").value = left;
    get("b").value = right;
    get("differ").checked = now.differ;
    const rows = pairs(left).map((pair) => [pair, pair.track.partners[right]]);
    const different = rows.filter(([pair, other]) => pair.artwork !== other?.artwork);
    const shown = now.differ ? different : rows;
    shown.sort(([one], [other]) => query.SORTS.order(one, other));
    const which = meta.whole.chunks && now.scope === "sample" ? "tracks of the sample" : "tracks";
    const reading = data().chunks < meta[now.scope].chunks ? ", reading" : "";
    get("compared").textContent = `${text.count(different.length)} of ${text.count(rows.length)}` +
      ` ${which} get another artwork${cut(shown)}${reading}`;
    grids.compare.show(shown);
  }

  const VIEWS = { explore: showExplore, worst: showWorst, compare: showCompare, overview: () => {} };
  const show = () => {
    VIEWS[now.view]();
    if (dialog.open) showSteps();
  };

  // An item of a grid is a pair, or in the comparison two.
  const first = (item) => (Array.isArray(item) ? item[0] : item);
  const place = (grid, id) =>
    grid.items.findIndex((item) => [item].flat().some((pair) => pair?.id === id));

  // -- a pair in full ---------------------------------------------------------------------------

  const dialog = get("pair");

  /** Return the pair that the address names, as the chosen strategy has it if it has. */
  function named() {
    for (const it of new Set([data(), artsound.set("sample"), artsound.set("whole")])) {
      const pair = it.byId.get(now.pair);
      if (!pair) continue;
      const same = pair.track.partners[strategy()];
      return same?.id === pair.id ? same : pair;
    }
    return null;
  }

  async function showPair() {
    if (!now.pair) {
      if (dialog.open) dialog.close();
      return;
    }
    const wanted = now.pair;
    let pair = named();
    for (const name of ["sample", "whole"]) {
      if (!pair && meta[name].chunks) {
        const read = () => artsound.set(name).byId.has(wanted) && showPair();
        artsound.set(name).listeners.add(read);
        await artsound.load(name).catch(told).finally(() => artsound.set(name).listeners.delete(read));
        if (now.pair !== wanted || dialog.dataset.pair === wanted) return;
        pair = named();
      }
    }
    dialog.dataset.pair = wanted;
    get("pair-body").replaceChildren(...(pair
      ? card.full(pair, terms)
      : [make("p.none", { id: "pair-title" }, `This dataset has no pair ${wanted}.`)]));
    get("link").value = state.permalink({ id: wanted });
    get("copy").textContent = "Copy link";
    if (!dialog.open) dialog.showModal();
    showSteps();
    dialog.scrollTop = 0;
  }

  /** Return the grid and the place in it of the pair that is open or of the card with the focus. */
  function current() {
    const grid = grids[now.view];
    if (!grid) return [null, -1];
    if (dialog.open) return [grid, place(grid, now.pair)];
    const focused = document.activeElement?.closest("[data-at]");
    return [grid, focused ? Number(focused.dataset.at) : -1];
  }

  /** Offer only the steps that there are. */
  function showSteps() {
    get("pair-before").disabled = !beside(-1);
    get("pair-next").disabled = !beside(1);
    if (document.activeElement?.disabled) get("pair-body").focus();
  }

  /** Return the item so many after the current one; a pair outside the list has none. */
  function beside(by) {
    const [grid, at] = current();
    return at < 0 ? undefined : grid.items[at + by];
  }

  function step(by) {
    const item = beside(by);
    if (item) state.set({ pair: first(item).id });
  }

  dialog.addEventListener("close", () => {
    delete dialog.dataset.pair;
    if (!now.pair) return;
    const [grid] = current();
    const at = grid ? place(grid, now.pair) : -1;
    state.set({ pair: "" });
    if (at >= 0) grid.focus(at);
  });
  get("pair-close").addEventListener("click", () => dialog.close());
  get("pair-before").addEventListener("click", () => step(-1));
  get("pair-next").addEventListener("click", () => step(1));
  get("copy").addEventListener("click", async () => {
    get("link").select();
    try {
      await navigator.clipboard.writeText(get("link").value);
      get("copy").textContent = "Copied";
    } catch {
      get("copy").textContent = "Press Ctrl+C";  // the browser keeps the clipboard to itself
    }
  });
  for (const box of document.querySelectorAll("dialog")) {
    box.addEventListener("click", (event) => event.target === box && box.close());
  }

  // -- keys -------------------------------------------------------------------------------------

  const help = get("help");
  get("help-button").addEventListener("click", () => help.showModal());
  get("help-close").addEventListener("click", () => help.close());

  const COLUMNS = () => grids[now.view]?.columns() ?? 1;
  const KEYS = {
    ArrowRight: () => (dialog.open ? step(1) : move(1)),
    ArrowLeft: () => (dialog.open ? step(-1) : move(-1)),
    ArrowDown: () => !dialog.open && move(COLUMNS()),
    ArrowUp: () => !dialog.open && move(-COLUMNS()),
    " ": () => play(),
    Enter: () => open(),
    "?": () => (help.showModal(), true),
    "/": () => {
      if (dialog.open) return false;
      if (now.view !== "explore") state.set({ view: "explore" });
      get("search").focus();
      get("search").select();
      return true;
    },
  };

  function move(by) {
    const [grid, at] = current();
    if (!grid?.items.length) return false;
    // From nowhere, the first step goes to the first card in sight.
    grid.focus(at < 0 ? [...grid.nodes].find(([, node]) => seen(node))?.[0] ?? 0 : at + by);
    return true;
  }

  const seen = (node) => node.getBoundingClientRect().bottom > innerHeight / 4;

  function play() {
    if (dialog.open) return player.toggle(named()), true;
    const [grid, at] = current();
    if (at < 0) return false;
    player.toggle(first(grid.items[at]));
    return true;
  }

  function open() {
    const [grid, at] = current();
    if (at < 0 || dialog.open) return false;
    state.set({ pair: first(grid.items[at]).id }, true);
    return true;
  }

  addEventListener("keydown", (event) => {
    const { target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (target.matches("input, select, textarea, audio")) {
      if (event.key === "Escape" && target.id === "search") target.blur();
      return;
    }
    // A button or a link does what its own keys do.
    if ([" ", "Enter"].includes(event.key) && target.matches("button, a, summary")) return;
    if (KEYS[event.key]?.() !== false && KEYS[event.key]) event.preventDefault();
  });

  // -- beginning --------------------------------------------------------------------------------

  function told(error) {
    get("trouble").textContent = `${error.message}: is the folder complete?`;
    get("trouble").hidden = false;
  }

  /** Fold the captions while nothing else is to do, so that the first search is quick too. */
  function prepare() {
    const list = Object.values(artsound.set("sample").pairs).flat();
    let at = 0;
    const idle = window.requestIdleCallback ?? ((work) => setTimeout(work, 10));
    const work = () => {
      for (const end = Math.min(at + IDLE, list.length); at < end; at++) {
        artsound.haystack(list[at], true);
      }
      if (at < list.length) idle(work);
    };
    idle(work);
  }

  function options(select, names) {
    select.replaceChildren(...names.map((name) => make("option", { value: name }, meta.labels[name])));
  }

  function read(name) {
    let drawn = performance.now();
    const listener = (it) => {
      // Not after each of many chunks: a hundred thousand pairs are counted and sorted each time.
      const last = it.chunks === meta[name].chunks;
      if (now.scope !== name || (!last && performance.now() - drawn < 700)) return;
      show();
      drawn = performance.now();
    };
    artsound.set(name).listeners.add(listener);
    return artsound.load(name).catch(told).finally(() => artsound.set(name).listeners.delete(listener));
  }

  for (const id of ["strategy", "worst-strategy", "a", "b"]) options(get(id), meta.strategies);
  get("worst-strategy").addEventListener("change", (event) => state.set({ strategy: event.target.value }));
  get("worst-of").addEventListener("change", (event) => state.set({ worst: event.target.value }));
  for (const id of ["a", "b"]) get(id).addEventListener("change", (event) => state.set({ [id]: event.target.value }));
  get("swap").addEventListener("click", () => state.set({ a: get("b").value, b: get("a").value }));
  get("differ").addEventListener("change", (event) => state.set({ differ: event.target.checked }));
  for (const button of document.querySelectorAll("[data-scope]")) {
    button.addEventListener("click", () => state.set({ scope: button.dataset.scope }));
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a.open, .others a, a[data-view], #playing, .skip");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    // In the page, links only change the state; the address stays one of a state.
    event.preventDefault();
    if (link.matches(".skip")) {
      get("main").focus();
      return;
    }
    history.pushState(null, "", link.href);
    dispatchEvent(new Event("popstate"));
  });
  if (now.scope === "whole" && !meta.whole.chunks) now.scope = "sample";

  state.listen((keys) => {
    if (now.scope === "whole" && !meta.whole.chunks) now.scope = "sample";
    if (keys.includes("view")) {
      showView();
      scrollTo(0, 0);
    }
    if (keys.includes("scope") && meta.strategies.length) read(now.scope);
    if (keys.some((key) => key !== "pair") && meta.strategies.length) show();
    if (keys.includes("pair")) showPair();
    showLinks();
  });

  document.body.classList.add("ready");
  filters.start();
  showView();
  showLinks();
  if (meta.strategies.length) {
    show();
    performance.mark("first-card");
    if (now.pair) showPair();
    read("sample").then(() => {
      performance.mark("sample-read");
      prepare();
    });
    if (now.scope === "whole") read("whole");
  }
})();
