import { useMemo, useState } from "preact/hooks";
import { TimeAxis } from "./axis";
import { share, ticks, useMoments } from "./span";
import type { Range } from "./span";
import { useWords } from "./state";

export interface Point {
  at: number;
  taken: number;
  online: number;
}

/** Half as many points, each with the most of the two that it stands for: a peak stays. */
export function thinned(points: readonly Point[]): Point[] {
  return points.flatMap((point, i) => {
    if (i % 2 === 1) return [];
    const { taken, online } = points[i + 1] ?? point;
    return { at: point.at, taken: Math.max(point.taken, taken), online: Math.max(point.online, online) };
  });
}

/** The box that is drawn in, stretched to whatever room there is: finer than any screen, so that whole numbers do. */
const width = 10_000;
const height = 10_000;
/** So many lines across, so that the eye can count. */
const lines = 4;
/** A key moves the reader by this share of the time, or by this many of those. */
const keyStep = 1 / 60;
const pageSteps = 10;

/** Seats taken and people online over time, up to `to` or to the last point. */
export function Chart({ points, capacity, to }: { points: readonly Point[]; capacity: number; to?: number }) {
  const { t, number } = useWords();
  const last = points[points.length - 1];
  const range = { from: points[0]?.at ?? 0, to: Math.max(to ?? 0, last?.at ?? 0) };
  const [reading, setReading] = useState<number | null>(null);
  const read = reading === null ? null : pointAt(points, reading);
  const { second } = useMoments(range);
  const say = (point: Point) => `${t.desk.chartTaken} ${number(point.taken)}, ${t.desk.chartOnline} ${number(point.online)}`;
  return (
    <figure class="chart" id="chart" data-points={points.length}>
      <figcaption>
        <span class="key taken">{t.desk.chartTaken}</span>
        <span class="key online">{t.desk.chartOnline}</span>
        {read && (
          <output id="chart-reading">
            {second(reading!)} · {say(read)}
          </output>
        )}
      </figcaption>
      {last && (
        <>
          <p class="unseen" id="chart-summary">
            {summary(points, t.record.chart, second, number, capacity)}
          </p>
          <Reader range={range} at={reading} text={read ? `${second(reading!)}: ${say(read)}` : say(last)} onRead={setReading}>
            <Plot points={points} range={range} />
          </Reader>
          <TimeAxis range={range} />
        </>
      )}
    </figure>
  );
}

/** What the chart shows, for those who do not see it. */
function summary(
  points: readonly Point[],
  say: (facts: { from: string; to: string; taken: string; takenAt: string; online: string; onlineAt: string; capacity: string }) => string,
  second: (at: number) => string,
  number: (n: number) => string,
  capacity: number,
): string {
  const most = (of: "taken" | "online") => points.reduce((best, point) => (point[of] > best[of] ? point : best));
  const [taken, online] = [most("taken"), most("online")];
  return say({
    from: second(points[0]!.at),
    to: second(points[points.length - 1]!.at),
    taken: number(taken.taken),
    takenAt: second(taken.at),
    online: number(online.online),
    onlineAt: second(online.at),
    capacity: number(capacity),
  });
}

/** Follows the pointer or the keys, and tells which moment is looked at. */
function Reader(props: { range: Range; at: number | null; text: string; onRead(at: number | null): void; children: preact.ComponentChildren }) {
  const { t } = useWords();
  const { from, to } = props.range;
  const clamp = (at: number) => Math.min(to, Math.max(from, at));
  const point = (event: PointerEvent & { currentTarget: HTMLElement }) => {
    const box = event.currentTarget.getBoundingClientRect();
    props.onRead(clamp(from + ((event.clientX - box.left) / box.width) * (to - from)));
  };
  const press = (event: KeyboardEvent) => {
    const step = (to - from) * keyStep;
    const at = props.at ?? to;
    const moved: { [key: string]: number } = {
      ArrowLeft: at - step,
      ArrowRight: at + step,
      PageDown: at - step * pageSteps,
      PageUp: at + step * pageSteps,
      Home: from,
      End: to,
    };
    if (moved[event.key] === undefined) return;
    event.preventDefault();
    props.onRead(clamp(moved[event.key]!));
  };
  return (
    <div
      class="plot"
      id="chart-plot"
      role="slider"
      tabIndex={0}
      aria-label={t.desk.chart}
      aria-describedby="chart-summary"
      aria-valuemin={0}
      aria-valuemax={Math.round((to - from) / 1000)}
      aria-valuenow={Math.round(((props.at ?? to) - from) / 1000)}
      aria-valuetext={props.text}
      onPointerMove={point}
      onPointerDown={point}
      onPointerLeave={(event) => event.pointerType === "mouse" && props.onRead(null)}
      onKeyDown={press}
      onBlur={() => props.onRead(null)}
    >
      {props.children}
      {props.at !== null && <div class="reading" style={{ left: share(props.at, props.range) + "%" }} />}
    </div>
  );
}

function Plot({ points, range }: { points: readonly Point[]; range: Range }) {
  const { number } = useWords();
  const { top, at } = scale(points.reduce((most, point) => Math.max(most, point.taken, point.online), 0));
  const y = (count: number) => Math.round(height - (count / top) * height);
  const drawn = useMemo(() => ({ taken: stepped(points, "taken", range, y), online: stepped(points, "online", range, y) }), [points, range.to, top]);
  const marks = ticks(range, lines + 2, new Date(range.from).getTimezoneOffset()).at;
  return (
    <>
      <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
        {at.map((count) => (
          <path key={count} class="line" d={`M0 ${y(count)}H${width}`} />
        ))}
        {marks.map((mark) => (
          <path key={mark} class="line" d={`M${x(mark, range)} 0V${height}`} />
        ))}
        <path class="under" d={`${drawn.online}V${height}H0Z`} />
        <path class="taken" d={drawn.taken} />
        <path class="online" d={drawn.online} />
      </svg>
      <div class="counts" aria-hidden="true">
        {at.map((count) => (
          <span key={count} style={{ top: (100 * y(count)) / height + "%" }}>
            {number(count)}
          </span>
        ))}
      </div>
    </>
  );
}

const x = (at: number, range: Range) => Math.round((share(at, range) / 100) * width);

/** A line that stays where it is until the next point. */
function stepped(points: readonly Point[], of: "taken" | "online", range: Range, y: (count: number) => number): string {
  let last = y(points[0]![of]);
  let line = `M0 ${last}`;
  for (const point of points) {
    const next = y(point[of]);
    if (next === last) continue;
    line += `H${x(point.at, range)}V${next}`;
    last = next;
  }
  return line + `H${width}`;
}

/** Round counts for the lines across, and the one at the top. */
export function scale(most: number): { top: number; at: number[] } {
  const least = Math.max(4, most) / lines;
  const ten = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].map((n) => n * ten).find((n) => n >= least)!;
  const top = step * Math.ceil(Math.max(4, most) / step);
  return { top, at: Array.from({ length: top / step + 1 }, (_, i) => i * step) };
}

/** What held at a moment: the last point that is not after it. */
export function pointAt(points: readonly Point[], at: number): Point | null {
  let [low, high] = [0, points.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle]!.at <= at) low = middle + 1;
    else high = middle;
  }
  return points[Math.max(0, low - 1)] ?? null;
}
