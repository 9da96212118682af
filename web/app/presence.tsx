import type { Person } from "../client";
import { share } from "./span";
import type { Moments, Range } from "./span";
import { useWords } from "./state";

/** Wide enough to be seen, however short the stay, in percent. */
const narrowest = 0.4;

/** When someone was there, drawn along the time that the room was open. */
export function Presence({ person, range, moments }: { person: Person; range: Range; moments: Moments }) {
  const { t } = useWords();
  const { second } = moments;
  const said = person.intervals.map((i) => `${second(i.from)}–${i.to ? second(i.to) : t.record.now}`).join(", ");
  return (
    <div class="when" title={said} role="img" aria-label={said || t.record.never}>
      {person.intervals.map((interval) => {
        const begin = Math.min(share(Date.parse(interval.from), range), 100 - narrowest);
        const end = interval.to ? share(Date.parse(interval.to), range) : 100;
        return <span key={interval.from} style={{ left: begin + "%", width: Math.max(narrowest, end - begin) + "%" }} />;
      })}
    </div>
  );
}
