import { Lectern } from "../client";
import type { Joined, LecternError, PlaceState, Room, StopReason, WaitingForSeat } from "../client";
import { passport } from "./session";

export type Ending =
  | "left"
  | "left_elsewhere"
  | "removed"
  | "banned"
  | "place_lapsed"
  | "closed"
  | "noPlace"
  | StopReason;

export type VisitState =
  | { step: "joining" }
  | { step: "in"; room: Room; place: PlaceState; seat: number | null; position: number | null; kept: boolean }
  | { step: "refused"; error: LecternError }
  | { step: "over"; ending: Ending };

/** One student's stay in one room, from the join to the end. */
export class Visit {
  readonly lectern: Lectern;
  state: VisitState = { step: "joining" };
  /** To come back with: the seated see the code, those who left do not. */
  code: string | null = null;
  private readonly listeners = new Set<() => void>();

  constructor(target: { code: string } | { room_id: string }) {
    if ("code" in target) this.code = target.code;
    this.lectern = new Lectern({ url: location.origin, passport: passport() });
    this.listen();
    void this.join(target);
  }

  readonly subscribe = (fn: () => void): (() => void) => {
    this.listeners.add(fn);
    return () => this.listeners.delete(fn);
  };

  /** Gives the seat up. Rejects with a LecternError, and nothing has changed. */
  async leave(): Promise<void> {
    if (this.state.step !== "in") return;
    await this.lectern.request("leave", { room_id: this.state.room.id });
    this.finish("left");
  }

  /** Closes the connection; the seat is kept. */
  end(): void {
    this.listeners.clear();
    this.lectern.stop();
  }

  private async join(target: { code: string } | { room_id: string }): Promise<void> {
    try {
      this.seated(await this.lectern.request("join", target), false);
    } catch (error) {
      this.refuse(error as LecternError, "room_id" in target);
    }
  }

  private refuse(error: LecternError, byId: boolean): void {
    if (this.state.step === "over") return;
    if (error.code === "room_closed") return this.finish("closed");
    if (error.code === "banned") return this.finish("banned");
    const gone = error.code === "not_found" || (error.code === "forbidden" && !error.body.field);
    if (byId && gone) return this.finish("noPlace");
    this.become({ step: "refused", error });
  }

  private listen(): void {
    const { lectern } = this;
    lectern.on("connection", (connection) => {
      if (connection.name === "stopped" && this.state.step !== "over") {
        this.become({ step: "over", ending: connection.why });
      } else {
        this.tell();
      }
    });
    lectern.on("rejoined", (reply) => this.seated(reply, true));
    lectern.on("place_lost", (error) => this.refuse(error, true));
    lectern.on("room_changed", ({ room }) => this.update(room));
    lectern.on("count", ({ room_id, taken, capacity, waiting, online_count, version }) =>
      this.update({ id: room_id, taken, capacity, waiting, online_count, version }),
    );
    lectern.on("your_place", ({ room_id, state: place, seat, position }) => {
      if (this.isIn(room_id)) this.become({ ...this.state, place, seat, position, kept: false });
    });
    lectern.on("you_were_removed", ({ room_id, reason }) => this.isIn(room_id) && this.finish(reason));
    lectern.on("room_closed", ({ room_id }) => this.isIn(room_id) && this.finish("closed"));
  }

  private isIn(id: string): this is { state: Extract<VisitState, { step: "in" }> } {
    return this.state.step === "in" && this.state.room.id === id;
  }

  private seated(reply: Joined | WaitingForSeat, again: boolean): void {
    this.code = reply.room.code ?? this.code;
    const kept = reply.already && !again;
    this.become(
      reply.type === "joined"
        ? { step: "in", room: reply.room, place: "seated", seat: reply.seat, position: null, kept }
        : { step: "in", room: reply.room, place: reply.state, seat: null, position: reply.position, kept },
    );
  }

  private update(change: Partial<Room> & { id: string }): void {
    if (!this.isIn(change.id)) return;
    this.code = change.code ?? this.code;
    this.become({ ...this.state, room: { ...this.state.room, ...change } });
  }

  private finish(ending: Ending): void {
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
