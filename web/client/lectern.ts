import { LecternError } from "./messages";
import type { ErrorBody, Events, Hello, Joined, Replies, Requests, WaitingForSeat } from "./messages";
import { browser } from "./world";
import type { Wire, World } from "./world";

/** Why a client stays away. */
export type StopReason =
  | "asked" // stop was called, or the server closed with 1000
  | "passport" // missing, bad or expired, and no fresh one to be had
  | "forbidden" // this address or origin is not allowed
  | "too_many_sockets" // of one person
  | "misuse"; // the server found fault with what was sent

/** What is known of the connection. `at` is when the next try begins, in milliseconds since 1970. */
export type Connection =
  | { name: "connecting" }
  | { name: "open" }
  | { name: "reconnecting"; at: number }
  | { name: "offline" }
  | { name: "stopped"; why: StopReason; code: number | null };

export interface LecternOptions {
  /** Where the server is, such as `https://lectern.example`. */
  url: string;
  /** The user passport; without one, the guest cookie counts. */
  passport?: string | null;
  roomPassport?: string | null;
  /** Asked before the passport expires and when it was refused, and again after a minute without an answer. Null: there is none to be had. */
  freshPassport?: () => Promise<string | null>;
  world?: World;
}

/** What a listener can be told of beside the server's events. */
export interface LocalEvents {
  connection: Connection;
  /** After a reconnect, the place that was kept. */
  rejoined: Joined | WaitingForSeat;
  /** After a reconnect, the place was gone. */
  place_lost: LecternError;
}

type AllEvents = Events & LocalEvents;
type Listener = (event: never) => void;

interface Pending {
  id: number;
  type: keyof Requests;
  frame: string;
  /** Where it was sent; what comes from elsewhere is no answer to it. */
  on: Wire | null;
  repeatable: boolean;
  resolve(reply: unknown): void;
  reject(error: LecternError): void;
  forget(): void;
}

/** Full jitter: a random share of the base, doubled with each try, up to the cap. */
const backoffBase = 500;
const backoffCap = 20_000;
/** A connection that lived this long counts as a good one: the next backoff begins anew. */
const steadyAfter = 5_000;
/** Browsers hide WebSocket pings, and a dead connection otherwise looks like a quiet one. */
const pingEvery = 20_000;
const pingLimit = 10_000;
/** Between two tries to move; the server gives two seconds for all of them. */
const moveAgain = 500;
/** From dial to hello. */
const dialLimit = 10_000;
/** Twice the time in which the server promises an answer, with a reconnect in between. */
const requestLimit = 15_000;
/** Time enough to ask the person. */
const freshLimit = 60_000;
const renewRetry = 10_000;
const renewEarly = 60_000;
/** In a row; then a cookie that was good before is so no more. */
const mostRefusals = 10;

const staysAway: Record<number, StopReason> = {
  1000: "asked",
  1003: "misuse",
  1007: "misuse",
  1008: "misuse",
  1009: "misuse",
  4003: "too_many_sockets",
};
const passportExpired = 4001;

/**
 * A connection to Lectern that mends itself. After a reconnect it joins the
 * room that it was in and sends again what was not answered, except requests
 * that must not happen twice: those are rejected as `unavailable`.
 */
export class Lectern {
  connection: Connection = { name: "connecting" };
  /** What the server said of this person, once connected. */
  me: Hello | null = null;
  /** The room that this client has a place in, as far as it knows. */
  room: string | null = null;

  private readonly world: World;
  private passport: string | null;
  private passportRefused = false;
  private wire: Wire | null = null;
  /** Where the place was taken last. */
  private joinedOn: Wire | null = null;
  /** Where it moves to, until the hello. */
  private next: Wire | null = null;
  /** Where it came from: left when the place is taken again, so that nobody was away, and no answer is to come there. */
  private old: Wire | null = null;
  /** From the new socket's hello until the place is taken again there. */
  private arriving = false;
  private turn = 0;
  private attempt = 0;
  /** Since the last hello. */
  private refusals = 0;
  private notBefore = 0;
  private lastId = 0;
  private rejoining = false;
  private clockOffset = 0;
  private readonly pending = new Map<number, Pending>();
  private readonly listeners = new Map<keyof AllEvents, Set<Listener>>();
  private cancelRenewal = () => {};
  private timers: (() => void)[] = [];
  private readonly stopWaking: () => void;
  private readonly stopHiding: () => void;

  constructor(private readonly options: LecternOptions) {
    this.world = options.world ?? browser;
    this.passport = options.passport ?? null;
    this.stopWaking = this.world.onWake(() => this.wake());
    this.stopHiding = this.world.onHide(() => this.hidden());
    void this.dial();
  }

