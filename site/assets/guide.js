// Names and a keyboard stop for parts that the theme makes without them (WCAG 2.2: 2.1.1, 4.1.2).
// The theme makes some of these after the page has loaded, so this looks again when it does.
function mend() {
  for (const search of document.querySelectorAll(".md-search[role=dialog]:not([aria-label])")) {
    search.setAttribute("aria-label", "Search");
  }
  document.querySelectorAll(".md-code__nav:not([aria-label])").forEach((nav) => {
    const place = [...document.querySelectorAll(".md-code__nav")].indexOf(nav) + 1;
    nav.setAttribute("aria-label", `Example ${place}`);
  });
  for (const wide of document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])")) {
    wide.setAttribute("tabindex", "0");
  }
}

mend();
new MutationObserver(mend).observe(document.body, { childList: true, subtree: true });
