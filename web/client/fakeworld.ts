import { readFileSync } from "node:fs";
import type { Wire, World } from "./world";

/** A message as the golden files have it; the server's tests read the same. */
export function golden<T>(name: string): T {
  return JSON.parse(readFileSync(`${process.env["LECTERN_GOLDEN"]}/${name}.json`, "utf8")) as T;
}

/** The server's end of one socket. */
export class FakeWire implements Wire {
  onmessage: Wire["onmessage"] = null;
  onclose: Wire["onclose"] = null;
  closed = false;
  readonly sent: { id: number; type: string; [field: string]: unknown }[] = [];

  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {}

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.closed = true;
  }

  /** Sends to the client. */
  say(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  hello(fields: object = {}): void {
    this.say({ ...golden<object>("event-hello"), ...fields });
  }

  /** Answers the last request of a type. */
  answer(type: string, reply: object): void {
    const request = this.sent.filter((frame) => frame.type === type).pop();
    if (!request) throw new Error(`no ${type} was asked`);
    this.say({ ...reply, id: request.id });
  }

  asked(type: string): number {
    return this.sent.filter((frame) => frame.type === type).length;
  }

  drop(code: number): void {
    this.onclose?.({ code });
  }
}

interface Timer {
  at: number;
  fn: () => void;
}

/** A browser whose clock, network and chance are in the test's hands. */
export class FakeWorld implements World {
  readonly wires: FakeWire[] = [];
  readonly fetched: string[] = [];
  clock = Date.parse("2026-03-02T09:00:59.999Z");
  chance = 0.5;
  connected = true;
  status = 200;
  private timers: Timer[] = [];
  private wakers = new Set<() => void>();
  private hiders = new Set<() => void>();

  dial = (url: string, protocols: string[]): Wire => {
    const wire = new FakeWire(url, protocols);
    this.wires.push(wire);
    return wire;
  };

  fetch: World["fetch"] = async (path) => {
    this.fetched.push(path);
    if (this.status === 0) throw new TypeError("network");
    return new Response("{}", { status: this.status });
  };

  now = () => this.clock;
  random = () => this.chance;
  online = () => this.connected;

  after = (ms: number, fn: () => void): (() => void) => {
    const timer = { at: this.clock + ms, fn };
    this.timers.push(timer);
    return () => (this.timers = this.timers.filter((other) => other !== timer));
  };

  onWake = (fn: () => void): (() => void) => {
    this.wakers.add(fn);
    return () => this.wakers.delete(fn);
  };

  onHide = (fn: () => void): (() => void) => {
    this.hiders.add(fn);
    return () => this.hiders.delete(fn);
  };

  hide(): void {
    for (const fn of [...this.hiders]) fn();
  }

  wake(): void {
    for (const fn of [...this.wakers]) fn();
  }

  get wire(): FakeWire {
    return this.wires[this.wires.length - 1]!;
  }

  /** Lets time pass, in order, with every promise that falls due kept. */
  async pass(ms: number): Promise<void> {
    const end = this.clock + ms;
    await settled();
    for (;;) {
      const next = this.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.timers = this.timers.filter((timer) => timer !== next);
      this.clock = Math.max(this.clock, next.at);
      next.fn();
      await settled();
    }
    this.clock = end;
  }
}

/** Resolves after every promise that could be kept was. */
export const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
