// The frame: which pages there are follows from what the systems of the weights at hand can do.

import { ask, h, note } from "./api.js";

async function begin() {
  const about = await ask("GET", "/api/studio");
  const root = document.getElementById("page");
  const nav = document.getElementById("pages");
  const studio = { about, middle: document.getElementById("bar-middle"), end: document.getElementById("bar-end") };
  const wanted = new URLSearchParams(location.search).get("page");
  const page = about.pages.find((one) => one.capability === wanted) || about.pages[0];
  if (about.pages.length > 1) {
    nav.hidden = false;
    nav.append(...about.pages.map((one) =>
      h("a", { href: `/?page=${encodeURIComponent(one.capability)}`, "aria-current": one === page ? "page" : null }, one.title)));
  }
  studio.weights = about.weights.filter((weights) => page.weights.includes(weights.name));
  const script = await import(`/page/${page.script}`);
  await script.mount(root, studio);
}

begin().catch((error) => note(error.message));
