/** Making and finding elements. Text reaches the page as text nodes only, so markup in an answer does nothing. */

/** The element with this id. @param {string} id @returns {any} */
export const byId = (id) => document.getElementById(id);

/**
 * Make an element: `on…` members are listeners, true and false set and leave out an attribute, other values are
 * attributes. Children that are false, null or "" are left out.
 * @param {string} tag
 * @param {Record<string, any>} [members]
 * @param {...(Node | string | false | null | undefined)} children
 * @returns {any}
 */
export function make(tag, members = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(members)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== false && child != null && child !== ""));
  return element;
}

/** Replace what is in `parent`, unless it says the same already: a live region would say it again. */
export function fill(parent, ...children) {
  const fresh = make("div", {}, ...children);
  if (fresh.innerHTML !== parent.innerHTML) parent.replaceChildren(...fresh.childNodes);
}

/** A moment for people, with its exact value beside it. @param {string} iso */
export function moment(iso) {
  const when = new Date(iso);
  if (Number.isNaN(when.getTime())) return iso;
  const text = when.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  return make("time", { datetime: iso, title: iso }, `${text} (${distance((when.getTime() - Date.now()) / 1000)})`);
}

function distance(seconds) {
  const words = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(seconds) >= size) return words.format(Math.trunc(seconds / size), unit);
  }
  return words.format(Math.trunc(seconds), "second");
}

/** The rows of a description list; rows without a value are left out. @param {[string, any][]} rows */
export function facts(rows) {
  const list = make("dl", { class: "facts" });
  for (const [name, value] of rows) {
    if (value == null || value === false || value === "" || (Array.isArray(value) && !value.length)) continue;
    const texts = Array.isArray(value) ? value : [value];
    list.append(make("div", {}, make("dt", {}, name), ...texts.map((one) => make("dd", {}, one))));
  }
  return list;
}

/** A size in bytes, for people. @param {number} bytes */
export function size(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1024 * 1024 ? `${Math.round(bytes / 1024)} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
