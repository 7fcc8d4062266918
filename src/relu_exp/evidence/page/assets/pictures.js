// Pictures are embedded once and deflated: they are unpacked when they come near the window.
const inflate = async (base64) => {
  const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
};

(() => {
  const packed = JSON.parse($("#pictures").textContent), unpacked = new Map();
  const address = (path) => {
    if (!unpacked.has(path)) {
      unpacked.set(path, inflate(packed[path]).then((bytes) =>
        URL.createObjectURL(new Blob([bytes], { type: "image/svg+xml" }))));
    }
    return unpacked.get(path);
  };
  const show = async (image) => {
    const path = image.dataset.picture;
    if (image.src || !(path in packed)) return;
    image.src = await address(path);
  };
  const images = $$("img[data-picture]");
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { show(entry.target); watch.unobserve(entry.target); }
  }, { rootMargin: "1200px" });
  for (const image of images) watch.observe(image);
  addEventListener("beforeprint", () => {
    images.forEach(show);
    // on paper nothing can be opened
    for (const closed of $$("details.question, details.more")) closed.open = true;
  });
})();
