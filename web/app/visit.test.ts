import assert from "node:assert/strict";
import { test } from "node:test";
import type { Joined, WaitingForSeat } from "../client";
import { FakeWorld, golden, settled } from "../client/fakeworld";
import { waitsFor } from "./session";
import { Visit } from "./visit";

const waiting = golden<WaitingForSeat>("reply-waiting_for_seat");
const room_id = waiting.room.id;
const code = "K7QF3MXD";

/** A tab of its own: nothing is kept from before. */
function newTab(): void {
  const kept = new Map<string, string>();
  const sessionStorage = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => kept.set(key, value) };
  Object.assign(globalThis, { sessionStorage, location: { origin: "https://lectern.example" } });
}

/** Comes with a code, or by a room's address as a page that is loaded anew does. */
async function arrives(target: { code: string } | { room_id: string } = { code }) {
  const world = new FakeWorld();
  const visit = new Visit(target, world);
  await settled();
  world.wire.hello();
  const answer = async (reply: object) => {
    world.wire.answer("join", reply);
    await settled();
  };
  /** Lets time pass on a connection that lives. */
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 5_000) {
      const pings = world.wire.asked("ping");
      await world.pass(Math.min(5_000, left));
      if (world.wire.asked("ping") > pings) world.wire.answer("ping", golden("reply-pong"));
    }
  };
  const place = (change: object) => world.wire.say({ ...golden<object>("event-your_place"), seat: null, position: null, ...change });
  return { world, visit, answer, place, pass };
}

/** A place as it is shown, or the step. */
function stepOf({ state }: Visit): unknown {
  return state.step === "in" ? [state.place, state.position, state.seat, state.promoted] : state.step;
}

async function waits() {
  newTab();
  const all = await arrives();
  await all.answer(waiting);
  return all;
}

test("the line moves, and ends at a seat", async () => {
  const { visit, place } = await waits();
  const shown = () => stepOf(visit);
  assert.deepEqual(shown(), ["waiting", 3, null, false]);
  place({ state: "waiting", position: 2 });
  assert.deepEqual(shown(), ["waiting", 2, null, false]);
  place({ state: "waiting", position: 1, room_id: "another" });
  assert.deepEqual(shown(), ["waiting", 2, null, false]);
  place({ state: "seated", seat: 17 });
  assert.deepEqual(shown(), ["seated", null, 17, true]);
  visit.end();
});

test("who is admitted into a full room stands in line", async () => {
  newTab();
  const { visit, answer, place } = await arrives();
  await answer({ ...waiting, state: "pending", position: null });
  assert.deepEqual(stepOf(visit), ["pending", null, null, false]);
  place({ state: "waiting", position: 4 });
  assert.deepEqual(stepOf(visit), ["waiting", 4, null, false]);
  visit.end();
});

test("after a lost connection the place is there again, wherever it is by then", async () => {
  const { world, visit, answer } = await waits();
  const again = async (reply: object) => {
    world.wire.drop(1006);
    await world.pass(20_000);
    world.wire.hello();
    assert.deepEqual({ ...world.wire.sent[0], id: 0 }, { type: "join", id: 0, room_id });
    await answer(reply);
    return stepOf(visit);
  };
  assert.deepEqual(await again({ ...waiting, already: true, position: 2 }), ["waiting", 2, null, false]);
  assert.deepEqual(await again({ ...golden<Joined>("reply-joined"), room: waiting.room, already: true }), ["seated", null, 17, true]);
  visit.end();
});

for (const [place, reason, ending] of [
  ["waiting", "place_lapsed", "place_lapsed"],
  ["waiting", "removed", "removedFromLine"],
  ["pending", "removed", "notAdmitted"],
  ["pending", "banned", "banned"],
  ["seated", "removed", "removed"],
  ["seated", "place_lapsed", "seatLapsed"],
] as const) {
  test(`${reason} while ${place} ends as ${ending}, and the way back is known`, async () => {
    const { world, visit, place: move } = await waits();
    move({ state: place, seat: place === "seated" ? 3 : null });
    world.wire.say({ ...golden<object>("event-you_were_removed"), reason });
    assert.deepEqual(visit.state, { step: "over", ending });
    assert.equal(visit.code, code);
  });
}

