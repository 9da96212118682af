import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeWorld, golden, settled } from "./fakeworld";
import { Lectern } from "./lectern";
import type { LecternOptions } from "./lectern";
import { LecternError } from "./messages";
import type { Connection } from "./index";

const url = "https://lectern.example";
const room_id = "01KJQ8M3ZC7N5T2V4X6Y8A0B1C";

async function opened(options: Partial<LecternOptions> = {}) {
  const world = new FakeWorld();
  const lectern = new Lectern({ url, world, ...options });
  await settled();
  world.wire.hello();
  return { world, lectern };
}

async function seated(options: Partial<LecternOptions> = {}) {
  const both = await opened(options);
  const joined = both.lectern.request("join", { code: "K7QF3MXD" });
  both.world.wire.answer("join", golden("reply-joined"));
  await joined;
  return both;
}

/** Lets the time until the next try pass. */
async function redialed(world: FakeWorld, lectern: Lectern): Promise<void> {
  assert.ok(lectern.connection.name === "reconnecting");
  await world.pass(lectern.connection.at - world.now());
}

async function refusal(promise: Promise<unknown>): Promise<LecternError> {
  return promise.then(
    () => assert.fail("was not refused"),
    (error) => {
      assert.ok(error instanceof LecternError);
      return error;
    },
  );
}

test("passports go into the subprotocol list, never the address", async () => {
  const world = new FakeWorld();
  new Lectern({ url, world, passport: "a.b.c", roomPassport: "d.e.f" });
  await settled();
  assert.equal(world.wire.url, "wss://lectern.example/v1/socket");
  assert.deepEqual(world.wire.protocols, ["lectern.v1", "passport.a.b.c", "room.d.e.f"]);
});

test("every request and reply of the protocol matches by id", async () => {
  const { world, lectern } = await opened();
  const pairs = [
    ["open", "request-open", "reply-opened"],
    ["join", "request-join", "reply-joined"],
    ["join", "request-join-room", "reply-waiting_for_seat"],
    ["watch", "request-watch", "reply-watching"],
    ["watch", "request-watch", "reply-watching-deltas"],
    ["unwatch", "request-unwatch", "reply-unwatched"],
    ["update", "request-update", "reply-updated"],
    ["start", "request-start", "reply-updated"],
    ["admit", "request-admit", "reply-admitted"],
    ["admit", "request-admit-all", "reply-admitted"],
    ["remove", "request-remove", "reply-person_removed"],
    ["unban", "request-unban", "reply-unbanned"],
    ["close", "request-close", "reply-closed"],
    ["renew", "request-renew", "reply-renewed"],
    ["ping", "request-ping", "reply-pong"],
    ["leave", "request-leave", "reply-left"],
  ] as const;
  for (const [type, request, reply] of pairs) {
    const { id: _, type: __, ...fields } = golden<{ id: unknown; type: string }>(request);
    const answer = lectern.request(type, fields as never);
    const { id, ...sent } = world.wire.sent[world.wire.sent.length - 1]!;
    assert.deepEqual(sent, { ...fields, type }, request);
    world.wire.say({ ...golden<object>(reply), id });
    assert.deepEqual(await answer, { ...golden<object>(reply), id }, reply);
  }
});

test("every event reaches its listener", async () => {
  const { world, lectern } = await opened();
  const names = ["roster", "roster_page", "count", "room_changed", "your_place", "you_were_removed", "room_closed", "unwatch_forced", "draining"] as const;
  for (const name of names) {
    let heard: unknown;
    const end = lectern.on(name, (event) => (heard = event));
    const event = golden<object>("event-" + name);
    world.wire.say(event);
    assert.deepEqual(heard, event);
    end();
  }
  world.wire.say({ type: "of_a_later_version", field: 1 });
});

