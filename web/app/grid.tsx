import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
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
  /** Another object for each row that has changed. */
  rows: readonly Row[];
  /** Another array when they show rows in another way. */
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
/** The number of the row under the head, as screen readers count. */
const firstRow = 2;
/** Rows beyond the edges, so that a flick of the wheel shows no gap. */
const margin = 8;
/** So many rows are scrolled away before others are drawn. */
const stride = 4;

/** A table of any length that keeps only the rows in sight in the document. */
export function Grid<Row>(props: Props<Row>) {
  const { id, rows, columns } = props;
  const box = useRef<HTMLDivElement>(null);
  const [above, setAbove] = useState(0); // rows that were scrolled away, in strides
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

  const onClick = (event: MouseEvent) => {
    const row = (event.target as Element).closest("[aria-rowindex]");
    if (!row) return;
    activate(Number(row.ariaRowIndex) - firstRow);
    box.current?.focus({ preventScroll: true }); // the row may go, and its button with the focus
  };

  const first = Math.max(0, above - margin);
  const last = Math.min(rows.length, above + stride + Math.ceil(height / rowHeight) + margin);
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
      onScroll={(event) => setAbove(stride * Math.floor(event.currentTarget.scrollTop / rowHeight / stride))}
    >
      <div class="row head" role="row" aria-rowindex={1}>
        {columns.map((column) => (
          <Head key={column.id} column={column} grid={id} />
        ))}
      </div>
      <div class="rows" role="rowgroup" style={{ height: rows.length * rowHeight + "px" }} onClick={onClick}>
        {shown.map((row, i) => (
          <Line key={props.keyOf(row)} {...props} row={row} index={first + i} active={first + i === current} />
        ))}
      </div>
    </div>
  );
}

interface LineProps<Row> extends Props<Row> {
  row: Row;
  index: number;
  active: boolean;
}

/** One row, drawn again only when it is another one, or elsewhere. */
function Line<Row>({ id, columns, keyOf, rowClass, row, index, active }: LineProps<Row>) {
  return useMemo(
    () => (
      <div
        id={`${id}-row-${index}`}
        class={"row " + (rowClass?.(row) ?? "") + (active ? " active" : "")}
        role="row"
        aria-rowindex={index + firstRow}
        aria-selected={active}
        data-key={keyOf(row)}
        style={{ top: index * rowHeight + "px" }}
      >
        {columns.map((column) => (
          <div key={column.id} class={"cell " + column.id} role="gridcell">
            {column.show(row)}
          </div>
        ))}
      </div>
    ),
    [columns, row, index, active],
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
