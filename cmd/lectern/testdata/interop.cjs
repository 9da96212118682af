// Talks to an instance through the npm library ws, and fails where anything is
// other than the protocol says. The environment has the address, passports,
// and a room's id and code.
const assert = require("node:assert/strict");
const WebSocket = require("ws");
const { URL: address, TEACHER, STUDENT, OTHER, BRIEF, ROOM, CODE } = process.env;

// A Client keeps what it hears until it is asked for.
class Client {
  constructor(protocols, options) {
    this.ws = new WebSocket(`${address}/v1/socket`, protocols, options);
    this.heard = [];
    this.waiting = [];
    this.ids = 0;
    this.ws.on("message", (data, binary) => this.take("message", { ...JSON.parse(data), binary }));
    this.ws.on("pong", (data) => this.take("pong", data.toString("latin1")));
    this.ws.on("upgrade", (response) => (this.upgraded = response));
    this.closed = new Promise((resolve) => this.ws.on("close", (code, reason) => resolve([code, reason.toString()])));
  }

  take(kind, value) {
    this.heard.push({ kind, value });
    for (const wake of this.waiting.splice(0)) wake();
  }

  // next returns what is heard next of a kind, and is meant.
  async next(kind, meant = () => true) {
    for (;;) {
      const i = this.heard.findIndex((h) => h.kind === kind && meant(h.value));
      if (i >= 0) return this.heard.splice(i, 1)[0].value;
      await new Promise((resolve) => this.waiting.push(resolve));
    }
  }

  reply() {
    return this.next("message", (m) => m.id === this.ids);
  }

  ask(request) {
    this.ws.send(JSON.stringify({ id: ++this.ids, ...request }));
    return this.reply();
  }
}

const bearer = (passport) => ({ headers: { authorization: `Bearer ${passport}` } });

async function enter(passport, options = {}) {
  const client = new Client(["lectern.v1"], { ...bearer(passport), ...options });
  const hello = await client.next("message");
  assert.equal(hello.type, "hello");
  assert.equal(hello.binary, false);
  return client;
}

// refused returns the status of the answer to an upgrade.
function refused(protocols, options) {
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(`${address}/v1/socket`, protocols, options);
    ws.on("unexpected-response", (request, response) => {
      resolve(response.statusCode);
      request.destroy();
    });
    ws.on("open", () => reject(new Error("it was not refused")));
    ws.on("error", () => {});
  });
}

const tests = {
  async "subprotocol, as browsers do"() {
    const client = new Client(["lectern.v1", `passport.${STUDENT}`]);
    assert.equal((await client.next("message")).user, "student");
    assert.equal(client.ws.protocol, "lectern.v1");
    assert.equal(client.ws.extensions, "", "compression is off");
    assert.ok(!JSON.stringify(client.upgraded.headers).includes(STUDENT), "the passport is echoed");
    client.ws.close(1000);
    assert.deepEqual(await client.closed, [1000, ""]);
  },

  async "no subprotocol"() {
    const client = new Client([], { ...bearer(STUDENT), perMessageDeflate: true });
    assert.equal((await client.next("message")).type, "hello");
    assert.equal(client.ws.protocol, "");
    client.ws.close(1000);
    await client.closed;
  },

  async refusals() {
    assert.equal(await refused(["lectern.v1"], {}), 401);
    assert.equal(await refused(["lectern.v1"], bearer(STUDENT + "x")), 401);
    assert.equal(await refused(["lectern.v1"], { ...bearer(STUDENT), origin: "https://evil.example" }), 403);
    assert.equal(await refused(["lectern.v1"], { headers: { ...bearer(STUDENT).headers, host: "evil.example" } }), 403);
  },

  async "join and watch"() {
    const teacher = await enter(TEACHER);
    const student = await enter(STUDENT);
    const watching = await teacher.ask({ type: "watch", room_id: ROOM });
    assert.deepEqual([watching.type, watching.roster, watching.more], ["watching", [], false]);
    const joined = await student.ask({ type: "join", code: CODE });
    assert.deepEqual([joined.type, joined.seat, joined.already], ["joined", 1, false]);
    const event = await teacher.next("message", (m) => m.type === "roster");
    assert.deepEqual([event.from, event.version, event.joined[0].user, event.taken], [watching.version, joined.version, "student", 1]);
    assert.equal((await student.ask({ type: "join", code: CODE })).already, true);
    assert.equal((await student.ask({ type: "leave" })).type, "left");
    const left = await teacher.next("message", (m) => m.type === "roster" && m.left.length > 0);
    assert.deepEqual(left.left, [{ user: "student", reason: "left" }]);
    for (const client of [teacher, student]) {
      client.ws.close(1000, "done");
      assert.deepEqual(await client.closed, [1000, "done"]);
    }
  },

  async "pings and fragments"() {
    const client = await enter(STUDENT);
    for (const payload of ["", "p", "\u00ff".repeat(125)]) {
      client.ws.ping(Buffer.from(payload, "latin1"));
      assert.equal(await client.next("pong"), payload);
    }
    client.ws.pong("not asked for");
    const text = Buffer.from(JSON.stringify({ id: ++client.ids, type: "join", code: "한국" }));
    for (let i = 0; i < text.length; i++) {
      client.ws.send(text.subarray(i, i + 1), { binary: false, fin: i === text.length - 1 });
      if (i === text.length >> 1) client.ws.ping("between");
    }
    assert.equal(await client.next("pong"), "between");
    assert.deepEqual(((m) => [m.type, m.code, m.field])(await client.reply()), ["error", "bad_request", "code"]);
    assert.equal((await client.ask({ type: "ping", more: "x".repeat(30_000) })).type, "pong");
    client.ws.close();
    assert.deepEqual(await client.closed, [1005, ""]);
  },

  async "close codes of ours"() {
    for (const [code, reason] of [[1000, ""], [1001, "nap"], [1011, "한".repeat(41)], [3000, "x"], [4999, ""]]) {
      const client = await enter(STUDENT);
      client.ws.close(code, reason);
      assert.deepEqual(await client.closed, [code, reason]);
    }
  },

  async "close codes of the server's"() {
    const causes = {
      1003: (ws) => ws.send(Buffer.from("a")),
      1007: (ws) => ws.send(Buffer.from([0xff]), { binary: false }),
      1008: (ws) => { for (let i = 0; i < 100; i++) ws.ping(); },
      1009: (ws) => ws.send("x".repeat((32 << 10) + 1)),
    };
    for (const [code, cause] of Object.entries(causes)) {
      const client = await enter(STUDENT);
      cause(client.ws);
      assert.equal((await client.closed)[0], Number(code));
    }
    const brief = await enter(BRIEF);
    assert.equal((await brief.closed)[0], 4001);
    const many = [];
    for (let i = 0; i < 8; i++) many.push(await enter(OTHER));
    assert.equal((await (await enter(OTHER)).closed)[0], 4003);
    assert.equal((await many[0].ask({ type: "ping" })).type, "pong");
    for (const client of many) client.ws.terminate();
  },
};

(async () => {
  for (const [name, test] of Object.entries(tests)) {
    await test();
    console.log("ok", name);
  }
  console.log("done"); // node also ends well when nobody will wake who waits
})().catch((err) => {
  console.error(err);
  process.exit(1);
});
