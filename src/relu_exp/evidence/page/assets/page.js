// Language, theme and copied commands.
const setLanguage = (name) => {
  root.lang = name;
  $("#language").value = name;
  for (const node of $$("[data-word]")) node.textContent = word(node.dataset.word);
  for (const node of $$("[data-label]")) node.setAttribute("aria-label", word(node.dataset.label));
  for (const node of $$("[data-hint]")) node.placeholder = word(node.dataset.hint);
  document.title = $("h1").innerText + " · relu-exp";
  for (const call of onLanguage) call();
};

$("#language").addEventListener("change", (event) => {
  setLanguage(event.target.value);
  State.set({ lang: event.target.value });
});
State.listen(() => {
  const asked = State.get("lang");
  if (asked in { en: 1, ko: 1 } && asked !== root.lang) setLanguage(asked);
});

const setTheme = (name) => {
  if (name === "auto") delete root.dataset.theme; else root.dataset.theme = name;
  try { localStorage.setItem("relu-exp-theme", name === "auto" ? "" : name); } catch { /* no storage */ }
};
$("#theme").value = root.dataset.theme || "auto";
$("#theme").addEventListener("change", (event) => setTheme(event.target.value));

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button.copy");
  if (!button) return;
  const text = $("code", button.parentElement).textContent;
  const key = (await copy(text)) ? "copied" : "not_copied";
  const before = [...button.childNodes];
  button.textContent = word(key);
  button.focus();
  announce(word(key));
  setTimeout(() => button.replaceChildren(...before), 1600);
});

// Where no font of the system has Korean, two syllables look the same, and the embedded one goes first.
(() => {
  const drawn = (sign) => {
    const canvas = document.createElement("canvas"), pen = canvas.getContext("2d", { willReadFrequently: true });
    canvas.width = canvas.height = 24;
    pen.font = "20px " + getComputedStyle(document.body).fontFamily;
    pen.fillText(sign, 0, 20);
    return pen.getImageData(0, 0, 24, 24).data.join();
  };
  if (drawn("가") !== drawn("나")) return;
  document.fonts.load('1em "Relu Hangul"', "가").then(() => {
    root.classList.add("hangul");
    if (root.lang === "ko") State.show();
  }, () => {});
})();
