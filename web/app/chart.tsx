import { useEffect, useRef } from "preact/hooks";
import type uPlot from "uplot";
import { useLoaded, useWords } from "./state";

/** The largest part of a desk; the page stands before it is there. */
const loadPlot = () => import("uplot");

export interface Point {
  at: number;
  taken: number;
  online: number;
}

/** Seats taken and people online over time; the last point is now. */
export function Chart({ points, capacity }: { points: readonly Point[]; capacity: number }) {
  const { t, time, number } = useWords();
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const last = points[points.length - 1];
  const library = useLoaded(loadPlot)?.default;

  useEffect(() => {
    const element = box.current!;
    if (!library) return;
    const draw = () => {
      plot.current?.destroy();
      plot.current = new library(looks(library, element, t.desk, time), columns(points), element);
    };
    draw();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", draw);
    const resize = new ResizeObserver(() => plot.current?.setSize(sizeOf(element)));
    resize.observe(element);
    return () => {
      dark.removeEventListener("change", draw);
      resize.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [library, t]);
  useEffect(() => plot.current?.setData(columns(points)), [points, points.length, last?.at]);

  const label = last ? `${t.desk.chart}: ${t.seat.taken(number(last.taken), number(capacity))}, ${t.seat.online(number(last.online))}` : t.desk.chart;
  return (
    <figure class="chart" id="chart" data-points={points.length}>
      <figcaption>
        <span class="key taken">{t.desk.chartTaken}</span>
        <span class="key online">{t.desk.chartOnline}</span>
      </figcaption>
      <div class="plot" ref={box} role="img" aria-label={label} />
    </figure>
  );
}

/** In seconds: nothing finer than the minutes that the axis shows. */
const timeSteps = [60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];

function columns(points: readonly Point[]): uPlot.AlignedData {
  return [points.map((p) => p.at / 1000), points.map((p) => p.taken), points.map((p) => p.online)];
}

const sizeOf = (element: HTMLElement) => ({ width: element.clientWidth, height: element.clientHeight });

function looks(library: typeof uPlot, element: HTMLElement, words: { chartTaken: string; chartOnline: string }, time: (at: number) => string): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const font = `11px ${style.fontFamily}`;
  const axis: uPlot.Axis = { stroke: colour("--muted"), font, ticks: { show: false }, grid: { stroke: colour("--line"), width: 1 } };
  const stepped = library.paths.stepped!({ align: 1 });
  return {
    ...sizeOf(element),
    padding: [8, 18, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_, _min, max) => [0, Math.max(4, Math.ceil(max * 1.1))] } },
    axes: [
      { ...axis, grid: { show: false }, space: 64, size: 24, incrs: timeSteps, values: (_, ticks) => ticks.map((tick) => time(tick * 1000)) },
      { ...axis, size: 36, space: 32, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000] },
    ],
    series: [
      {},
      { label: words.chartTaken, stroke: colour("--muted"), width: 1.5, paths: stepped, points: { show: false } },
      { label: words.chartOnline, stroke: colour("--accent"), fill: colour("--accent-wash"), width: 2, paths: stepped, points: { show: false } },
    ],
  };
}