test("every error is a LecternError with its fields", async () => {
  const { world, lectern } = await opened();
  for (const code of ["bad_request", "unauthorized", "forbidden", "banned", "not_found", "room_full", "room_locked", "not_started", "already_open", "already_in_room", "conflict", "room_closed", "rate_limited", "unavailable", "internal"]) {
    const asked = lectern.request("join", { code: "K7QF3MXD" });
    const error = golden<{ message: string; room_id?: string; retry_after_ms?: number }>("error-" + code);
    world.wire.answer("join", error);
    const got = await refusal(asked);
    assert.equal(got.code, code);
    assert.equal(got.message, error.message);
    assert.equal(got.body.retry_after_ms, error.retry_after_ms);
    assert.equal(got.body.room_id, error.room_id);
  }
});

test("a request has a time limit", async () => {
  const { world, lectern } = await opened();
  const asked = refusal(lectern.request("join", { code: "K7QF3MXD" }, 3_000));
  await world.pass(3_000);
  assert.equal((await asked).code, "unavailable");
});

test("delays have full jitter, from 500 ms up to 20 s", async () => {
  for (const [chance, most] of [[0, 0], [0.999999, 1]] as const) {
    const { world, lectern } = await opened();
    world.chance = chance;
    const waits: number[] = [];
    lectern.on("connection", (connection: Connection) => {
      if (connection.name === "reconnecting") waits.push(connection.at - world.now());
    });
    for (let i = 0; i < 9; i++) {
      world.wire.drop(1006);
      await redialed(world, lectern);
    }
    const ceilings = [500, 1000, 2000, 4000, 8000, 16000, 20000, 20000, 20000];
    assert.equal(waits.length, ceilings.length);
    waits.forEach((wait, i) => assert.ok(Math.abs(wait - most * ceilings[i]!) < 1, `try ${i}: ${wait}`));
    lectern.stop();
  }
});

test("a steady connection begins the backoff anew, one that breaks at once does not", async () => {
  const { world, lectern } = await opened();
  world.chance = 1 - 1e-9;
  const again = async (lived: number) => {
    await world.pass(lived);
    const before = world.now();
    world.wire.drop(1006);
    const wait = lectern.connection.name === "reconnecting" ? lectern.connection.at - before : NaN;
    await redialed(world, lectern);
    world.wire.hello();
    return Math.round(wait);
  };
  assert.equal(await again(10), 500);
  assert.equal(await again(10), 1000);
  assert.equal(await again(6_000), 500);
});

test("draining moves at the given moment, and leaves when the place is taken again", async () => {
  const { world, lectern } = await seated();
  const [old] = world.wires;
  const seen: string[] = [];
  lectern.on("connection", ({ name }) => seen.push(name));
  world.wire.say({ type: "draining", reconnect_after_ms: 1500 });
  await world.pass(1499);
  assert.equal(world.wires.length, 1);
  await world.pass(1);
  assert.equal(world.wires.length, 2);

  const left = lectern.request("unwatch", { room_id });
  old!.answer("unwatch", golden("reply-unwatched"));
  await left;
  const asked = lectern.request("watch", { room_id });
  assert.ok(!old!.closed);
  world.wire.hello();
  assert.deepEqual(world.wire.sent.map(({ type }) => type), ["join", "watch"]);
  old!.answer("watch", golden("error-unavailable"));
  world.wire.answer("watch", golden("reply-watching"));
  await asked;
  assert.ok(!old!.closed);
  world.wire.answer("join", { ...golden<object>("reply-joined"), already: true });
  await settled();
  assert.ok(old!.closed);
  assert.deepEqual(seen, ["open"]);
});

/** A client that was told to move, and dials. */
async function moving(begin: typeof opened = seated) {
  const { world, lectern } = await begin();
  const old = world.wire;
  old.say({ type: "draining", reconnect_after_ms: 1500 });
  await world.pass(1500);
  assert.equal(world.wires.length, 2);
  return { world, lectern, old };
}

test("who loses a socket while moving stays where the other is", async () => {
  for (const lose of ["next", "old"] as const) {
    const { world, lectern, old } = await moving();
    world.wire.hello();
    (lose === "old" ? old : world.wire).drop(1006);
    assert.deepEqual(world.wires.map(({ closed }) => closed), lose === "old" ? [true, false] : [false, true]);
    await world.pass(500);
    assert.equal(world.wires.length, lose === "old" ? 2 : 3);
    assert.equal(lectern.connection.name, "open");
    lectern.stop();
  }
});

