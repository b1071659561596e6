/** Requests to the app. Nothing is thrown: whatever went wrong is a problem to show, also when no answer came. */

import { config } from "./config.js";
import { headers as signedIn, SignInNeeded } from "./session.js";

/**
 * @typedef {{type: string, title: string, detail?: string, remedy?: string, actor?: string, retryable?: boolean,
 *   errors?: {pointer: string, detail: string}[], submission?: string, correlationId?: string}} Problem
 * @typedef {{status: number, body: any, problem: Problem | null, location: string, retryAfter: number,
 *   nextStep: string, replayed: boolean, correlationId: string}} Answer `status` 0: no answer was seen
 */

/** An address of the app. What would vanish from a path is sent as "-", so that the app can say what is wrong with it. */
export const route = (...segments) => [config.api, ...segments.map((one) => encodeURIComponent(/^\.*$/.test(one) ? "-" : one))].join("/");

/**
 * Send a request. A `body` that is no form is sent as JSON. With `anonymous` it goes without key or token.
 * @param {string} url
 * @param {{method?: string, body?: any, headers?: Record<string, string>, anonymous?: boolean, signal?: AbortSignal}} [more]
 * @returns {Promise<Answer>}
 */
export async function ask(url, { method = "GET", body, headers = {}, anonymous = false, signal } = {}) {
  const correlationId = crypto.randomUUID(); // the app takes it over, so it is known even when no answer comes
  const all = { ...headers, "x-correlation-id": correlationId };
  if (body !== undefined && !(body instanceof FormData)) {
    all["Content-Type"] = "application/json";
    body = JSON.stringify(body);
  }
  try {
    if (!anonymous) Object.assign(all, await signedIn());
    return await read(await fetch(url, { method, body, headers: all, signal, cache: "no-store" }), correlationId);
  } catch (error) {
    if (signal?.aborted) throw error;
    const problem = error instanceof SignInNeeded ? notSignedIn(error) : await unanswered(anonymous);
    return answer({ status: 0, problem: { ...problem, correlationId }, correlationId });
  }
}

/**
 * Ask `url` until `ended` says that an answer is the last one; by default any but 202. What is asked in vain is
 * asked again. `waits` is told of every answer that is not the last.
 * @param {string} url
 * @param {{waits: (answer: Answer) => void, ended?: (answer: Answer) => boolean, anonymous?: boolean, signal?: AbortSignal}} how
 */
export async function poll(url, { waits, ended = (one) => one.status !== 202, anonymous = false, signal }) {
  for (let seconds = 1; ; seconds = Math.min(seconds * 1.5, 10)) {
    const found = await ask(url, { anonymous, signal });
    const later = found.status === 0 || found.status === 429 || (found.status >= 500 && found.problem?.retryable !== false);
    if (found.problem?.type === "sign-in" || (!later && ended(found))) return found;
    waits(found);
    await pause(found.retryAfter || seconds, signal);
  }
}

/** @param {number} seconds @param {AbortSignal} [signal] */
export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}

/** @returns {Promise<Answer>} */
async function read(response, sentAs) {
  const text = await response.text();
  const body = parsed(text);
  const correlationId = response.headers.get("x-correlation-id") ?? sentAs;
  const title = body?.title ?? `The answer was ${response.status}`;
  return answer({
    status: response.status,
    body,
    problem: response.ok ? null : { type: "about:blank", ...body, title, correlationId: body?.correlationId ?? correlationId },
    location: response.headers.get("Location") ?? "",
    retryAfter: Number(response.headers.get("Retry-After")) || 0,
    nextStep: response.headers.get("X-Next-Step") ?? "",
    replayed: response.headers.get("Idempotency-Replayed") === "true",
    correlationId,
  });
}

const answer = (given) => ({ body: null, location: "", retryAfter: 0, nextStep: "", replayed: false, ...given });

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function notSignedIn(error) {
  return { type: "sign-in", title: "You are not signed in", detail: error.message, errors: [{ pointer: "sign-in", detail: "" }] };
}

/**
 * Why no answer was seen. The Functions host gives some of its own (401, 404, 413) without CORS, and the browser shows
 * a page nothing of them; `health` needs no key and tells whether the app itself can be reached (docs/http.md).
 */
async function unanswered(anonymous) {
  const again = "What you entered is still here. Send it again, unchanged: if it arrived, it is not done a second time.";
  if (!navigator.onLine) return { type: "network", title: "You are offline", detail: "The request has probably not arrived.", remedy: again };
  try {
    await fetch(`${config.api}/health`, { cache: "no-store" });
  } catch {
    return {
      type: "network",
      title: "No answer from the application",
      detail: "It cannot be reached, or it does not allow this page's origin (ALLOWED_ORIGINS). The request may have arrived.",
      remedy: again,
    };
  }
  const key = config.signIn === "key" && !anonymous;
  return {
    type: "network",
    title: key ? "The key was probably not accepted" : "The request was probably not accepted",
    detail: `The application can be reached, but the browser was not allowed to read its answer. ${key
      ? "Most often the key is wrong. It can also be a body that is too large, or a connection that broke."
      : "The sign-in may have ended, the body may be too large, or the connection broke."}`,
    remedy: `${key ? "Check the key" : "Sign in again"}. ${again}`,
  };
}
