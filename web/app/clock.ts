/** A stretch of time in the words that people use for one. */
export interface Span {
  days: number;
  hours: number;
  minutes: number;
}

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** Rounded up, so that "in 1 min" is said until the last second. */
export function spanOf(ms: number): Span {
  const whole = Math.max(0, Math.ceil(ms / minute)) * minute;
  if (whole >= 2 * day) return { days: Math.round(whole / day), hours: 0, minutes: 0 };
  return { days: 0, hours: Math.floor(whole / hour), minutes: (whole % hour) / minute };
}

/** 9:05 or 1:09:05. */
export function clockOf(seconds: number): string {
  const two = (n: number) => String(n).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** A moment as a field for date and time has it: on the clock of this machine, to the minute. */
export function localField(at: number): string {
  const moved = at - new Date(at).getTimezoneOffset() * minute;
  return new Date(moved).toISOString().slice(0, 16);
}

/** What such a field says, in UTC. */
export const fieldTime = (field: string) => new Date(field).toISOString();

/** When lectures tend to begin: the next full hour that leaves time to tell people. */
export function nextHour(now: number): number {
  return Math.ceil((now + 10 * minute) / hour) * hour;
}

/** A class that waits for its hour does not knock in the same millisecond. */
const knockWithin = 3_000;
/** Lectures begin early, and are moved: those who wait for one ask now and then, once it is near. */
const near = 15 * minute;
const askEvery = minute;

/** After how many milliseconds to try again to join a room that starts at a time. */
export function retryAfter(startsAt: number, now: number, chance: number): number {
  const left = startsAt - now;
  const soon = Math.max(left, 1_000) + chance * knockWithin;
  if (left > near) return left - near + chance * askEvery;
  return left > askEvery ? Math.min(soon, askEvery * (1 + chance)) : soon;
}
