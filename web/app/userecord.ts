import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { AttendanceRecord, LecternError } from "../client";
import { api, serverNow } from "./session";
import type { Range } from "./span";

/** Often enough to follow a class, seldom enough not to disturb a reader. */
const refreshEvery = 10_000;
/** The most of its time that a server may spend on one reader of a very long record. */
const loadShare = 0.05;

export interface LoadedRecord {
  record: AttendanceRecord | null;
  /** What was wrong the last time; the record before that stays. */
  error: LecternError | null;
  /** When the record was true, in milliseconds since 1970. */
  at: number;
  load(): Promise<void>;
}

/** A room's attendance record, which follows the room until it is closed. */
export function useRecord(room: string): LoadedRecord {
  const [loaded, setLoaded] = useState<Omit<LoadedRecord, "load">>({ record: null, error: null, at: 0 });
  const order = useRef({ asked: 0, shown: 0, took: 0 });
  const load = useCallback(async () => {
    const mine = ++order.current.asked;
    const began = serverNow();
    // An answer that was overtaken by a later one is out of date.
    const show = (change: Partial<LoadedRecord>) => {
      if (mine < order.current.shown) return;
      order.current.shown = mine;
      order.current.took = serverNow() - began;
      setLoaded((before) => ({ ...before, ...change }));
    };
    await api()
      .attendance(room)
      .then((record) => show({ record, error: null, at: began }))
      .catch((error: LecternError) => show({ error }));
  }, [room]);
  useEffect(() => void load(), [load]);

  const closed = loaded.record?.room.status === "closed";
  useEffect(() => {
    if (closed) return;
    const refresh = () => void (document.hidden || load());
    const timer = setTimeout(refresh, Math.max(refreshEvery, order.current.took / loadShare));
    document.addEventListener("visibilitychange", refresh);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", refresh);
    };
  }, [closed, load, loaded]);
  return { ...loaded, load };
}

/** The time that a record is about; so far, where the room is open still. */
export function rangeOf({ room, timeline }: AttendanceRecord, at: number): Range {
  const from = Date.parse(room.opened_at ?? "") || at;
  const last = Date.parse(timeline[timeline.length - 1]?.at ?? "") || from;
  return { from, to: Date.parse(room.closed_at ?? "") || Math.max(at, last, from) };
}
