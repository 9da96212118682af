import type { Entry, Roster } from "../client";

export type SortBy = "seat" | "name" | "joined" | "online";
export type Filter = "all" | "online" | "offline";

export interface Look {
  by: SortBy;
  down: boolean;
  filter: Filter;
  query: string;
}

const names = new Intl.Collator(undefined, { numeric: true });
const stateOrder = { seated: 2, waiting: 1, pending: 0 };

/** What People reads of a roster. */
type Source = Pick<Roster, "entries" | "version" | "membership">;

/**
 * A roster in the order in which it is looked at. It sorts only when someone
 * came or went, from the last order on: sorting what is almost sorted takes
 * one pass, so ten thousand names stay in order while people come and go.
 */
export class People {
  private order: Entry[] = [];
  private key = "";
  private sortedBy = "";

  rows(roster: Source, look: Look): Entry[] {
    const sorted = this.sorted(roster, look);
    const query = look.query.trim().toLocaleLowerCase();
    if (!query && look.filter === "all") return sorted;
    return sorted.filter(
      (entry) =>
        (look.filter === "all" || entry.online === (look.filter === "online")) &&
        (!query || entry.name.toLocaleLowerCase().includes(query) || String(entry.seat) === query),
    );
  }

  private sorted({ entries, version, membership }: Source, look: Look): Entry[] {
    const sortedBy = look.by + look.down;
    const key = `${sortedBy} ${membership} ${look.by === "online" ? version : ""}`;
    if (key === this.key) return this.order;
    const before = sortedBy === this.sortedBy ? this.order : [];
    const known = new Set(before.map((entry) => entry.user));
    const kept = before.map((entry) => entries.get(entry.user)).filter((entry) => entry !== undefined);
    const rows = kept.concat([...entries.values()].filter((entry) => !known.has(entry.user)));
    const compare = comparing(look.by);
    rows.sort(look.down ? (a, b) => compare(b, a) : compare);
    this.order = rows;
    this.key = key;
    this.sortedBy = sortedBy;
    return rows;
  }
}

function comparing(by: SortBy): (a: Entry, b: Entry) => number {
  switch (by) {
    case "seat":
      return bySeat;
    case "name":
      return (a, b) => names.compare(a.name, b.name) || bySeat(a, b);
    case "joined":
      return (a, b) => (a.joined_at < b.joined_at ? -1 : a.joined_at > b.joined_at ? 1 : bySeat(a, b));
    case "online":
      return (a, b) => Number(a.online) - Number(b.online) || bySeat(a, b);
  }
}

/** Whoever waits for something comes first: the instructor may have to act. */
function bySeat(a: Entry, b: Entry): number {
  return stateOrder[a.state] - stateOrder[b.state] || (a.seat ?? 0) - (b.seat ?? 0) || (a.place ?? 0) - (b.place ?? 0);
}
