// Where one tells: words the drawer does not know are marked while typing; examples to begin with.

import { ask, h } from "./api.js";

export class Composer {
  constructor(studio, { tell, choose, empty }) {
    Object.assign(this, { studio, tell, choose, empty });
    this.field = h("textarea", {
      id: "instruction", rows: 2, maxlength: studio.about.limits.instruction, "aria-label": "Instruction: what to draw next",
      "aria-describedby": "heard", placeholder: "Tell it what to draw…", autocomplete: "off", spellcheck: "false", enterkeyhint: "send",
      oninput: () => this.typed(), onscroll: () => { this.mirror.scrollTop = this.field.scrollTop; }, onkeydown: (event) => this.pressed(event),
    });
    this.mirror = h("div.mirror", { "aria-hidden": "true" });
    this.heard = h("p.heard", { id: "heard", role: "status" });
    this.chips = h("div.chips", { role: "group", "aria-label": "Examples" });
    this.draw = h("button.primary", { type: "submit", title: "Draw it (Enter)" }, "Draw");
    this.several = h("button.secondary", { type: "button", title: "Draw four to choose from (Ctrl+Enter)", onclick: () => this.send(this.choose) }, "Draw 4");
    this.root = h("form.composer", { onsubmit: (event) => { event.preventDefault(); this.send(this.tell); } },
      this.chips, h("div.field", {}, this.mirror, this.field), h("div.under", {}, this.heard, h("div.send", {}, this.several, this.draw)));
    this.field.disabled = this.draw.disabled = this.several.disabled = true; // until there is a drawing to tell: `use`
  }

  use(weights, stale) {
    this.weights = weights;
    this.field.disabled = this.draw.disabled = this.several.disabled = Boolean(stale);
    this.typed();
  }

  focus() { if (matchMedia("(hover: hover)").matches) this.field.focus(); }

  /** Put an instruction back that could not be drawn, unless something else was typed meanwhile. */
  give(text) { if (!this.field.value) { this.field.value = text; this.typed(); } this.field.focus(); }

  pressed(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.send(event.ctrlKey || event.metaKey ? this.choose : this.tell);
    }
  }

  send(action) {
    const text = this.field.value.trim();
    if (!text || this.field.disabled) return this.field.focus();
    this.field.value = "";
    this.typed();
    action(text);
  }

  typed() {
    const text = this.field.value;
    this.paint(text, (this.marks || []).filter((mark) => text.slice(mark.start, mark.end) === mark.word));
    this.suggest();
    clearTimeout(this.timer);
    if (!text.trim()) { this.marks = []; this.hear([]); return; }
    this.timer = setTimeout(() => this.read(text), 120);
  }

  async read(text) {
    const reading = await ask("POST", `/api/weights/${encodeURIComponent(this.weights.name)}/read`, { instruction: text }, { tries: 1 }).catch(() => null);
    if (!reading || this.field.value !== text) return;
    // the word that is being typed is not marked before it is finished
    const cursor = this.field.selectionEnd;
    this.marks = reading.unknown.filter((mark) => !(mark.end === text.length && cursor === text.length && document.activeElement === this.field));
    this.paint(text, this.marks);
    this.hear(this.marks);
    if (reading.unknown.length !== this.marks.length) this.timer = setTimeout(() => { if (this.field.value === text) { this.marks = reading.unknown; this.paint(text, this.marks); this.hear(this.marks); } }, 900);
  }

  paint(text, marks) {
    const parts = [];
    let end = 0;
    for (const mark of marks) { parts.push(text.slice(end, mark.start), h("mark", {}, text.slice(mark.start, mark.end))); end = mark.end; }
    this.mirror.replaceChildren(...parts, `${text.slice(end)}\u200b`);
    this.field.style.height = "auto";
    this.field.style.height = `${Math.min(this.field.scrollHeight, 160)}px`;
  }

  hear(marks) {
    const swap = (mark, word) => h("button.plain.near", { type: "button", onclick: () => this.swap(mark, word) }, word);
    this.heard.replaceChildren(...(marks.length ? ["Not known: ", ...marks.slice(0, 3).flatMap((mark, index) => [index ? ", " : "", h("b", {}, mark.word), ...(mark.near.length ? [" → ", ...mark.near.slice(0, 3).flatMap((word, n) => [n ? " " : "", swap(mark, word)])] : [])])] : []));
    this.heard.hidden = !marks.length;
  }

  swap(mark, word) {
    this.field.value = this.field.value.slice(0, mark.start) + word + this.field.value.slice(mark.end);
    this.field.focus();
    this.typed();
  }

  suggest() {
    const lines = this.field.value || this.field.disabled || !this.weights ? [] : this.empty();
    const now = lines.join("\n");
    if (now === this.suggested) return;
    this.suggested = now;
    this.chips.replaceChildren(...lines.map((line) => h("button.chip", { type: "button", title: "Draw this", onclick: () => { this.field.value = ""; this.tell(line); this.focus(); } }, line)));
    this.chips.hidden = !lines.length;
  }
}
