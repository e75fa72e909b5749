// The shared module of the dashboards: elements with slots, buttons, tabs, the ticker.
// Inputs and the upload follow in inputs.js and upload.js (one module when it is loaded).
// Nothing here writes a synced trait back: the browser sends messages, Python decides.

const KINDS = {};

export function render(context) {
  const draw = KINDS[context.model.get("_kind")];
  if (!draw) throw new Error(`unknown widget kind ${context.model.get("_kind")}`);
  context.el.classList.add("co-host");
  watch(context.model.widget_manager.kernel);
  return draw(context);
}

// Says so when the page has lost its kernel (sleep, sign-out, restart): nothing it shows would react.
let watched = null;
function watch(kernel) {
  if (watched || !kernel?.connectionStatusChanged) return;
  watched = kernel;
  const reload = make("button", { type: "button", class: "co-button co-button-secondary", text: "Reload" });
  reload.addEventListener("click", () => location.reload());
  const note = make(
    "div", { class: "co-offline", role: "alert" },
    make("p", {
      text: "This page lost its connection. It tries again by itself; if it stays so, copy what you typed and reload.",
    }),
    reload,
  );
  let timer = null;
  kernel.connectionStatusChanged.connect((_, status) => {
    clearTimeout(timer);
    if (status === "connected") note.remove();
    else timer = setTimeout(() => document.body.append(note), note.isConnected ? 0 : 3000);
  });
}

// -- small helpers -----------------------------------------------------------------------------

let serial = 0;
const uid = (name) => `co-${name}-${++serial}`;

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "class") node.className = value;
    else if (name === "text") node.textContent = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}

function onChange(model, names, run) {
  for (const name of names) model.on(`change:${name}`, run);
}

function onFocus(model, target) {
  model.on("msg:custom", (message) => {
    if (message.event === "focus") target()?.focus();
  });
}

// -- child widgets -----------------------------------------------------------------------------

// anywidget waits ten seconds for a child; a slow phone or a busy machine may need longer.
async function patiently(attempt, signal) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (problem) {
      if (signal.aborted || tries === 12) throw problem;
      await new Promise((resume) => setTimeout(resume, 250));
    }
  }
}

// Keeps `container` in step with a list of [model id, is anywidget]; unchanged children stay as
// they are, so that focus and typed text survive.
function childList(context, container) {
  const { model, signal, host } = context;
  const shown = new Map(); // id -> {slot, stop}
  async function fill(id, own, slot, stop) {
    try {
      if (own) {
        // the child exists before it is named here, but its start may still be under way
        await model.widget_manager.get_model(id);
        const child = await patiently(() => host.getWidget(`anywidget:${id}`), stop.signal);
        if (stop.signal.aborted) return;
        await child.render({ el: slot, signal: stop.signal });
      } else {
        const view = await model.widget_manager.create_view(
          await model.widget_manager.get_model(id),
        );
        if (stop.signal.aborted) return view.remove();
        // Jupyter's own widgets live in Lumino, which must be told that they are on the page
        const lumino = view.luminoWidget;
        if (lumino?.constructor.attach && slot.isConnected) lumino.constructor.attach(lumino, slot);
        else slot.append(view.el);
        stop.signal.addEventListener("abort", () => view.remove());
      }
    } catch (problem) {
      if (!stop.signal.aborted) console.error("a part of the page could not be shown", problem);
    }
  }
  return (members) => {
    const wanted = new Set(members.map(([id]) => id));
    for (const [id, { slot, stop }] of shown) {
      if (wanted.has(id)) continue;
      stop.abort();
      slot.remove();
      shown.delete(id);
    }
    let before = null;
    for (const [id, own] of members) {
      let entry = shown.get(id);
      if (!entry) {
        const stop = new AbortController();
        signal.addEventListener("abort", () => stop.abort(), { once: true });
        entry = { slot: make("div", { class: "co-slot" }), stop };
        shown.set(id, entry);
        place(container, entry.slot, before);
        fill(id, own, entry.slot, stop);
      } else place(container, entry.slot, before);
      before = entry.slot;
    }
  };
}

