/** Problems on a page: a summary with links on top, a sentence at each field (the pattern of GOV.UK's design system). */

import { byId, make } from "./elements.js";

/** @typedef {import("./api.js").Problem} Problem */

/**
 * Show a problem at the top of `form`, and each of its errors at the field that `fieldOf` finds for its pointer;
 * then focus the summary.
 * @param {HTMLElement} form
 * @param {Problem} problem
 * @param {(pointer: string) => HTMLElement | null | undefined} fieldOf
 */
export function showProblem(form, problem, fieldOf = () => null) {
  clearProblem(form);
  const found = (problem.errors ?? []).map(({ pointer, detail }) => {
    const field = pointer === "sign-in" ? byId("sign-in") : fieldOf(pointer);
    if (field && detail) mark(field, detail);
    return make("li", {}, field ? link(field, detail || "Go there") : `${pointer} ${detail}`.trim());
  });
  const summary = make("div", { class: "summary", role: "alert", tabindex: "-1" },
    make("h3", {}, problem.title), ...told(problem), found.length > 0 && make("ul", {}, ...found), correlation(problem.correlationId));
  form.prepend(summary);
  summary.focus();
}

/** What else a problem says, as paragraphs. @param {Problem} problem */
export function told(problem) {
  const detail = problem.errors?.length && problem.type !== "sign-in" ? "" : problem.detail;
  return [
    detail && make("p", {}, detail),
    problem.remedy && make("p", {}, make("strong", {}, "What to do: "), problem.remedy),
    problem.submission && make("p", {}, "Submission: ", make("code", {}, problem.submission)),
  ];
}

/** The id under which the application's log tells the story. @param {string} [id] */
export const correlation = (id) => id && make("p", { class: "ids" }, "Correlation ID: ", make("code", {}, id));

/** Take away what `showProblem` showed. @param {HTMLElement} form */
export function clearProblem(form) {
  form.querySelectorAll(".summary, .error").forEach((one) => one.remove());
  form.querySelectorAll("[aria-invalid]").forEach((field) => {
    field.removeAttribute("aria-invalid");
    const hint = byId(`${field.id}-hint`);
    if (hint) field.setAttribute("aria-describedby", hint.id);
    else field.removeAttribute("aria-describedby");
  });
}

/** Let nobody change anything in `form` while `on`; only `free` can still be pressed, and takes the focus over. */
export function lock(form, on, free) {
  const focused = form.contains(document.activeElement) && document.activeElement;
  for (const control of form.elements) control.disabled = on && control !== free;
  if (focused && focused.disabled) free.focus();
}

/** A label, a hint and a control that belong together. */
export function field(id, label, control, hint = "") {
  control.id = id;
  if (hint) control.setAttribute("aria-describedby", `${id}-hint`);
  return make("div", { class: "field" },
    make("label", { for: id }, label), hint && make("p", { class: "hint", id: `${id}-hint` }, hint), control);
}

/** What a control is called, with the group that it is in. @param {any} control */
function nameOf(control) {
  const own = (control.labels?.[0] ?? control).firstChild.textContent.trim();
  const group = control.closest("fieldset")?.querySelector("legend").textContent;
  return group ? `${group}, ${own}` : own;
}

function mark(control, detail) {
  const ids = [control.getAttribute("aria-describedby"), `${control.id}-error`];
  const known = byId(`${control.id}-error`);
  if (known) {
    known.append(make("br"), capital(detail));
    return;
  }
  control.setAttribute("aria-invalid", "true");
  control.setAttribute("aria-describedby", ids.filter(Boolean).join(" "));
  control.before(make("p", { class: "error", id: `${control.id}-error` }, capital(detail)));
}

function link(control, detail) {
  const go = (event) => {
    event.preventDefault(); // the address stays what it was
    control.focus();
  };
  return make("a", { href: `#${control.id}`, onclick: go }, `${nameOf(control)}: ${detail}`);
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
