// What the page of an inspection does of its own, after base.js, state.js and page.js: it opens in the
// language that the link or the browser asks for.
setLanguage(root.lang);
State.show();
