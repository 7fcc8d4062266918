// Pictures are embedded once and deflated: they are unpacked when they come near the window.
const Pictures = (() => {
  const { packed, dark: colors } = JSON.parse($("#pictures").textContent), unpacked = new Map();
  const light = (path) => path.replace("-dark.png", ".png");
  /** The picture of a path; a dark one is the light one in other colors, so that it is here once. */
  const unpack = async (path) => {
    const svg = new TextDecoder().decode(await inflate(packed[light(path)]));
    const shown = path === light(path) ? svg : svg.replace(/(?<=: )#[0-9a-f]{6}\b/g, (hex) => colors[hex]);
    return URL.createObjectURL(new Blob([shown], { type: "image/svg+xml" }));
  };
  const address = (path) => {
    if (!unpacked.has(path)) unpacked.set(path, unpack(path));
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
    if (image.dataset.shown === path || !(light(path) in packed)) return;
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
  // on paper nothing can be opened; pictures have a version of their own there
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = $$("details.remarks:not([open])");
    for (const each of opened) each.open = true;
  });
  addEventListener("afterprint", () => { for (const each of opened) each.open = false; });
  return { show };
})();
