import { browser, Lectern } from "../client";
import type { Events, Joined, LecternError, PlaceState, Room, StopReason, WaitingForSeat, World } from "../client";
import { retryAfter } from "./clock";
import { keepPlace, keptPlace, passport, waitFor } from "./session";

export type Ending =
  | "left"
  | "left_elsewhere"
  | "removed"
  | "banned"
  | "place_lapsed"
  | "closed"
  | "noPlace"
  | "leftLine"
  | "closedLine"
  | "notAdmitted"
  | "removedFromLine"
  | "seatLapsed"
  | StopReason;

/** A place in a room. `promoted` is someone who waited for the seat in this window. */
export interface Place {
  step: "in";
  room: Room;
  place: PlaceState;
  seat: number | null;
  position: number | null;
  kept: boolean;
  promoted: boolean;
}

export type VisitState =
  | { step: "joining" }
  /** The room is not open yet; the join is tried again by itself. */
  | { step: "early"; startsAt: string }
  | Place
  | { step: "refused"; error: LecternError }
  /** `kept`: the seat is held until the room closes. */
  | { step: "over"; ending: Ending; kept?: boolean };

type Target = { code: string } | { room_id: string };

/** One student's stay in one room, from the join to the end. */
export class Visit {
  readonly lectern: Lectern;
  state: VisitState = { step: "joining" };
  /** To come back with: the seated see the code, those who left do not. */
  code: string | null;
  private asking = false;
  private cancelRetry = () => {};
  private readonly stopWaking: () => void;
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly target: Target,
    private readonly world: World = browser,
  ) {
    this.code = "code" in target ? target.code : (keptPlace(target.room_id)?.code ?? null);
    this.lectern = new Lectern({ url: location.origin, passport: passport(), world });
    this.listen();
    this.stopWaking = world.onWake(() => this.state.step === "early" && void this.join());
    void this.join();
  }

  readonly subscribe = (fn: () => void): (() => void) => {
    this.listeners.add(fn);
    return () => this.listeners.delete(fn);
  };

  /** Gives the place up. Rejects with a LecternError, and nothing has changed. */
  async leave(): Promise<void> {
    if (this.state.step !== "in") return;
    await this.lectern.request("leave", { room_id: this.state.room.id });
    this.finish(this.place() === "seated" ? "left" : "leftLine");
  }

  /** Closes the connection; the place is kept. */
  end(): void {
    this.listeners.clear();
    this.cancelRetry();
    this.stopWaking();
    waitFor(null);
    this.lectern.stop();
  }

  /** Tries the join again, now. */
  readonly join = async (): Promise<void> => {
    this.cancelRetry();
    if (this.asking) return;
    this.asking = true;
    try {
      this.arrived(await this.lectern.request("join", this.target), false);
    } catch (error) {
      this.refuse(error as LecternError, "room_id" in this.target);
    } finally {
      this.asking = false;
    }
  };

  private refuse(error: LecternError, byId: boolean): void {
    if (this.state.step === "over") return;
    if (error.code === "not_started" && error.body.starts_at) return this.await(error.body.starts_at);
    const passing = error.code === "unavailable" || error.code === "rate_limited";
    if (passing && this.state.step === "early") return this.await(this.state.startsAt, error.body.retry_after_ms ?? 0);
    waitFor(null);
    if (error.code === "room_closed") return this.finish("closed");
    if (error.code === "banned") return this.finish("banned");
    const gone = error.code === "not_found" || (error.code === "forbidden" && !error.body.field);
    if (byId && gone) return this.finish(this.lost());
    this.become({ step: "refused", error });
  }

  /** Waits for the room to open, and joins it then. */
  private await(startsAt: string, least = 0): void {
    this.become({ step: "early", startsAt });
    if ("code" in this.target) waitFor(this.target.code);
    const wait = retryAfter(this.lectern.localTime(startsAt), this.world.now(), this.world.random());
    this.cancelRetry = this.world.after(Math.max(wait, least), () => void this.join());
  }

  private listen(): void {
    const { lectern } = this;
    lectern.on("connection", (connection) => {
      if (connection.name === "stopped" && this.state.step !== "over") {
        waitFor(null);
        this.become({ step: "over", ending: connection.why, kept: this.holdsOn() });
      } else {
        this.tell();
      }
    });
    lectern.on("rejoined", (reply) => this.arrived(reply, true));
    lectern.on("place_lost", (error) => this.refuse(error, true));
    lectern.on("room_changed", ({ room }) => this.update(room));
    lectern.on("count", ({ room_id, taken, capacity, waiting, online_count, version }) =>
      this.update({ id: room_id, taken, capacity, waiting, online_count, version }),
    );
    lectern.on("your_place", (event) => this.moved(event));
    lectern.on("you_were_removed", ({ room_id, reason }) => this.isIn(room_id) && this.finish(this.removed(reason)));
    lectern.on("room_closed", ({ room_id }) => this.isIn(room_id) && this.finish(this.place() === "seated" ? "closed" : "closedLine"));
  }

  private isIn(id: string): this is { state: Place } {
    return this.state.step === "in" && this.state.room.id === id;
  }

  private place(): PlaceState | null {
    return this.state.step === "in" ? this.state.place : null;
  }

  /** Whether the place stays however long this person is away. */
  private holdsOn(): boolean {
    return this.state.step === "in" && this.state.place === "seated" && this.state.room.options.seat_hold_seconds === 0;
  }

  /** Whether what is now a seat was waited for here. */
  private waited(): boolean {
    const { state } = this;
    return state.step === "in" && (state.place !== "seated" || state.promoted);
  }

  private arrived(reply: Joined | WaitingForSeat, again: boolean): void {
    waitFor(null);
    this.code = reply.room.code ?? this.code;
    const kept = reply.already && !again;
    this.become(
      reply.type === "joined"
        ? { step: "in", room: reply.room, place: "seated", seat: reply.seat, position: null, kept, promoted: this.waited() }
        : { step: "in", room: reply.room, place: reply.state, seat: null, position: reply.position, kept, promoted: false },
    );
    this.remember();
  }

  private moved({ room_id, state: place, seat, position }: Events["your_place"]): void {
    if (!this.isIn(room_id)) return;
    this.become({ ...this.state, place, seat, position, kept: false, promoted: place === "seated" && this.waited() });
    this.remember();
  }

  private update(change: Partial<Room> & { id: string }): void {
    if (!this.isIn(change.id)) return;
    this.code = change.code ?? this.code;
    this.become({ ...this.state, room: { ...this.state.room, ...change } });
    this.remember();
  }

  /** For a page that is loaded anew. */
  private remember(): void {
    if (this.state.step === "in") keepPlace({ room: this.state.room.id, code: this.code, place: this.state.place });
  }

  /** What became of a place that is gone without a word: of those who were away in the line it lapses. */
  private lost(): Ending {
    if (this.state.step === "in") return this.removed(this.state.room.options.seat_hold_seconds > 0 ? "place_lapsed" : "noPlace");
    const before = "room_id" in this.target ? keptPlace(this.target.room_id)?.place : null;
    return before === "waiting" || before === "pending" ? "place_lapsed" : "noPlace";
  }

  /** An ending, as it is for the place that was held. */
  private removed(reason: Events["you_were_removed"]["reason"] | "noPlace"): Ending {
    const place = this.place();
    if (place === "seated") return reason === "place_lapsed" ? "seatLapsed" : reason;
    if (reason === "removed") return place === "pending" ? "notAdmitted" : "removedFromLine";
    return reason === "noPlace" ? "place_lapsed" : reason;
  }

  private finish(ending: Ending): void {
    this.stopWaking();
    if (this.state.step === "in") keepPlace({ room: this.state.room.id, code: this.code, place: null });
    this.become({ step: "over", ending });
    this.lectern.stop();
  }

  private become(state: VisitState): void {
    this.state = state;
    this.tell();
  }

  private tell(): void {
    for (const fn of [...this.listeners]) fn();
  }
}
