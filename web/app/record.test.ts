import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogItem, Person } from "../client";
import { lastLeft, rowsOf, summaryOf } from "./attendees";
import type { Look } from "./attendees";
import { pointAt, scale, thinned } from "./chart";
import { sentences } from "./policy";
import { hms, share, ticks } from "./span";
import { en } from "./text.en";
import { ko } from "./text.ko";
import { trailOf } from "./trail";

const at = (time: string) => `2026-03-02T${time}Z`;

const person = (user: string, name: string, more: Partial<Person> = {}): Person => ({
  user,
  name,
  guest: false,
  seat: 1,
  first_joined_at: at("10:00:00.000"),
  last_left_at: at("11:00:00.000"),
  present_seconds: 3600,
  rejoins: 0,
  intervals: [{ from: at("10:00:00.000"), to: at("11:00:00.000") }],
  status: null,
  correction: null,
  ...more,
});

test("a record is sorted by any column, filtered and searched", () => {
  const people = [
    person("a", "박서연", { seat: 3, present_seconds: 10, status: "absent", rejoins: 2 }),
    person("b", "Noah", { seat: null, last_left_at: null, status: "present" }),
    person("c", "김민준", { seat: 2, first_joined_at: at("09:59:00.000"), status: "late" }),
    person("d", "Ada 10", { seat: 12, last_left_at: at("10:30:00.000"), status: "left_early", intervals: [] }),
    person("e", "Ada 9", { seat: 20, status: "present" }),
  ];
  const users = (change: Partial<Look> = {}) =>
    rowsOf(people, { by: "seat", down: false, filter: "all", query: "", ...change })
      .map((one) => one.user)
      .join("");

  assert.equal(users(), "cadeb", "no seat is last");
  assert.equal(users({ by: "name" }), "edbca", "numbers in names are numbers");
  assert.equal(users({ by: "joined" }), "cadeb");
  assert.equal(users({ by: "left" }), "dcaeb", "whoever is there still is last");
  assert.equal(users({ by: "present", down: true }), "cdeba");
  assert.equal(users({ by: "rejoins", down: true }), "acdeb");
  assert.equal(users({ by: "status" }), "ebcda");
  assert.equal(users({ by: "presence" }).at(-1), "d", "whoever was never there is last");
  assert.equal(users({ filter: "present" }), "eb");
  assert.equal(users({ query: "ada" }), "de");
  assert.equal(users({ query: "2" }), "c", "a number is a whole seat number");
  assert.equal(people[0]!.user, "a", "the record stays as it was");

  const { average, longest, counts } = summaryOf(people);
  assert.equal(average, (4 * 3600 + 10) / 5);
  assert.equal(longest, 3600);
  assert.deepEqual(counts.map((count) => count.people), [2, 1, 1, 1]);
  assert.deepEqual(summaryOf([person("a", "Ann")]).counts, [], "without a policy there is nothing to count");
  assert.deepEqual(summaryOf([]), { average: 0, longest: 0, counts: [] });
});

test("who is there still has not left, nor has who was never there", () => {
  const left = (more: Partial<Person>) => lastLeft(person("a", "Ann", more), (at) => at.slice(11, 16), "now");
  assert.equal(left({}), "11:00");
  assert.equal(left({ last_left_at: null }), "now");
  assert.equal(left({ last_left_at: null, intervals: [] }), "–");
});

test("durations and axes are those of a clock", () => {
  assert.deepEqual([0, 59, 3599, 3661, 360_000].map(hms), ["0:00:00", "0:00:59", "0:59:59", "1:01:01", "100:00:00"]);

  const range = { from: Date.parse(at("10:02:00.000")), to: Date.parse(at("11:32:00.000")) };
  assert.equal(share(range.from + 45 * 60_000, range), 50);
  assert.equal(share(0, range), 0);
  assert.equal(share(1e15, range), 100);
  assert.equal(share(5, { from: 5, to: 5 }), 0, "a room that was closed at once");

  const times = (offset: number, most: number) => ticks(range, most, offset).at.map((mark) => new Date(mark).toISOString().slice(11, 16));
  assert.deepEqual(times(0, 6), ["10:15", "10:30", "10:45", "11:00", "11:15", "11:30"]);
  assert.deepEqual(times(-330, 2), ["10:30", "11:30"], "full hours where the clock is half an hour off");
  assert.equal(ticks({ from: 0, to: 7 * 86_400_000 }, 4, 0).step, 2 * 86_400);
  assert.deepEqual(ticks({ from: 5, to: 5 }, 6, 0).at, []);
});