function place(container, node, before) {
  const next = before ? before.nextSibling : container.firstChild;
  if (next !== node) container.insertBefore(node, next);
}

// -- elements ----------------------------------------------------------------------------------

KINDS.element = (context) => {
  const { model, el } = context;
  const node = make(model.get("tag"), { "data-co": "" });
  const skeleton = make("div", { class: "co-slot" });
  const lists = new Map(); // slot name -> {container, update}
  let attributes = [];

  function dress() {
    node.className = `co ${model.get("classes")}`.trim();
    for (const name of attributes) node.removeAttribute(name);
    attributes = Object.keys(model.get("attributes"));
    for (const name of attributes) node.setAttribute(name, model.get("attributes")[name]);
  }
  function write() {
    skeleton.innerHTML = model.get("content");
    seat();
  }
  // puts each slot's container at its place in the HTML, or last
  function seat() {
    for (const [name, { container }] of lists) {
      const seatOf = skeleton.querySelector(`[data-slot="${name}"]`);
      if (seatOf) seatOf.append(container);
      else if (container.parentNode !== node) node.append(container);
    }
  }
  function fill() {
    const slots = model.get("_slots");
    for (const name of Object.keys(slots)) {
      if (lists.has(name)) continue;
      const container = make("div", { class: "co-slot" });
      lists.set(name, { container, update: childList(context, container) });
    }
    seat();
    for (const [name, { update }] of lists) update(slots[name] ?? []);
  }

  node.append(skeleton);
  dress();
  write();
  el.append(node);
  fill();
  onChange(model, ["classes", "attributes"], dress);
  model.on("change:content", write);
  model.on("change:_slots", fill);
  onFocus(model, () => node.querySelector("[data-focus],h1,h2,h3,a[href],button,input") ?? node);
  node.addEventListener("click", (event) => {
    const button = event.target.closest("[data-event],[data-jump]");
    if (!button || button.closest("[data-co]") !== node) return;
    // nothing can be saved now: the note on top of the page says why
    if ("changes" in button.dataset && document.querySelector(".co-holding")) return;
    if (button.dataset.jump) {
      jump(button);
      return;
    }
    model.send({ event: "action", name: button.dataset.event, value: button.dataset.value ?? "" });
  });
};

// A citation asks the transcript beside it, without a way through the kernel.
function jump(origin) {
  const detail = { view: origin.dataset.view, position: Number(origin.dataset.jump), origin };
  document.dispatchEvent(new CustomEvent("coachops:jump", { detail }));
}

// -- buttons -----------------------------------------------------------------------------------

KINDS.button = ({ model, el }) => {
  const label = make("span", { class: "co-button-label" });
  const node = make("button", { type: "button" }, label);
  const why = make("span", { class: "co-why-held", id: uid("held") });
  let waiting = false;

  function draw() {
    const busy = waiting || model.get("running");
    node.className = `co-button co-button-${model.get("style_kind")}`;
    node.disabled = model.get("disabled");
    // stays focusable while it works: a button that vanishes from the tab order loses the reader
    node.toggleAttribute("data-busy", busy);
    const held = model.get("held");
    node.toggleAttribute("data-held", Boolean(held));
    if (busy || held) node.setAttribute("aria-disabled", "true");
    else node.removeAttribute("aria-disabled");
    // said beside the one button that matters; the note on top of the page may be out of sight
    const tell = held && model.get("style_kind") === "primary";
    why.textContent = tell ? held : "";
    node.title = tell ? "" : held;
    if (tell) node.setAttribute("aria-describedby", why.id);
    else node.removeAttribute("aria-describedby");
    label.textContent = busy ? model.get("busy_label") || model.get("label") : model.get("label");
    const name = model.get("description");
    if (name) node.setAttribute("aria-label", `${model.get("label")} ${name}`);
    else node.removeAttribute("aria-label");
  }
  function run() {
    if (waiting || model.get("running") || node.disabled || model.get("held")) return;
    waiting = true;
    draw();
    model.send({ event: "click", count: model.get("count") });
  }
  node.addEventListener("click", () => {
    if (waiting || node.disabled || model.get("held")) return;
    const question = model.get("question");
    if (question.title) ask(question, model.get("style_kind"), run);
    else run();
  });
  onChange(model, ["label", "busy_label", "style_kind", "disabled", "held", "running", "description"], draw);
  model.on("change:count", () => {
    waiting = false;
    draw();
  });
  onFocus(model, () => node);
  draw();
  el.append(node, why);
};

