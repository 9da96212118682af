//go:build race

package room_test

// schedules is what the race detector has time for; without it there are
// twenty times as many.
const schedules = 1_000
