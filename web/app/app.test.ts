import assert from "node:assert/strict";
import { test } from "node:test";
import { inOrder } from "../client";
import type { Entry } from "../client";
import { People } from "./people";
import type { Look } from "./people";
import { cleanCode, showCode } from "./session";

test("a code is read however it was typed, pasted or scanned", () => {
  for (const [typed, code] of [
    ["k7qf3mxd", "K7QF3MXD"],
    [" K7QF-3MXD ", "K7QF3MXD"],
    ["oOiIlL00", "00111100"],
    ["https://lectern.example/j/K7QF3MXD", "K7QF3MXD"],
    ["http://127.0.0.1:8080/j/k7qf-3mxd#passport=a.b.c", "K7QF3MXD"],
    ["K7QF3MXD9999", "K7QF3MXD"],
    ["입장 K7Qu", "K7Q"],
  ] as const) {
    assert.equal(cleanCode(typed), code);
  }
  assert.equal(showCode("K7Q"), "K7Q");
  assert.equal(showCode("K7QF3"), "K7QF-3");
  assert.equal(showCode("K7QF3MXD"), "K7QF-3MXD");
});

const entry = (user: string, name: string, seat: number, more: Partial<Entry> = {}): Entry => ({
  user,
  name,
  state: "seated",
  seat,
  place: null,
  online: true,
  guest: false,
  joined_at: `2026-03-02T09:00:0${seat}.000Z`,
  ...more,
});

const look = (change: Partial<Look> = {}): Look => ({ by: "seat", down: false, filter: "all", query: "", ...change });

test("a roster is sorted, filtered and searched, and follows what changes", () => {
  const entries = new Map<string, Entry>();
  const put = (...some: Entry[]) => some.forEach((one) => entries.set(one.user, one));
  put(entry("a", "박서연", 3), entry("b", "Noah", 1, { online: false }), entry("c", "김민준", 2), entry("d", "Ada", 12));
  const people = new People("seated");
  const roster = { entries, version: 1, membership: 1 };
  const users = (change: Partial<Look> = {}) => people.rows(roster, look(change)).map((one) => one.user).join("");

  assert.equal(users(), "bcad");
  assert.equal(users({ down: true }), "dacb");
  assert.equal(users({ by: "name" }), "dbca");
  assert.equal(users({ by: "online" }), "bcad");
  assert.equal(users({ filter: "offline" }), "b");
  assert.equal(users({ query: "민준" }), "c");
  assert.equal(users({ query: "NOAH" }), "b");
  assert.equal(users({ query: "1" }), "b", "a number is a whole seat number");

  entries.delete("c");
  put(entry("a", "가은", 20), entry("e", "Eve", 2));
  roster.version = roster.membership = 2;
  assert.equal(users(), "beda");
  assert.equal(users({ by: "name" }), "deba");
  entries.get("d")!.online = false;
  roster.version = 3;
  assert.equal(users({ by: "online" }), "bdea");
});

test("each list has its own people, in the order of the roster", () => {
  const entries = new Map<string, Entry>();
  const roster = { entries, version: 1, membership: 1 };
  const lists = (["seated", "waiting", "pending"] as const).map((state) => new People(state));
  const users = () => lists.map((people) => people.rows(roster, look()).map((one) => one.user).join("")).join(" ");
  const line = (state: "waiting" | "pending", place: number) => ({ state, place, seat: null });
  for (const one of [
    entry("a", "Ann", 1, line("waiting", 12)),
    entry("b", "Bo", 2, line("pending", 9)),
    entry("c", "Cy", 3, line("waiting", 8)),
    entry("d", "Di", 4),
    entry("e", "Ed", 5, line("pending", 10)),
  ])
    entries.set(one.user, one);
  assert.equal(users(), "d ca be");
  assert.equal([...entries.values()].sort(inOrder).map((one) => one.user).join(""), "dcabe");

  entries.set("c", entry("c", "Cy", 1));
  entries.set("b", entry("b", "Bo", 2, line("waiting", 13)));
  roster.version = roster.membership = 2;
  assert.equal(users(), "cd ab e", "one was promoted, one admitted into the line");
});