test("a place in the line that is gone after a reload or a break has lapsed", async () => {
  const { visit } = await waits();
  visit.end();
  const reloaded = await arrives({ room_id });
  await reloaded.answer(golden("error-not_found"));
  assert.deepEqual(reloaded.visit.state, { step: "over", ending: "place_lapsed" });
  assert.equal(reloaded.visit.code, code);

  const back = await waits();
  back.world.wire.drop(1006);
  await back.world.pass(20_000);
  back.world.wire.hello();
  await back.answer(golden("error-not_found"));
  assert.deepEqual(back.visit.state, { step: "over", ending: "place_lapsed" });
});

test("that a seat is kept is said of a seat that was held, and of no other place", async () => {
  newTab();
  const never = await arrives();
  never.world.wire.drop(4003);
  assert.deepEqual(never.visit.state, { step: "over", ending: "too_many_sockets", kept: false });

  for (const [change, hold, kept] of [
    [{ state: "waiting", position: 2 }, 0, false],
    [{ state: "seated", seat: 3 }, 300, false],
    [{ state: "seated", seat: 3 }, 0, true],
  ] as const) {
    newTab();
    const { world, visit, answer, place } = await arrives();
    await answer({ ...waiting, room: { ...waiting.room, options: { ...waiting.room.options, seat_hold_seconds: hold } } });
    place(change);
    world.wire.drop(4003);
    assert.deepEqual(visit.state, { step: "over", ending: "too_many_sockets", kept });
  }
});

test("a room that is not open yet is joined when it opens", async () => {
  newTab();
  const { world, visit, answer, pass } = await arrives();
  const early = (left: number) => ({ ...golden<object>("error-not_started"), starts_at: new Date(visit.lectern.serverNow() + left).toISOString() });
  await answer(early(30_000));
  assert.equal(visit.state.step, "early");
  assert.ok(waitsFor(code), "for a page that is loaded anew");
  await pass(30_000);
  assert.equal(world.wire.asked("join"), 1);
  await pass(3_000);
  assert.equal(world.wire.asked("join"), 2);

  await answer(early(0));
  assert.equal(visit.state.step, "early", "the room is a moment late");
  await pass(3_000);
  assert.equal(world.wire.asked("join"), 3);
  await answer(golden("error-unavailable"));
  assert.equal(visit.state.step, "early", "no answer is no refusal");
  await pass(3_000);
  await answer(golden("reply-joined"));
  assert.deepEqual(stepOf(visit), ["seated", null, 17, false]);
  assert.ok(!waitsFor(code));
  visit.end();
});

test("who is kept away from a room that is not open yet does not wait for it any more", async () => {
  newTab();
  const { world, visit, answer } = await arrives();
  await answer({ ...golden<object>("error-not_started"), starts_at: new Date(visit.lectern.serverNow() + 600_000).toISOString() });
  assert.ok(waitsFor(code));
  world.wire.drop(4001);
  await world.pass(500);
  assert.deepEqual(visit.state, { step: "over", ending: "passport", kept: false });
  assert.ok(!waitsFor(code), "or this page, loaded anew, could never ask who that is");
});

test("a room that opens before its time is joined by hand, and by itself within minutes", async () => {
  newTab();
  const { world, visit, answer, pass } = await arrives();
  const early = { ...golden<object>("error-not_started"), starts_at: new Date(visit.lectern.serverNow() + 600_000).toISOString() };
  await answer(early);
  void visit.join();
  assert.equal(world.wire.asked("join"), 2);
  await answer(early);
  await pass(120_000);
  assert.equal(world.wire.asked("join"), 3);
  visit.end();
});
