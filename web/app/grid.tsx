import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { keyName } from "./shortcuts";

export interface Column<Row> {
  id: string;
  label: string;
  show(row: Row): ComponentChildren;
  onSort?(): void;
  sorted?: "ascending" | "descending" | "none";
  sortLabel?: string;
}

interface Props<Row> {
  id: string;
  label: string;
  rows: readonly Row[];
  columns: Column<Row>[];
  keyOf(row: Row): string;
  rowClass?(row: Row): string;
  /** Keys on the active row, by their names; Delete stands for Backspace too. */
  keys?: { [key: string]: (row: Row) => void };
  /** Its height is that of its rows, up to what the stylesheet allows. */
  fit?: boolean;
}

/** Must equal --row in the stylesheet. */
const rowHeight = 44;
/** Rows beyond the edges, so that a flick of the wheel shows no gap. */
const margin = 8;

/** A table of any length that keeps only the rows in sight in the document. */
export function Grid<Row>(props: Props<Row>) {
  const { id, rows, columns } = props;
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const [active, setActive] = useState({ index: 0, key: "" });

  useEffect(() => {
    const watch = new ResizeObserver(() => setHeight(box.current?.clientHeight ?? 600));
    if (box.current) watch.observe(box.current);
    return () => watch.disconnect();
  }, []);

  const current = placeOf(active, rows, props.keyOf);
  const activate = (index: number) => setActive({ index, key: rows[index] === undefined ? "" : props.keyOf(rows[index]) });
  const move = (to: number) => {
    const index = Math.max(0, Math.min(rows.length - 1, to));
    const element = box.current!;
    const above = index * rowHeight;
    const space = element.clientHeight - rowHeight;
    if (above < element.scrollTop) element.scrollTop = above;
    if (above + rowHeight > element.scrollTop + space) element.scrollTop = above + rowHeight - space;
    activate(index);
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.target !== box.current) return;
    const page = Math.max(1, Math.floor(height / rowHeight) - 2);
    const steps: Record<string, number> = {
      ArrowDown: current + 1,
      ArrowUp: current - 1,
      PageDown: current + page,
      PageUp: current - page,
      Home: 0,
      End: rows.length - 1,
    };
    const to = steps[event.key];
    const row = rows[current];
    if (to !== undefined) move(to);
    else {
      const name = event.key === "Backspace" ? "Delete" : keyName(event);
      const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : props.keys?.[name];
      if (!act || row === undefined) return;
      if (!event.repeat) act(row);
    }
    event.preventDefault();
  };

  const first = Math.max(0, Math.floor(top / rowHeight) - margin);
  const last = Math.min(rows.length, Math.ceil((top + height) / rowHeight) + margin);
  const shown = rows.slice(first, last);
  return (
    <div
      ref={box}
      id={id}
      class={"grid " + id}
      role="grid"
      aria-label={props.label}
      aria-rowcount={rows.length + 1}
      aria-colcount={columns.length}
      aria-activedescendant={rows.length > 0 ? `${id}-row-${current}` : undefined}
      tabIndex={0}
      style={props.fit ? { height: (rows.length + 1) * rowHeight + "px" } : undefined}
      onKeyDown={onKey}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
    >
      <div class="row head" role="row" aria-rowindex={1}>
        {columns.map((column) => (
          <Head key={column.id} column={column} grid={id} />
        ))}
      </div>
      <div class="rows" role="rowgroup" style={{ height: rows.length * rowHeight + "px" }}>
        {shown.map((row, i) => (
          <div
            key={props.keyOf(row)}
            id={`${id}-row-${first + i}`}
            class={"row " + (props.rowClass?.(row) ?? "") + (first + i === current ? " active" : "")}
            role="row"
            aria-rowindex={first + i + 2}
            aria-selected={first + i === current}
            data-key={props.keyOf(row)}
            style={{ top: (first + i) * rowHeight + "px" }}
            onClick={() => {
              activate(first + i);
              box.current?.focus({ preventScroll: true }); // the row may go, and its button with the focus
            }}
          >
            {columns.map((column) => (
              <div key={column.id} class={"cell " + column.id} role="gridcell">
                {column.show(row)}
              </div>
            ))}
          </div>
        ))}
      </div>
    </div>
  );
}

/** The active row stays with its person while others come and go; where that one goes, the next is it. */
function placeOf<Row>(active: { index: number; key: string }, rows: readonly Row[], keyOf: (row: Row) => string): number {
  const there = rows[active.index];
  const found = active.key === "" || (there !== undefined && keyOf(there) === active.key) ? active.index : rows.findIndex((row) => keyOf(row) === active.key);
  return Math.min(found < 0 ? active.index : found, rows.length - 1);
}

function Head<Row>({ column, grid }: { column: Column<Row>; grid: string }) {
  return (
    <div class={"cell " + column.id} role="columnheader" aria-sort={column.sorted}>
      {column.onSort ? (
        <button class="sort" id={`${grid}-sort-${column.id}`} title={column.sortLabel} onClick={column.onSort}>
          {column.label}
          <span aria-hidden="true">{{ ascending: " ↑", descending: " ↓", none: "" }[column.sorted ?? "none"]}</span>
        </button>
      ) : (
        column.label
      )}
    </div>
  );
}