test("who is told to move on before the place is taken again has two sockets at most", async () => {
  const { world } = await moving();
  const [, second] = world.wires;
  second!.hello();
  second!.say({ type: "draining", reconnect_after_ms: 100 });
  await world.pass(100);
  world.wire.hello();
  assert.deepEqual(world.wires.map(({ closed }) => closed), [true, false, false]);
  world.wire.answer("join", { ...golden<object>("reply-joined"), already: true });
  await settled();
  assert.deepEqual(world.wires.map(({ closed }) => closed), [true, true, false]);
});

test("who has no place leaves when the new socket has answered", async () => {
  const { world, old } = await moving(opened);
  world.wire.hello();
  assert.ok(!old.closed);
  world.wire.answer("ping", golden("reply-pong"));
  await settled();
  assert.ok(old.closed);
});

for (const [error, left] of [["unavailable", false], ["rate_limited", false], ["internal", false], ["room_closed", true]] as const) {
  test(`a place that is not taken again while moving, ${error}: the old socket is ${left ? "left" : "kept"}`, async () => {
    const { world, old } = await moving();
    world.wire.hello();
    world.wire.answer("join", golden("error-" + error));
    await settled();
    assert.equal(old.closed, left);
    if (left) return;
    await world.pass(5_000);
    assert.equal(world.wire.asked("join"), 2);
    assert.ok(!old.closed);
    world.wire.answer("join", { ...golden<object>("reply-joined"), already: true });
    await settled();
    assert.ok(old.closed);
  });
}

for (const begin of [opened, seated]) {
  test(`answers on their way are still heard from the old socket, events are not: ${begin.name}`, async () => {
    const { world, lectern, old } = await moving(begin);
    const rotated = lectern.request("update", { room_id, new_code: true });
    const admitted = lectern.request("admit", { room_id, all: true });
    let counts = 0;
    lectern.on("count", () => counts++);
    old.say(golden("event-count"));
    world.wire.hello();
    old.say(golden("event-count"));
    world.wire.say(golden("event-count"));
    assert.equal(counts, 2);
    old.answer("update", golden("reply-updated"));
    assert.equal((await rotated).type, "updated");
    if (begin === seated) world.wire.answer("join", { ...golden<object>("reply-joined"), already: true });
    else world.wire.answer("ping", golden("reply-pong"));
    await settled();
    assert.ok(!old.closed);
    old.answer("admit", golden("reply-admitted"));
    assert.equal((await admitted).type, "admitted");
    assert.ok(old.closed);
    assert.deepEqual([world.wire.asked("update"), world.wire.asked("admit")], [0, 0]);
  });
}

test("an answer that the old socket does not give before it is closed is not asked for twice", async () => {
  const { world, lectern, old } = await moving();
  const rotated = refusal(lectern.request("update", { room_id, new_code: true }));
  world.wire.hello();
  old.drop(1012);
  assert.equal((await rotated).code, "unavailable");
  assert.equal(world.wire.asked("update"), 0);
});

for (const [begin, later] of [[opened, 100], [seated, 1000]] as const) {
  test(`who is told to come later elsewhere stays until then: ${begin.name}`, async () => {
    const { world, lectern, old } = await moving(begin);
    const seen: string[] = [];
    lectern.on("connection", ({ name }) => seen.push(name));
    const paced = world.wire;
    paced.hello();
    const asked = lectern.request("watch", { room_id });
    paced.say({ type: "draining", reconnect_after_ms: later });
    paced.drop(1013);
    assert.ok(paced.closed && !old.closed);
    old.answer("watch", golden("reply-watching"));
    await asked;
    let counts = 0;
    lectern.on("count", () => counts++);
    old.say(golden("event-count"));
    assert.equal(counts, 1);
    if (begin === seated) old.answer("join", { ...golden<object>("reply-joined"), already: true });
    await world.pass(later - 1);
    assert.equal(world.wires.length, 2);
    await world.pass(1);
    assert.equal(world.wires.length, 3);
    world.wire.hello();
    if (begin === seated) world.wire.answer("join", { ...golden<object>("reply-joined"), already: true });
    else world.wire.answer("ping", golden("reply-pong"));
    await settled();
    assert.ok(old.closed);
    await world.pass(5_000);
    assert.equal(world.wires.length, 3);
    assert.deepEqual(seen, ["open", "open"]);
  });
}

