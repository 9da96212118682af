import type { AttendanceRecord } from "./attendance";
import { LecternError } from "./messages";
import type { Entry, ErrorBody, PlaceState, Role, Room, RoomOptions } from "./messages";
import { browser } from "./world";
import type { World } from "./world";

export interface Me {
  user: string;
  name: string;
  role: Role;
  expires_at: string;
  now: string;
  places: { room_id: string; state: PlaceState; seat: number | null; position: number | null }[];
}

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

export interface Ban {
  user: string;
  name: string;
  at: string;
}

export interface Opened {
  room: Room;
  room_passport: string;
}

/** The server takes a minute at most for an answer; the rest is its way here. */
const answerLimit = 75_000;

/** The HTTP side of Lectern. Every method throws a LecternError. */
export class Api {
  constructor(
    private readonly passport: string | null,
    private readonly world: World = browser,
  ) {}

  me = () => this.json<Me>("GET", "/v1/me");

  guest = (name: string) =>
    this.json<{ user: string; name: string; expires_at: string }>("POST", "/v1/guest", { name });

  rooms = (cursor: string | null = null) =>
    this.json<Page<Room>>("GET", "/v1/rooms" + (cursor ? `?cursor=${encodeURIComponent(cursor)}` : ""));

  room = (id: string) => this.json<{ room: Room; room_passport?: string | null }>("GET", roomPath(id));

  /** Opens a room; the same key answers the same room again. */
  open = (room: { title: string; capacity: number; options?: Partial<RoomOptions> }, key: string) =>
    this.json<Opened>("POST", "/v1/rooms", room, { "Idempotency-Key": key });

  roster = (id: string, cursor: string | null = null) =>
    this.json<Page<Entry> & { version: number }>(
      "GET",
      roomPath(id) + "/roster" + (cursor ? `?cursor=${encodeURIComponent(cursor)}` : ""),
    );

  bans = (id: string, cursor: string | null = null) =>
    this.json<Page<Ban>>("GET", roomPath(id) + "/bans?limit=500" + (cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""));

  unban = (id: string, user: string) =>
    this.json<{ room_id: string; version: number }>("DELETE", roomPath(id) + "/bans/" + encodeURIComponent(user));

  attendance = (id: string) => this.json<AttendanceRecord>("GET", roomPath(id) + "/attendance?format=json");

  /** The attendance record as a file. */
  attendanceFile = (id: string, format: "csv" | "xlsx" | "json"): Promise<Blob> =>
    this.call((response) => response.blob(), "GET", roomPath(id) + "/attendance?format=" + format);

  /** Any call that answers JSON. */
  json<T>(method: string, path: string, body?: object, headers?: Record<string, string>): Promise<T> {
    return this.call((response) => response.json() as Promise<T>, method, path, body, headers);
  }

  private async call<T>(
    read: (response: Response) => Promise<T>,
    method: string,
    path: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<T> {
    if (this.passport) headers["Authorization"] = "Bearer " + this.passport;
    if (body) headers["Content-Type"] = "application/json";
    const limit = new AbortController();
    const forget = this.world.after(answerLimit, () => limit.abort());
    try {
      const response = await this.world.fetch(path, {
        method,
        headers,
        body: body && JSON.stringify(body),
        credentials: "same-origin",
        cache: "no-store",
        signal: limit.signal,
      });
      if (!response.ok) throw await problem(response);
      return await read(response);
    } catch (error) {
      throw error instanceof LecternError ? error : LecternError.unavailable("no answer from the server, or not all of it");
    } finally {
      forget();
    }
  }
}

function roomPath(id: string): string {
  return "/v1/rooms/" + encodeURIComponent(id);
}

/** Reads an application/problem+json, or makes do with the status where a proxy answered. */
async function problem(response: Response): Promise<LecternError> {
  const body = (await response.json().catch(() => null)) as (ErrorBody & { detail?: string; title?: string }) | null;
  const seconds = Number(response.headers.get("Retry-After"));
  return new LecternError({
    ...body,
    code: body?.code ?? codeOf(response.status),
    message: body?.detail ?? body?.title ?? `HTTP ${response.status}`,
    retry_after_ms: body?.retry_after_ms ?? (seconds > 0 ? seconds * 1000 : null),
  });
}

const codes: Record<number, ErrorBody["code"]> = {
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  410: "room_closed",
  429: "rate_limited",
};

function codeOf(status: number): ErrorBody["code"] {
  return codes[status] ?? (status >= 500 ? "unavailable" : "bad_request");
}
