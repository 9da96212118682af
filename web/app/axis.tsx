import { share, ticks, useMoments } from "./span";
import type { Range } from "./span";

/** So many marks fit under a narrow plot. */
const marks = 6;

/** The times under something that is drawn along a stretch of time. */
export function TimeAxis({ range }: { range: Range }) {
  const { tick } = useMoments(range);
  const { step, at } = ticks(range, marks, new Date(range.from).getTimezoneOffset());
  return (
    <div class="axis" aria-hidden="true">
      {at.map((mark) => (
        <span key={mark} style={{ left: share(mark, range) + "%" }}>
          {tick(mark, step)}
        </span>
      ))}
    </div>
  );
}
