/* One player for the whole page: it plays on while cards come and go. */
"use strict";

const player = (() => {
  const bar = document.getElementById("player");
  const audio = document.getElementById("audio");
  const title = document.getElementById("playing");
  let pair = null;
  const broken = new Set();

  function toggle(wanted) {
    if (!wanted?.track.clip || broken.has(wanted.track.clip)) return;
    if (pair?.track !== wanted.track) {
      pair = wanted;
      audio.src = `media/audio/${encodeURIComponent(wanted.track.clip)}`;
      title.textContent = `${pair.track.title ?? "Untitled"}, ${pair.track.artist ?? "unknown"}`;
      link();
      bar.hidden = false;
      document.body.classList.add("with-player");
    } else if (!audio.paused) {
      audio.pause();
      return;
    }
    audio.play().catch(() => update());  // an `error` event says what is wrong
  }

  /** The title leads to the pair and changes nothing else of what is looked at. */
  function link() {
    if (pair) title.href = state.hash({ ...state.now, pair: pair.id });
  }

  function stop() {
    audio.pause();
    bar.hidden = true;
    document.body.classList.remove("with-player");
    const cards = document.querySelectorAll(`[data-pair="${CSS.escape(pair?.id ?? "")}"]`);
    const seen = [...cards].find((one) => one.offsetParent) ?? document.getElementById("main");
    seen.focus({ preventScroll: true });
  }

  /** Show on every button of a track whether it plays. */
  function update() {
    document.querySelectorAll("button.play").forEach(dress);
  }

  function dress(button) {
    const { clip } = button.dataset;
    const gone = !clip || broken.has(clip);
    const plays = !gone && pair?.track.clip === clip && !audio.paused;
    button.disabled = gone;
    button.classList.toggle("on", plays);
    const what = gone ? "No audio for" : plays ? "Pause" : "Play";
    button.setAttribute("aria-label", `${what} ${button.dataset.title}`);
    button.title = gone ? "The clip is not in this report or cannot be played" : what;
  }

  function button(of) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "play";
    made.dataset.clip = of.track.clip ?? "";
    made.dataset.title = of.track.title ?? "untitled track";
    made.addEventListener("click", (event) => {
      event.stopPropagation();
      toggle(of);
    });
    dress(made);
    return made;
  }

  for (const event of ["play", "pause", "ended"]) audio.addEventListener(event, update);
  audio.addEventListener("error", () => {
    if (!pair) return;
    broken.add(pair.track.clip);
    title.textContent = `${pair.track.title ?? "The clip"} cannot be played`;
    update();
  });
  document.getElementById("stop").addEventListener("click", stop);
  state.listen(link);
  return { toggle, button };
})();
