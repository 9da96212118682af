// The wire protocol, version 1: every request, reply and event as a type.
// Times are RFC 3339 strings in UTC; a field that does not apply is null.

export type Role = "instructor" | "student";
export type RoomStatus = "scheduled" | "open" | "closed";
export type PlaceState = "seated" | "waiting" | "pending";

export interface RoomOptions {
  waitlist: boolean;
  approval: boolean;
  locked: boolean;
  guests: boolean;
  roster: "instructor" | "everyone";
  seat_hold_seconds: number;
  starts_at: string | null;
  max_minutes: number;
}

export interface Room {
  id: string;
  /** Null for everyone but the instructor and the seated. */
  code: string | null;
  title: string;
  capacity: number;
  status: RoomStatus;
  instructor: { user: string; name: string };
  options: RoomOptions;
  opened_at: string | null;
  closes_at: string | null;
  closed_at: string | null;
  version: number;
  taken: number;
  waiting: number;
  pending: number;
  online_count: number;
}

/** One person on a roster. `place` orders the waiting and the pending. */
export interface Entry {
  user: string;
  name: string;
  state: PlaceState;
  seat: number | null;
  place: number | null;
  online: boolean;
  guest: boolean;
  joined_at: string;
}

/** What each request carries beside `id` and `type`. */
export interface Requests {
  open: { title: string; capacity: number; options?: Partial<RoomOptions>; key?: string };
  join: { code: string } | { room_id: string };
  leave: { room_id?: string };
  watch: { room_id: string; since?: number };
  unwatch: { room_id: string };
  update: {
    room_id: string;
    title?: string;
    capacity?: number;
    options?: Partial<RoomOptions>;
    new_code?: true;
  };
  start: { room_id: string };
  admit: { room_id: string; user: string } | { room_id: string; all: true };
  remove: { room_id: string; user: string; ban?: boolean };
  unban: { room_id: string; user: string };
  close: { room_id: string };
  renew: { passport: string };
  ping: Record<never, never>;
}

export interface Joined {
  type: "joined";
  room: Room;
  seat: number;
  already: boolean;
  version: number;
}

export interface WaitingForSeat {
  type: "waiting_for_seat";
  room: Room;
  state: "waiting" | "pending";
  position: number | null;
  already: boolean;
  version: number;
}

export interface Watching {
  type: "watching";
  room: Room;
  version: number;
  /** The snapshot, or its first page; absent where `deltas` answers. */
  roster?: Entry[];
  more?: boolean;
  deltas?: RosterEvent[];
}

/** What each request is answered, if not by an error. */
export interface Replies {
  open: { type: "opened"; room: Room; room_passport: string; already: boolean };
  join: Joined | WaitingForSeat;
  leave: { type: "left"; room_id: string; version: number };
  watch: Watching;
  unwatch: { type: "unwatched"; room_id: string };
  update: { type: "updated"; room: Room; room_passport?: string | null };
  start: { type: "updated"; room: Room };
  admit: { type: "admitted"; room_id: string; count: number; version: number };
  remove: { type: "person_removed"; room_id: string; version: number };
  unban: { type: "unbanned"; room_id: string; version: number };
  close: { type: "closed"; room: Room };
  renew: { type: "renewed"; expires_at: string };
  ping: { type: "pong"; now: string };
}

export interface Hello {
  type: "hello";
  user: string;
  name: string;
  role: Role;
  expires_at: string;
  now: string;
}

export interface RosterEvent {
  type: "roster";
  room_id: string;
  from: number;
  version: number;
  joined: Entry[];
  left: { user: string; reason: "left" | "removed" | "banned" | "place_lapsed" }[];
  online: string[];
  offline: string[];
  taken: number;
  waiting: number;
  pending: number;
  online_count: number;
}

/** Every event by its type name. */
export interface Events {
  hello: Hello;
  roster: RosterEvent;
  roster_page: {
    type: "roster_page";
    room_id: string;
    version: number;
    roster: Entry[];
    more: boolean;
  };
  count: {
    type: "count";
    room_id: string;
    version: number;
    taken: number;
    capacity: number;
    waiting: number;
    online_count: number;
  };
  room_changed: { type: "room_changed"; room: Room };
  your_place: {
    type: "your_place";
    room_id: string;
    state: PlaceState;
    seat: number | null;
    position: number | null;
    version: number;
  };
  you_were_removed: {
    type: "you_were_removed";
    room_id: string;
    reason: "removed" | "banned" | "left_elsewhere" | "place_lapsed";
  };
  room_closed: { type: "room_closed"; room_id: string; reason: "instructor" | "expired" };
  unwatch_forced: { type: "unwatch_forced"; room_id: string };
  draining: { type: "draining"; reconnect_after_ms: number };
}

export type ErrorCode =
  | "bad_request"
  | "unauthorized"
  | "forbidden"
  | "banned"
  | "not_found"
  | "room_full"
  | "room_locked"
  | "not_started"
  | "already_open"
  | "already_in_room"
  | "conflict"
  | "room_closed"
  | "rate_limited"
  | "unavailable"
  | "internal";

/** An error as it is on the wire and, with `detail` for `message`, in an HTTP problem. */
export interface ErrorBody {
  code: ErrorCode;
  message: string;
  room_id?: string | null;
  retry_after_ms?: number | null;
  starts_at?: string | null;
  field?: string | null;
  incident?: string | null;
}

/** A refusal of the server's, or `unavailable` where no answer came. */
export class LecternError extends Error {
  readonly code: ErrorCode;
  readonly body: ErrorBody;

  constructor(body: ErrorBody) {
    super(body.message);
    this.name = "LecternError";
    this.code = body.code;
    this.body = body;
  }

  static unavailable(message: string): LecternError {
    return new LecternError({ code: "unavailable", message });
  }
}
