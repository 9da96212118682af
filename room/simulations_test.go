//go:build !race

package room_test

// simulations is how many worlds are tried.
const simulations = 1_000
