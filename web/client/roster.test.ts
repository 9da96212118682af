import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeWorld, golden, settled } from "./fakeworld";
import { Lectern } from "./lectern";
import type { Entry, RosterEvent, Watching } from "./messages";
import { Roster } from "./roster";

const snapshot = golden<Watching>("reply-watching");
const room_id = snapshot.room.id;

async function watching(reply: Watching = snapshot) {
  const world = new FakeWorld();
  const lectern = new Lectern({ url: "https://lectern.example", world });
  const roster = new Roster(lectern, room_id, world);
  await settled();
  world.wire.hello();
  world.wire.answer("watch", reply);
  await settled();
  return { world, lectern, roster };
}

const entry = (user: string, seat: number): Entry => ({ ...snapshot.roster![0]!, user, seat });

const event = (from: number, version: number, change: Partial<RosterEvent> = {}): RosterEvent => ({
  ...golden<RosterEvent>("event-roster"),
  from,
  version,
  joined: [],
  left: [],
  online: [],
  offline: [],
  ...change,
});

test("a snapshot is the roster", async () => {
  const { world, roster } = await watching();
  assert.deepEqual([...roster.entries.values()], snapshot.roster);
  assert.equal(roster.version, 41);
  assert.equal(roster.counts.taken, snapshot.room.taken);
  assert.equal(roster.state, "live");
  assert.equal("since" in world.wire.sent[0]!, false);
});

test("an event that follows is applied: joined replaces, left goes, presence moves", async () => {
  const { world, roster } = await watching();
  world.wire.say(event(41, 44, { joined: [entry("s42", 3), entry("s50", 4)], left: [{ user: "guest:0123456789abcdef0123456789abcdef", reason: "left" }] }));
  assert.deepEqual([...roster.entries.keys()], ["s42", "s50"]);
  assert.equal(roster.entries.get("s42")!.seat, 3);
  world.wire.say(event(44, 45, { offline: ["s42", "nobody"], taken: 2, online_count: 1 }));
  assert.equal(roster.entries.get("s42")!.online, false);
  assert.equal(roster.entries.get("s50")!.online, true);
  assert.deepEqual([roster.version, roster.counts.taken, roster.counts.online_count], [45, 2, 1]);
  const before = roster.entries.get("s42")!;
  world.wire.say(event(45, 46, { online: ["s42"] }));
  assert.equal(roster.entries.get("s42")!.online, true);
  assert.equal(before.online, false, "an entry never changes");
});

test("who follows the changes hears of each, from what to what", async () => {
  const { world, roster } = await watching();
  const { changes } = roster;
  const was = roster.entries.get("s42")!;
  assert.deepEqual(roster.since(changes), []);
  assert.equal(roster.since(changes - 1), null, "a snapshot is more than can be told");
  world.wire.say(event(41, 42, { joined: [entry("s50", 4)], left: [{ user: "s42", reason: "left" }], offline: ["s50", "nobody"] }));
  const came = { ...entry("s50", 4), online: true };
  assert.deepEqual(roster.since(changes), [
    { before: null, after: came },
    { before: was, after: null },
    { before: came, after: { ...came, online: false } },
  ]);
  assert.deepEqual(roster.since(changes + 3), []);
  world.wire.say(event(42, 43, { joined: Array.from({ length: 1_000 }, (_, i) => entry(`p${i}`, 100 + i)) }));
  assert.equal(roster.since(changes), null);
  assert.equal(roster.since(roster.changes - 1)?.[0]?.after?.user, "p999");
});

test("from before the version here is applied, an old version is ignored", async () => {
  const { world, roster } = await watching();
  world.wire.say(event(40, 42, { joined: [entry("s50", 4)] }));
  assert.equal(roster.version, 42);
  world.wire.say(event(40, 42, { left: [{ user: "s50", reason: "left" }] }));
  world.wire.say(event(30, 41, { left: [{ user: "s50", reason: "left" }] }));
  assert.ok(roster.entries.has("s50"));
  assert.equal(roster.version, 42);
});

test("a gap asks once for what is missing, and deltas fill it in order", async () => {
  const { world, roster } = await watching();
  world.wire.say(event(43, 44, { joined: [entry("s60", 9)] }));
  world.wire.say(event(44, 45, { joined: [entry("s61", 10)] }));
  assert.equal(roster.version, 41);
  assert.equal(world.wire.asked("watch"), 2);
  assert.equal(world.wire.sent[world.wire.sent.length - 1]!.since, 41);
  const deltas = [
    event(41, 43, { joined: [entry("s59", 8)] }),
    event(43, 45, { joined: [entry("s60", 9), entry("s61", 10)], left: [{ user: "s59", reason: "left" }] }),
  ];
  world.wire.answer("watch", { ...golden<Watching>("reply-watching-deltas"), version: 45, deltas });
  await settled();
  assert.equal(roster.version, 45);
  assert.ok(roster.entries.has("s61") && !roster.entries.has("s59"));
  world.wire.say(event(45, 46, { left: [{ user: "s61", reason: "left" }] }));
  assert.equal(roster.entries.has("s61"), false);
});

test("a snapshot in answer to since replaces everything, ahead or behind", async () => {
  const { world, roster } = await watching();
  world.wire.say(event(90, 91));
  world.wire.answer("watch", { ...snapshot, version: 12, roster: [entry("only", 1)] });
  await settled();
  assert.deepEqual([...roster.entries.keys()], ["only"]);
  assert.equal(roster.version, 12);
});

