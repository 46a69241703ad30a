/* A long list of items of one height, of which only those in sight exist. */
"use strict";

// Browsers cannot lay out pages of more than some ten million pixels.
const MOST = 10000;

class Grid {
  /**
   * @param {HTMLElement} element a CSS grid.
   * @param {(item: object, place: number) => HTMLElement} draw makes an item's element.
   */
  constructor(element, draw) {
    this.element = element;
    this.draw = draw;
    this.items = [];
    this.nodes = new Map();
    this.range = null;
    const soon = () => {
      this.frame ??= requestAnimationFrame(() => {
        this.frame = null;
        this.render();
      });
    };
    addEventListener("scroll", soon, { passive: true });
    new ResizeObserver(() => {
      const width = this.element.clientWidth;
      if (!width || width === this.width) return;
      this.width = width;
      this.measured = null;
      soon();
    }).observe(element);
  }

  /** Show other items; nodes are made anew because what they mark may differ. */
  show(items) {
    this.items = items.length > MOST ? items.slice(0, MOST) : items;
    this.nodes.clear();
    this.range = null;
    this.measured = null;
    this.element.replaceChildren();
    this.render();
  }

  /** Return the columns and the distance between rows, measured on a real item. */
  measure() {
    if (!this.measured) {
      if (!this.element.firstElementChild) this.place(0, 1);
      const style = getComputedStyle(this.element);
      const row = this.element.firstElementChild.offsetHeight + parseFloat(style.rowGap || 0);
      this.measured = { columns: style.gridTemplateColumns.split(" ").length, row };
    }
    return this.measured;
  }

  /** Return how many items are beside each other. */
  columns() {
    return this.items.length && this.element.clientWidth ? this.measure().columns : 1;
  }

  render() {
    if (!this.items.length || !this.element.clientWidth) return;
    const { columns, row } = this.measure();
    const rows = Math.ceil(this.items.length / columns);
    const top = this.element.getBoundingClientRect().top;
    const clamp = (value) => Math.max(0, Math.min(rows, value));
    const first = clamp(Math.floor(-top / row) - 1);
    const last = clamp(Math.ceil((innerHeight - top) / row) + 1);
    this.element.style.paddingTop = `${first * row}px`;
    this.element.style.paddingBottom = `${Math.max(0, rows - Math.max(last, first)) * row}px`;
    this.place(first * columns, Math.min(last * columns, this.items.length));
  }

  /** Make the items of a range exist, and no others. */
  place(begin, end) {
    if (this.range?.[0] === begin && this.range[1] === end) return;
    this.range = [begin, end];
    for (const [at, node] of this.nodes) {
      if (at >= begin && at < end) continue;
      node.remove();
      this.nodes.delete(at);
    }
    let before = null;
    for (let at = begin; at < end; at++) {
      let node = this.nodes.get(at);
      if (!node) {
        node = this.draw(this.items[at], at);
        node.setAttribute("aria-posinset", at + 1);
        node.setAttribute("aria-setsize", this.items.length);
        node.dataset.at = at;
        this.nodes.set(at, node);
        if (before) before.after(node);
        else this.element.prepend(node);
      }
      before = node;
    }
  }

  /** Focus an item, scrolled into sight. */
  focus(at) {
    const wanted = Math.max(0, Math.min(this.items.length - 1, at));
    if (!this.items.length) return;
    const { columns, row } = this.measure();
    if (!this.nodes.has(wanted)) {
      const top = this.element.getBoundingClientRect().top + scrollY;
      scrollTo({ top: top + Math.floor(wanted / columns) * row - innerHeight / 3 });
      this.render();
    }
    const node = this.nodes.get(wanted);
    node?.focus({ preventScroll: true });
    node?.scrollIntoView({ block: "nearest" });
  }
}
