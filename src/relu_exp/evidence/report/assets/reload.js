// A report on a run that goes on: read again now and then, for as long as the reader wants.
const box = document.getElementById("reload"), seconds = Number(box.dataset.seconds);
try { box.checked = sessionStorage.getItem("relu-exp-reload") !== "no"; } catch { /* no storage */ }
box.addEventListener("change", () => {
  try { sessionStorage.setItem("relu-exp-reload", box.checked ? "" : "no"); } catch { /* no storage */ }
});
// selected text stops the reload; the browser keeps the scroll position
setInterval(() => { if (box.checked && getSelection().isCollapsed) location.reload(); }, 1000 * seconds);