test("pages make one roster, shown when it is whole", async () => {
  const { world, roster } = await watching({ ...snapshot, roster: [entry("a", 1)], more: true });
  assert.equal(roster.entries.size, 0);
  world.wire.say({ type: "roster_page", room_id, version: 40, roster: [entry("stale", 9)], more: false });
  world.wire.say({ type: "roster_page", room_id, version: 41, roster: [entry("b", 2)], more: true });
  assert.equal(roster.entries.size, 0);
  assert.equal(roster.state, "loading");
  world.wire.say({ type: "roster_page", room_id, version: 41, roster: [entry("c", 3)], more: false });
  assert.equal(roster.state, "live");
  assert.deepEqual([...roster.entries.keys()], ["a", "b", "c"]);
  world.wire.say(event(41, 42, { left: [{ user: "b", reason: "removed" }] }));
  assert.deepEqual([...roster.entries.keys()], ["a", "c"]);
});

for (const told of ["event-room_closed", "event-unwatch_forced"]) {
  test(`the last page after ${told} changes nothing about that`, async () => {
    const { world, roster } = await watching({ ...snapshot, roster: [entry("a", 1)], more: true });
    world.wire.say(golden(told));
    const { state } = roster;
    world.wire.say({ type: "roster_page", room_id, version: 41, roster: [entry("b", 2)], more: false });
    assert.deepEqual([roster.entries.size, roster.state], [2, state]);
  });
}

test("an event before the last page means a lost page: the snapshot is asked for anew", async () => {
  const { world, roster } = await watching({ ...snapshot, roster: [entry("a", 1)], more: true });
  world.wire.say(event(41, 42, { joined: [entry("z", 9)] }));
  assert.equal(world.wire.asked("watch"), 2);
  assert.equal("since" in world.wire.sent[world.wire.sent.length - 1]!, false);
  world.wire.answer("watch", { ...snapshot, version: 42, roster: [entry("a", 1), entry("z", 9)] });
  await settled();
  assert.deepEqual([...roster.entries.keys()], ["a", "z"]);
});

test("after a reconnect it goes on from its version", async () => {
  const { world, roster } = await watching();
  world.wire.drop(4002);
  await world.pass(500);
  world.wire.hello();
  assert.deepEqual([world.wire.asked("watch"), world.wire.sent[0]!.since], [1, 41]);
  world.wire.answer("watch", golden("reply-watching-deltas"));
  await settled();
  assert.equal(roster.version, 44);
  assert.ok(roster.entries.has("s43"));
});

test("a connection lost while asking leads to one answer", async () => {
  const { world, roster } = await watching();
  world.wire.say(event(43, 44));
  world.wire.drop(1006);
  await world.pass(500);
  world.wire.hello();
  assert.equal(world.wire.asked("watch"), 1);
  world.wire.answer("watch", golden("reply-watching-deltas"));
  await settled();
  assert.equal(roster.version, 44);
});

test("what cannot be answered now is asked again, a refusal is the end", async () => {
  const { world, roster } = await watching();
  world.wire.say(event(43, 44));
  world.wire.answer("watch", golden("error-rate_limited"));
  await world.pass(1_199);
  assert.equal(world.wire.asked("watch"), 2);
  await world.pass(1);
  assert.equal(world.wire.asked("watch"), 3);
  world.wire.answer("watch", golden("error-forbidden"));
  await settled();
  assert.equal(roster.state, "refused");
  world.wire.say(event(43, 44));
  assert.equal(world.wire.asked("watch"), 3);
});

test("closing and losing the right end the roster, its people stay to be read", async () => {
  for (const [name, state] of [["event-room_closed", "closed"], ["event-unwatch_forced", "refused"]] as const) {
    const { world, roster } = await watching();
    world.wire.say(golden(name));
    assert.equal(roster.state, state);
    assert.equal(roster.entries.size, 2);
    world.wire.drop(1006);
    await world.pass(500);
    world.wire.hello();
    assert.equal(world.wire.asked("watch"), 0);
  }
});

test("another room's messages are not this one's", async () => {
  const { world, roster } = await watching();
  world.wire.say(event(41, 42, { room_id: "another", joined: [entry("x", 1)] }));
  world.wire.say({ ...golden<object>("event-room_closed"), room_id: "another" });
  assert.equal(roster.version, 41);
  assert.equal(roster.state, "live");
});

test("ten thousand changes at once are told once", async () => {
  const { world, roster } = await watching();
  await world.pass(100);
  let told = 0;
  roster.subscribe(() => told++);
  for (let v = 41; v < 1041; v++) {
    world.wire.say(event(v, v + 1, { joined: Array.from({ length: 10 }, (_, i) => entry(`p${v}-${i}`, v)) }));
  }
  assert.equal(told, 0);
  await world.pass(32);
  assert.equal(told, 1);
  assert.equal(roster.entries.size, 10_002);
});

test("stop unwatches", async () => {
  const { world, roster } = await watching();
  roster.stop();
  assert.equal(world.wire.asked("unwatch"), 1);
  world.wire.say(event(41, 42));
  assert.equal(roster.version, 41);
});

test("who has stopped does not ask again", async () => {
  const { world, roster } = await watching();
  world.wire.say(event(43, 44));
  world.wire.answer("watch", golden("error-unavailable"));
  await settled();
  roster.stop();
  await world.pass(5_000);
  assert.equal(world.wire.asked("watch"), 2);
});
