// Labelled inputs: text, textarea, select, date, checkbox. What is typed goes to the kernel as a
// message (state would be held back while the kernel works, and a click could overtake it).

KINDS.input = ({ model, el }) => {
  const control = model.get("control");
  const id = uid("input");
  const label = make("label", { for: id, class: "co-label" });
  const help = make("p", { class: "co-help", id: `${id}-help` });
  const error = make("p", { class: "co-field-error", id: `${id}-error`, role: "alert" });
  const input = {
    textarea: () => make("textarea", { id }),
    select: () => make("select", { id }),
    checkbox: () => make("input", { id, type: "checkbox" }),
  }[control]?.() ?? make("input", { id, type: control });
  const node = make("div", { class: `co-field co-field-${control}` });
  if (control === "checkbox") {
    node.append(make("div", { class: "co-check" }, input, label), help, error);
  } else node.append(label, help, input, error);

  let timer = null;
  let sent = null;
  const read = () => {
    if (control === "checkbox") return input.checked;
    if (control === "select") return input.selectedIndex < 0 ? null : input.selectedIndex;
    return input.value;
  };
  function write() {
    const value = model.get("value");
    if (control === "checkbox") input.checked = Boolean(value);
    else if (control === "select") input.selectedIndex = value ?? -1;
    else if (input.value !== value) input.value = value;
    sent = read();
  }
  function flush() {
    clearTimeout(timer);
    timer = null;
    const value = read();
    if (value === sent || input.validity.badInput) return; // half a date is none
    sent = value;
    model.set("value", value); // for a later drawing only; it is not sent
    model.send({ event: "value", value });
  }
  function draw() {
    const required = model.get("required");
    label.textContent = model.get("label");
    label.classList.toggle("co-hidden", model.get("label_hidden"));
    if (!required && model.get("mark_optional")) {
      label.append(" ", make("span", { class: "co-optional", text: "(optional)" }));
    }
    help.textContent = model.get("help");
    help.hidden = !model.get("help");
    error.textContent = model.get("error");
    error.hidden = !model.get("error");
    const described = [];
    if (model.get("help")) described.push(help.id);
    if (model.get("error")) described.push(error.id);
    if (described.length) input.setAttribute("aria-describedby", described.join(" "));
    else input.removeAttribute("aria-describedby");
    if (model.get("error")) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    input.required = required;
    input.disabled = model.get("disabled");
    for (const [name, value] of Object.entries(model.get("hints"))) {
      if (value === null || value === "") input.removeAttribute(name);
      else input.setAttribute(name, value);
    }
  }
  function fillOptions() {
    if (control !== "select") return;
    input.replaceChildren(...model.get("options").map((text) => make("option", { text })));
    write();
  }
  input.addEventListener("input", () => {
    if (["select", "checkbox", "date"].includes(control)) return;
    clearTimeout(timer);
    timer = setTimeout(flush, 250);
  });
  input.addEventListener("change", flush);
  input.addEventListener("keydown", (event) => {
    const plain = control !== "textarea" && control !== "select";
    const send = plain || event.ctrlKey || event.metaKey;
    if (event.key !== "Enter" || !send || event.isComposing || control === "checkbox") return;
    flush();
    model.send({ event: "submit" });
  });
  draw();
  fillOptions();
  write();
  el.append(node);
  onChange(
    model,
    ["label", "label_hidden", "mark_optional", "help", "error", "required", "disabled", "hints"],
    draw,
  );
  model.on("change:options", fillOptions);
  // a value that the kernel sets wins over what is being typed: it only sends deliberate changes
  model.on("change:value", () => {
    if (model.get("value") === read()) return;
    clearTimeout(timer);
    write();
  });
  onFocus(model, () => input);
};
