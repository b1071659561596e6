/**
 * What survives a reload of this tab (sessionStorage): what was typed, the Idempotency-Key, what was sent (of files
 * name, size and date), addresses under which an outcome is asked for or one file is uploaded. Never a key or a token
 * of the user.
 */

/** @param {string} name @returns {any} */
export function kept(name) {
  return JSON.parse(sessionStorage.getItem(name) ?? "null");
}

/** @param {string} name @param {object | null} value null forgets it */
export function keep(name, value) {
  if (value === null) sessionStorage.removeItem(name);
  else sessionStorage.setItem(name, JSON.stringify(value));
}
