// The story: one step at a time; the reader predicts before what was measured is shown.
(() => {
  const steps = $$(".story .step"), links = $$(".story .steps a");
  if (!steps.length) return;
  const asked = () => steps.find((step) => step.id === location.hash.slice(1).split("?")[0]);
  const show = (step) => {
    steps.forEach((each, place) => {
      each.classList.toggle("current", each === step);
      if (each === step) links[place].setAttribute("aria-current", "step");
      else links[place].removeAttribute("aria-current");
    });
  };
  const score = () => {
    const told = steps.filter((step) => step.dataset.outcome);
    const done = told.filter((step) => step.classList.contains("revealed"));
    $("#story-score").hidden = done.length < told.length;
    $("#story-score").textContent = word("story_score", {
      n: told.filter((step) => step.classList.contains("right")).length, total: told.length,
    });
  };
  const predict = (step, chosen) => {
    const { outcome } = step.dataset, isRight = chosen.dataset.option === outcome;
    for (const button of $$(".predict button", step)) {
      button.setAttribute("aria-pressed", String(button === chosen));
      // still there for the keyboard, which would lose its place otherwise
      button.setAttribute("aria-disabled", "true");
      button.classList.toggle("measured", button.dataset.option === outcome);
    }
    step.classList.add("revealed");
    step.classList.toggle("right", isRight);
    links[steps.indexOf(step)].parentElement.classList.add(isRight ? "predicted" : "missed");
    score();
    announce($(".outcome", step).innerText);
  };
  $(".story").addEventListener("click", ({ target }) => {
    const button = target.closest(".predict button"), step = target.closest(".step");
    if (button && !step.classList.contains("revealed")) predict(step, button);
  });
  addEventListener("keydown", ({ key, target, altKey, ctrlKey, metaKey }) => {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[key];
    const isHere = asked() && (target === document.body || target.closest(".story"));
    if (!way || !isHere || altKey || ctrlKey || metaKey) return;
    links[steps.indexOf(asked()) + way]?.click();
  });
  State.listen(() => {
    const step = asked();
    if (!step) return;
    show(step);
    // who moves on by keyboard goes on reading there
    step.focus({ preventScroll: true });
  });
  onLanguage.push(score);
  if (asked()) show(asked());
})();
