/* The test: one artwork at a time, every answer kept in this browser until it is sent. */
"use strict";

(() => {
  const get = (id) => document.getElementById(id);
  const SCALE = [1, 2, 3, 4, 5];
  const WHOLE = 0.9; // of a clip, to count as heard
  const PATIENCE_MS = 60000; // for the collector
  const KEPT = `art2mus-listening-${TEST.test}`;
  const BACKGROUNDS = ["", "musician", "visual artist", "neither"];

  const letter = (place) => `Track ${String.fromCharCode(65 + place)}`;

  function make(tag, properties = {}, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  // -- what is kept -----------------------------------------------------------------------------

  function fresh() {
    const bytes = crypto.getRandomValues(new Uint8Array(8));
    const rater = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return { rater, background: "", started: false, at: 0, heard: {}, scores: {}, preferred: {}, saved: false, sent: false };
  }

  function restored() {
    try {
      const found = JSON.parse(localStorage.getItem(KEPT));
      if (/^[0-9a-f]{16}$/.test(found?.rater)) return { ...fresh(), ...found };
    } catch {
      // No storage here, or something else's: begin.
    }
    return fresh();
  }

  function keep() {
    try {
      localStorage.setItem(KEPT, JSON.stringify(state));
    } catch {
      get("unkept").hidden = false;
    }
  }

  let state = restored();
  let items = [];

  function arrange() {
    items = shuffle(TEST.items, `${state.rater} artworks`).map((item) => ({
      ...item,
      order: shuffle(Object.keys(item.tracks), `${state.rater} ${item.id}`),
    }));
    state.at = Math.min(Math.max(0, Number(state.at) || 0), items.length);
  }

  // -- one artwork ------------------------------------------------------------------------------

  function choices(name, values, chosen, onchoose) {
    return values.map(([value, label, spoken]) => {
      const input = make("input", { type: "radio", name, value, checked: chosen === value });
      if (spoken) input.setAttribute("aria-label", spoken);
      input.addEventListener("change", () => {
        onchoose(value);
        keep();
        if (get("missing").childElementCount) complain();
      });
      return make("label", {}, input, label);
    });
  }

  function drawQuestion(track, id, text) {
    const scores = (state.scores[track] ??= {});
    const values = SCALE.map((score) => [
      score,
      String(score),
      score === SCALE[0] ? `${score}, lowest` : score === SCALE.at(-1) ? `${score}, highest` : "",
    ]);
    const group = make("div", { className: "choices scale" });
    group.append(...choices(`${track}-${id}`, values, scores[id], (score) => { scores[id] = score; }));
    const ends = make("p", { className: "ends", ariaHidden: "true" }, make("span", {}, "1 lowest"), make("span", {}, "5 highest"));
    return make("fieldset", { id: `${track}-${id}` }, make("legend", {}, text), group, ends);
  }

  function drawTrack(item, track, place) {
    const name = letter(place);
    const sound = make("audio", { id: `${track}-sound`, controls: true, preload: "auto", src: item.tracks[track] });
    sound.setAttribute("aria-label", name);
    sound.setAttribute("controlslist", "nodownload noplaybackrate");
    const heard = make("p", { className: "heard", id: `${track}-heard` });
    const tell = () => {
      heard.textContent = state.heard[track] ? "\u2713 heard" : "Please listen to the whole track once.";
    };
    const listen = () => {
      if (state.heard[track] || !(sound.duration > 0)) return;
      let played = 0;
      for (let part = 0; part < sound.played.length; part += 1) played += sound.played.end(part) - sound.played.start(part);
      if (played < WHOLE * sound.duration) return;
      state.heard[track] = true;
      keep();
      tell();
      if (get("missing").childElementCount) complain();
    };
    for (const event of ["timeupdate", "pause", "ended"]) sound.addEventListener(event, listen);
    sound.addEventListener("play", () => {
      for (const other of document.querySelectorAll("audio")) if (other !== sound) other.pause();
    });
    sound.addEventListener("error", () => {
      heard.textContent = "This track cannot be played here: reload the page, or try another browser.";
    });
    tell();
    const questions = Object.entries(TEST.questions).map(([id, text]) => drawQuestion(track, id, text));
    return make("fieldset", { className: "track" }, make("legend", {}, name), sound, heard, ...questions);
  }

  function drawItem() {
    const item = items[state.at];
    get("item-title").textContent = `Artwork ${state.at + 1} of ${items.length}`;
    Object.assign(get("progress"), { max: items.length, value: state.at });
    const image = get("artwork");
    image.alt = item.description || "The artwork";
    image.src = item.image;
    get("tracks").replaceChildren(...item.order.map((track, place) => drawTrack(item, track, place)));
    const values = item.order.map((track, place) => [track, letter(place), ""]);
    const chosen = state.preferred[item.id];
    get("preferred").querySelector(".choices").replaceChildren(
      ...choices("preferred", values, chosen, (track) => { state.preferred[item.id] = track; }),
    );
    get("missing").replaceChildren();
    get("back").hidden = state.at === 0;
    get("next").textContent = state.at + 1 < items.length ? "Next artwork" : "Finish";
  }

  // [what is missing, the element to go to]
  function missing(item) {
    const found = [];
    item.order.forEach((track, place) => {
      if (!state.heard[track]) found.push([`${letter(place)}: listen to the whole track`, `${track}-sound`]);
      for (const [id, text] of Object.entries(TEST.questions)) {
        if (!SCALE.includes(state.scores[track]?.[id])) found.push([`${letter(place)}: ${text}`, `${track}-${id}`]);
      }
    });
    if (!item.order.includes(state.preferred[item.id])) found.push(["Which track you prefer", "preferred"]);
    return found;
  }

  function complain() {
    const found = missing(items[state.at]);
    if (!found.length) return get("missing").replaceChildren();
    const links = found.map(([text, id]) => {
      const link = make("a", { href: `#${id}` }, text);
      link.addEventListener("click", (event) => {
        event.preventDefault();
        const target = get(id);
        (target.querySelector("input") ?? target).focus();
        target.scrollIntoView({ block: "center" });
      });
      return make("li", {}, link);
    });
    get("missing").replaceChildren(make("p", {}, "Still to do:"), make("ul", {}, ...links));
  }

  // -- the end ----------------------------------------------------------------------------------

  function answers() {
    const told = items.map((item) => ({
      artwork: item.id,
      tracks: item.order.map((track) => ({ track, scores: state.scores[track] })),
      preferred: state.preferred[item.id],
    }));
    return JSON.stringify({ format: 1, test: TEST.test, rater: state.rater, background: state.background, answers: told });
  }

  function given(how, text) {
    state[how] = true;
    keep();
    drawDone();
    get("outcome").textContent = text;
  }

  // Nothing changes while answers are on their way: what arrives is what stays here.
  function sending(is) {
    for (const id of ["send", "review", "again"]) get(id).disabled = is;
  }

  async function send() {
    sending(true);
    get("outcome").textContent = "Sending\u2026";
    try {
      const headers = { "Content-Type": "application/json" };
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const reply = await fetch(COLLECTOR, { method: "POST", headers, signal, body: answers() });
      if (reply.ok) return given("sent", "Your answers have arrived. Thank you!");
      const why = (await reply.json().catch(() => ({}))).status ?? `error ${reply.status}`;
      get("outcome").textContent = `The answers were not taken: ${why}. Please download them and send us the file.`;
    } catch {
      get("outcome").textContent = "The answers could not be sent. Try again, or download them and send us the file.";
    } finally {
      sending(false);
    }
  }

  function download() {
    const url = URL.createObjectURL(new Blob([answers()], { type: "application/json" }));
    make("a", { href: url, download: `answers-${state.rater}.json` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
    given("saved", `Saved as answers-${state.rater}.json, among your downloads.`);
  }

  function drawDone() {
    const out = state.sent || state.saved;
    get("send").hidden = !COLLECTOR || state.sent;
    get("download").classList.toggle("main", !COLLECTOR);
    get("review").hidden = out; // what was given stays as it was given
    get("another").hidden = !out;
    get("rater").textContent = state.rater;
    get("outcome").textContent = "";
    get("how").textContent = state.sent
      ? "Your answers were sent; there is nothing more to do."
      : COLLECTOR
        ? "Please send your answers; the download is for the case that this does not work."
        : "Please download your answers and send the file to the person who asked you to take part.";
  }

  // -- moving about -----------------------------------------------------------------------------

  function show(focus = true) {
    const view = !state.started ? "intro" : state.at < items.length ? "item" : "done";
    for (const id of ["intro", "item", "done"]) get(id).hidden = id !== view;
    get("tracks").replaceChildren(); // what played stops
    if (view === "item") drawItem();
    if (view === "done") drawDone();
    document.title = view === "item" ? get("item-title").textContent : "Listening test";
    scrollTo(0, 0);
    if (focus) get(`${view}-title`).focus();
  }

  function go(to) {
    state.at = to;
    keep();
    show();
  }

  get("start").addEventListener("click", () => {
    if (!get("consent").checked) {
      get("intro-error").textContent = "Please tick the box above to take part.";
      get("consent").focus();
      return;
    }
    const background = get("background").value;
    state.background = BACKGROUNDS.includes(background) ? background : "";
    state.started = true;
    go(0);
  });
  get("form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (missing(items[state.at]).length) {
      complain();
      get("missing").focus({ preventScroll: true });
      return get("missing").scrollIntoView({ block: "nearest" }); // all of it, or from its first line
    }
    go(state.at + 1);
  });
  get("back").addEventListener("click", () => go(state.at - 1));
  get("review").addEventListener("click", () => go(items.length - 1));
  get("send").addEventListener("click", send);
  get("download").addEventListener("click", download);
  get("again").addEventListener("click", () => {
    state = fresh();
    get("consent").checked = false;
    get("background").value = "";
    get("intro-error").textContent = "";
    arrange();
    keep();
    show();
  });

  // Another tab of this browser went on: so does this one, and does not write over it later.
  addEventListener("storage", (event) => {
    if (event.key !== KEPT || !event.newValue) return;
    state = restored();
    arrange();
    show(false);
  });

  const tracks = TEST.items.length ? Object.keys(TEST.items[0].tracks).length : 0;
  get("count-artworks").textContent = TEST.items.length;
  get("count-tracks").textContent = tracks;
  get("count-seconds").textContent = Math.round(TEST.seconds * 10) / 10;
  arrange();
  keep();
  show(false);
  document.body.classList.add("ready");
})();
