import { browser, Lectern, Roster } from "../client";
import type { Ban, Page, Replies, Requests, World } from "../client";
import { thinned } from "./chart";
import type { Point } from "./chart";
import { api, passport } from "./session";

/** A second is as fine as a chart can show. */
const pointEvery = 1_000;

/** More than a screen can show. */
const mostPoints = 4_000;

/** An instructor's hold on one room: the connection, the roster, and the counts over time. */
export class WatchedRoom {
  readonly lectern: Lectern;
  readonly roster: Roster;
  points: readonly Point[] = [];
  /** Null until they are known. */
  bans: readonly Ban[] | null = null;
  private readonly listeners = new Set<() => void>();
  private readonly clock: ReturnType<typeof setInterval>;

  constructor(
    readonly id: string,
    world: World = browser,
  ) {
    this.lectern = new Lectern({ url: location.origin, passport: passport(), world });
    this.roster = new Roster(this.lectern, id, world);
    let broken = false;
    this.lectern.on("connection", ({ name }) => {
      if (name === "open" && broken) void this.loadPoints();
      broken = name !== "open"; // who moves is open all the while
      this.tell();
    });
    this.lectern.on("roster", ({ room_id, left }) => {
      if (room_id === id && left.some(({ reason }) => reason === "banned")) this.loadBans().catch(() => undefined);
    });
    this.roster.subscribe(() => this.tell());
    this.clock = setInterval(() => this.addPoint(), pointEvery);
    void this.loadPoints();
    this.loadBans().catch(() => undefined);
  }

  readonly subscribe = (fn: () => void): (() => void) => {
    this.listeners.add(fn);
    return () => this.listeners.delete(fn);
  };

  /** A request about this room. */
  ask<T extends "update" | "start" | "remove" | "admit" | "close">(
    type: T,
    fields: Requests[T] extends infer F ? (F extends unknown ? Omit<F, "room_id"> : never) : never,
  ): Promise<Replies[T]> {
    return this.lectern.request(type, { room_id: this.id, ...fields } as unknown as Requests[T]);
  }

  /** Rejects with a LecternError, and what was known stays. */
  async loadBans(): Promise<void> {
    const bans: Ban[] = [];
    let cursor: string | null = null;
    do {
      const page: Page<Ban> = await api().bans(this.id, cursor);
      bans.push(...page.items);
      cursor = page.next_cursor;
    } while (cursor);
    this.bans = bans;
    this.tell();
  }

  end(): void {
    clearInterval(this.clock);
    this.listeners.clear();
    this.roster.stop();
    this.lectern.stop();
  }

  /** The past, breaks included; without it the chart begins now. */
  private async loadPoints(): Promise<void> {
    const record = await api()
      .attendance(this.id)
      .catch(() => null);
    if (!record) return;
    const past = record.timeline.map((p) => ({ at: Date.parse(p.at), taken: p.taken, online: p.online_count }));
    const since = past[past.length - 1]?.at ?? 0;
    this.points = past.concat(this.points.filter((point) => point.at > since));
    this.tell();
  }

  private addPoint(): void {
    const { roster } = this;
    if (roster.state !== "live" || roster.room?.status !== "open" || this.lectern.connection.name !== "open") return;
    const point = { at: this.lectern.serverNow(), taken: roster.counts.taken, online: roster.counts.online_count };
    const [before, last] = this.points.slice(-2);
    const still = before && last && same(before, last) && same(last, point);
    const past = still ? this.points.slice(0, -1) : this.points;
    this.points = [...(past.length < mostPoints ? past : thinned(past)), point];
    this.tell();
  }

  private tell(): void {
    for (const fn of [...this.listeners]) fn();
  }
}

const same = (a: Point, b: Point) => a.taken === b.taken && a.online === b.online;
