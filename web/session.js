/**
 * The one place that knows how a person signs in: with a key (for demonstrations), or with Entra ID by authorization
 * code and PKCE. Keys and tokens stay in memory and are gone with the page.
 * https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow
 */

import { config } from "./config.js";
import { byId, fill, make } from "./elements.js";
import { keep, kept } from "./kept.js";

const PENDING = "sign-in";
const HAD = "signed-in";

/** @type {{key?: string, token?: string, refresh?: string, until?: number, name?: string}} */
let held = {};
let failure = "";
/** @type {Promise<void> | null} */
let renewal = null;

/** Nobody is signed in; the message says what to do. */
export class SignInNeeded extends Error {}

/** What a request carries. Raises SignInNeeded. @returns {Promise<Record<string, string>>} */
export async function headers() {
  if (config.signIn === "key") {
    if (!held.key) throw new SignInNeeded("Enter the key at the top of the page, then send this again.");
    return { "x-functions-key": held.key };
  }
  if (held.refresh && Date.now() > (held.until ?? 0)) {
    renewal ??= redeem({ grant_type: "refresh_token", refresh_token: held.refresh }).finally(() => (renewal = null));
    await renewal;
    show();
    if (failure) throw new SignInNeeded(`${failure} Send this again, or sign in at the top of the page.`);
  }
  if (!held.token) throw new SignInNeeded("Sign in at the top of the page, then send this again.");
  return { Authorization: `Bearer ${held.token}` };
}

/** Who is signed in, as far as the page knows; "" with a key. */
export const who = () => held.name ?? "";

/** Whether requests can carry something. */
export const signedIn = () => Boolean(held.key || held.token);

/** Go to Entra. With `silent` it comes back at once when there is no session. */
export async function signIn(silent = false) {
  const verifier = random();
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  keep(PENDING, { state: random(), verifier, silent, back: location.search + location.hash });
  location.assign(`${config.entra.authority}/oauth2/v2.0/authorize?${new URLSearchParams({
    ...asked(),
    response_type: "code",
    response_mode: "query",
    state: kept(PENDING).state,
    code_challenge: base64url(hash),
    code_challenge_method: "S256",
    ...(silent ? { prompt: "none" } : {}),
  })}`);
}

/** Show the panel and take up a session, if there is one; `changed` is called when somebody has signed in. */
export async function start(changed) {
  onSignedIn = changed;
  if (config.signIn === "entra") await takeUp();
  show();
  if (signedIn()) changed();
}

let onSignedIn = () => {};

/** Come back from Entra, or ask it in silence when this tab was signed in before. */
async function takeUp() {
  const pending = kept(PENDING);
  const answer = new URLSearchParams(location.search);
  keep(PENDING, null);
  if (pending && answer.get("state") === pending.state) {
    history.replaceState(null, "", location.pathname + pending.back);
    if (answer.has("code")) {
      await redeem({ grant_type: "authorization_code", code: answer.get("code"), code_verifier: pending.verifier });
    } else if (!pending.silent) {
      failure = answer.get("error_description") ?? "The sign-in was not completed.";
    }
    keep(HAD, signedIn() ? {} : null);
  } else if (kept(HAD)) {
    await signIn(true);
    await new Promise(() => {}); // the page is being left
  }
}

/** Only a refusal ends a session: a service that is away may be back for the next request. */
async function redeem(grant) {
  try {
    const response = await fetch(`${config.entra.authority}/oauth2/v2.0/token`, {
      method: "POST",
      body: new URLSearchParams({ ...asked(), ...grant }),
    });
    const answer = await response.json();
    failure = response.ok ? "" : (answer.error_description ?? "The sign-in was not accepted.");
    if (response.status === 400 || response.status === 401) held = {};
    if (!response.ok) return;
    const until = Date.now() + (answer.expires_in - 60) * 1000;
    held = { token: answer.access_token, refresh: answer.refresh_token, until, name: nameIn(answer.id_token) };
  } catch {
    failure = "The sign-in service cannot be reached.";
  }
}

const asked = () => ({
  client_id: config.entra.clientId,
  redirect_uri: new URL(".", location.href).href, // the folder, also when its index.html was asked for
  scope: `openid profile offline_access ${config.entra.scope}`,
});

const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

function base64url(bytes) {
  return btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

/** The name in an id token: shown, never relied on, so nobody checks the signature. */
function nameIn(token = "") {
  try {
    const raw = atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"));
    const claims = JSON.parse(new TextDecoder().decode(Uint8Array.from(raw, (letter) => letter.charCodeAt(0))));
    return claims.preferred_username ?? claims.name ?? "";
  } catch {
    return "";
  }
}

function show() {
  const panel = byId("session");
  if (config.signIn === "key") fill(panel, ...(held.key ? keyHeld() : keyForm()));
  else if (held.token && !failure) fill(panel, make("p", {}, "Signed in", held.name && " as ", held.name && make("strong", {}, held.name)));
  else fill(panel, failure && make("p", { role: "alert" }, failure), button("sign-in", "Sign in", () => signIn()));
}

function keyForm() {
  const input = make("input", { id: "sign-in", type: "password", autocomplete: "off", "aria-describedby": "key-hint", required: true });
  const take = (event) => {
    event.preventDefault();
    held = { key: input.value.trim() };
    show();
    byId("change-key")?.focus();
    if (held.key) onSignedIn();
  };
  return [
    make("form", { class: "key", onsubmit: take },
      make("label", { for: "sign-in" }, "Key"), input, make("button", { class: "quiet" }, "Use this key")),
    make("p", { id: "key-hint", class: "hint" }, "For demonstrations on this machine. It is kept in memory and gone when the page is reloaded."),
  ];
}

function keyHeld() {
  const change = () => {
    held = {};
    show();
    byId("sign-in").focus();
  };
  return [make("p", {}, "A key is in use. ", button("change-key", "Change the key", change))];
}

const button = (id, text, press) => make("button", { id, type: "button", class: "quiet", onclick: press }, text);
