/** One entry of the board as a card. */

import { facts, make, moment } from "../elements.js";

/**
 * @typedef {{kind: "order" | "attachments" | "drop", state: string, submission?: string, drops?: string[], customerId?: string,
 *   orderId?: string, detail?: string, actor?: string, remedy?: string, errors?: {pointer: string, detail: string}[],
 *   since?: string, changed: string, nextAttempt?: string, attempts?: number, correlationId?: string, documents?: string[],
 *   waitingFor?: string[], decisions?: string[], order?: {status: string, since: string, looked?: string, nextAction?: string}}} Item
 *   docs/http.md has its members
 */

export const DECISIONS = { adopt: "Adopt", retry: "Retry", "send-again": "Send again", "give-up": "Give up" };
const TURNS = { caller: "the caller", operator: "an operator", "partner admin": "the partner's administrator", microsoft: "Microsoft", nobody: "nobody" };
const OPEN = ["retrying", "waiting"];

/** What an item is known by from one look to the next; one checkout can have several orders. @param {Item} item */
export const keyOf = (item) => `${item.submission ?? item.drops?.[0] ?? item.customerId} ${item.orderId ?? ""}`;

/** Whether the ledger has it tried now; else its drop can be looked at. @param {Item} item */
export const canRetry = (item) => Boolean(item.kind !== "drop" && item.submission && item.decisions?.includes("retry"));

/** What an item is called. @param {Item} item */
export function titleOf(item) {
  if (item.kind === "drop") return `Drop ${item.drops?.[0] ?? ""}`;
  if (item.kind === "order") return item.orderId ? `Order ${item.orderId}` : "Order request";
  return item.orderId ? `Documents for order ${item.orderId}` : "Documents";
}

/**
 * @param {Item} item
 * @param {{decide: (item: Item, decision: string) => void, tryNow: (item: Item) => void}} actions
 */
export function card(item, { decide, tryNow }) {
  const { state, detail, actor, remedy, order, errors = [], decisions = [] } = item;
  const press = (part, text, act) => make("button", { type: "button", class: "quiet", "data-part": part, "aria-label": `${text}: ${titleOf(item)}`, onclick: act }, text);
  const open = OPEN.includes(state);
  const named = open ? [] : decisions.filter((one) => one in DECISIONS);
  const offered = named.map((one) => press(one, `${DECISIONS[one]} …`, () => decide(item, one)));
  if (open && (canRetry(item) || item.drops?.length)) offered.push(press("try-now", "Try now", () => tryNow(item)));
  const code = (text) => text && make("code", {}, text);
  return make("article", { class: "item" },
    make("div", { class: "head" },
      make("h3", { tabindex: "-1", "data-part": "title" }, titleOf(item)), make("span", { class: `badge ${state in BADGES ? state : ""}` }, state)),
    detail && make("p", {}, detail),
    errors.length > 0 && make("ul", { class: "faults" }, ...errors.map((one) => make("li", {}, one.pointer && code(one.pointer), ` ${one.detail}`))),
    remedy && make("p", {}, make("strong", {}, "What to do: "), remedy),
    facts([
      ["Whose turn", actor && (TURNS[actor] ?? actor)],
      ["Since", item.since && moment(item.since)],
      ["Order status", order && order.status],
      ["In it since", order && moment(order.since)],
      ["Order needs", order && order.nextAction !== remedy && order.nextAction],
      ["Next attempt", item.nextAttempt && moment(item.nextAttempt)],
      ["Waits for", item.waitingFor],
      ["Documents", item.documents],
    ]),
    make("details", {}, make("summary", { "data-part": "more" }, "Details"),
      facts([
        ["Customer", code(item.customerId)],
        ["Order", code(item.orderId)],
        ["Drops", (item.drops ?? []).map(code)],
        ["Submission", code(item.submission)],
        ["Attempts", item.attempts === undefined ? "" : String(item.attempts)],
        ["Changed", item.changed && moment(item.changed)],
        ["Correlation ID", code(item.correlationId)],
      ])),
    offered.length > 0 && make("div", { class: "tasks" }, ...offered));
}

const BADGES = { review: 1, rejected: 1, retrying: 1, waiting: 1, submitting: 1, attached: 1 };
