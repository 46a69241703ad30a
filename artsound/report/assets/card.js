/* A pair as a card, as a row of the comparison, and in full. Texts are set as text, never as HTML. */
"use strict";

const card = (() => {
  /** Make an element: `make("p.note", {lang: "en"}, child, "text")`; empty children are left out. */
  function make(kind, attributes = {}, ...children) {
    const [tag, ...classes] = kind.split(".");
    const element = document.createElement(tag);
    if (classes.length) element.className = classes.join(" ");
    for (const [key, value] of Object.entries(attributes)) {
      if (value != null && value !== false) element.setAttribute(key, value === true ? "" : value);
    }
    element.append(...children.flat().filter((child) => child != null && child !== ""));
    return element;
  }

  const strategy = (pair) => artsound.meta.labels[pair.strategy];
  const titled = (item) => item.title || "Untitled";

  /** Return an artwork's picture, or a plate that says that there is none. */
  function picture(artwork, large = false) {
    const frame = make("div.frame");
    const plate = (why) => frame.replaceChildren(make("span.plate", {}, why));
    if (!artwork.stem) {
      plate("No image in this report");
      return frame;
    }
    const size = large && artwork.large ? "l" : "c";
    const image = make("img", {
      alt: `${titled(artwork)}, ${artwork.artist ?? "artist unknown"}`,
      loading: large ? "eager" : "lazy",
      decoding: "async",
    });
    image.addEventListener("error", () => plate("The image cannot be shown"));
    image.src = `media/images/${encodeURIComponent(artwork.stem)}-${size}.webp`;
    frame.append(image);
    return frame;
  }

  const about = (artwork) =>
    [artwork.artist ?? "artist unknown", artwork.year].filter(Boolean).join(", ");

  /** Return whether a caption was accepted, in words and with a sign. */
  function verdict(item) {
    if (item.accepted == null) return "";
    return item.accepted
      ? make("span.verdict.yes", { title: "The score reached the threshold" }, "accepted")
      : make("span.verdict.no", { title: "The score stayed below the threshold" }, "fell short");
  }

  function caption(what, score, item, terms) {
    const body = item.caption
      ? make("p", { dir: "auto" }, text.marked(item.caption, terms))
      : make("p.none", {}, "No caption");
    return make(
      "section.caption", { "aria-label": what },
      make("header", {}, make("h4", {}, what), make("span.number", { title: score[1] },
        score[0], " ", make("b", {}, text.score(item.score))), verdict(item)),
      body,
    );
  }

  const IC = ["IC", "ICScore of the artwork's caption"];
  const AC = ["AC", "ACScore of the music's caption"];

  /** Return a licence, linked to where the item comes from if that is a web address. */
  function licence(what, item) {
    const href = text.address(item.url);
    const named = (item.license ?? "not stated").replace("LicenseRef-", "").replace(/-/g, "‑");
    return make("span.licence", {},
      make("span", { title: `Licence of the ${what}: ${named}` }, `${what}: ${named}`),
      href && make("a", { href, target: "_blank", rel: "noopener noreferrer",
        "aria-label": `Source of the ${what}, in a new tab` }, "source"));
  }

  function similarity(pair, suffix = "") {
    return make("span.similarity", { title: `Similarity by ${strategy(pair)}` },
      make("b", {}, text.score(pair.similarity)), suffix);
  }

  function music(pair, terms) {
    const { track } = pair;
    const by = [track.artist ?? "artist unknown", track.genre].filter(Boolean).join(" · ");
    return make("div.music", {}, player.button(pair), make("div", {},
      make("p.track", {}, text.marked(track.title || "Untitled", terms)),
      make("p.by", {}, text.marked(by, terms))));
  }

  /** Return a card; `note` is put beside the similarity. */
  function draw(pair, terms, note) {
    const { artwork, track } = pair;
    const name = `${titled(artwork)} with ${track.title || "untitled track"}`;
    const link = make("a.open", { href: state.hash({ ...state.now, pair: pair.id }) },
      text.marked(titled(artwork), terms));
    const made = make(
      "article.card", { tabindex: 0, "aria-label": name, "data-pair": pair.id },
      make("div.mat", {}, picture(artwork)),
      make("div.facts", {}, similarity(pair),
        make("span", { title: "0 was paired first" }, note ?? `order ${text.count(pair.order)}`),
        make("span.style", {}, text.name(artwork.style))),
      make("h3", {}, link),
      make("p.by", {}, text.marked(about(artwork), terms)),
      music(pair, terms),
      caption("Artwork caption", IC, artwork, terms),
      caption("Music caption", AC, track, terms),
      make("footer", {}, licence("artwork", artwork), licence("music", track)),
    );
    made.querySelector(".mat").addEventListener("click", () => link.click());
    return made;
  }

  /** Return a track between the artworks that two strategies give it. */
  function versus(pair, other) {
    const side = (of) => !of
      ? make("div.side", {}, make("div.frame", {}, make("span.plate", {}, "Not paired")))
      : make("div.side", {}, picture(of.artwork), make("div", {},
        make("p.strategy", {}, strategy(of)),
        make("h3", {}, make("a.open", { href: state.hash({ ...state.now, pair: of.id,
          strategy: of.strategy }) }, titled(of.artwork))),
        make("p.by", {}, about(of.artwork)),
        make("p.by", {}, similarity(of, ` · ${text.name(of.artwork.style)}`))));
    const same = pair.artwork === other?.artwork;
    return make("article.versus", { tabindex: 0, "data-pair": pair.id,
      "aria-label": `Partners of ${pair.track.title || "untitled track"}` },
      side(pair),
      make("div.middle", {}, music(pair, []),
        make("p.said", { dir: "auto" }, pair.track.caption ?? ""),
        make(`p.agree${same ? ".same" : ""}`, {}, same ? "the same artwork" : "different artworks")),
      side(other));
  }

  function facts(rows) {
    return make("dl", {}, rows.filter(([, value]) => value != null && value !== "").map(
      ([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
  }

  /** Return all that is known of a pair. */
  function full(pair, terms) {
    const { artwork, track } = pair;
    const others = Object.values(track.partners).filter((one) => one.strategy !== pair.strategy);
    const rank = (at, of) => at == null ? null : `${text.count(at)} among ${of}`;
    const own = [track.album, track.genres.map(text.name).join(", ")].filter(Boolean).join(" · ");
    return [
      make("div.plate-large", {}, picture(artwork, true)),
      make("div.told", {},
        make("h2", { id: "pair-title" }, titled(artwork)),
        make("p.by", {}, [about(artwork), text.name(artwork.style), artwork.genre]
          .filter(Boolean).join(" · ")),
        caption("Artwork caption", IC, artwork, terms),
        music(pair, terms), own && make("p.by", {}, own),
        caption("Music caption", AC, track, terms),
        facts([
          ["Similarity", `${text.score(pair.similarity, 4)} by ${strategy(pair)}`],
          ["Order of pairing", text.count(pair.order)],
          ["Artwork's rank", rank(pair.artworkRank, "the track's neighbours")],
          ["Track's rank", rank(pair.trackRank, "the artwork's neighbours")],
          ["Split", artwork.split],
          ["CLIP‑Score", artwork.clip == null ? "not scored" : text.score(artwork.clip, 4)],
          ["PAC‑Score", artwork.pac == null ? "not scored" : text.score(artwork.pac, 4)],
          ["ROUGE‑1", text.score(track.rouge1, 4)],
          ["BERT‑Score", text.score(track.bert, 4)],
          ["Attempts", `${artwork.attempts ?? "–"} for the artwork, ${track.attempts ?? "–"} for the music`],
          ["Caption models", [artwork.model, track.model].filter(Boolean).join(", ")],
          ["Pair", pair.id],
          ["Artwork", artwork.id],
        ]),
        make("p.licences", {}, licence("artwork", artwork), licence("music", track)),
        others.length ? make("section.others", {}, make("h3", {}, "By other strategies"),
          others.map((one) => make("a", { href: state.hash({ ...state.now, pair: one.id,
            strategy: one.strategy }) }, picture(one.artwork),
            make("span", {}, strategy(one)), similarity(one)))) : null,
      ),
    ];
  }

  return { draw, versus, full, make };
})();