test("who is told to come later elsewhere, and is closed before that, comes then", async () => {
  const { world, lectern, old } = await moving();
  world.wire.hello();
  world.wire.say({ type: "draining", reconnect_after_ms: 3000 });
  world.wire.drop(1013);
  old.drop(1012);
  assert.deepEqual(lectern.connection, { name: "reconnecting", at: world.now() + 3000 });
});

test("a move that is refused is tried again while the old socket lasts", async () => {
  const { world, lectern, old } = await moving();
  world.wire.drop(1006);
  await world.pass(499);
  assert.equal(world.wires.length, 2);
  await world.pass(1);
  assert.equal(world.wires.length, 3);
  assert.equal(lectern.connection.name, "open");
  world.wire.hello();
  world.wire.answer("join", { ...golden<object>("reply-joined"), already: true });
  await settled();
  assert.ok(old.closed);
});

test("a move that is refused until the server closes is made up for", async () => {
  const { world, lectern, old } = await moving();
  world.wire.drop(1006);
  old.drop(1012);
  await redialed(world, lectern);
  assert.equal(world.wires.length, 3);
  world.wire.hello();
  assert.equal(world.wire.asked("join"), 1);
});

for (const answers of [true, false]) {
  test(`a move that takes longer than the old socket lasts, and ${answers ? "comes about" : "does not"}`, async () => {
    const { world, lectern, old } = await moving();
    await world.pass(2000);
    const asked = lectern.request("watch", { room_id });
    old.drop(1012);
    assert.equal(lectern.connection.name, "connecting");
    assert.deepEqual(world.wires.map(({ closed }) => closed), [true, false]);
    await world.pass(9_999);
    if (answers) {
      world.wire.hello();
      assert.deepEqual(world.wire.sent.map(({ type }) => type), ["join", "watch"]);
      world.wire.answer("watch", golden("reply-watching"));
      await asked;
      await world.pass(1);
      assert.equal(lectern.connection.name, "open");
    } else {
      void refusal(asked);
      await world.pass(1);
      assert.equal(lectern.connection.name, "reconnecting");
      assert.ok(world.wire.closed);
    }
    lectern.stop();
  });
}

test("a server that sends away for good is obeyed while moving", async () => {
  const { world, lectern, old } = await moving();
  old.drop(1008);
  assert.deepEqual(lectern.connection, { name: "stopped", why: "misuse", code: 1008 });
  assert.ok(world.wire.closed);
});

test("who leaves while moving is nowhere", async () => {
  const { world } = await seated();
  world.wire.say({ type: "draining", reconnect_after_ms: 1500 });
  await world.pass(1500);
  world.hide();
  assert.deepEqual(world.wires.map(({ closed }) => closed), [true, true]);
});

test("a clock that is set back after a move keeps nobody away", async () => {
  const { world, lectern } = await moving();
  world.wire.hello();
  world.clock -= 3600_000;
  world.wire.drop(1006);
  world.wires[0]!.drop(1006);
  assert.deepEqual(lectern.connection, { name: "reconnecting", at: world.now() + 250 });
});

for (const code of [1001, 1013]) {
  test(`draining and ${code} at once come back at the given moment and not before`, async () => {
    const { world, lectern } = await seated();
    world.chance = 0;
    world.wire.say({ type: "draining", reconnect_after_ms: 3000 });
    world.wire.drop(code);
    assert.deepEqual(lectern.connection, { name: "reconnecting", at: world.now() + 3000 });
    await world.pass(2999);
    assert.equal(world.wires.length, 1);
    await world.pass(1);
    assert.equal(world.wires.length, 2);
  });
}

