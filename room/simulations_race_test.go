//go:build race

package room_test

// simulations is what the race detector has time for; without it there are
// ten times as many.
const simulations = 100
