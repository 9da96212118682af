import { render } from "preact";
import { useContext, useEffect, useRef } from "preact/hooks";
import type { AttendanceRecord, Person } from "../client";
import { lastLeft, rowsOf, sorts } from "./attendees";
import type { Look, Summary } from "./attendees";
import { sentences } from "./policy";
import { Presence } from "./presence";
import { hms, useMoments } from "./span";
import type { Moments, Range } from "./span";
import { useWords, WordsContext } from "./state";

interface Printable {
  record: AttendanceRecord;
  range: Range;
  look: Look;
  summary: Summary;
}

/**
 * Puts a sheet with everyone on it into the page for as long as it is being
 * printed: the table on the screen has only the rows in sight.
 */
export function usePrinted(printable: Printable): void {
  const words = useContext(WordsContext);
  const latest = useRef(printable);
  latest.current = printable;
  useEffect(() => {
    const paper = document.createElement("div");
    paper.className = "paper";
    document.body.append(paper);
    const draw = () =>
      render(
        <WordsContext.Provider value={words}>
          <Paper {...latest.current} />
        </WordsContext.Provider>,
        paper,
      );
    const clear = () => render(null, paper);
    addEventListener("beforeprint", draw);
    addEventListener("afterprint", clear);
    return () => {
      removeEventListener("beforeprint", draw);
      removeEventListener("afterprint", clear);
      clear();
      paper.remove();
    };
  }, [words]);
}

function Paper({ record, range, look, summary }: Printable) {
  const { t, number, moment, stretch } = useWords();
  const { room, people, policy } = record;
  const rows = rowsOf(people, look);
  const moments = useMoments(range);
  return (
    <>
      <h1 dir="auto">{room.title}</h1>
      <p>
        {t.record.title} · <bdi>{room.instructor.name}</bdi> · {stretch(range.from, room.closed_at)}
        {!room.closed_at && `–${t.record.asOf(moment(range.to))}`}
      </p>
      <p>
        {rows.length === people.length ? t.desk.people(number(people.length)) : t.record.some(number(rows.length), number(people.length))}
        {summary.counts.map(({ status, people }) => ` · ${t.record.statuses[status]} ${number(people)}`)}
        {` · ${t.record.average} ${hms(summary.average)}`}
      </p>
      {policy && <p>{sentences(policy, t).join(" ")}</p>}
      <table>
        <thead>
          <tr>
            {sorts.map((column) => (
              <th key={column} class={column} scope="col">
                {t.record.columns[column]}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((person) => (
            <PaperRow key={person.user} person={person} range={range} moments={moments} />
          ))}
        </tbody>
      </table>
    </>
  );
}

function PaperRow({ person, range, moments }: { person: Person; range: Range; moments: Moments }) {
  const { t, number } = useWords();
  const { second } = moments;
  return (
    <tr>
      <td>{person.seat ?? "–"}</td>
      <td>
        <bdi>{person.name}</bdi>
      </td>
      <td class="time">{person.first_joined_at ? second(person.first_joined_at) : "–"}</td>
      <td class="time">{lastLeft(person, second, t.record.now)}</td>
      <td>{hms(person.present_seconds)}</td>
      <td>{number(person.rejoins)}</td>
      <td>
        {person.status ? t.record.statuses[person.status] : "–"}
        {person.correction && <small> ({person.correction.reason})</small>}
      </td>
      <td class="presence">
        <Presence person={person} range={range} moments={moments} />
      </td>
    </tr>
  );
}
