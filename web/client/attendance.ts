import type { Api, Page } from "./api";
import type { ErrorCode, PlaceState, Room } from "./messages";

/** What a person's attendance amounts to. Who is both late and gone early is late. */
export type AttendanceStatus = "present" | "late" | "left_early" | "absent";

/** When someone counts as present. Null: that rule is not set. */
export interface Policy {
  /** Present is who was there for so much of the time, or for so many minutes: either will do. */
  present_percent: number | null;
  present_minutes: number | null;
  /** Late is who came more than so many minutes after the room opened. */
  late_after_minutes: number | null;
  /** Gone early is who went for good more than so many minutes before it closed. */
  left_early_minutes: number | null;
}

/** A status set by hand, over what the policy says. */
export interface Correction {
  status: AttendanceStatus;
  reason: string;
  /** The id of whoever corrected it. */
  by: string;
  at: string;
}

/** A time without a break. `to` is null while it lasts. */
export interface Interval {
  from: string;
  to: string | null;
}

export interface Person {
  user: string;
  name: string;
  guest: boolean;
  /** The one held last. */
  seat: number | null;
  first_joined_at: string | null;
  last_left_at: string | null;
  present_seconds: number;
  rejoins: number;
  intervals: Interval[];
  /** Null where there is neither a policy nor a correction. */
  status: AttendanceStatus | null;
  correction?: Correction | null;
}

/** How full the room was from a time on. */
export interface TimelinePoint {
  at: string;
  taken: number;
  online_count: number;
}

export interface AttendanceRecord {
  room: Room;
  policy: Policy | null;
  people: Person[];
  timeline: TimelinePoint[];
}

/** One thing that happened in a room. What does not apply to its type is absent. */
export interface LogEvent {
  type: string;
  /** Whom it is about; null: the room. */
  user: string | null;
  name?: string;
  state?: PlaceState;
  seat?: number;
  place?: number;
  /** Connected: was not shown online before. */
  online?: boolean;
  /** Of who left, and of a room that closed. */
  reason?: string;
  /** When it truly happened, where that was before it was written down. */
  at?: string;
  policy?: Policy;
  /** Of a correction; absent: it was taken back. */
  status?: AttendanceStatus;
  why?: string;
  by?: string;
}

/** A request that was refused. */
export interface LogRefusal {
  type: string;
  user: string | null;
  code: ErrorCode;
  field?: string;
  asked_at: string;
}

/** A request that was carried out, or had been already. */
export interface LogAnswer {
  type: string;
  user: string | null;
  asked_at: string;
  state?: PlaceState;
  seat?: number;
  position?: number;
  already?: boolean;
  count?: number;
}

/** One durable step of a room. */
export interface LogItem {
  version: number;
  at: string;
  events: LogEvent[];
  refused: LogRefusal[];
  answered: LogAnswer[];
}

const pathOf = (room: string) => "/v1/rooms/" + encodeURIComponent(room);

/** Sets the rules by which a room's statuses are made; all null: none. */
export const setPolicy = (api: Api, room: string, policy: Policy) =>
  api.json<Policy>("PUT", pathOf(room) + "/attendance/policy", policy);

/** Sets someone's status by hand. Null takes the correction back. */
export const correct = (api: Api, room: string, user: string, status: AttendanceStatus | null, reason: string) =>
  api.json<Person>("PATCH", pathOf(room) + "/attendance/" + encodeURIComponent(user), { status, reason });

/** What happened in a room to one person, oldest first, a page at a time. */
export const trail = (api: Api, room: string, user: string, cursor: string | null = null) =>
  api.json<Page<LogItem>>(
    "GET",
    `${pathOf(room)}/log?limit=500&user=${encodeURIComponent(user)}` + (cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""),
  );
