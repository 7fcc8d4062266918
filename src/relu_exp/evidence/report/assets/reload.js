// A report on a run that goes on: read again now and then, for as long as the reader wants.
const box = document.getElementById("reload"), seconds = Number(box.dataset.seconds);
try { box.checked = sessionStorage.getItem("relu-exp-reload") !== "no"; } catch { /* no storage */ }
box.addEventListener("change", () => {
  try { sessionStorage.setItem("relu-exp-reload", box.checked ? "" : "no"); } catch { /* no storage */ }
});
// whoever has selected text is not interrupted; a browser keeps the place by itself
setInterval(() => { if (box.checked && getSelection().isCollapsed) location.reload(); }, 1000 * seconds);
