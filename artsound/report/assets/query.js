/* Filter, count and sort. One pass over the pairs; the cheap tests come first. */
"use strict";

const query = (() => {
  const MEASURES = {
    similarity: (pair) => pair.similarity,
    artwork: (pair) => pair.artwork.score,
    music: (pair) => pair.track.score,
  };
  const ascending = (value) => (one, other) =>
    (value(one) ?? Infinity) - (value(other) ?? Infinity) || one.order - other.order;
  const descending = (value) => (one, other) =>
    (value(other) ?? -Infinity) - (value(one) ?? -Infinity) || one.order - other.order;
  const SORTS = {
    order: (one, other) => one.order - other.order,
    "order-last": (one, other) => other.order - one.order,
    similarity: descending(MEASURES.similarity),
    "similarity-least": ascending(MEASURES.similarity),
    artwork: descending(MEASURES.artwork),
    "artwork-least": ascending(MEASURES.artwork),
    music: descending(MEASURES.music),
    "music-least": ascending(MEASURES.music),
  };
  const ACCEPTED = {
    both: (pair) => pair.artwork.accepted === 1 && pair.track.accepted === 1,
    either: (pair) => pair.artwork.accepted === 0 || pair.track.accepted === 0,
    artwork: (pair) => pair.artwork.accepted === 0,
    music: (pair) => pair.track.accepted === 0,
  };
  const UNSAID = "not stated";
  const style = (pair) => pair.artwork.style ?? UNSAID;
  const genre = (pair) => pair.track.genre ?? UNSAID;

  /**
   * Return the pairs that the filters leave, sorted, and how many each style and genre would
   * leave if it were the only one of its kind that is asked for.
   */
  function run(pairs, now, keep) {
    const styles = new Set(now.style);
    const genres = new Set(now.genre);
    const ranges = RANGES.filter((key) => now[key]).map((key) => [MEASURES[key], ...now[key]]);
    const accepted = ACCEPTED[now.accepted];
    const terms = text.terms(now.q);
    const found = [];
    const counts = { style: new Map(), genre: new Map() };
    for (const pair of pairs) {
      if (accepted && !accepted(pair)) continue;
      if (now.split && pair.artwork.split !== now.split) continue;
      if (!ranges.every(([of, low, high]) => within(of(pair), low, high))) continue;
      const styled = !styles.size || styles.has(style(pair));
      const played = !genres.size || genres.has(genre(pair));
      if (!styled && !played) continue;
      if (terms.length) {
        const where = artsound.haystack(pair, keep);
        if (!terms.every((term) => where.includes(term))) continue;
      }
      if (played) counts.style.set(style(pair), (counts.style.get(style(pair)) ?? 0) + 1);
      if (styled) counts.genre.set(genre(pair), (counts.genre.get(genre(pair)) ?? 0) + 1);
      if (styled && played) found.push(pair);
    }
    found.sort(SORTS[now.sort] ?? SORTS.order);
    return { found, counts, terms };
  }

  // What is shown of a bound is rounded, so a hair beyond it counts as in it.
  const HAIR = 5e-5;
  const within = (value, low, high) => value != null && value >= low - HAIR && value <= high + HAIR;

  /** Return the least and the largest value of a measure, or null without any. */
  function extent(pairs, key) {
    let low = Infinity;
    let high = -Infinity;
    for (const pair of pairs) {
      const value = MEASURES[key](pair);
      if (value == null) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return low <= high ? [low, high] : null;
  }

  return { run, extent, MEASURES, SORTS, style, genre };
})();
