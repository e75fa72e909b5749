// A transcript that stays quick with tens of thousands of utterances: blocks of a hundred are drawn
// when they come near the view. Citations elsewhere on the page jump here through a document event.

const BLOCK = 100;
const NEAR = "900px";
const ROLES = { coach: "Coach", client: "Client", other: "Other" };
// columns of an utterance as Python sends it
const [POSITION, SPEAKER, NAME, TIME, TEXT, BEHAVIOUR, FLAGS] = [0, 1, 2, 3, 4, 5, 6];

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined || value === "") continue;
    if (name === "text") node.textContent = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter(Boolean));
  return node;
}

export function render({ model, el, signal }) {
  el.classList.add("co-host");
  const search = make("input", { type: "search", placeholder: "Search the transcript", autocomplete: "off" });
  const count = make("span", { class: "co-transcript-count", role: "status" });
  const button = (text, label) =>
    make("button", { type: "button", class: "co-button co-button-secondary", "aria-label": label, text });
  const previous = button("↑", "Previous match");
  const next = button("↓", "Next match");
  const bar = make(
    "div", { class: "co-transcript-bar", role: "search" },
    make("label", {}, make("span", { class: "co-hidden", text: "Search the transcript" }), search),
    count, previous, next,
  );
  const scroll = make("div", { class: "co-transcript-scroll", tabindex: "0", role: "region" });
  const back = button("Back to the citation", null);
  const clear = button("Clear selection", null);
  const chosen = make("span", { role: "status" });
  const total = make("span");
  const foot = make("div", { class: "co-transcript-foot" }, make("span", {}, total, " ", chosen), back, clear);
  const node = make("section", { class: "co co-transcript" }, bar, scroll, foot);
  el.append(node);

  let rows = [];
  let index = new Map(); // position -> row number
  let blocks = []; // {list, from, filled}
  let matches = []; // row numbers that hold the words, in order
  let query = null;
  let current = -1;
  let target = null; // row number of the cited utterance
  let origin = null; // the citation that was followed
  let anchor = null; // row number of the last tick, for Shift
  const selected = new Set();

  const observer = new IntersectionObserver(
    (entries) => entries.forEach((e) => e.isIntersecting && fill(e.target.coachopsBlock)),
    { root: scroll, rootMargin: `${NEAR} 0px` },
  );
  signal.addEventListener("abort", () => observer.disconnect());

  function build() {
    const at = topRow();
    rows = model.get("rows");
    index = new Map(rows.map((row, i) => [row[POSITION], i]));
    for (const position of [...selected]) if (!index.has(position)) selected.delete(position);
    observer.disconnect();
    blocks = [];
    scroll.replaceChildren();
    for (let from = 0; from < rows.length; from += BLOCK) {
      const list = make("ol", { class: "co-transcript-block", start: String(rows[from][POSITION]) });
      const block = { list, from, filled: false };
      list.coachopsBlock = block;
      list.style.minHeight = `${guess(from)}px`;
      blocks.push(block);
      scroll.append(list);
      observer.observe(list);
    }
    node.setAttribute("aria-label", model.get("label"));
    scroll.setAttribute("aria-label", `${model.get("label")}, text`);
    node.style.setProperty("--co-transcript-height", `${model.get("height")}px`);
    node.classList.toggle("co-transcript-selectable", model.get("selectable"));
    bar.hidden = rows.length === 0;
    if (!rows.length) scroll.replaceChildren(make("p", { class: "co-empty-line", text: model.get("empty") }));
    total.textContent = `${rows.length.toLocaleString("en")} ${rows.length === 1 ? "utterance" : "utterances"}`;
    find(false);
    if (at !== null && at < rows.length) reach(at, "start");
    showSelection();
  }
  function guess(from) {
    let height = 0;
    const wide = Math.max(28, (scroll.clientWidth - 90) / 7.4);
    for (const row of rows.slice(from, from + BLOCK)) height += 42 + 23 * Math.ceil(row[TEXT].length / wide);
    return height;
  }
  function topRow() {
    if (!rows.length || scroll.scrollTop === 0) return null;
    const top = scroll.scrollTop;
    const item = [...scroll.querySelectorAll(".co-utterance")].find((li) => li.offsetTop + li.offsetHeight > top);
    return item ? index.get(Number(item.dataset.position)) ?? null : null;
  }

  function fill(block) {
    if (!block || block.filled) return;
    block.filled = true;
    const items = rows.slice(block.from, block.from + BLOCK).map((row, i) => draw(row, block.from + i));
    block.list.replaceChildren(...items);
    block.list.style.minHeight = "";
  }
  function redraw(number) {
    const item = itemOf(number);
    if (item) item.replaceWith(draw(rows[number], number));
  }
  const itemOf = (number) => {
    const block = blocks[Math.floor(number / BLOCK)];
    return block?.filled ? block.list.children[number - block.from] : null;
  };

  function draw(row, number) {
    const flags = row[FLAGS];
    const speaker = ROLES[row[SPEAKER]] ? row[SPEAKER] : "other";
    const classes = ["co-utterance", `co-utterance-${speaker}`];
    if (flags.includes("redacted")) classes.push("co-utterance-redacted");
    if (flags.includes("cut")) classes.push("co-utterance-cut");
    if (number === target) classes.push("co-utterance-target");
    if (selected.has(row[POSITION])) classes.push("co-utterance-selected");
    const tick = model.get("selectable") && make("input", {
      type: "checkbox", "aria-label": `Select utterance ${row[POSITION]}`,
    });
    if (tick) tick.checked = selected.has(row[POSITION]);
    const role = ROLES[speaker];
    return make(
      "li", { class: classes.join(" "), "data-position": row[POSITION], tabindex: "-1" },
      tick,
      make("span", { class: "co-utterance-number", text: `¶${row[POSITION]}` }),
      make(
        "div", {},
        make(
          "div", { class: "co-utterance-head" },
          row[NAME] !== role && make("span", { class: "co-utterance-name", text: row[NAME] }),
          make("span", { class: "co-utterance-role", text: role }),
          row[TIME] && make("span", { class: "co-utterance-time", text: row[TIME] }),
          row[BEHAVIOUR] && make("span", { class: "co-utterance-note", text: row[BEHAVIOUR] }),
          ...flags.map((flag) => make("span", { class: "co-utterance-note", text: model.get("notes")[flag] ?? flag })),
        ),
        make("p", { class: "co-utterance-text" }, ...marked(row[TEXT], number)),
      ),
    );
  }
  function marked(text, number) {
    if (!query) return [text];
    const parts = [];
    let end = 0;
    for (const hit of text.matchAll(query)) {
      parts.push(text.slice(end, hit.index), make("mark", { class: matches[current] === number && "co-now", text: hit[0] }));
      end = hit.index + hit[0].length;
    }
    parts.push(text.slice(end));
    return parts.filter((part) => part !== "");
  }

  // brings a row into view inside the transcript, whatever of it is drawn yet
  function reach(number, where) {
    const at = Math.floor(number / BLOCK);
    for (const near of [at - 1, at, at + 1]) fill(blocks[near]);
    const settle = () => {
      const item = itemOf(number);
      if (!item) return;
      const room = where === "start" ? 0 : Math.max(8, (scroll.clientHeight - item.offsetHeight) / 2);
      scroll.scrollTop = item.offsetTop - room;
    };
    settle();
    requestAnimationFrame(settle); // blocks above may have been drawn by the first move
  }
  function go(position, from) {
    const number = index.get(position);
    if (number === undefined) return;
    const old = target;
    target = number;
    if (old !== null) redraw(old);
    reach(number, "center");
    redraw(number);
    itemOf(number)?.focus({ preventScroll: true });
    const box = node.getBoundingClientRect();
    if (box.top < 0 || box.top > innerHeight * 0.6) node.scrollIntoView({ block: "start" });
    origin = from ?? origin;
    showSelection();
  }
  function goBack() {
    if (!origin?.isConnected) return;
    origin.focus();
    origin.scrollIntoView({ block: "center" });
    origin = null;
    showSelection();
  }

  function find(move) {
    const words = search.value.trim();
    query = words ? new RegExp(words.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "gi") : null;
    matches = [];
    if (query) rows.forEach((row, i) => row[TEXT].search(query) >= 0 && matches.push(i));
    current = matches.length ? 0 : -1;
    for (const block of blocks) {
      if (!block.filled) continue;
      block.filled = false;
      fill(block);
    }
    if (move && current >= 0) reach(matches[current], "center");
    showCount();
  }
  function step(by) {
    if (!matches.length) return;
    const old = matches[current];
    current = (current + by + matches.length) % matches.length;
    reach(matches[current], "center");
    redraw(old);
    redraw(matches[current]);
    showCount();
  }
  function showCount() {
    count.textContent = query ? (matches.length ? `${current + 1} of ${matches.length}` : "None") : "";
    previous.hidden = next.hidden = matches.length < 2;
  }

  function choose(number, on) {
    if (on) selected.add(rows[number][POSITION]);
    else selected.delete(rows[number][POSITION]);
    const item = itemOf(number);
    if (!item) return;
    item.classList.toggle("co-utterance-selected", on);
    item.querySelector("input").checked = on;
  }
  function showSelection() {
    chosen.textContent = selected.size ? `· ${selected.size} selected` : "";
    clear.hidden = !selected.size;
    back.hidden = !origin;
  }
  function tell() {
    showSelection();
    const positions = [...selected].sort((a, b) => a - b);
    model.set("chosen", positions); // so that the kernel can take it back; it is not sent
    model.send({ event: "select", positions });
  }

  scroll.addEventListener("click", (event) => {
    if (event.target.type !== "checkbox") return;
    const number = index.get(Number(event.target.closest("li").dataset.position));
    const on = event.target.checked;
    const from = event.shiftKey && anchor !== null ? anchor : number;
    for (let i = Math.min(from, number); i <= Math.max(from, number); i += 1) choose(i, on);
    anchor = number;
    tell();
  });
  clear.addEventListener("click", () => {
    for (const position of [...selected]) choose(index.get(position), false);
    tell();
    scroll.focus();
  });
  let typing = null;
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => find(true), 150);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") step(event.shiftKey ? -1 : 1);
  });
  previous.addEventListener("click", () => step(-1));
  next.addEventListener("click", () => step(1));
  back.addEventListener("click", goBack);
  node.addEventListener("keydown", (event) => event.key === "Escape" && event.target !== search && goBack());
  const onJump = (event) => {
    if (event.detail.view === model.get("view_id")) go(event.detail.position, event.detail.origin);
  };
  document.addEventListener("coachops:jump", onJump);
  signal.addEventListener("abort", () => document.removeEventListener("coachops:jump", onJump));
  model.on("change:chosen", () => {
    const wanted = new Set(model.get("chosen"));
    rows.forEach((row, i) => {
      if (wanted.has(row[POSITION]) !== selected.has(row[POSITION])) choose(i, wanted.has(row[POSITION]));
    });
    showSelection();
  });
  for (const name of ["rows", "label", "height", "selectable"]) model.on(`change:${name}`, build);
  for (const position of model.get("chosen")) selected.add(position);
  build();
}
