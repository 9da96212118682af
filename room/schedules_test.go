//go:build !race

package room_test

// schedules is how many random schedules are tried: enough that, when
// commands are not decided once, hundreds of them undo something.
const schedules = 20_000