test("a chart has round lines, and is read at any moment", () => {
  assert.deepEqual(scale(0).at, [0, 1, 2, 3, 4]);
  assert.deepEqual(scale(60).at, [0, 20, 40, 60]);
  assert.deepEqual(scale(9_700), { top: 10_000, at: [0, 5_000, 10_000] });
  const points = [1, 2, 2, 9].map((at, taken) => ({ at, taken, online: 0 }));
  assert.deepEqual([0, 1, 1.5, 2, 8, 9, 10].map((moment) => pointAt(points, moment)!.taken), [0, 0, 0, 2, 2, 3, 3]);
  assert.equal(pointAt([], 1), null);
  const [one, peak, last] = [{ at: 1, taken: 3, online: 2 }, { at: 2, taken: 9, online: 1 }, { at: 3, taken: 4, online: 4 }];
  assert.deepEqual(thinned([one, peak, last]), [{ at: 1, taken: 9, online: 2 }, last], "with its peak");
});

test("a policy is told in sentences", () => {
  const policy = { present_percent: 80, present_minutes: 40, late_after_minutes: 10, left_early_minutes: null };
  assert.deepEqual(sentences(policy, en), ["Present: at least 80 % of the time, or at least 40 min.", "Late: came more than 10 min after the start."]);
  assert.deepEqual(sentences(policy, ko), ["출석: 강의 시간의 80% 이상 또는 40분 이상 참여", "지각: 시작 후 10분이 지나 입장"]);
  assert.deepEqual(sentences({ ...policy, present_percent: null, present_minutes: null, late_after_minutes: null }, en), []);
});

const item = (time: string, more: Partial<LogItem>): LogItem => ({ version: 1, at: at(time), events: [], refused: [], answered: [], ...more });

test("a trail tells what happened to one person", () => {
  const join = { type: "join", user: "kim" };
  const items = [
    item("10:00:00.020", { refused: [{ ...join, code: "room_locked", asked_at: at("10:00:00.000") }, { ...join, user: "lee", code: "banned", asked_at: at("10:00:00.000") }] }),
    item("10:00:03.130", {
      events: [
        { type: "joined", user: "kim", state: "waiting", place: 9 },
        { type: "connected", user: "kim", online: true },
        { type: "closed", user: null },
      ],
      answered: [{ ...join, asked_at: at("10:00:03.120"), state: "waiting", position: 4 }],
    }),
    item("10:07:41.002", { events: [{ type: "seated", user: "kim", seat: 17 }] }),
    item("10:08:00.500", { events: [{ type: "disconnected", user: "kim", at: at("10:08:00.000") }, { type: "offline", user: "kim" }] }),
    item("10:08:20.000", { answered: [{ ...join, type: "connect", asked_at: at("10:08:19.000"), state: "seated", seat: 17 }], events: [{ type: "connected", user: "kim", online: true }] }),
    item("10:09:00.000", { answered: [{ ...join, asked_at: at("10:08:59.000"), state: "seated", seat: 17, already: true }], events: [{ type: "connected", user: "kim" }] }),
    item("10:10:00.000", { events: [{ type: "left", user: "kim", reason: "removed" }, { type: "unheard_of", user: "kim" }] }),
    item("11:00:00.000", { events: [{ type: "corrected", user: "kim", status: "present", why: "was here", by: "lee" }, { type: "corrected", user: "kim", why: "", by: "lee" }] }),
  ];
  const told = (steps: ReturnType<typeof trailOf>) => steps.map((step) => `${step.at.slice(11, 23)} ${step.text}${step.trouble ? " !" : ""}`);
  assert.deepEqual(told(trailOf(items, "kim", en)), [
    "10:00:00.000 Asked to join and was refused: the room was locked !",
    "10:00:03.120 Asked to join: room full, 4th in line",
    "10:00:03.130 Online",
    "10:07:41.002 Got seat 17",
    "10:08:00.000 A connection ended",
    "10:08:00.500 Offline !",
    "10:08:19.000 Came back: seat 17",
    "10:08:20.000 Online",
    "10:08:59.000 Came back: seat 17",
    "10:10:00.000 Removed by the instructor !",
    "11:00:00.000 Status set to “Present” by hand: was here",
    "11:00:00.000 Status left to the rule again",
  ]);
  assert.equal(trailOf(items, "kim", ko)[1]!.text, "입장 요청: 만석, 대기 4번째");
  assert.equal(trailOf(items, "kim", ko).length, 12);
  assert.deepEqual(trailOf(items, "nobody", en), []);
});
