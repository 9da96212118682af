import { inOrder } from "../client";
import type { Change, Entry, PlaceState, Roster } from "../client";

export type SortBy = "seat" | "name" | "joined" | "online";
export type Filter = "all" | "online" | "offline";

export interface Look {
  by: SortBy;
  down: boolean;
  filter: Filter;
  query: string;
}

type Compare = (a: Entry, b: Entry) => number;
type Test = (entry: Entry) => boolean;

const names = new Intl.Collator(undefined, { numeric: true });

/** What People reads of a roster. */
type Source = Pick<Roster, "entries" | "changes" | "since">;

/**
 * Those of a roster who are seated, wait or are pending, in the order in which
 * they are looked at. It follows a few changes one by one. After many it sorts
 * anew, from the last order on: sorting what is almost sorted takes one pass.
 */
export class People {
  /** All of them, whoever is looked for, as of the last call of rows. */
  everyone: readonly Entry[] = [];
  private found: readonly Entry[] = [];
  private look: Look | null = null;
  private changes = 0;

  constructor(private readonly state: PlaceState) {}

  /** Who is looked for. The answer is the same one for as long as nobody in it has changed. */
  rows(roster: Source, look: Look): readonly Entry[] {
    const same = look.by === this.look?.by && look.down === this.look.down;
    const alike = same && look.query === this.look?.query && look.filter === this.look.filter;
    const changes = same ? roster.since(this.changes) : null;
    const compare = comparing(look);
    const isHere: Test = (entry) => entry.state === this.state;
    const isWanted = wanting(look);
    if (changes) this.everyone = followed(this.everyone, changes, compare, isHere);
    else this.everyone = sorted(roster.entries, same ? this.everyone : [], compare, isHere);
    if (!isWanted) this.found = this.everyone;
    else if (changes && alike) this.found = followed(this.found, changes, compare, (entry) => isHere(entry) && isWanted(entry));
    else this.found = this.everyone.filter(isWanted);
    this.look = look;
    this.changes = roster.changes;
    return this.found;
  }
}

function sorted(entries: Source["entries"], before: readonly Entry[], compare: Compare, belongs: Test): Entry[] {
  const known = new Set(before.map((entry) => entry.user));
  const kept = before.map((entry) => entries.get(entry.user)).filter((entry) => entry !== undefined);
  const others = [...entries.values()].filter((entry) => !known.has(entry.user));
  return kept.concat(others).filter(belongs).sort(compare);
}

/** A sorted list after some changes. */
function followed(list: readonly Entry[], changes: readonly Change[], compare: Compare, belongs: Test): readonly Entry[] {
  const has = (entry: Entry | null): entry is Entry => entry !== null && belongs(entry);
  if (!changes.some(({ before, after }) => has(before) || has(after))) return list;
  const rows = list.slice();
  for (const { before, after } of changes) {
    if (has(before)) rows.splice(placeIn(rows, before, compare), 1);
    if (has(after)) rows.splice(placeIn(rows, after, compare), 0, after);
  }
  return rows;
}

/** Where an entry is in a sorted list, or would be. */
function placeIn(rows: readonly Entry[], entry: Entry, compare: Compare): number {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(rows[middle]!, entry) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Who is looked for; null: everyone. */
function wanting({ filter, query }: Look): Test | null {
  const text = query.trim().toLocaleLowerCase();
  if (!text && filter === "all") return null;
  return (entry) =>
    (filter === "all" || entry.online === (filter === "online")) &&
    (!text || entry.name.toLocaleLowerCase().includes(text) || String(entry.seat) === text);
}

/** No two people are equal: each has a place of their own. */
function comparing({ by, down }: Look): Compare {
  const compare: Compare = (a, b) => orders[by](a, b) || inOrder(a, b) || (a.user < b.user ? -1 : a.user > b.user ? 1 : 0);
  return down ? (a, b) => compare(b, a) : compare;
}

const orders: { [by in SortBy]: Compare } = {
  seat: inOrder,
  name: (a, b) => names.compare(a.name, b.name),
  joined: (a, b) => (a.joined_at < b.joined_at ? -1 : a.joined_at > b.joined_at ? 1 : 0),
  online: (a, b) => Number(a.online) - Number(b.online),
};
