import type { Lectern } from "./lectern";
import { LecternError } from "./messages";
import type { Entry, Events, Room, RosterEvent, Watching } from "./messages";
import { browser } from "./world";
import type { World } from "./world";

export interface Counts {
  taken: number;
  waiting: number;
  pending: number;
  online_count: number;
}

/** `loading` until the roster is whole for the first time. */
export type RosterState = "loading" | "live" | "closed" | "refused";

const rank = { seated: 0, waiting: 1, pending: 2 };

/** The order of a roster: the seated by seat, then the waiting and the pending by place. */
export function inOrder(a: Entry, b: Entry): number {
  return rank[a.state] - rank[b.state] || (a.seat ?? 0) - (b.seat ?? 0) || (a.place ?? 0) - (b.place ?? 0);
}

/** One person's entry before and after. Null: not on the roster. */
export interface Change {
  before: Entry | null;
  after: Entry | null;
}

/** So many changes are kept for those who follow them one by one; for more it is quicker to begin anew. */
const keptChanges = 256;
/** Changes that arrive within this time are told as one; two frames of a screen. */
const tellAfter = 32;
/** Between two tries to watch, where the server could not answer. */
const askAgainAfter = 1_000;

/**
 * Who is in a room, kept right by versions: an event that follows on what is
 * here is applied, an old one ignored, and a gap makes it ask for what is missing.
 */
export class Roster {
  /** Everyone on the roster, by user. Replaced by a snapshot; events change it in place. An entry never changes: another takes its place. */
  entries: ReadonlyMap<string, Entry> = new Map();
  counts: Counts = { taken: 0, waiting: 0, pending: 0, online_count: 0 };
  room: Room | null = null;
  version = 0;
  /** Counts the changes of entries; a snapshot is one. */
  changes = 0;
  state: RosterState = "loading";
  /** Why the roster may not be seen, where state is `refused`. */
  refusal: LecternError | null = null;

  private current = new Map<string, Entry>();
  private last: Change[] = [];
  /** A snapshot whose pages are still coming. */
  private arriving: Map<string, Entry> | null = null;
  private complete = false;
  private asking = false;
  private stopped = false;
  private telling = false;
  private readonly listeners = new Set<() => void>();
  private readonly ends: (() => void)[];

  constructor(
    private readonly lectern: Lectern,
    readonly roomId: string,
    private readonly world: World = browser,
  ) {
    this.ends = [
      lectern.on("roster", (event) => event.room_id === roomId && this.apply(event)),
      lectern.on("roster_page", (event) => event.room_id === roomId && this.page(event)),
      lectern.on("room_changed", ({ room }) => room.id === roomId && this.roomChanged(room)),
      lectern.on("room_closed", (event) => event.room_id === roomId && this.become("closed")),
      lectern.on("unwatch_forced", (event) => event.room_id === roomId && this.become("refused")),
      lectern.on("connection", ({ name }) => name === "open" && this.ask()),
    ];
    if (lectern.connection.name === "open") this.ask();
  }

  /** Calls fn after changes, at most once in two frames; the answer ends that. */
  subscribe(fn: () => void): () => void {
    this.listeners.add(fn);
    return () => this.listeners.delete(fn);
  }

  /** What has changed since there were so many changes, in order. Null: more than is kept, so that `entries` are to be read anew. */
  since(changes: number): readonly Change[] | null {
    const missing = this.changes - changes;
    return missing <= this.last.length ? this.last.slice(this.last.length - missing) : null;
  }

  /** Stops watching. */
  stop(): void {
    this.stopped = true;
    for (const end of this.ends) end();
    this.listeners.clear();
    if (this.lectern.connection.name === "open") {
      this.lectern.request("unwatch", { room_id: this.roomId }).catch(() => undefined);
    }
  }

  private ask(): void {
    if (this.asking || this.stopped || this.state === "closed" || this.state === "refused") return;
    this.asking = true;
    const since = this.complete ? { since: this.version } : {};
    this.lectern
      .request("watch", { room_id: this.roomId, ...since })
      .then((reply) => this.answered(reply))
      .catch((error: LecternError) => this.failed(error));
  }

  private answered(reply: Watching): void {
    this.asking = false;
    this.room = reply.room;
    if (reply.deltas) {
      for (const delta of reply.deltas) this.apply(delta);
      this.show();
    } else {
      this.version = reply.version;
      this.complete = false;
      this.arriving = new Map();
      const { taken, waiting, pending, online_count } = reply.room;
      this.counts = { taken, waiting, pending, online_count };
      this.fill(reply.roster ?? [], reply.more ?? false);
    }
  }

  private failed(error: LecternError): void {
    this.asking = false;
    if (error.code === "unavailable" || error.code === "rate_limited" || error.code === "internal") {
      this.world.after(error.body.retry_after_ms ?? askAgainAfter, () => {
        if (this.lectern.connection.name === "open") this.ask();
      });
      return;
    }
    this.refusal = error;
    this.become(error.code === "room_closed" ? "closed" : "refused");
  }

  private page(event: Events["roster_page"]): void {
    if (this.arriving && event.version === this.version) this.fill(event.roster, event.more);
  }

  private fill(entries: Entry[], more: boolean): void {
    const arriving = this.arriving ?? new Map<string, Entry>();
    for (const entry of entries) arriving.set(entry.user, entry);
    if (!more) {
      this.current = arriving;
      this.entries = arriving;
      this.changes++;
      this.last = [];
      this.arriving = null;
      this.complete = true;
      this.show();
    }
    this.tell();
  }

  /** What is here is whole. That a room is closed, or not to be seen, is for good. */
  private show(): void {
    if (this.state === "closed" || this.state === "refused") return;
    this.become(this.room?.status === "closed" ? "closed" : "live");
  }

  private apply(event: RosterEvent): void {
    if (this.complete && event.version <= this.version) return;
    if (!this.complete || event.from > this.version) return this.gap();
    for (const entry of event.joined) this.replace(entry.user, entry);
    for (const { user } of event.left) this.replace(user, null);
    for (const user of event.online) this.setOnline(user, true);
    for (const user of event.offline) this.setOnline(user, false);
    this.version = event.version;
    const { taken, waiting, pending, online_count } = event;
    this.counts = { taken, waiting, pending, online_count };
    this.tell();
  }

  /** An event before the last page means that the rest of the snapshot was lost. */
  private gap(): void {
    this.arriving = null;
    this.ask();
  }

  private setOnline(user: string, online: boolean): void {
    const entry = this.current.get(user);
    if (entry && entry.online !== online) this.replace(user, { ...entry, online });
  }

  private replace(user: string, after: Entry | null): void {
    const before = this.current.get(user) ?? null;
    if (after) this.current.set(user, after);
    else this.current.delete(user);
    this.changes++;
    this.last.push({ before, after });
    if (this.last.length > keptChanges) this.last.splice(0, keptChanges / 2);
  }

  private roomChanged(room: Room): void {
    this.room = room;
    if (room.status === "closed") this.become("closed");
    this.tell();
  }

  private become(state: RosterState): void {
    this.state = state;
    this.tell();
  }

  private tell(): void {
    if (this.telling) return;
    this.telling = true;
    this.world.after(tellAfter, () => {
      this.telling = false;
      for (const fn of [...this.listeners]) fn();
    });
  }
}