for (const [code, why] of [[1000, "asked"], [1003, "misuse"], [1007, "misuse"], [1008, "misuse"], [1009, "misuse"], [4003, "too_many_sockets"]] as const) {
  test(`close code ${code} stays away and says why`, async () => {
    const { world, lectern } = await opened();
    const waiting = refusal(lectern.request("watch", { room_id }));
    world.wire.drop(code);
    assert.deepEqual(lectern.connection, { name: "stopped", why, code });
    assert.equal((await waiting).code, "unavailable");
    await world.pass(60_000);
    assert.equal(world.wires.length, 1);
    assert.equal((await refusal(lectern.request("ping", {}))).code, "unavailable");
  });
}

for (const code of [1001, 1006, 1011, 1012, 1013, 4002]) {
  test(`close code ${code} reconnects and joins the same room`, async () => {
    const { world, lectern } = await seated();
    let rejoined = 0;
    lectern.on("rejoined", () => rejoined++);
    world.wire.drop(code);
    await world.pass(500);
    assert.equal(world.wires.length, 2);
    world.wire.hello();
    assert.deepEqual(world.wire.sent[0], { room_id, id: 2, type: "join" });
    world.wire.answer("join", { ...golden<object>("reply-joined"), already: true });
    await settled();
    assert.equal(rejoined, 1);
  });
}

test("close code 4001 asks for a fresh passport and comes back with it", async () => {
  const { world, lectern } = await opened({ passport: "old", freshPassport: async () => "new" });
  world.wire.drop(4001);
  await world.pass(500);
  assert.deepEqual(world.wire.protocols, ["lectern.v1", "passport.new"]);
  world.wire.hello();
  assert.equal(lectern.connection.name, "open");
});

test("close code 4001 without a fresh passport stays away", async () => {
  const { world, lectern } = await opened({ passport: "old" });
  world.wire.drop(4001);
  await world.pass(500);
  assert.deepEqual(lectern.connection, { name: "stopped", why: "passport", code: 4001 });
});

test("a fresh passport that cannot be fetched is asked for again", async () => {
  let asked = 0;
  const freshPassport = async () => {
    if (++asked < 3) throw new Error("network");
    return "new";
  };
  const { world } = await opened({ passport: "old", freshPassport });
  world.wire.drop(4001);
  await world.pass(60_000);
  assert.equal(asked >= 3, true);
  assert.ok(world.wire.protocols.includes("passport.new"));
});

test("a fresh passport that never comes is asked for again", async () => {
  let asked = 0;
  const { world } = await opened({ passport: "old", freshPassport: () => (++asked < 2 ? new Promise(() => {}) : Promise.resolve("new")) });
  world.wire.drop(4001);
  await world.pass(61_000);
  assert.ok(world.wire.protocols.includes("passport.new"));
});

test("a fresh passport that comes when another try has begun leads to one socket", async () => {
  const come: ((passport: string) => void)[] = [];
  const { world } = await opened({ passport: "old", freshPassport: () => new Promise((resolve) => come.push(resolve)) });
  world.connected = false;
  world.wire.drop(4001);
  await world.pass(500);
  world.connected = true;
  world.wake();
  come[0]!("first");
  await world.pass(500);
  come[1]!("second");
  await settled();
  assert.equal(world.wires.length, 2);
  assert.ok(world.wire.protocols.includes("passport.second"));
});

test("a guest who was let in is one until the cookie expires, whatever a HEAD without it is told", async () => {
  const { world, lectern } = await opened();
  const failed = async () => {
    world.wire.drop(1006);
    await redialed(world, lectern);
    world.wire.drop(1006);
    await settled();
  };
  world.status = 401;
  await failed();
  await redialed(world, lectern);
  assert.equal(lectern.connection.name, "connecting");
  world.wire.hello({ expires_at: new Date(lectern.serverNow()).toISOString() });
  await failed();
  await redialed(world, lectern);
  assert.deepEqual(lectern.connection, { name: "stopped", why: "passport", code: 4001 });
});

