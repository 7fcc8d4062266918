// The page begins: its words in its language, and the place that its address names.
setLanguage(root.lang);
State.show();