function ask(question, kind, run) {
  const title = uid("dialog");
  const no = make("button", { type: "button", class: "co-button co-button-secondary" });
  const yes = make("button", { type: "button", class: `co-button co-button-${kind}` });
  no.textContent = question.no;
  yes.textContent = question.yes;
  const dialog = make(
    "dialog",
    { class: "co-dialog", "aria-labelledby": title },
    make("h2", { id: title, text: question.title }),
    question.text ? make("p", { text: question.text }) : null,
    make("div", { class: "co-actions" }, no, yes),
  );
  no.addEventListener("click", () => dialog.close());
  yes.addEventListener("click", () => {
    dialog.close();
    run();
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  no.focus();
}

// -- tabs --------------------------------------------------------------------------------------

KINDS.tabs = (context) => {
  const { model, el } = context;
  const bar = make("div", { class: "co-tabbar", role: "tablist", "aria-label": model.get("name") });
  const node = make("div", { class: "co-tabs" }, bar);
  const tabs = [];
  const panels = [];

  function show(index, focus) {
    tabs.forEach((tab, i) => {
      tab.setAttribute("aria-selected", String(i === index));
      tab.tabIndex = i === index ? 0 : -1;
      panels[i].hidden = i !== index;
    });
    if (focus) tabs[index]?.focus();
    window.dispatchEvent(new Event("resize")); // charts that were hidden measure themselves again
  }
  function choose(index, focus) {
    model.set("selected", index); // for a later drawing only; it is not sent
    show(index, focus);
    model.send({ event: "select", index });
  }
  model.get("labels").forEach((text, index) => {
    const id = uid("tab");
    const tab = make("button", { type: "button", role: "tab", class: "co-tab", id, text });
    const panel = make("div", {
      role: "tabpanel", class: "co-panel", "aria-labelledby": id, id: `${id}-panel`, tabindex: "0",
    });
    tab.setAttribute("aria-controls", panel.id);
    tab.addEventListener("click", () => choose(index, false));
    tabs.push(tab);
    panels.push(panel);
    bar.append(tab);
    node.append(panel);
  });
  bar.addEventListener("keydown", (event) => {
    const at = tabs.findIndex((tab) => tab === document.activeElement);
    const to = {
      ArrowRight: (at + 1) % tabs.length,
      ArrowLeft: (at + tabs.length - 1) % tabs.length,
      Home: 0,
      End: tabs.length - 1,
    }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    choose(to, true);
  });
  el.append(node);
  const updates = panels.map((panel) => childList(context, panel));
  const fill = () => updates.forEach((update, i) => update(model.get("_panels")[i] ?? []));
  fill();
  show(model.get("selected"), false);
  model.on("change:_panels", fill);
  model.on("change:selected", () => show(model.get("selected"), false));
  onFocus(model, () => tabs[model.get("selected")]);
};

// -- ticker ------------------------------------------------------------------------------------

// Asks the kernel to refresh while somebody looks; a hidden tab is quiet, and so is a kernel that
// has not answered yet.
KINDS.ticker = ({ model, signal }) => {
  let pending = false;
  const beat = () => {
    if (document.hidden || pending || model.get("paused")) return;
    pending = true;
    model.send({ event: "tick" });
  };
  model.on("change:answered", () => (pending = false));
  let timer = setInterval(beat, model.get("every") * 1000);
  model.on("change:every", () => {
    clearInterval(timer);
    timer = setInterval(beat, model.get("every") * 1000);
  });
  const seen = () => !document.hidden && beat();
  document.addEventListener("visibilitychange", seen);
  signal.addEventListener("abort", () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", seen);
  });
};
