import assert from "node:assert/strict";
import { test } from "node:test";
import { clockOf, fieldTime, localField, nextHour, retryAfter, spanOf } from "./clock";
import { keyName } from "./shortcuts";
import { en } from "./text.en";
import { ko } from "./text.ko";

const minute = 60_000;
const hour = 60 * minute;

test("a stretch of time is told in the words for its length", () => {
  for (const [ms, english, korean] of [
    [0, "0 min", "0분"],
    [1, "1 min", "1분"],
    [12 * minute, "12 min", "12분"],
    [hour, "1 h", "1시간"],
    [26 * hour + 5 * minute - 1, "26 h 5 min", "26시간 5분"],
    [49 * hour, "2 days", "2일"],
  ] as const) {
    assert.equal(en.schedule.span(spanOf(ms)), english);
    assert.equal(ko.schedule.span(spanOf(ms)), korean);
  }
  assert.deepEqual([0, 65, 3600, 3905].map(clockOf), ["0:00", "1:05", "1:00:00", "1:05:05"]);
});

test("a field for date and time says what was put into it, to the minute", () => {
  const at = Date.parse("2026-03-02T09:05:00.000Z");
  assert.equal(fieldTime(localField(at)), "2026-03-02T09:05:00.000Z");
  assert.equal(fieldTime(localField(at + 59_999)), "2026-03-02T09:05:00.000Z");
  assert.equal(nextHour(at), Date.parse("2026-03-02T10:00:00.000Z"));
  assert.equal(nextHour(at + 50 * minute), Date.parse("2026-03-02T11:00:00.000Z"), "five minutes are too few");
});

test("who waits for a room to open comes back just after it, and now and then before", () => {
  const wait = (left: number, chance: number) => retryAfter(1_000_000_000 + left, 1_000_000_000, chance);
  assert.equal(wait(30_000, 0), 30_000);
  assert.equal(wait(30_000, 0.999), 30_000 + 2_997);
  assert.equal(wait(-5_000, 0), 1_000, "the server is a moment late");
  assert.equal(wait(10 * minute, 0), minute);
  assert.equal(wait(10 * minute, 0.5), 1.5 * minute);
  assert.equal(wait(61_000, 0.5), 62_500, "not past the start");
  assert.equal(wait(2 * hour, 0.5), hour + 45.5 * minute, "nothing is asked long before");
});

test("a key is known by its letter in any alphabet", () => {
  for (const [key, code, shiftKey, name] of [
    ["a", "KeyA", false, "a"],
    ["A", "KeyA", true, "shift+a"],
    ["A", "KeyA", false, "a"],
    ["ㅁ", "KeyA", false, "a"],
    ["ㅁ", "KeyA", true, "shift+a"],
    ["a", "KeyQ", false, "a"],
    ["?", "Slash", true, "?"],
    ["Delete", "Delete", false, "Delete"],
  ] as const) {
    assert.equal(keyName({ key, code, shiftKey }), name);
  }
});

test("ordinals are those of the language", () => {
  assert.deepEqual([1, 2, 3, 4, 11, 12, 13, 21, 101, 111].map(en.line.ordinal), ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "101st", "111th"]);
  assert.equal(ko.line.ordinal(4), "4번째");
});
