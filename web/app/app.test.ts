import assert from "node:assert/strict";
import { test } from "node:test";
import { inOrder } from "../client";
import type { Change, Entry, Room } from "../client";
import { FakeWorld, golden, settled } from "../client/fakeworld";
import { People } from "./people";
import type { Look } from "./people";
import { followed } from "./rooms";
import { routeOf } from "./route";
import { askWho, cleanCode, renewPage, serverNow, showCode } from "./session";
import { speak } from "./state";
import { WatchedRoom } from "./watchroom";

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

test("an address leads to its page, and one that was cut off to none", () => {
  for (const [path, route] of [
    ["/", { page: "home" }],
    ["/j/k7qf-3mxd/", { page: "join", code: "K7QF3MXD" }],
    ["/room/a%20b", { page: "room", id: "a b" }],
    ["/teach", { page: "rooms" }],
    ["/teach/r7", { page: "desk", id: "r7" }],
    ["/teach/r7/record", { page: "record", id: "r7" }],
    ["/teach/r7/record/x", { page: "lost" }],
    ["/j/%ff", { page: "lost" }],
    ["/room/%", { page: "lost" }],
  ] as const) {
    assert.deepEqual(routeOf(path), route);
  }
});

/** A page of its own, and how often it was loaded anew. */
function aPage(answer: (path: string) => Promise<Response>) {
  const kept = new Map<string, string>();
  const sessionStorage = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => kept.set(key, value) };
  const page = { loads: 0 };
  Object.assign(globalThis, { sessionStorage, fetch: answer, location: { origin: "https://lectern.example", reload: () => page.loads++ } });
  return page;
}

test("a page that lacks a part is loaded anew, where the server answers and not over and over", async () => {
  let answer = Promise.reject<Response>(new TypeError("network"));
  const page = aPage(() => answer);
  assert.equal(await renewPage(), false);
  answer = Promise.resolve(new Response(null, { status: 502 }));
  assert.equal(await renewPage(), false);
  answer = Promise.resolve(new Response());
  assert.equal(await renewPage(() => false), false, "it is not wanted any more");
  assert.equal(page.loads, 0);
  assert.equal(await renewPage(), true);
  assert.equal(await renewPage(), false, "a moment ago");
  assert.equal(page.loads, 1);
});

test("the time is the server's, whatever the clock of this machine says", async () => {
  const now = new Date(Date.now() - 3_600_000).toISOString();
  aPage(async () => Response.json({ now }));
  await askWho();
  assert.ok(Math.abs(serverNow() - Date.parse(now)) < 60_000);
});

test("the time is right, however long the answer takes", async (t) => {
  t.mock.timers.enable({ apis: ["Date"] });
  aPage(async () => {
    t.mock.timers.tick(4_000);
    const answer = Response.json({ now: new Date(Date.now() - 3_600_000).toISOString() });
    t.mock.timers.tick(4_000);
    return answer;
  });
  await askWho();
  assert.equal(serverNow(), Date.now() - 3_600_000);
});

test("a desk reads its past again after a break, and not after a move", async () => {
  let asked = 0;
  aPage(async (path) => {
    if (path.includes("/attendance")) asked++;
    return Response.json({ items: [], next_cursor: null, timeline: [] });
  });
  const world = new FakeWorld();
  const watched = new WatchedRoom(golden<{ room: Room }>("reply-watching").room.id, world);
  const opens = async () => {
    world.wire.hello();
    world.wire.answer("watch", golden("reply-watching"));
    await settled();
  };
  await settled();
  await opens();
  assert.equal(asked, 1);

  world.wire.say({ type: "draining", reconnect_after_ms: 1500 });
  await world.pass(1500);
  await opens();
  assert.deepEqual([world.wires.length, asked], [2, 1]);

  world.wire.drop(1006);
  world.wires[0]!.drop(1006);
  await world.pass(500);
  await opens();
  assert.deepEqual([world.wires.length, asked], [3, 2]);
  watched.end();
});

test("a stretch of time has the day of its end where that is another one", async () => {
  const { stretch } = await speak("en");
  const from = "2026-03-02T10:00:00";
  assert.equal(stretch(from, null), "Mar 2, 2026, 10:00");
  assert.equal(stretch(from, "2026-03-02T11:30:00"), "Mar 2, 2026, 10:00–11:30");
  assert.equal(stretch(from, "2026-03-04T11:30:00"), "Mar 2, 2026, 10:00 – Mar 4, 2026, 11:30");
});

test("a page of older rooms is shown once, however often it was asked for", () => {
  const page = (id: string, next_cursor: string | null) => ({ items: [{ ...golden<{ room: Room }>("reply-opened").room, id }], next_cursor });
  const shown = followed(page("a", "1"), "1", page("b", "2"));
  assert.deepEqual(shown?.items.map((room) => room.id), ["a", "b"]);
  assert.equal(followed(shown, "1", page("b", "2")), shown);
  assert.deepEqual(followed(shown, "2", page("c", null))?.items.length, 3);
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
