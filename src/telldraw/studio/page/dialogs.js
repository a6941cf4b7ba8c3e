// Choosing who draws, opening and saving drawings, help.

import { ask, dialog, h, note } from "./api.js";

export function chooseWeights(all, present, begin) {
  const box = dialog("Who draws", h("ul.cards", {}, all.map((weights) => {
    const figures = Object.entries(weights.figures);
    return h("li.card", {}, h("h3", {}, weights.name, weights.name === present ? h("span.badge", {}, "draws here") : null),
      h("p", {}, `${weights.summary}.`), h("dl", {},
        ...row("System", weights.system), ...row("Paper", weights.paper), ...row("Learned from", weights.data), ...row("Licence", weights.licence),
        ...row("Draws", weights.resolution ? `${weights.resolution} × ${weights.resolution} pixels` : "?"), ...row("Knows", `${weights.words.toLocaleString("en")} words`),
        ...row("Measured", figures.length ? figures.map(([name, value]) => `${name} ${typeof value === "number" ? Number(value.toPrecision(4)) : value}`).join(", ") : "nothing yet")),
      weights.scenes.length ? h("p.faint", {}, "For example: ", h("q", {}, weights.scenes[0][0])) : null,
      h("button.primary", { onclick: () => { box.close(); begin(weights.name); } }, "Begin a drawing with it"));
  })));
}

const row = (name, value) => (value ? [h("dt", {}, name), h("dd", {}, String(value))] : []);

export async function chooseDrawing(present, { open, take, gone }) {
  let mine;
  try { mine = await ask("GET", "/api/sessions"); } catch (error) { note(error.message); return; }
  const told = (one) => (one.title || (one.count ? `${one.count} turn${one.count > 1 ? "s" : ""}` : "nothing told yet"));
  const when = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const file = h("input", { type: "file", accept: ".json,.png,application/json,image/png", id: "import", onchange: () => { box.close(); take(file.files[0]); } });
  const items = mine.filter((one) => one.count || one.id === present).map((one) => {
    const item = h("li", {}, h("button.drawing", { "aria-current": one.id === present ? "true" : null, onclick: () => { box.close(); open(one.id); } },
      h("img", { src: `${one.picture}?scale=2`, alt: "", loading: "lazy" }), h("span", {}, h("b", {}, told(one)), h("small", {}, `${one.weights} · ${when.format(new Date(1000 * one.changed))}`))),
      h("button.plain.delete", { "aria-label": `Delete ${told(one)}`, onclick: async (event) => {
        const button = event.currentTarget;
        if (!button.dataset.sure) { button.dataset.sure = "1"; button.textContent = "Really delete?"; return; }
        try { await ask("DELETE", `/api/sessions/${one.id}`); item.remove(); if (one.id === present) { box.close(); gone(); } } catch (error) { note(error.message); }
      } }, "Delete"));
    return item;
  });
  const box = dialog("Your drawings", h("ul.drawings", {}, items),
    h("div.import", {}, h("label", { for: "import" }, "Go on with a file: JSON saved here, or a PNG that telldraw drew"), file),
    h("p.faint", {}, "These are the drawings of this browser. Save one as JSON to take it elsewhere."));
}

export function save(drawing, here, weights) {
  const files = [
    ["picture.png", "Picture (PNG)", "remembers what it was told: telldraw draw --continue goes on with it"],
    ["turns.gif", "Turns as GIF", "one frame a turn"], ["turns.webp", "Turns as WebP", "the same, in all colours"],
    ["sheet.png", "Contact sheet", "all turns on one page, the words under each"],
    ["drawing.json", "Drawing (JSON)", "all branches, words and seeds; imports again"],
  ];
  dialog("Save", h("ul.files", {}, files.map(([name, title, text]) => {
    const href = `/api/sessions/${drawing.id}/export/${name}${name.endsWith(".json") ? "" : `?turn=${here.number}`}`;
    return h("li", {}, h("a", { href, download: "" }, title), h("span", {}, text));
  })), weights.licence ? h("p.faint", {}, `Pictures by ${weights.name}: ${weights.licence}.`) : null);
}

export function help() {
  const keys = [
    ["Enter", "draw what you told"], ["Ctrl Enter", "draw four to choose from, then 1 to 4"], ["Shift Enter", "new line"],
    ["Ctrl Z", "undo, where nothing is typed; also Alt ←"], ["Ctrl Y", "redo; also Alt →"], ["Alt ↑ ↓", "the same turn on other branches"],
    ["Alt A", "again, with another seed"], ["Alt C", "candidates of this turn"], ["Alt V", "compare with another turn"], ["Alt N", "name this turn"],
    ["Alt D", "new drawing"], ["Alt O", "your drawings"], ["Alt M", "who draws"], ["Ctrl S", "save"], ["/", "to the instruction"], ["Esc", "back to the picture"],
  ];
  dialog("Keys and help",
    h("p", {}, "Tell one thing a turn: what it is, and where. Go back to any turn and tell something else there, and a branch grows; nothing is lost. Wavy words are not known to the drawer."),
    h("dl.keys", {}, keys.flatMap(([name, text]) => [h("dt", {}, name.split(" ").map((one) => h("kbd", {}, one))), h("dd", {}, text)])),
    h("p.faint", {}, "For programs: the ", h("a", { href: "/docs" }, "HTTP API"), ". Nothing on this page leaves the machine that serves it."));
}