  /** Calls fn for each event of that type; the answer ends that. */
  on<T extends keyof AllEvents>(type: T, fn: (event: AllEvents[T]) => void): () => void {
    const set = this.listeners.get(type) ?? new Set();
    this.listeners.set(type, set);
    set.add(fn as Listener);
    return () => set.delete(fn as Listener);
  }

  /**
   * Sends a request, now or as soon as there is a connection. Rejects with a
   * LecternError: the server's, or `unavailable` where no answer came in time.
   */
  request<T extends keyof Requests>(type: T, fields: Requests[T], limit = requestLimit): Promise<Replies[T]> {
    if (this.connection.name === "stopped") {
      return Promise.reject(LecternError.unavailable("the connection was given up"));
    }
    const { room } = this;
    if (type === "leave" && room) {
      fields = { room_id: room, ...fields };
      this.room = null;
    }
    return new Promise<Replies[T]>((resolve, reject) => {
      const id = ++this.lastId;
      const pending: Pending = {
        id,
        type,
        frame: JSON.stringify({ ...fields, id, type }),
        on: null,
        repeatable: isRepeatable(type, fields),
        resolve: resolve as (reply: unknown) => void,
        reject: (error) => {
          if (type === "leave" && room) this.stay(room);
          reject(error);
        },
        forget: this.world.after(limit, () => this.giveUp(pending, "no answer in time")),
      };
      this.pending.set(id, pending);
      if (this.connection.name === "open") this.transmit(pending);
    });
  }

  /** The server's clock, in milliseconds since 1970, as of the last hello. */
  serverNow(): number {
    return this.world.now() + this.clockOffset;
  }

  /** When a moment of the server's is on the clock of this machine, in milliseconds since 1970. */
  localTime(at: string): number {
    return Date.parse(at) - this.clockOffset;
  }

  /** Ends the connection for good. The place in a room is kept: leave gives it up. */
  stop(): void {
    if (this.connection.name !== "stopped") this.end("asked", null);
  }

  private async dial(): Promise<void> {
    const turn = ++this.turn;
    this.become(this.world.online() ? { name: "connecting" } : { name: "offline" });
    if (this.passportRefused && !(await this.refreshPassport(turn))) return;
    this.wire = this.reach();
    this.limitDial();
  }

  private limitDial(): void {
    this.later(dialLimit, () => {
      if (this.connection.name !== "open") this.lost(1006);
    });
  }

  private reach(): Wire {
    const protocols = ["lectern.v1"];
    if (this.passport) protocols.push("passport." + this.passport);
    if (this.options.roomPassport) protocols.push("room." + this.options.roomPassport);
    const wire = this.world.dial(this.options.url.replace(/^http/, "ws") + "/v1/socket", protocols);
    wire.onmessage = (event) => this.receive(wire, String(event.data));
    wire.onclose = (event) => this.closed(wire, event.code);
    return wire;
  }

  /** Answers whether dial may go on. */
  private async refreshPassport(turn: number): Promise<boolean> {
    let passport: string | null = null;
    try {
      passport = await this.freshPassport();
    } catch {
      if (turn === this.turn) this.retry();
      return false;
    }
    if (turn !== this.turn) return false;
    if (!passport) {
      this.end("passport", passportExpired);
      return false;
    }
    this.passport = passport;
    this.passportRefused = false;
    return true;
  }

