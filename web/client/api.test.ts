import assert from "node:assert/strict";
import { test } from "node:test";
import { Api } from "./api";
import { FakeWorld } from "./fakeworld";
import { LecternError } from "./messages";

const world = new FakeWorld();
const api = new Api(null, world);

const unavailable = (error: unknown) => error instanceof LecternError && error.code === "unavailable";

/** The beginning of a body, and the end of the network. */
const cutOff = () =>
  new ReadableStream({
    pull(body) {
      body.enqueue(new TextEncoder().encode('{"user":'));
      body.error(new TypeError("network"));
    },
  });

for (const [name, body] of [
  ["cut off", cutOff],
  ["somebody else's", () => "<!doctype html><title>Sign in to the Wi-Fi</title>"],
  ["empty", () => null],
] as const) {
  test(`an answer that is ${name} is none`, async () => {
    world.fetch = async () => new Response(body());
    await assert.rejects(api.me(), unavailable);
    if (name === "cut off") await assert.rejects(api.attendanceFile("r", "csv"), unavailable);
  });
}

test("an answer that does not come in time is none", async () => {
  world.fetch = (_, { signal }) => new Promise((_, reject) => (signal!.onabort = () => reject(signal!.reason)));
  const asked = assert.rejects(api.rooms(), unavailable);
  await world.pass(75_000);
  await asked;
});

test("a refusal is told as it is, whoever answers", async () => {
  for (const [status, body, code] of [[404, '{"code":"room_closed"}', "room_closed"], [404, "<p>", "not_found"], [502, "<p>", "unavailable"]] as const) {
    world.fetch = async () => new Response(body, { status, headers: { "Retry-After": "2" } });
    await assert.rejects(api.room("r"), (error) => error instanceof LecternError && error.code === code && error.body.retry_after_ms === 2_000);
  }
});
