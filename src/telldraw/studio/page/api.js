// Requests to the studio that served this page, and small helpers to build a page without a framework.

export class Refusal extends Error {
  constructor(sentence, status, retry) {
    super(sentence);
    this.status = status;
    this.retry = retry;
  }
}

const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

/** Ask the studio. Throws a Refusal with one sentence for people. Where it is busy, or cannot be reached for a moment,
 * asks again: a turn carries a key, so it is never drawn twice. */
export async function ask(method, path, body, { tries = 4, type = "application/json", waiting = () => {} } = {}) {
  for (let attempt = 1; ; attempt++) {
    let response;
    try {
      const content = body === undefined ? undefined : type === "application/json" && !(body instanceof Blob) ? JSON.stringify(body) : body;
      response = await fetch(path, { method, body: content, headers: body === undefined ? {} : { "content-type": type } });
    } catch {
      const safe = method === "GET" || body?.key;
      if (safe && attempt < tries) { waiting("The studio does not answer; trying again"); await pause(attempt); continue; }
      throw new Refusal("The studio does not answer. What was drawn is stored; is it still running?", 0);
    }
    if (response.ok) return response.status === 204 ? null : response.json();
    const retry = Number(response.headers.get("retry-after")) || 0;
    if (response.status === 503 && retry && attempt < tries) {
      waiting(`Many are drawing; trying again in ${retry} s`);
      await pause(Math.min(retry, 20));
      continue;
    }
    let sentence = `The studio answered ${response.status}`;
    try { sentence = (await response.json()).error || sentence; } catch { /* no sentence came with it */ }
    throw new Refusal(sentence[0].toUpperCase() + sentence.slice(1), response.status, retry);
  }
}

/** Build an element: h("button.primary", {onclick}, "Draw"). Text is always text, never HTML. */
export function h(kind, attributes = {}, ...children) {
  const [tag, ...classes] = kind.split(".");
  const node = document.createElement(tag || "div");
  if (classes.length) node.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const SHAPES = {
  undo: "M9 7 4 12l5 5M4 12h10a6 6 0 0 1 0 12h-3",
  redo: "m15 7 5 5-5 5M20 12H10a6 6 0 0 0 0 12h3",
  again: "M20 11a8 8 0 1 0-2.300 6.500M20 5v6h-6",
  compare: "M3 6h8v12H3zM13 6h8v12h-8z",
  name: "M4 4h8l8 8-8 8-8-8zM8.500 8.500h.01",
  save: "M12 4v11m-5-5 5 5 5-5M4 20h16",
  grid: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  help: "M9 9a3 3 0 1 1 4.500 2.600c-1 .6-1.500 1.200-1.500 2.400M12 18h.01",
  list: "M4 6h16M4 12h16M4 18h16",
  plus: "M12 5v14M5 12h14",
};

/** A line drawing, for decoration: the button around it has the words. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", name === "undo" || name === "redo" ? "0 3 24 24" : "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}

/** Say something to those who cannot see it happen. */
export function announce(text) {
  const live = document.getElementById("live");
  live.textContent = "";
  setTimeout(() => { live.textContent = text; }, 30);
}

/** Say something that needs attention; it goes away by itself, or with its button. */
export function note(text, kind = "problem") {
  const notes = document.getElementById("notes");
  const close = () => item.remove();
  const item = h(`div.note.${kind}`, {}, h("span", {}, text), h("button.plain", { "aria-label": "Close this message", onclick: close }, "×"));
  notes.replaceChildren(item);
  if (kind !== "problem") setTimeout(close, 6000);
  return close;
}

/** A dialog with a heading that closes with Escape, its button, or a click beside it. */
export function dialog(title, ...children) {
  const box = h("dialog", { "aria-label": title },
    h("div.dialog-head", {}, h("h2", {}, title), h("button.plain.close", { "aria-label": "Close", onclick: () => box.close() }, "×")),
    ...children);
  box.addEventListener("click", (event) => { if (event.target === box) box.close(); });
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
  [...box.querySelectorAll("button, a, input")][1]?.focus(); // not the button that closes
  return box;
}
