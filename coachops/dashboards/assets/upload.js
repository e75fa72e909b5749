// Choosing or dropping files. Each is announced, then sent in pieces; the kernel asks for the next
// piece, so a slow one is never flooded and a refused file costs no transfer.

const PIECE = 256 * 1024; // bytes; below the smallest websocket limit on the way

KINDS.upload = ({ model, el }) => {
  const id = uid("upload");
  const help = make("p", { class: "co-help", id: `${id}-help` });
  const input = make("input", {
    id, type: "file", class: "co-upload-input", accept: model.get("accept").join(","),
    multiple: model.get("multiple"), "aria-describedby": help.id,
  });
  const title = make("span", { class: "co-upload-title" });
  const zone = make(
    "label",
    { class: "co-upload-zone", for: id },
    make("span", { class: "co-upload-icon", "aria-hidden": "true" }),
    title,
    make("span", { class: "co-upload-sub", text: model.get("multiple")
      ? "Drop files here, or choose them" : "Drop a file here, or choose it" }),
  );
  const list = make("ul", { class: "co-files" });
  const live = make("div", { class: "co-hidden", role: "status" });
  const node = make("div", { class: "co-upload" }, input, zone, help, list, live);
  const files = new Map(); // key -> file being sent
  const local = new Map(); // key -> fraction sent
  let batch = 0;

  function draw() {
    title.textContent = model.get("label");
    help.textContent = model.get("help");
    help.hidden = !model.get("help");
    input.disabled = model.get("disabled");
    zone.classList.toggle("co-disabled", model.get("disabled"));
  }
  function drawList() {
    const rows = model.get("items");
    list.hidden = rows.length === 0;
    list.replaceChildren(...rows.map((row) => {
      const part = local.get(row.key) ?? (row.state === "done" ? 1 : 0);
      const pill = make("span", { class: `co-pill co-tone-${row.tone}`, text: row.text });
      return make(
        "li",
        { class: "co-file" },
        make("span", { class: "co-file-name", text: row.name }),
        make("span", { class: "co-file-size", text: row.size }),
        row.state === "sending"
          ? make("progress", { max: "1", value: String(part), "aria-label": `Sending ${row.name}` })
          : pill,
        row.detail ? make("span", { class: "co-file-detail", text: row.detail }) : null,
      );
    }));
    const settled = rows.filter((row) => row.state !== "sending").map((r) => `${r.name}: ${r.text}`);
    live.textContent = settled.join(". ");
  }
  function offer(chosen) {
    if (model.get("disabled")) return;
    batch += 1;
    const announced = [...chosen].map((file, index) => {
      const key = `${id}-${batch}-${index}`;
      files.set(key, file);
      return { key, name: file.name, size: file.size };
    });
    if (announced.length) model.send({ event: "offer", files: announced });
  }
  async function piece(key, offset) {
    const file = files.get(key);
    if (!file) return;
    try {
      const bytes = await file.slice(offset, offset + PIECE).arrayBuffer();
      local.set(key, Math.min(1, (offset + bytes.byteLength) / Math.max(1, file.size)));
      model.send({ event: "piece", key, offset }, undefined, [bytes]);
      drawList();
    } catch {
      files.delete(key); // the file was moved, or is a folder
      model.send({ event: "unreadable", key });
    }
  }
  model.on("msg:custom", (message) => {
    if (message.event === "next") piece(message.key, message.offset);
    if (message.event === "drop") {
      files.delete(message.key);
      local.delete(message.key);
    }
    if (message.event === "focus") input.focus();
  });
  input.addEventListener("change", () => {
    offer(input.files);
    input.value = ""; // so that the same file can be chosen again
  });
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => {
      event.preventDefault();
      zone.classList.add("co-over");
    });
  }
  for (const name of ["dragleave", "drop"]) {
    zone.addEventListener(name, (event) => {
      event.preventDefault();
      zone.classList.remove("co-over");
    });
  }
  zone.addEventListener("drop", (event) => {
    const dropped = [...event.dataTransfer.files];
    offer(model.get("multiple") ? dropped : dropped.slice(0, 1));
  });
  draw();
  drawList();
  el.append(node);
  onChange(model, ["label", "help", "disabled"], draw);
  model.on("change:items", drawList);
};
