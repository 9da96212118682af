import { useState } from "preact/hooks";
import { ConnectionNote, Link, useHeading } from "./parts";
import { clockOf, spanOf } from "./clock";
import { showCode } from "./session";
import { useCountdown, useTitle, useWords } from "./state";
import type { Visit } from "./visit";

/** Beyond an hour, seconds that run say nothing. */
const clockWithin = 3600;

/** A room that is not open yet. It is joined by itself when it opens. */
export function Early({ visit, startsAt }: { visit: Visit; startsAt: string }) {
  const { t, when } = useWords();
  const seconds = useCountdown(visit.lectern.localTime(startsAt));
  const heading = useHeading();
  const [tried, setTried] = useState(false);
  const opens = t.schedule.early(when(startsAt));
  const { connection } = visit.lectern;
  useTitle(opens);
  return (
    <main id="main" class="narrow seat-page" data-starts-at={startsAt}>
      {connection.name !== "open" && <ConnectionNote connection={connection} />}
      <header>
        <h1 id="early" ref={heading} tabIndex={-1}>
          {opens}
        </h1>
        {visit.code && (
          <p>
            {t.schedule.earlyCode} {showCode(visit.code)}
          </p>
        )}
      </header>
      <section class="place">
        <p class={"countdown" + (seconds <= clockWithin ? " large" : "")} id="countdown" role="timer" aria-live="off">
          {seconds === 0 ? t.schedule.earlyNow : seconds <= clockWithin ? clockOf(seconds) : t.schedule.inSpan(t.schedule.span(spanOf(seconds * 1000)))}
        </p>
        <p class="what-next">{t.schedule.earlyNext}</p>
      </section>
      <p class="hint" role="status" id="not-yet">
        {tried && t.schedule.notYet}
      </p>
      <div class="actions">
        <button class="quiet" id="try-now" onClick={() => void visit.join().then(() => setTried(true))}>
          {t.schedule.tryNow}
        </button>
        <Link href="/" class="button plain" id="other-code">
          {t.home}
        </Link>
      </div>
    </main>
  );
}
