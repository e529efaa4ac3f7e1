// SecureSum over three nodes by fetch, as the reference's JavaScript client sends it.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { request, urls } from "./federation.mjs";

async function compute(me, data, uuid) {
  const node = urls[me];
  const service = await request("POST", `${node}/representations`, { kwargs: { protocol: "Simon" } });
  const method = await request("GET", `${node}/representation/${service.uuid}/compute`);
  const kwargs = { microprotocol: "SecureSum", network: { nodes: urls, myself: me, uuid }, data };
  const result = await request("PATCH", `${node}/representation/${method.uuid}`, { kwargs });
  const downloaded = await request("GET", `${node}/representation/${result.uuid}`);
  const released = await request("DELETE", `${node}/representation/${result.uuid}`);
  assert.deepEqual(released, { status: 200, type: "none" });
  return downloaded;
}

test("three pages get the sum of what none of them shows", async () => {
  const uuid = randomUUID();
  const results = await Promise.all([[42], [16], [99]].map((data, me) => compute(me, data, uuid)));
  for (const result of results) {
    assert.deepEqual(result, { status: 200, type: "object", object: { inputs: 3, result: { sum: 157 } } });
  }
});

test("an upload comes back as it was", async () => {
  const value = { text: "größer ≥ 🦀", numbers: [0, -1.5, 1e300], nothing: null };
  const { uuid } = await request("PUT", `${urls[0]}/representations`, { args: [value] });
  assert.deepEqual((await request("GET", `${urls[0]}/representation/${uuid}`)).object, value);
});
