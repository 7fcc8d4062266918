// before anything is drawn: the language of the link or of a Korean browser, the theme chosen last
(() => {
  const root = document.documentElement;
  const asked = new URLSearchParams(location.hash.split("?")[1] || "").get("lang");
  if (asked === "en" || asked === "ko") root.lang = asked;
  else if (navigator.language.startsWith("ko")) root.lang = "ko";
  try { const theme = localStorage.getItem("relu-exp-theme"); if (theme) root.dataset.theme = theme; } catch { /* files may have no storage */ }
})();
