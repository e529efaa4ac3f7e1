// What a browser needs to let a page of another origin talk to a node.
import assert from "node:assert/strict";
import { test } from "node:test";
import { allows, assertReadable, preflight, request, urls } from "./federation.mjs";

const unknown = `${urls[0]}/representation/00000000-0000-4000-8000-000000000000`;
const operations = [
  ["GET", `${urls[0]}/representations`],
  ["POST", `${urls[0]}/representations`],
  ["PUT", `${urls[0]}/representations`],
  ["PATCH", unknown],
  ["GET", unknown],
  ["DELETE", unknown],
  ["GET", `${unknown}/compute`],
];

for (const [method, url] of operations) {
  test(`the preflight allows ${method} ${new URL(url).pathname.replace(/[0-9a-f-]{36}/, "{uuid}")}`, async () => {
    const answer = await preflight(method, url);
    assert.ok([200, 204].includes(answer.status), `status ${answer.status}`);
    assertReadable(answer);
    assert.ok(allows(answer, "access-control-allow-methods", method), "method");
    assert.ok(allows(answer, "access-control-allow-headers", "content-type"), "headers");
  });
}

test("a page may read a refusal", async () => {
  const refused = await request("GET", unknown);
  assert.equal(refused.status, 404);
  assert.equal(refused.code, 404);
  assert.equal(typeof refused.message, "string");
});