  /** Null: there is none to be had. */
  private freshPassport(): Promise<string | null> {
    const { freshPassport } = this.options;
    if (!freshPassport) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      const forget = this.world.after(freshLimit, reject);
      void freshPassport().then(resolve, reject).finally(forget);
    });
  }

  private receive(wire: Wire, text: string): void {
    const message = JSON.parse(text) as { id?: number; type: string };
    if (message.id !== undefined) return this.settle(wire, message.id, message);
    if (wire === this.next) this.arrive();
    if (wire !== this.wire) return;
    if (message.type === "hello") this.opened(message as Hello);
    if (message.type === "draining") this.drain((message as unknown as Events["draining"]).reconnect_after_ms);
    if (message.type === "you_were_removed" || message.type === "room_closed") {
      this.forgetRoom((message as unknown as { room_id: string }).room_id);
    }
    this.emit(message.type as keyof AllEvents, message as never);
  }

  private opened(hello: Hello): void {
    this.me = hello;
    this.notBefore = 0;
    this.refusals = 0;
    this.clockOffset = Date.parse(hello.now) - this.world.now();
    this.become({ name: "open" });
    if (this.room) void this.rejoin(this.room);
    else if (this.old) void this.request("ping", {}).then(() => this.arrived(), () => undefined);
    this.transmitAll();
    this.later(steadyAfter, () => (this.attempt = 0));
    this.later(pingEvery, () => this.pingOnAndOn());
    this.renewInTime(hello.expires_at);
  }

  private settle(wire: Wire, id: number, reply: { type: string }): void {
    const pending = this.pending.get(id);
    const { room_id } = reply as Replies["leave"];
    if (!pending && reply.type === "left" && room_id === this.room && wire === this.wire && wire === this.joinedOn) {
      this.room = null; // a leave that was given up came about after all
      this.emit("you_were_removed", { type: "you_were_removed", room_id, reason: "left_elsewhere" });
    }
    if (pending?.on !== wire) return;
    this.pending.delete(id);
    pending.forget();
    this.leaveOld();
    if (reply.type === "error") return pending.reject(new LecternError(reply as unknown as ErrorBody));
    if (reply.type === "joined" || reply.type === "waiting_for_seat") {
      this.room = (reply as Joined).room.id;
      this.joinedOn = wire;
    }
    if (reply.type === "left") this.forgetRoom(room_id);
    pending.resolve(reply);
  }

  private transmit(pending: Pending): void {
    pending.on = this.wire;
    this.wire?.send(pending.frame);
  }

  private transmitAll(): void {
    for (const pending of this.pending.values()) {
      if (!pending.on) this.transmit(pending);
    }
  }

  private async rejoin(room_id: string): Promise<void> {
    if (this.rejoining) return;
    this.rejoining = true;
    try {
      this.emit("rejoined", await this.request("join", { room_id }));
      this.arrived();
    } catch (error) {
      this.rejoinFailed(room_id, error as LecternError);
    } finally {
      this.rejoining = false;
    }
  }

  private rejoinFailed(room_id: string, error: LecternError): void {
    const passing = error.code === "unavailable" || error.code === "rate_limited" || error.code === "internal";
    if (!passing) {
      this.forgetRoom(room_id);
      this.emit("place_lost", error);
      this.arrived();
    } else if (this.connection.name === "open") {
      this.later(error.body.retry_after_ms ?? 1_000, () => {
        if (this.room === room_id) void this.rejoin(room_id);
      });
    }
  }

  /** A leave has failed: the place is still there. The socket may be one that has not joined the room. */
  private stay(room: string): void {
    if (this.room) return;
    this.room = room;
    if (this.connection.name === "open" && this.wire !== this.joinedOn) void this.rejoin(room);
  }

  private forgetRoom(room_id: string): void {
    if (this.room === room_id) this.room = null;
  }

  private pingOnAndOn(): void {
    void this.ping(pingLimit);
    this.later(pingEvery, () => this.pingOnAndOn());
  }

  private async ping(limit: number): Promise<void> {
    const wire = this.wire;
    try {
      await this.request("ping", {}, limit);
    } catch (error) {
      const answered = (error as LecternError).code !== "unavailable";
      if (!answered && wire && wire === this.wire) this.lost(1006);
    }
  }

  private renewInTime(expiresAt: string): void {
    if (!this.options.freshPassport) return;
    const left = Date.parse(expiresAt) - this.serverNow();
    this.renewLater(left > 2 * renewEarly ? left - renewEarly : left / 2);
  }

  /** Instead of any other time: a renewal may be under way while a new socket plans the next. */
  private renewLater(ms: number): void {
    this.cancelRenewal();
    this.cancelRenewal = this.later(ms, () => void this.renew());
  }

  private async renew(): Promise<void> {
    const { turn } = this;
    try {
      const passport = await this.freshPassport();
      if (!passport || turn !== this.turn) return;
      const renewed = await this.request("renew", { passport });
      this.passport = passport;
      this.renewInTime(renewed.expires_at);
    } catch {
      if (turn === this.turn) this.renewLater(renewRetry);
    }
  }

  /** The server spreads these delays, so the move itself needs no jitter. */
  private drain(ms: number): void {
    this.notBefore = this.world.now() + ms;
    this.later(ms, () => this.move());
  }

  /** The socket goes on until the new one has answered. Should that not come about, the server ends it soon. */
  private move(): void {
    this.next ??= this.reach();
  }

  private moveLater(): void {
    this.later(Math.max(moveAgain, this.notBefore - this.world.now()), () => this.move());
  }

  /** The new socket said hello: only the answers that must not be asked for twice are still to come from the old one. */
  private arrive(): void {
    this.drop(this.old);
    this.old = this.wire;
    this.wire = this.next;
    this.next = null;
    this.arriving = true;
    this.cancelTimers();
    for (const pending of this.pending.values()) {
      if (pending.repeatable) pending.on = null;
    }
  }

  private arrived(): void {
    this.arriving = false;
    this.leaveOld();
  }

  private leaveOld(): void {
    const { old } = this;
    if (this.arriving || [...this.pending.values()].some(({ on }) => on && on === old)) return;
    this.drop(old);
    this.old = null;
  }

  /** Where there are two sockets, the other one goes on. */
  private closed(wire: Wire, code: number): void {
    if (wire === this.old) {
      this.old = null;
    } else if (wire === this.next) {
      this.next = null;
      this.moveLater();
    } else if (this.old) {
      this.wire = this.old;
      this.old = null;
      this.moveLater();
    } else if (this.next && !staysAway[code]) {
      this.wire = this.next;
      this.next = null;
      this.cancelTimers();
      this.become({ name: "connecting" });
      this.limitDial();
    } else {
      return this.lost(code);
    }
    this.drop(wire);
    if (this.connection.name === "open") this.transmitAll();
  }

  /** The network or the page came back: what the connection is worth is found out at once. */
  private wake(): void {
    if (this.connection.name === "open") {
      void this.ping(pingLimit / 2);
    } else if (this.connection.name === "reconnecting" || this.connection.name === "offline") {
      this.attempt = 0;
      this.detach();
      this.retry();
    }
  }

  /** A browser keeps a page that was left for a while, and its socket open: whoever looks at another page would be here. */
  private hidden(): void {
    this.detach();
    this.become({ name: "reconnecting", at: this.world.now() });
  }

  private lost(code: number): void {
    const wasOpen = this.connection.name === "open";
    this.detach();
    const why = staysAway[code];
    if (why) return this.end(why, code);
    if (code === passportExpired) this.passportRefused = true;
    this.retry();
    if (!wasOpen) void this.askWhy();
  }

  /** A browser does not tell a refused upgrade from a lost network; this does. */
  private async askWhy(): Promise<void> {
    const { turn } = this;
    const headers: Record<string, string> = this.passport ? { Authorization: "Bearer " + this.passport } : {};
    const response = await this.world
      .fetch(this.options.url + "/v1/me", { method: "HEAD", headers, cache: "no-store", credentials: "same-origin" })
      .catch(() => null);
    if (turn !== this.turn) return;
    if (response?.status === 401 && (++this.refusals >= mostRefusals || !this.cookieHolds())) this.passportRefused = true;
    if (response?.status === 403) this.end("forbidden", null);
  }

  /** Not every browser says of a HEAD that a page of ours asks, and then no cookie counts: one that was let in is good until it expires. */
  private cookieHolds(): boolean {
    return !this.passport && this.me !== null && this.serverNow() < Date.parse(this.me.expires_at);
  }

  private retry(): void {
    const jitter = this.world.random() * Math.min(backoffCap, backoffBase * 2 ** this.attempt++);
    const wait = Math.max(jitter, this.notBefore - this.world.now());
    this.become(
      this.world.online() ? { name: "reconnecting", at: this.world.now() + wait } : { name: "offline" },
    );
    this.later(wait, () => void this.dial());
  }

  private detach(): void {
    this.turn++;
    for (const wire of [this.wire, this.next, this.old]) this.drop(wire);
    this.wire = this.next = this.old = null;
    this.cancelTimers();
  }

  /**
   * Lets go of a socket without waiting for it: a dead one takes minutes to
   * close. What was asked there is to be asked again, where that may be.
   */
  private drop(wire: Wire | null): void {
    if (!wire) return;
    wire.onmessage = wire.onclose = null;
    wire.close();
    for (const pending of [...this.pending.values()]) {
      if (pending.on !== wire) continue;
      pending.on = null;
      if (!pending.repeatable) this.giveUp(pending, "the connection was lost before the answer");
    }
  }

  private end(why: StopReason, code: number | null): void {
    this.detach();
    this.stopWaking();
    this.stopHiding();
    this.become({ name: "stopped", why, code });
    for (const pending of [...this.pending.values()]) this.giveUp(pending, "the connection was given up");
  }

  private giveUp(pending: Pending, message: string): void {
    this.pending.delete(pending.id);
    pending.forget();
    pending.reject(LecternError.unavailable(message));
  }

  /** Runs fn after ms, unless the connection is lost or replaced by then; the answer cancels that. */
  private later(ms: number, fn: () => void): () => void {
    const cancel = this.world.after(ms, fn);
    this.timers.push(cancel);
    return cancel;
  }

  private cancelTimers(): void {
    for (const cancel of this.timers) cancel();
    this.timers = [];
  }

  private become(connection: Connection): void {
    this.connection = connection;
    this.emit("connection", connection);
  }

  private emit<T extends keyof AllEvents>(type: T, event: AllEvents[T]): void {
    for (const fn of [...(this.listeners.get(type) ?? [])]) (fn as (event: AllEvents[T]) => void)(event);
  }
}

/** Whether a request may be sent twice: not a new code, nor to admit all. A ping belongs to its own connection. */
function isRepeatable(type: keyof Requests, fields: object): boolean {
  return type !== "ping" && !("new_code" in fields) && !("all" in fields);
}
