/* The data: chunks come as scripts that call `artsound.chunk`; fetch is refused on file://. */
"use strict";

const artsound = (() => {
  const sets = {};
  const api = { meta: null, sets, begin, chunk };

  /** Called by data/meta.js. */
  function begin(meta) {
    api.meta = meta;
  }

  function set(name) {
    return (sets[name] ??= {
      name, words: [], artworks: [], tracks: [], pairs: {}, byId: new Map(), chunks: 0,
      listeners: new Set(), loading: null,
    });
  }

  /** Called by data/<name>-<number>.js: the rows follow `artsound/report/page/rows.py`. */
  function chunk(name, number, words, data) {
    const it = set(name);
    if (number !== it.chunks) throw new Error(`${name}-${number} came before ${it.chunks}`);
    it.words.push(...words);
    const word = (at) => (at == null ? null : it.words[at]);
    for (const row of data.artworks) {
      const [id, title, artist, year, style, genre, license, url, caption, clip, pac, ic, attempts,
        accepted, model, stem, large, split] = row;
      it.artworks.push({
        id, title, artist, year, style: word(style), genre: word(genre), license: word(license),
        url, caption, clip, pac, score: ic, attempts, accepted, model: word(model), stem, large,
        split, folded: null,
      });
    }
    for (const row of data.tracks) {
      const [id, title, artist, album, top, genres, license, url, caption, rouge1, bert, ac,
        attempts, accepted, model, clip] = row;
      it.tracks.push({
        id, title, artist, album, genre: word(top), genres: (genres ?? []).map(word),
        license: word(license), url, caption, rouge1, bert, score: ac, attempts, accepted,
        model: word(model), clip, partners: {}, folded: null,
      });
    }
    for (const [strategy, rows] of Object.entries(data.pairs)) {
      const list = (it.pairs[strategy] ??= []);
      for (const [id, track, artwork, similarity, order, artworkRank, trackRank] of rows) {
        const pair = {
          id, strategy, track: it.tracks[track], artwork: it.artworks[artwork], similarity, order,
          artworkRank, trackRank,
        };
        list.push(pair);
        pair.track.partners[strategy] = pair;
        // The same two may be paired by several strategies: the first that has them is the link's.
        if (!it.byId.has(id)) it.byId.set(id, pair);
      }
    }
    it.chunks++;
    for (const listener of it.listeners) listener(it);
  }

  /** Read the chunks of a set that are not there yet, one after the other; resolves to the set. */
  function load(name) {
    const it = set(name);
    it.loading ??= (async () => {
      while (it.chunks < api.meta[name].chunks) {
        await script(`data/${name}-${String(it.chunks).padStart(3, "0")}.js`);
      }
      return it;
    })().catch((error) => {
      it.loading = null;
      throw error;
    });
    return it.loading;
  }

  function script(source) {
    return new Promise((resolve, reject) => {
      const element = document.createElement("script");
      element.src = source;
      element.onload = () => {
        element.remove();
        resolve();
      };
      element.onerror = () => reject(new Error(`${source} could not be read`));
      document.head.append(element);
    });
  }

  /** Return what the search looks at in a pair; kept for small sets, made again for large ones. */
  function haystack(pair, keep) {
    return words(pair.artwork, keep) + "\n" + words(pair.track, keep);
  }

  function words(item, keep) {
    if (item.folded != null) return item.folded;
    const parts = [item.title, item.artist, item.album, item.caption].filter(Boolean);
    const folded = text.fold(parts.join("\n"));
    if (keep) item.folded = folded;
    return folded;
  }

  return Object.assign(api, { set, load, haystack });
})();
