// What the tests share: the nodes' addresses and requests as a page from another origin sends them.
import assert from "node:assert/strict";

export const urls = process.env.FSC_URLS.split(",");
export const ORIGIN = "https://hospital.example";

/** Sends a request with an origin; a browser would let the page read the answer, and it is JSON. */
export async function request(method, url, { args = [], kwargs = {} } = {}) {
  const body = method === "GET" || method === "DELETE" ? undefined : JSON.stringify({ args, kwargs });
  const answer = await fetch(url, {
    method,
    body,
    headers: { origin: ORIGIN, "content-type": "application/json" },
    signal: AbortSignal.timeout(60_000),
  });
  assertReadable(answer);
  return { status: answer.status, ...(await answer.json()) };
}

/** What a browser asks before it sends `method` with a JSON body. Node's fetch asks nothing, so the tests do. */
export async function preflight(method, url) {
  const answer = await fetch(url, {
    method: "OPTIONS",
    headers: {
      origin: ORIGIN,
      "access-control-request-method": method,
      "access-control-request-headers": "content-type",
    },
    signal: AbortSignal.timeout(60_000),
  });
  await answer.text();
  return answer;
}

export function assertReadable(answer) {
  assert.ok(["*", ORIGIN].includes(answer.headers.get("access-control-allow-origin")), "no access-control-allow-origin");
}

/** Whether a comma-separated header names the token, or everything. */
export function allows(answer, header, token) {
  const named = (answer.headers.get(header) ?? "").split(",").map((name) => name.trim().toLowerCase());
  return named.includes("*") || named.includes(token.toLowerCase());
}
