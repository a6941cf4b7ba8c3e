// The page of what draws turn by turn: canvas, conversation, tree of turns.

import { announce, ask, dialog, h, icon, note } from "./api.js";
import { Composer } from "./composer.js";
import { chooseDrawing, chooseWeights, help, save } from "./dialogs.js";
import { Tree } from "./tree.js";

const CANDIDATES = 4;
const key = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export async function mount(root, studio) {
  await new DrawPage(root, studio).begin();
}

class DrawPage {
  constructor(root, studio) {
    this.studio = studio;
    this.pending = []; // instructions that were told and are not drawn yet, in order
    this.line = Promise.resolve(); // requests of this page go out one after the other
    this.mode = "one"; // one picture, "choose" among candidates, or "compare" two
    this.build(root);
    document.addEventListener("keydown", (event) => this.pressed(event));
    document.addEventListener("visibilitychange", () => { if (!document.hidden && this.drawing) this.refresh(); });
    addEventListener("hashchange", () => { const id = location.hash.slice(1); if (id && id !== this.drawing?.id) this.open(id); });
    for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      if (kind === "drop") this.take(event.dataTransfer.files[0]);
    });
  }

  build(root) {
    const tool = (name, label, keys, action) => h("button.tool", { title: `${label} (${keys})`, "aria-keyshortcuts": keys.replace("Ctrl", "Control"), onclick: action }, icon(name), h("span", {}, label));
    this.tools = {
      undo: tool("undo", "Undo", "Ctrl+Z", () => this.undo()),
      redo: tool("redo", "Redo", "Ctrl+Y", () => this.redo()),
      again: tool("again", "Again", "Alt+A", () => this.again()),
      others: tool("grid", "Candidates", "Alt+C", () => this.others()),
      compare: tool("compare", "Compare", "Alt+V", () => this.compare()),
      name: tool("name", "Name", "Alt+N", () => this.name()),
      save: tool("save", "Save", "Ctrl+S", () => this.save()),
    };
    this.stage = h("div.stage", { id: "stage" });
    this.tree = new Tree((number) => this.chosen(number));
    this.says = h("ol.says", { "aria-label": "What was told" });
    this.scroll = h("div.conversation-scroll", { tabindex: 0, role: "region", "aria-label": "Conversation" }, this.says);
    this.composer = new Composer(this.studio, {
      tell: (text) => this.tell(text), choose: (text) => this.candidates(text),
      empty: () => this.suggestions(),
    });
    this.root = root;
    root.className = "draw";
    root.inert = this.studio.middle.inert = this.studio.end.inert = true; // nothing can be done before there is a drawing
    root.append(
      h("section.picture", { "aria-label": "Picture" }, this.stage,
        h("div.tools", { role: "toolbar", "aria-label": "This turn" }, Object.values(this.tools)), this.tree.root),
      h("section.conversation", { "aria-label": "Conversation" }, this.scroll, this.composer.root));
    this.title = h("input.title", { "aria-label": "Title of this drawing", placeholder: "Untitled drawing", maxlength: 120, spellcheck: "false", onchange: () => this.rename() });
    this.model = h("button.model", { "aria-haspopup": "dialog", title: "Who draws: licence and figures", onclick: () => this.weights() });
    this.studio.middle.replaceChildren(this.title);
    this.studio.end.replaceChildren(this.model,
      h("button.plain.with-icon", { title: "New drawing (Alt+D)", onclick: () => this.fresh() }, icon("plus"), h("span", {}, "New")),
      h("button.plain.with-icon", { title: "Your drawings (Alt+O)", onclick: () => this.drawings() }, icon("list"), h("span", {}, "Drawings")),
      h("button.plain.with-icon", { title: "Keys and help (?)", "aria-label": "Help", onclick: () => help() }, icon("help")));
  }

  async begin() {
    const wanted = location.hash.slice(1);
    try {
      if (wanted) return await this.open(wanted);
    } catch { history.replaceState(null, "", location.pathname + location.search); }
    const mine = await ask("GET", "/api/sessions");
    const names = this.studio.weights.map((weights) => weights.name);
    const last = mine.find((one) => names.includes(one.weights) && one.count === 0) || null;
    await (last ? this.open(last.id) : this.fresh());
  }

  get weightsHere() { return this.studio.weights.find((one) => one.name === this.drawing.weights) || { name: this.drawing.weights, aspect: 1, scenes: [], resolution: 64, gone: true }; }
  get here() { return this.turns.get(this.drawing.here); }
  get scale() { return Math.max(1, Math.min(16, Math.ceil(640 / (this.weightsHere.resolution || 64)))); }

  path(turn = this.here) {
    const steps = [];
    for (let step = turn; step && step.number; step = this.turns.get(step.parent)) steps.unshift(step);
    return steps;
  }

  async fresh(weights) {
    const drawing = await this.said(ask("POST", "/api/sessions", { weights: weights || this.drawing?.weights || this.studio.weights[0].name }));
    if (drawing) this.show(drawing);
    this.composer.focus();
  }

  async open(id) { this.show(await ask("GET", `/api/sessions/${encodeURIComponent(id)}`)); }

  async refresh() {
    const drawing = await ask("GET", `/api/sessions/${this.drawing.id}`).catch(() => null);
    if (drawing && drawing.id === this.drawing.id) { this.merge(drawing.turns); Object.assign(this.drawing, drawing); this.render(); }
  }

  show(drawing) {
    this.drawing = drawing;
    this.turns = new Map();
    this.pending = [];
    this.mode = "one";
    this.merge(drawing.turns);
    history.replaceState(null, "", `#${drawing.id}`);
    this.title.value = drawing.title;
    this.model.replaceChildren(h("span.dot", { "aria-hidden": "true" }), drawing.weights);
    document.documentElement.style.setProperty("--aspect", this.weightsHere.aspect);
    this.composer.use(this.weightsHere, drawing.stale);
    this.root.inert = this.studio.middle.inert = this.studio.end.inert = false;
    if (drawing.stale) note(drawing.stale);
    this.listen();
    this.render();
  }

  listen() {
    this.events?.close();
    const events = this.events = new EventSource(`/api/sessions/${this.drawing.id}/events`);
    const hear = (name, action) => events.addEventListener(name, (event) => { if (events === this.events) action(JSON.parse(event.data)); });
    hear("drew", (drew) => { this.merge(drew.turns); this.place(drew); });
    hear("moved", (place) => this.place(place));
    hear("named", ({ turn, name }) => { const found = this.turns.get(turn); if (found) { found.name = name; this.render(); } });
    hear("missed", () => this.refresh());
    hear("progress", ({ done, total }) => { this.progress = done < total ? `Drawing ${done} of ${total}` : ""; this.render(); if (done === total) announce("All turns are drawn"); });
  }

  merge(turns) { for (const turn of turns) this.turns.set(turn.number, turn); }

  place({ here, undone }) {
    if (here === undefined) return;
    Object.assign(this.drawing, { here, undone });
    if (this.here) { this.here.shown = true; this.render(); } else this.refresh();
  }

  /** Run a request, saying its problem. Requests of this page go out in the order they were made. */
  said(request) {
    return Promise.resolve(request).catch((error) => { note(error.message); return null; });
  }

  inLine(action) {
    const done = this.line.then(() => action());
    this.line = done.catch(() => null);
    return this.said(done);
  }

  session(method, path, body) {
    let close = () => {};
    return ask(method, `/api/sessions/${this.drawing.id}${path}`, body, { waiting: (text) => { close(); close = note(text, "waiting"); } }).finally(() => close());
  }

  async tell(instruction) { await this.drawn("/turns", { instruction, key: key() }, instruction, () => this.composer.give(instruction)); }

  async candidates(instruction) {
    const drew = await this.drawn("/candidates", { instruction, count: CANDIDATES, key: key() }, instruction, () => this.composer.give(instruction));
    if (drew) this.choose(drew.turns[0].candidates);
  }

  async again() {
    if (!this.here?.number) return;
    await this.drawn("/again", { turn: this.here.number, key: key() }, this.here.instruction);
  }

  async drawn(path, body, instruction, back) {
    const mark = { instruction };
    this.pending.push(mark);
    this.mode = "one";
    this.render();
    const drew = await this.inLine(() => this.session("POST", path, body));
    this.pending = this.pending.filter((one) => one !== mark);
    if (!drew) { back?.(); this.render(); return null; }
    this.merge(drew.turns);
    this.place(drew);
    const turn = drew.turns[0];
    const unknown = Object.keys(turn.unknown);
    announce(drew.turns.length > 1 ? `${drew.turns.length} candidates drawn, choose one` : `Turn ${turn.depth} drawn: ${turn.instruction}.${unknown.length ? ` Not known: ${unknown.join(", ")}` : ""}`);
    return drew;
  }

  async move(path, body, text) {
    const place = await this.inLine(() => this.session("POST", path, body));
    if (!place) return;
    this.mode = "one";
    this.place(place);
    announce(`${text}: ${this.here.number ? `turn ${this.here.depth}, ${this.here.instruction}` : "blank canvas"}`);
  }

  undo() { if (this.here.depth) return this.move("/undo", {}, "Undone"); }
  redo() { if (this.drawing.undone.length) return this.move("/redo", {}, "Redone"); }
  goto(number) { if (number !== this.drawing.here) return this.move("/goto", { turn: number }, "Here is"); }

  chosen(number) {
    if (this.mode === "compare" && number !== this.drawing.here) { this.other = number; this.render(); return; }
    this.mode = "one";
    if (number === this.drawing.here) this.render(); else this.goto(number);
  }

  group(number) { return [...this.turns.values()].filter((turn) => turn.candidates === number); }

  choose(group) {
    this.mode = "choose";
    this.chooses = group;
    this.render();
    this.stage.querySelector("button.candidate")?.focus();
  }

  others() {
    const open = this.openGroup();
    if (open !== undefined) return this.choose(open);
    if (this.here?.number) this.drawn("/candidates", { instruction: this.here.instruction, count: CANDIDATES, parent: this.here.parent, key: key() }, this.here.instruction)
      .then((drew) => drew && this.choose(drew.turns[0].candidates));
  }

  /** Candidates to choose among here: of this turn, or told to it and not decided. */
  openGroup() {
    if (this.here?.candidates != null) return this.here.candidates;
    const told = [...this.turns.values()].filter((turn) => turn.parent === this.here?.number && turn.candidates != null);
    return told.find((turn) => !this.group(turn.candidates).some((one) => one.shown))?.candidates;
  }

  pick(number) { this.mode = "one"; return this.move("/pick", { turn: number }, "Picked").then(() => this.composer.focus()); }

  compare() {
    if (this.mode === "compare") { this.mode = "one"; return this.render(); }
    if (!this.here?.number) return;
    this.mode = "compare";
    this.other = this.here.parent;
    this.render();
    announce("Comparing with the turn before; choose another in the tree of turns");
  }

  name() {
    if (!this.here?.number) return;
    const turn = this.here;
    const field = h("input", { id: "turn-name", value: turn.name || "", maxlength: 60, autocomplete: "off" });
    const form = h("form", { method: "dialog" }, h("label", { for: "turn-name" }, "A name, to find this turn by; empty takes it away"), field, h("button.primary", {}, "Name it"));
    const box = dialog(`Name turn ${turn.depth}`, form);
    form.addEventListener("submit", async () => {
      const name = field.value.trim() || null;
      const done = await this.said(this.session("PUT", `/turns/${turn.number}/name`, { name }).then(() => true));
      if (done) { turn.name = name; this.render(); }
    });
    field.focus();
    return box;
  }

  async rename() {
    this.drawing.title = this.title.value;
    await this.said(this.session("PATCH", "", { title: this.title.value }));
  }

  save() { save(this.drawing, this.here, this.weightsHere); }
  weights() { chooseWeights(this.studio.weights, this.drawing.weights, (name) => this.fresh(name)); }
  drawings() { chooseDrawing(this.drawing.id, { open: (id) => this.said(this.open(id)), take: (file) => this.take(file), gone: () => this.fresh() }); }

  async take(file) {
    if (!file) return;
    const type = file.name.endsWith(".json") ? "application/json" : file.type;
    const drawing = await this.said(ask("POST", "/api/import", file, { type }));
    if (drawing) { this.show(drawing); announce("Imported"); }
  }

  suggestions() {
    const told = this.path().map((turn) => turn.instruction);
    const scenes = this.weightsHere.scenes;
    const begun = scenes.filter((scene) => told.includes(scene[0]));
    const next = begun.map((scene) => scene.find((line) => !told.includes(line))).filter(Boolean);
    return (next.length ? next : told.length ? scenes.map((scene) => scene.find((line) => !told.includes(line))) : scenes.map((scene) => scene[0])).filter(Boolean).slice(0, 4);
  }

  // What is seen

  render() {
    this.renderStage();
    this.renderSays();
    this.tree.show(this.turns, this.drawing, { size: Math.ceil(128 / (this.weightsHere.resolution || 64)), other: this.mode === "compare" ? this.other : null });
    const blank = !this.here?.number, stale = Boolean(this.drawing.stale);
    this.tools.undo.disabled = blank;
    this.tools.redo.disabled = !this.drawing.undone.length;
    this.tools.again.disabled = blank || stale;
    this.tools.others.disabled = this.openGroup() === undefined && (blank || stale);
    this.tools.compare.disabled = this.tools.name.disabled = blank;
    this.tools.compare.setAttribute("aria-pressed", this.mode === "compare");
    this.composer.suggest();
  }

  source(turn, scale = this.scale) { return `${turn.picture}?scale=${scale}`; }

  figure(turn, caption) {
    const text = turn.number ? `Picture after turn ${turn.depth}: ${this.path(turn).map((step) => step.instruction).join("; ")}` : "Blank canvas";
    return h("figure.canvas", { "aria-busy": this.pending.length ? "true" : null },
      h("img", { src: this.source(turn), alt: text, draggable: "true" }), caption ? h("figcaption", {}, caption) : null);
  }

  renderStage() {
    if (this.mode === "choose") return this.renderChoice();
    const label = (turn) => (turn.number ? `${turn.depth} · ${turn.instruction} · seed ${turn.seed}` : "blank");
    const two = this.mode === "compare" && this.turns.get(this.other);
    const shown = two ? [this.figure(two, label(two)), this.figure(this.here, label(this.here))] : [this.figure(this.here)];
    const old = this.stage.querySelector("figure.canvas > img");
    if (!two && old && this.stage.className === "stage one") { // no flash: the old picture stays until the new one is there
      const [next] = shown, image = next.querySelector("img");
      if (old.getAttribute("src") === image.getAttribute("src")) { old.alt = image.alt; }
      else {
        const turn = this.drawing.here;
        image.decode().catch(() => null).then(() => {
          if (this.mode !== "one" || this.drawing.here !== turn) return;
          next.toggleAttribute("aria-busy", this.pending.length > 0); // as it is now, not as it was when it was asked for
          this.stage.querySelector("figure.canvas")?.replaceWith(next);
        });
      }
      this.stage.querySelector("figure.canvas").toggleAttribute("aria-busy", this.pending.length > 0);
    } else this.stage.replaceChildren(...shown);
    this.stage.className = two ? "stage two" : "stage one";
    this.stage.dataset.progress = this.progress || "";
  }

  renderChoice() {
    const group = this.group(this.chooses);
    this.stage.className = "stage choice";
    this.stage.replaceChildren(
      h("h2", {}, "Choose one: ", h("q", {}, group[0].instruction)),
      h("div.candidates", { role: "group", "aria-label": "Candidates" }, group.map((turn, index) =>
        h("button.candidate", { onclick: () => this.pick(turn.number), "aria-label": `Candidate ${index + 1}, seed ${turn.seed}${turn.number === this.drawing.here ? ", the present one" : ""}`, "aria-current": turn.number === this.drawing.here ? "true" : null },
          h("img", { src: this.source(turn), alt: "" }), h("kbd", { "aria-hidden": "true" }, index + 1)))),
      h("button.plain", { onclick: () => { this.mode = "one"; this.render(); this.composer.focus(); } }, "None of these (Esc)"));
  }

  renderSays() {
    const items = this.path().map((turn) => {
      const unknown = Object.keys(turn.unknown);
      return h("li", {}, h("button.said", { "aria-current": turn.number === this.drawing.here ? "true" : null, onclick: () => this.chosen(turn.number), title: "Go back to this turn" },
        h("span.number", {}, turn.depth), h("span.words", {}, this.marked(turn))),
        turn.name ? h("span.name", {}, turn.name) : null,
        unknown.length ? h("p.unknown", {}, `drawn without: ${unknown.map((word) => word + (turn.unknown[word].length ? ` (near: ${turn.unknown[word].join(", ")})` : "")).join(", ")}`) : null);
    });
    const waiting = this.pending.map((one) => h("li.pending", {}, h("span.said", {}, h("span.number", { "aria-hidden": "true" }, "…"), h("span.words", {}, one.instruction))));
    const open = this.mode === "choose" || this.here?.candidates != null ? undefined : this.openGroup();
    const undecided = open === undefined ? null : h("li", {}, h("button.undecided", { onclick: () => this.choose(open) }, icon("grid"), `Choose among ${this.group(open).length} of “${this.group(open)[0].instruction}”`));
    const empty = items.length + waiting.length ? null : h("li.welcome", {}, h("h1", {}, "Tell me what to draw."), h("p", {}, "One thing at a time: what it is, and where. Every turn goes on from the picture before, and you can go back to any of them."));
    this.says.replaceChildren(...[empty, ...items, ...waiting, undecided].filter(Boolean));
    requestAnimationFrame(() => { this.scroll.scrollTop = this.scroll.scrollHeight; });
  }

  marked(turn) {
    const unknown = new Set(Object.keys(turn.unknown));
    if (!unknown.size) return [turn.instruction];
    return turn.instruction.split(/([\p{L}\p{N}']+)/u).map((part) => (unknown.has(part.toLowerCase()) ? h("mark", { title: "not known to this drawer" }, part) : part));
  }

  // Keys

  pressed(event) {
    if (!this.drawing || document.querySelector("dialog[open]")) return;
    const typing = event.target.closest?.("input, textarea"), empty = typing === this.composer.field && !typing.value;
    const ctrl = event.ctrlKey || event.metaKey, letter = event.key.toLowerCase();
    const act = (action) => { event.preventDefault(); action(); };
    if (this.mode === "choose" && /^[1-9]$/.test(event.key) && !typing) {
      const turn = this.group(this.chooses)[Number(event.key) - 1];
      if (turn) return act(() => this.pick(turn.number));
    }
    if (event.key === "Escape" && this.mode !== "one") return act(() => { this.mode = "one"; this.render(); this.composer.focus(); });
    if (ctrl && letter === "s") return act(() => this.save());
    if (ctrl && (!typing || empty)) {
      if (letter === "z" && !event.shiftKey) return act(() => this.undo());
      if (letter === "y" || (letter === "z" && event.shiftKey)) return act(() => this.redo());
    }
    if (event.altKey && !ctrl) {
      const keys = { ArrowLeft: () => this.undo(), ArrowRight: () => this.forth(), ArrowUp: () => this.beside(-1), ArrowDown: () => this.beside(1) };
      const letters = { a: () => this.again(), c: () => this.others(), v: () => this.compare(), n: () => this.name(), d: () => this.fresh(), o: () => this.drawings(), m: () => this.weights() };
      const action = keys[event.key] || letters[event.code?.startsWith("Key") ? event.code.slice(3).toLowerCase() : ""];
      if (action) return act(action);
    }
    if (!typing && !ctrl && !event.altKey) {
      if (event.key === "?") return act(() => help());
      if (event.key === "/") return act(() => this.composer.focus());
    }
  }

  forth() {
    if (this.drawing.undone.length) return this.redo();
    const child = this.shown().filter((turn) => turn.parent === this.here.number).at(-1);
    if (child) return this.goto(child.number);
  }

  beside(step) {
    const same = this.shown().filter((turn) => turn.depth === this.here.depth);
    const next = same[same.findIndex((turn) => turn.number === this.here.number) + step];
    if (next) return this.goto(next.number);
  }

  shown() { return [...this.turns.values()].filter((turn) => turn.shown); }
}
