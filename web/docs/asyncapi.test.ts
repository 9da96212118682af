import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import asyncapi from "@asyncapi/specs/schemas/3.0.0-without-$id.json";
import Ajv from "ajv";
import type { AnySchemaObject } from "ajv";
// What is served: the document beside this, with the golden messages as examples.
import served from "../dist/docs/asyncapi.json";

const messages: Record<string, { examples: { payload: unknown }[] }> = served.components.messages;

/** The golden messages by file name without ending. */
function golden(): Map<string, { type: string }> {
  const folder = process.env.LECTERN_GOLDEN!;
  const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
  return new Map(files.map((name) => [name.replace(".json", ""), JSON.parse(readFileSync(join(folder, name), "utf8"))]));
}

/** What a golden message is called in the document. */
function keyOf(file: string, type: string): string {
  const kind = file.split("-")[0]!;
  return kind === "error" ? "error" : `${kind}-${type}`;
}

const formats = { "date-time": true, uri: URL.canParse, "uri-reference": true, email: true, regex: true } as const;

test("the document is AsyncAPI 3", () => {
  const ajv = new Ajv({ strict: false, formats });
  const valid = ajv.compile(asyncapi as AnySchemaObject);
  assert.ok(valid(served), JSON.stringify(valid.errors, null, 2));
});

test("every reference leads somewhere", () => {
  const text = JSON.stringify(served);
  for (const [, path] of text.matchAll(/"\$ref":"#\/([^"]+)"/g)) {
    let at: unknown = served;
    for (const part of path!.split("/")) at = (at as Record<string, unknown>)[part];
    assert.ok(at, path);
  }
});

/** The schemas with no field beside those that they name, so that nothing on the wire is left out of them. */
function strictly(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strictly);
  if (typeof schema !== "object" || schema === null) return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, strictly(value)]));
  return "properties" in copy && copy.type === "object" ? { ...copy, additionalProperties: false } : copy;
}

test("golden messages and schemas are the same set, and fit", () => {
  const ajv = new Ajv({ strict: false, formats });
  ajv.addSchema({ $id: "lectern", components: strictly(served.components) });
  const seen = new Set<string>();
  for (const [file, message] of golden()) {
    const key = keyOf(file, message.type);
    seen.add(key);
    const valid = ajv.getSchema(`lectern#/components/messages/${key}/payload`);
    assert.ok(valid, `no schema for ${file}`);
    assert.ok(valid(message), `${file}: ${JSON.stringify(valid.errors)}`);
    assert.ok(messages[key]!.examples.some(({ payload }) => isDeepStrictEqual(payload, message)), `${file} is not among the examples`);
  }
  assert.deepEqual([...seen].sort(), Object.keys(messages).sort());
});

test("a message that leaves a field out, or has a wrong one, does not fit", () => {
  const ajv = new Ajv({ strict: false, formats });
  ajv.addSchema({ $id: "lectern", components: served.components });
  const valid = ajv.getSchema("lectern#/components/messages/reply-joined/payload")!;
  const joined = golden().get("reply-joined") as Record<string, unknown> & { type: string };
  assert.ok(valid(joined));
  assert.ok(valid({ ...joined, more: 1 }), "fields may be added");
  for (const wrong of [{ seat: undefined }, { seat: "17" }, { version: 0 }, { type: "left" }, { room: null }]) {
    assert.ok(!valid(JSON.parse(JSON.stringify({ ...joined, ...wrong }))), JSON.stringify(wrong));
  }
});

test("operations and messages are the same set", () => {
  const used = new Set<string>();
  for (const [name, operation] of Object.entries(served.operations)) {
    const replies = "reply" in operation ? operation.reply.messages : [];
    assert.equal(operation.action, "reply" in operation ? "receive" : "send", name);
    for (const { $ref } of [...operation.messages, ...replies]) used.add($ref.replace("#/channels/socket/messages/", ""));
  }
  assert.deepEqual([...used].sort(), Object.keys(messages).sort());
  assert.deepEqual(Object.keys(served.channels.socket.messages).sort(), Object.keys(messages).sort());
});
