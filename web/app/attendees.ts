import type { AttendanceStatus, Person } from "../client";

export const statuses: AttendanceStatus[] = ["present", "late", "left_early", "absent"];
export const sorts = ["seat", "name", "joined", "left", "present", "rejoins", "status", "presence"] as const;

export type SortBy = (typeof sorts)[number];
export type Filter = "all" | AttendanceStatus;

/** How a record is looked at. */
export interface Look {
  by: SortBy;
  down: boolean;
  filter: Filter;
  query: string;
}

const names = new Intl.Collator(undefined, { numeric: true });

/** The people that are looked at, in order. */
export function rowsOf(people: readonly Person[], look: Look): Person[] {
  const query = look.query.trim().toLocaleLowerCase();
  const rows = people.filter(
    (person) =>
      (look.filter === "all" || person.status === look.filter) &&
      (!query || person.name.toLocaleLowerCase().includes(query) || String(person.seat) === query),
  );
  const compare = comparing[look.by];
  return rows.sort((a, b) => (look.down ? compare(b, a) : compare(a, b)) || bySeat(a, b));
}

const comparing: { [by in SortBy]: (a: Person, b: Person) => number } = {
  seat: bySeat,
  name: (a, b) => names.compare(a.name, b.name),
  joined: (a, b) => byText(a.first_joined_at ?? "", b.first_joined_at ?? ""),
  left: (a, b) => byText(a.last_left_at ?? stillHere, b.last_left_at ?? stillHere),
  present: (a, b) => a.present_seconds - b.present_seconds,
  rejoins: (a, b) => a.rejoins - b.rejoins,
  status: (a, b) => rank(a) - rank(b),
  presence: (a, b) => byText(a.intervals[0]?.from ?? stillHere, b.intervals[0]?.from ?? stillHere) || a.present_seconds - b.present_seconds,
};

/** After every time. */
const stillHere = "~";

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function bySeat(a: Person, b: Person): number {
  return (a.seat ?? Infinity) - (b.seat ?? Infinity) || byText(a.user, b.user);
}

const rank = (person: Person) => (person.status ? statuses.indexOf(person.status) : statuses.length);

/** When someone left last, in words. Who was never there has not left either. */
export function lastLeft(person: Person, say: (at: string) => string, now: string): string {
  if (person.last_left_at) return say(person.last_left_at);
  return person.intervals.length > 0 ? now : "–";
}

export interface Summary {
  /** In seconds. */
  average: number;
  longest: number;
  /** Nothing, where nobody has a status. */
  counts: { status: AttendanceStatus; people: number }[];
}

export function summaryOf(people: readonly Person[]): Summary {
  const present = people.map((person) => person.present_seconds);
  const counts = statuses.map((status) => ({ status, people: people.filter((person) => person.status === status).length }));
  return {
    average: Math.round(present.reduce((sum, seconds) => sum + seconds, 0) / Math.max(1, people.length)),
    longest: present.reduce((most, seconds) => Math.max(most, seconds), 0),
    counts: counts.some((count) => count.people > 0) ? counts : [],
  };
}