test("a guest who is refused again and again, with no hello in between, is one no more", async () => {
  const { world, lectern } = await opened();
  const refused = async (times: number) => {
    for (; times > 0; times--) {
      await redialed(world, lectern);
      world.wire.drop(1006);
      await settled();
    }
    await redialed(world, lectern);
  };
  world.status = 401;
  for (const times of [9, 9, 10]) {
    assert.equal(lectern.connection.name, "open");
    world.wire.drop(1006);
    await refused(times);
    if (times === 9) world.wire.hello();
  }
  assert.deepEqual(lectern.connection, { name: "stopped", why: "passport", code: 4001 });
});

test("a failed dial asks who one is: 401 wants a passport, 403 stays away, the rest is network", async () => {
  for (const [status, name] of [[401, "stopped"], [403, "stopped"], [200, "reconnecting"], [503, "reconnecting"], [0, "reconnecting"]] as const) {
    const world = new FakeWorld();
    const lectern = new Lectern({ url, world, passport: "p" });
    await settled();
    world.status = status;
    world.wire.drop(1006);
    await settled();
    assert.deepEqual(world.fetched, [url + "/v1/me"]);
    if (status === 401) await world.pass(500);
    assert.equal(lectern.connection.name, name, String(status));
    if (lectern.connection.name === "stopped") assert.equal(lectern.connection.why, status === 401 ? "passport" : "forbidden");
    lectern.stop();
  }
});

test("a dial that brings no hello is given up", async () => {
  const world = new FakeWorld();
  const lectern = new Lectern({ url, world });
  await world.pass(10_000);
  assert.equal(lectern.connection.name, "reconnecting");
  assert.ok(world.wires[0]!.closed);
});

test("a connection that does not answer a ping is dead", async () => {
  const { world, lectern } = await opened();
  await world.pass(20_000);
  assert.equal(world.wire.asked("ping"), 1);
  world.wire.answer("ping", golden("reply-pong"));
  await world.pass(20_000);
  assert.equal(world.wire.asked("ping"), 2);
  await world.pass(9_999);
  assert.equal(lectern.connection.name, "open");
  await world.pass(1);
  assert.equal(lectern.connection.name, "reconnecting");
});

test("a refused ping is an answer", async () => {
  const { world, lectern } = await opened();
  await world.pass(20_000);
  world.wire.answer("ping", golden("error-rate_limited"));
  await world.pass(10_000);
  assert.equal(lectern.connection.name, "open");
});

test("offline is said, and coming back is tried at once", async () => {
  const { world, lectern } = await opened();
  world.chance = 0.999999;
  for (let i = 0; i < 6; i++) {
    world.wire.drop(1006);
    await redialed(world, lectern);
  }
  world.connected = false;
  world.wire.drop(1006);
  assert.deepEqual(lectern.connection, { name: "offline" });
  const dials = world.wires.length;
  world.connected = true;
  world.wake();
  assert.equal(lectern.connection.name, "reconnecting");
  await world.pass(500);
  assert.equal(world.wires.length, dials + 1);
});

test("waking up finds a dead connection within seconds", async () => {
  const { world, lectern } = await opened();
  world.wake();
  await world.pass(5_000);
  assert.equal(lectern.connection.name, "reconnecting");
});

test("a page that is left is not here, and is when it is shown again", async () => {
  const { world } = await seated();
  world.hide();
  assert.ok(world.wire.closed);
  await world.pass(60_000);
  assert.equal(world.wires.length, 1);
  world.wake();
  await world.pass(500);
  assert.equal(world.wires.length, 2);
  world.wire.hello();
  assert.deepEqual(world.wire.sent[0], { room_id, id: 2, type: "join" });
});

