import type { LogAnswer, LogEvent, LogItem, LogRefusal } from "../client";
import type { Text } from "./text";

/** One sentence of a person's trail. */
export interface Step {
  at: string;
  text: string;
  /** Not as the person would have wished. */
  trouble: boolean;
}

/** What a room's log says of one person, in sentences, in order of time. */
export function trailOf(items: readonly LogItem[], user: string, t: Text): Step[] {
  return items.flatMap((item) => stepsOf(item, user, t)).sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

/** To take a seat, and to come back to one. */
const joining = ["join", "connect"];

function stepsOf(item: LogItem, user: string, t: Text): Step[] {
  const joins = item.answered.filter((answer) => answer.user === user && joining.includes(answer.type));
  const refusals = item.refused.filter((refusal) => refusal.user === user);
  // The answer says it already.
  const told = (event: LogEvent) => joins.length > 0 && (event.type === "joined" || (event.type === "connected" && !event.online));
  const events = item.events.filter((event) => event.user === user && !told(event));
  return [
    ...joins.map((answer) => ({ at: answer.asked_at, text: asked(answer, t), trouble: false })),
    ...refusals.map((refusal) => ({ at: refusal.asked_at, text: refused(refusal, t), trouble: true })),
    ...events.map((event) => ({ at: event.at ?? item.at, ...say(event, t) })).filter((step) => step.text !== ""),
  ];
}

function asked({ type, already, state, seat, position }: LogAnswer, t: Text): string {
  const words = t.record.trail;
  const rank = position ? t.line.position(t.line.ordinal(position)) : words.inLine;
  if (already || type === "connect") return words.back(state === "waiting" ? rank : place(state, seat, t));
  return words.joined(state === "waiting" ? words.waiting(rank) : place(state, seat, t));
}

function place(state: string | undefined, seat: number | undefined, t: Text): string {
  const words = t.record.trail;
  return state === "pending" ? words.pending : state === "waiting" ? words.inLine : words.seat(seat ?? 0);
}

function refused({ type, code, field }: LogRefusal, t: Text): string {
  const words = t.record.trail;
  const why = (code === "forbidden" && field === "guests" ? words.noGuests : words.refusals[code]) ?? code;
  return joining.includes(type) ? words.joinRefused(why) : words.refused(type, why);
}

/** Events that are about a person; other types say nothing here. */
function say(event: LogEvent, t: Text): { text: string; trouble: boolean } {
  const words = t.record.trail;
  const calm = (text: string) => ({ text, trouble: false });
  const trouble = (text: string) => ({ text, trouble: true });
  switch (event.type) {
    case "joined":
      return calm(words.joined(place(event.state, event.seat, t)));
    case "admitted":
      return calm(words.admitted);
    case "seated":
      return calm(words.seated(event.seat ?? 0));
    case "renamed":
      return calm(words.renamed);
    case "connected":
      return calm(event.online ? words.online : words.connected);
    case "disconnected":
      return calm(words.disconnected);
    case "offline":
      return trouble(words.offline);
    case "left":
      return event.reason === "left" ? calm(words.left) : trouble(words.leftFor[event.reason ?? ""] ?? words.left);
    case "banned":
      return trouble(words.banned);
    case "unbanned":
      return calm(words.unbanned);
    case "corrected":
      return calm(event.status ? words.corrected(t.record.statuses[event.status], event.why ?? "") : words.correctedBack(event.why ?? ""));
  }
  return calm("");
}
