// Pictures are embedded once and deflated: they are unpacked when they come near the window.
const inflate = async (base64) => {
  const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
};

const Pictures = (() => {
  const packed = JSON.parse($("#pictures").textContent), unpacked = new Map();
  const address = (path) => {
    if (!unpacked.has(path)) {
      unpacked.set(path, inflate(packed[path]).then((bytes) =>
        URL.createObjectURL(new Blob([bytes], { type: "image/svg+xml" }))));
    }
    return unpacked.get(path);
  };
  const night = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme || (night.matches ? "dark" : "light")) === "dark";
  /** The version of a picture for the page's language and theme, where it has versions. */
  const version = (image, dark) => {
    const path = image.dataset.picture;
    if (!("versions" in image.dataset)) return path;
    return path.replace(/\.png$/, (root.lang === "ko" ? "-ko" : "") + (dark ? "-dark" : "") + ".png");
  };
  const show = async (image, dark = isDark()) => {
    const path = version(image, dark);
    if (image.dataset.shown === path || !(path in packed)) return;
    image.dataset.shown = path;
    const found = await address(path);
    if (image.dataset.shown === path) image.src = found;
  };
  const again = () => {
    for (const image of $$("img[data-versions]")) {
      image.alt = image.dataset[root.lang === "ko" ? "ko" : "en"];
      if (image.dataset.shown) show(image);
    }
  };
  onLanguage.push(again);
  night.addEventListener("change", again);
  new MutationObserver(again).observe(root, { attributeFilter: ["data-theme"] });
  const images = $$("img[data-picture]");
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { show(entry.target); watch.unobserve(entry.target); }
  }, { rootMargin: "1200px" });
  for (const image of images) watch.observe(image);
  addEventListener("beforeprint", () => {
    for (const image of images) show(image, false);
    // on paper nothing can be opened
    for (const closed of $$("details.question, details.more, details.remarks")) closed.open = true;
  });
  return { show };
})();