test("the passport is renewed before it expires", async () => {
  const passports = ["second", "third"];
  const { world } = await opened({ passport: "first", freshPassport: async () => passports.shift() ?? null });
  // hello: 09:00:59.999 to 17:00
  const life = 8 * 3600_000 - 59_999;
  let ponged = 0;
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 5_000) {
      await world.pass(Math.min(5_000, left));
      if (world.wire.asked("ping") > ponged) {
        ponged++;
        world.wire.answer("ping", golden("reply-pong"));
      }
    }
  };
  await pass(life - 60_001);
  assert.equal(world.wire.asked("renew"), 0);
  await pass(1);
  assert.equal(world.wire.asked("renew"), 1);
  assert.equal(world.wire.sent.find((frame) => frame.type === "renew")?.passport, "second");
  world.wire.answer("renew", golden("reply-renewed"));
  await pass(3600_000 - 60_000);
  assert.equal(world.wire.asked("renew"), 1);
  await pass(60_000);
  assert.equal(world.wire.asked("renew"), 2);
  world.wire.drop(1006);
  await world.pass(500);
  assert.ok(world.wire.protocols.includes("passport.second"), "the last one that was accepted");
});

test("a renewal that a move overtakes is followed by one, not two", async () => {
  const come: (() => void)[] = [];
  const { world, lectern } = await opened({ passport: "p", freshPassport: () => new Promise((resolve) => come.push(() => resolve("p"))) });
  const soon = (ms: number) => ({ expires_at: new Date(lectern.serverNow() + ms).toISOString() });
  world.wire.hello(soon(2_000));
  await world.pass(1_000);
  assert.equal(come.length, 1);
  world.wire.say({ type: "draining", reconnect_after_ms: 0 });
  await world.pass(0);
  world.wire.hello(soon(20_000));
  come[0]!();
  await settled();
  world.wire.answer("renew", { ...golden<object>("reply-renewed"), ...soon(22_000) });
  await world.pass(11_000);
  assert.equal(come.length, 2);
});

test("requests without an answer are sent again after a reconnect, after the join", async () => {
  const { world, lectern } = await seated();
  const removed = lectern.request("remove", { room_id, user: "s43" });
  world.wire.drop(1006);
  const updated = lectern.request("update", { room_id, title: "B" });
  await world.pass(500);
  world.wire.hello();
  assert.deepEqual(
    world.wire.sent.map((frame) => frame.type),
    ["join", "remove", "update"],
  );
  world.wire.answer("remove", golden("reply-person_removed"));
  world.wire.answer("update", golden("reply-updated"));
  assert.equal((await removed).type, "person_removed");
  assert.equal((await updated).type, "updated");
});

test("what must not happen twice is not sent twice", async () => {
  const { world, lectern } = await opened();
  const renewed = refusal(lectern.request("update", { room_id, new_code: true }));
  const admitted = refusal(lectern.request("admit", { room_id, all: true }));
  const one = lectern.request("admit", { room_id, user: "s43" });
  world.wire.drop(1006);
  assert.equal((await renewed).code, "unavailable");
  assert.equal((await admitted).code, "unavailable");
  const unsent = lectern.request("update", { room_id, new_code: true });
  await world.pass(500);
  world.wire.hello();
  assert.deepEqual(
    world.wire.sent.map((frame) => frame.type),
    ["admit", "update"],
  );
  world.wire.answer("admit", golden("reply-admitted"));
  world.wire.answer("update", golden("reply-updated"));
  assert.equal((await one).count, 1);
  assert.equal((await unsent).type, "updated");
});

test("who leaves is not joined again", async () => {
  const { world, lectern } = await seated();
  const left = lectern.request("leave", {});
  world.wire.drop(1006);
  await world.pass(500);
  world.wire.hello();
  assert.deepEqual(world.wire.sent, [{ room_id, id: 2, type: "leave" }]);
  world.wire.answer("leave", golden("reply-left"));
  await left;
  world.wire.drop(1006);
  await world.pass(1000);
  world.wire.hello();
  assert.deepEqual(world.wire.sent, []);
});

test("who cannot leave after a reconnect is joined again", async () => {
  const { world, lectern } = await seated();
  const left = refusal(lectern.request("leave", {}));
  world.wire.drop(1006);
  await world.pass(500);
  world.wire.hello();
  assert.equal(world.wire.asked("join"), 0);
  world.wire.answer("leave", golden("error-unavailable"));
  assert.equal((await left).code, "unavailable");
  assert.equal(lectern.room, room_id);
  assert.equal(world.wire.asked("join"), 1);
});

