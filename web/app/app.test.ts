import assert from "node:assert/strict";
import { test } from "node:test";
import { inOrder } from "../client";
import type { Change, Entry } from "../client";
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

/** A roster as far as lists read it, which keeps every change. */
class Told {
  readonly entries = new Map<string, Entry>();
  private readonly all: Change[] = [];

  get changes(): number {
    return this.all.length;
  }

  since = (changes: number): readonly Change[] | null => this.all.slice(changes);

  put(...some: Entry[]): void {
    for (const after of some) {
      this.all.push({ before: this.entries.get(after.user) ?? null, after });
      this.entries.set(after.user, after);
    }
  }

  remove(user: string): void {
    this.all.push({ before: this.entries.get(user) ?? null, after: null });
    this.entries.delete(user);
  }
}

test("a roster is sorted, filtered and searched, and follows what changes", () => {
  const roster = new Told();
  roster.put(entry("a", "박서연", 3), entry("b", "Noah", 1, { online: false }), entry("c", "김민준", 2), entry("d", "Ada", 12));
  const people = new People("seated");
  const users = (change: Partial<Look> = {}) => people.rows(roster, look(change)).map((one) => one.user).join("");

  assert.equal(users(), "bcad");
  assert.equal(users({ down: true }), "dacb");
  assert.equal(users({ by: "name" }), "dbca");
  assert.equal(users({ by: "online" }), "bcad");
  assert.equal(users({ filter: "offline" }), "b");
  assert.equal(users({ query: "민준" }), "c");
  assert.equal(users({ query: "NOAH" }), "b");
  assert.equal(users({ query: "1" }), "b", "a number is a whole seat number");
  assert.equal(people.everyone.length, 4);

  roster.remove("c");
  roster.put(entry("a", "가은", 20), entry("e", "Eve", 2));
  assert.equal(users(), "beda");
  assert.equal(users({ by: "name" }), "deba");
  roster.put({ ...roster.entries.get("d")!, online: false });
  assert.equal(users({ by: "online" }), "bdea");
});

test("a list is the same one until someone in it changes", () => {
  const roster = new Told();
  roster.put(entry("a", "Ann", 1), entry("b", "Bo", 2, { online: false }));
  const people = new People("seated");
  const [all, away] = [look(), look({ filter: "offline" })];
  const before = people.rows(roster, away);
  roster.put(entry("a", "Anna", 1));
  assert.equal(people.rows(roster, away), before);
  assert.equal(people.rows(roster, all), people.rows(roster, look()));
});

test("following one change after another comes to the same as sorting anew", () => {
  let seed = 1;
  const random = (below: number) => (seed = (seed * 48271) % 2147483647) % below;
  const one = <T>(of: readonly T[]) => of[random(of.length)]!;
  const looks = (["seat", "name", "joined", "online"] as const).flatMap((by) =>
    (["all", "online", "offline"] as const).flatMap((filter) => ["", "1"].map((query) => look({ by, filter, query, down: query === "1" }))),
  );
  const roster = new Told();
  const lists = looks.map((look) => ({ look, people: new People("seated") }));
  for (let round = 0; round < 300; round++) {
    for (let n = random(4); n > 0; n--) {
      const user = "p" + random(40);
      const known = roster.entries.get(user);
      const place = one([{ state: "waiting", seat: null, place: random(9) } as const, {}, {}]);
      if (known && random(3) === 0) roster.remove(user);
      else if (known && random(2) === 0) roster.put({ ...known, online: !known.online });
      else roster.put(entry(user, "N" + random(20), random(9), { online: random(2) === 0, ...place }));
    }
    for (const { look, people } of lists) {
      assert.deepEqual(people.rows(roster, look), new People("seated").rows(roster, look));
    }
  }
});

test("each list has its own people, in the order of the roster", () => {
  const roster = new Told();
  const lists = (["seated", "waiting", "pending"] as const).map((state) => new People(state));
  const users = () => lists.map((people) => people.rows(roster, look()).map((one) => one.user).join("")).join(" ");
  const line = (state: "waiting" | "pending", place: number) => ({ state, place, seat: null });
  roster.put(
    entry("a", "Ann", 1, line("waiting", 12)),
    entry("b", "Bo", 2, line("pending", 9)),
    entry("c", "Cy", 3, line("waiting", 8)),
    entry("d", "Di", 4),
    entry("e", "Ed", 5, line("pending", 10)),
  );
  assert.equal(users(), "d ca be");
  assert.equal([...roster.entries.values()].sort(inOrder).map((one) => one.user).join(""), "dcabe");

  roster.put(entry("c", "Cy", 1), entry("b", "Bo", 2, line("waiting", 13)));
  assert.equal(users(), "cd ab e", "one was promoted, one admitted into the line");
});
