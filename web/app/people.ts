import { inOrder } from "../client";
import type { Entry, PlaceState, Roster } from "../client";

export type SortBy = "seat" | "name" | "joined" | "online";
export type Filter = "all" | "online" | "offline";

export interface Look {
  by: SortBy;
  down: boolean;
  filter: Filter;
  query: string;
}

const names = new Intl.Collator(undefined, { numeric: true });

/** What People reads of a roster. */
type Source = Pick<Roster, "entries" | "version" | "membership">;

/**
 * Those of a roster who are seated, wait or are pending, in the order in which
 * they are looked at. It sorts only when someone came or went, from the last
 * order on: sorting what is almost sorted takes one pass, so ten thousand names
 * stay in order while people come and go.
 */
export class People {
  private order: Entry[] = [];
  private key = "";
  private sortedBy = "";

  constructor(private readonly state: PlaceState) {}

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

  /** Everyone, as sorted for a look. */
  sorted({ entries, version, membership }: Source, look: Look): Entry[] {
    const sortedBy = look.by + look.down;
    const key = `${sortedBy} ${membership} ${look.by === "online" ? version : ""}`;
    if (key === this.key) return this.order;
    const before = sortedBy === this.sortedBy ? this.order : [];
    const known = new Set(before.map((entry) => entry.user));
    const kept = before.map((entry) => entries.get(entry.user)).filter((entry) => entry?.state === this.state) as Entry[];
    const rows = kept.concat([...entries.values()].filter((entry) => entry.state === this.state && !known.has(entry.user)));
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
      return inOrder;
    case "name":
      return (a, b) => names.compare(a.name, b.name) || inOrder(a, b);
    case "joined":
      return (a, b) => (a.joined_at < b.joined_at ? -1 : a.joined_at > b.joined_at ? 1 : inOrder(a, b));
    case "online":
      return (a, b) => Number(a.online) - Number(b.online) || inOrder(a, b);
  }
}