test("who cannot leave on a socket that never joined is joined again", async () => {
  const { world, lectern } = await seated();
  world.wire.drop(1006);
  await world.pass(500);
  const left = refusal(lectern.request("leave", {}));
  world.wire.hello();
  assert.equal(world.wire.asked("join"), 0);
  world.wire.answer("leave", golden("error-unavailable"));
  assert.equal((await left).code, "unavailable");
  assert.equal(lectern.room, room_id);
  assert.equal(world.wire.asked("join"), 1);
});

test("who cannot leave while a join again waits is joined again", async () => {
  const { world, lectern } = await seated();
  world.wire.drop(1006);
  await world.pass(500);
  world.wire.hello();
  world.wire.answer("join", golden("error-unavailable"));
  await settled();
  const left = refusal(lectern.request("leave", {}));
  await world.pass(1_000);
  assert.equal(world.wire.asked("join"), 1);
  world.wire.answer("leave", golden("error-unavailable"));
  assert.equal((await left).code, "unavailable");
  assert.equal(world.wire.asked("join"), 2);
});

/** A client whose leave was not answered in time. */
async function unheard() {
  const { world, lectern } = await seated();
  const left = refusal(lectern.request("leave", {}, 3_000));
  await world.pass(3_000);
  await left;
  assert.equal(lectern.room, room_id);
  const reasons: string[] = [];
  lectern.on("you_were_removed", ({ reason }) => reasons.push(reason));
  return { world, lectern, reasons };
}

test("who hears too late of having left is told, and not joined again", async () => {
  const { world, lectern, reasons } = await unheard();
  world.wire.answer("leave", golden("reply-left"));
  assert.deepEqual(reasons, ["left_elsewhere"]);
  assert.equal(lectern.room, null);
  world.wire.drop(1006);
  await world.pass(500);
  world.wire.hello();
  assert.equal(world.wire.asked("join"), 0);
});

test("who hears too late of having left, where the place is taken again, stays", async () => {
  const { world, lectern, reasons } = await unheard();
  const old = world.wire;
  old.say({ type: "draining", reconnect_after_ms: 0 });
  await world.pass(0);
  world.wire.hello();
  old.answer("leave", golden("reply-left"));
  assert.deepEqual(reasons, []);
  assert.equal(lectern.room, room_id);
  assert.equal(world.wire.asked("join"), 1);
});

test("who cannot leave on the socket of the place is in the room still, and after a reconnect again", async () => {
  const { world, lectern } = await seated();
  const left = refusal(lectern.request("leave", {}, 3_000));
  await world.pass(3_000);
  assert.equal((await left).code, "unavailable");
  assert.equal(lectern.room, room_id);
  assert.equal(world.wire.asked("join"), 1);
  world.wire.drop(1006);
  await world.pass(500);
  world.wire.hello();
  assert.equal(world.wire.asked("join"), 1);
});

for (const event of ["event-you_were_removed", "event-room_closed"]) {
  test(`after ${event} there is no joining again`, async () => {
    const { world } = await seated();
    world.wire.say(golden(event));
    world.wire.drop(1006);
    await world.pass(500);
    world.wire.hello();
    assert.equal(world.wire.asked("join"), 0);
  });
}

test("a join again that cannot be answered now is tried later; one that is refused is told", async () => {
  const { world, lectern } = await seated();
  let lost: LecternError | null = null;
  lectern.on("place_lost", (error) => (lost = error));
  world.wire.drop(1006);
  await world.pass(500);
  world.wire.hello();
  world.wire.answer("join", golden("error-unavailable"));
  await world.pass(1_000);
  assert.equal(world.wire.asked("join"), 2);
  world.wire.answer("join", golden("error-room_closed"));
  await settled();
  assert.equal(lost!.code, "room_closed");
  assert.equal(lectern.room, null);
});

test("stop is for good", async () => {
  const { world, lectern } = await opened();
  lectern.stop();
  assert.deepEqual(lectern.connection, { name: "stopped", why: "asked", code: null });
  assert.ok(world.wire.closed);
  world.wake();
  await world.pass(60_000);
  assert.equal(world.wires.length, 1);
});
