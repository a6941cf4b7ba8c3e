// The tree of turns as a strip: a row for each branch, a column for each turn, lines where branches leave.

import { h } from "./api.js";

const GAP = 16;
const SVG = "http://www.w3.org/2000/svg";

export class Tree {
  constructor(chosen) {
    this.chosen = chosen;
    this.lines = document.createElementNS(SVG, "svg");
    this.lines.classList.add("lines");
    this.lines.setAttribute("aria-hidden", "true");
    this.list = h("ol.turns", { "aria-label": "All turns" });
    this.root = h("nav.tree", { "aria-label": "Turns" }, h("div.tree-inside", {}, this.lines, this.list));
    this.root.addEventListener("keydown", (event) => this.pressed(event));
  }

  /** Turns -> column and row of each: the first turn told from another goes on in its row, later ones branch off. */
  place(turns) {
    const children = new Map();
    for (const turn of turns.values()) if (turn.shown && turn.parent !== null) {
      if (!children.has(turn.parent)) children.set(turn.parent, []);
      children.get(turn.parent).push(turn);
    }
    const places = new Map();
    let rows = 0;
    const waiting = [[turns.get(0), 0]];
    while (waiting.length) {
      const [turn, row] = waiting.pop();
      places.set(turn.number, { turn, column: turn.depth, row: row === null ? ++rows : row });
      const told = children.get(turn.number) || [];
      for (const child of told.slice(1).reverse()) waiting.push([child, null]);
      if (told.length) waiting.push([told[0], places.get(turn.number).row]);
    }
    return { places, rows: rows + 1 };
  }

  show(turns, drawing, { size, other }) {
    const { places } = this.place(turns);
    const path = new Set();
    for (let turn = turns.get(drawing.here); turn; turn = turns.get(turn.parent)) path.add(turn.number);
    const style = getComputedStyle(document.documentElement);
    const aspect = Number(style.getPropertyValue("--aspect")) || 1;
    const height = Number(style.getPropertyValue("--thumb")) || 56, width = Math.round(height * aspect);
    const at = ({ column, row }) => [column * (width + GAP), row * (height + GAP)];
    const focused = this.list.contains(document.activeElement) ? Number(document.activeElement.dataset.number) : null;
    const items = [...places.values()].sort((a, b) => a.row - b.row || a.column - b.column).map((place) => {
      const { turn } = place, [x, y] = at(place), here = turn.number === drawing.here;
      const label = turn.number ? `Turn ${turn.depth}${turn.name ? `, called ${turn.name}` : ""}: ${turn.instruction}, seed ${turn.seed}${place.row ? `, branch ${place.row}` : ""}` : "Blank canvas";
      const button = h("button.thumb", {
        "aria-label": label, title: label, "aria-current": here ? "true" : null, tabindex: here ? 0 : -1, "data-number": turn.number,
        onclick: () => this.chosen(turn.number),
      }, h("img", { src: `${turn.picture}?scale=${size}`, alt: "", loading: "lazy" }), turn.name ? h("span.tag", {}, turn.name) : null);
      button.classList.toggle("on-path", path.has(turn.number));
      button.classList.toggle("other", other === turn.number);
      const item = h("li", {}, button);
      item.style.transform = `translate(${x}px, ${y}px)`;
      return item;
    });
    this.list.replaceChildren(...items);
    if (focused !== null) (this.list.querySelector(`[data-number="${focused}"]`) || this.list.querySelector("[aria-current]"))?.focus();
    this.draw(places, at, path, width, height);
    this.list.querySelector("[aria-current]")?.scrollIntoView?.({ block: "nearest", inline: "nearest" });
  }

  draw(places, at, path, width, height) {
    const all = [...places.values()].map(at);
    const right = Math.max(...all.map(([x]) => x)) + width, bottom = Math.max(...all.map(([, y]) => y)) + height;
    this.lines.setAttribute("width", right);
    this.lines.setAttribute("height", bottom);
    this.list.style.width = `${right}px`;
    this.list.style.height = `${bottom}px`;
    this.lines.replaceChildren(...[...places.values()].filter(({ turn }) => turn.parent !== null).map((place) => {
      const [x, y] = at(place), [px, py] = at(places.get(place.turn.parent)), half = height / 2;
      const line = document.createElementNS(SVG, "path");
      const turn = px + width + GAP / 2;
      line.setAttribute("d", y === py ? `M${px + width} ${py + half}H${x}` : `M${px + width} ${py + half}H${turn - 4}q4 0 4 4V${y + half - 4}q0 4 4 4H${x}`);
      if (path.has(place.turn.number)) line.classList.add("on-path");
      return line;
    }));
  }

  /** Arrow keys move the focus among turns; Enter goes there. */
  pressed(event) {
    const buttons = [...this.list.querySelectorAll("button")], now = buttons.indexOf(document.activeElement);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.altKey || event.ctrlKey || now < 0 || !(step || event.key === "Home" || event.key === "End")) return;
    event.preventDefault();
    const next = event.key === "Home" ? buttons[0] : event.key === "End" ? buttons.at(-1) : buttons[now + step];
    next?.focus();
  }
}
