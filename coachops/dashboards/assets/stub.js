// What every widget of the dashboards carries: it fetches the shared module once per page from the
// library widget and leaves the work to it. (A widget's `_esm` travels with each instance, so it
// must be tiny.)
const pages = (globalThis.coachopsLibraries ??= new Map());

function library(model) {
  const id = model.get("_library");
  if (!pages.has(id)) pages.set(id, load(model.widget_manager, id));
  return pages.get(id);
}

async function load(manager, id) {
  const source = await manager.get_model(id);
  for (const [name, text] of Object.entries(source.get("styles"))) {
    if (document.getElementById(name)) continue;
    const style = document.createElement("style");
    style.id = name;
    style.textContent = text;
    document.head.append(style);
  }
  const url = URL.createObjectURL(new Blob([source.get("code")], { type: "text/javascript" }));
  try {
    return await import(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}

export default {
  async render(context) {
    const code = await library(context.model);
    return code.render(context);
  },
};
