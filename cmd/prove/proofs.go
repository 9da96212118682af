package main

import (
	"strings"
)

// A proof is tests that try to break what is promised.
type proof struct {
	title    string
	cause    string // what is done
	must     string // hold all the same
	promises []int  // of the README, which this guards
	tests    []test
}

// A test is what one process runs: tests of one package, or one fuzz target.
type test struct {
	folder string // of the package
	names  []string

	// minutes is how long it takes to try as often as it should, on two cores,
	// where a test goes on for as long as it may; 0: it knows how often.
	minutes int
}

func (t *test) fuzzes() bool { return strings.HasPrefix(t.names[0], "Fuzz") }

// pattern is what `go test` knows the names by.
func (t *test) pattern() string {
	if len(t.names) == 1 {
		return "^" + t.names[0] + "$"
	}
	return "^(" + strings.Join(t.names, "|") + ")$"
}

func of(folder string, names ...string) test { return test{folder: folder, names: names} }

func long(minutes int, folder, name string) test { return test{folder, []string{name}, minutes} }

const fuzzMinutes = 10

// proofs are all of them. The names of tests are held to the code and to the
// README by TestProofsAreThere.
func proofs() []proof {
	return []proof{
		{
			title:    "capacity under chaos",
			cause:    "three processes, 50 small rooms at once, epochs in which processes are killed and stopped, Redis is emptied, frozen and cut off, connections are cut and Postgres is stopped at once; a history is one room in one epoch, with joins, leaves, removals and requests whose outcome is unknown",
			must:     "every history is one that a room of that many seats could have had, doing one thing after the other, and no room ever has more people seated than seats",
			promises: []int{1},
			tests:    []test{long(26, "cmd/lectern", "TestCapacityUnderChaos")},
		},
		{
			title:    "nothing answered is undone",
			cause:    "three deciders with one store and one queue that stop them between any two steps, in random schedules with crashes, repetitions and the way without Redis; then the same without the rule that makes it so",
			must:     "no schedule undoes what was answered, and without the rule some do",
			promises: []int{2},
			tests:    []test{of("room", "TestNothingAnsweredIsUndone", "TestUndoneWithoutIDs")},
		},
		{
			title: "the checker has power",
			cause: "a store that saves whatever it is given, as the next version and without a look at the seats",
			must:  "it is found out by the checker of the first proof",
			tests: []test{of("room", "TestTheCheckerHasPower")},
		},
		{
			title:    "the lock is not needed",
			cause:    "locks that are always given, never given, or given at random",
			must:     "no room has more people seated than seats",
			promises: []int{1},
			tests:    []test{of("room", "TestTheLockIsNotNeeded")},
		},
		{
			title:    "acknowledged is durable",
			cause:    "under load, Postgres is stopped at once and instances are killed, and so is a server that keeps its data itself",
			must:     "nothing that was acknowledged is lost, and no seat has two people",
			promises: []int{2},
			tests: []test{
				of("cmd/lectern", "TestAcknowledgedIsDurable"), of("cmd/lectern", "TestCrash"),
				of("store", "TestKill", "TestPostgresRestart"),
			},
		},
		{
			title:    "lost commit answer",
			cause:    "the network swallows Postgres's answer to a commit",
			must:     "whoever asked hears the truth or `unavailable`, and asking again gives the one seat",
			promises: []int{2, 3},
			tests:    []test{of("cmd/lectern", "TestLostCommitAnswer")},
		},
		{
			title:    "order of arrival",
			cause:    "500 students ask for the last 50 seats on three instances",
			must:     "the seats go to the first 50 by position in the queue",
			promises: []int{4},
			tests:    []test{of("cmd/lectern", "TestOneRoomOnThreeInstances")},
		},
		{
			title: "a slower instance",
			cause: "without Redis three instances contend for one room, of which one is 5 ms further from Postgres",
			must:  "it saves too, and nobody there waits for a second",
			tests: []test{of("cmd/lectern", "TestSlowerMachine"), of("room", "TestSlowerInstance")},
		},
		{
			title:    "a clock that is wrong",
			cause:    "an instance's clock is ten minutes ahead or behind",
			must:     "no seat that is held lapses, no room closes, and the attendance record is right",
			promises: []int{8},
			tests:    []test{of("cmd/lectern", "TestAttendanceOracle")},
		},
		{
			title:    "Redis fails",
			cause:    "Redis is frozen, restarted empty and cut off, and a subscriber's network swallows everything",
			must:     "the p99 of joins stays below a second, and every roster is right within five seconds after",
			promises: []int{5, 6},
			tests:    []test{of("cmd/lectern", "TestRedisFails")},
		},
		{
			title:    "Postgres is away",
			cause:    "Postgres is stopped at once, and is away for ten seconds",
			must:     "refusals come within 2.5 s, sockets stay open, and work goes on within 2 s of its return",
			promises: []int{6},
			tests:    []test{of("cmd/lectern", "TestPostgresAway")},
		},
		{
			title:    "an instance is killed",
			cause:    "an instance with 200 sockets is killed, and again and again the one that decides for all; Postgres is away for eleven seconds while nobody is dead",
			must:     "the others show its people offline within 20 s, their attendance ends at its last sign of life, and who is alive stays",
			promises: []int{7},
			tests:    []test{of("cmd/lectern", "TestPresence", "TestDrainerIsKilled"), of("room", "TestSilentInstance", "TestStoreAwayKillsNobody")},
		},
		{
			title:    "drain",
			cause:    "an instance with 2,000 sockets and joins on their way is told to end, beside another",
			must:     "every socket is told when to come back, at spread moments; nothing that was acknowledged is lost; it is gone within 20 s",
			promises: []int{10},
			tests:    []test{of("cmd/lectern", "TestDrainTwoThousand")},
		},
		{
			title: "a slow consumer",
			cause: "a client in a busy room stops reading",
			must:  "it is closed within 15 s, everyone else gets every frame, and memory stays bounded",
			tests: []test{of("hub", "TestSlowReader", "TestSlowReaderOverTCP", "TestOverflow")},
		},
		{
			title: "raw frames",
			cause: "whatever RFC 6455 knows and forbids: lengths, reserved bits, opcodes, fragments, UTF-8, close codes, sizes",
			must:  "each has its exact outcome, and the socket beside it notices nothing",
			tests: []test{of("hub", "TestFrames", "TestFramesOverTCP")},
		},
		{
			title: "limits",
			cause: "sockets, requests, pings, nested messages and headers: as many and as large as may be, and one more",
			must:  "what is within a limit is served, and what is beyond it is refused as the documents say",
			tests: []test{
				of("hub", "TestSocketsOfAnAddress", "TestRequestsAtTheLimit", "TestPingsAtTheLimit", "TestNestedRequests"),
				of("cmd/lectern", "TestHeaderSizes"),
			},
		},
		{
			title: "other clients",
			cause: "libraries that share no line with the server's: ws for Node and golang.org/x/net/websocket",
			must:  "they have no complaint, and what they do wrong is closed with its code",
			tests: []test{of("cmd/lectern", "TestNodeClient", "TestGoClient")},
		},
		{
			title: "forged passports",
			cause: "every bit of a passport flipped, parts swapped, other keys, algorithms, audiences and times",
			must:  "none is accepted",
			tests: []test{of("room", "TestForgedPassports")},
		},
		{
			title: "hosts and origins",
			cause: "pages of other sites, DNS rebinding, `null`, other schemes, ports and cases",
			must:  "each has its exact verdict",
			tests: []test{of("hub", "TestHostsAndOrigins")},
		},
		{
			title: "fuzz",
			cause: "any bytes, as messages, as passports, as what people do in a room, and as settings",
			must:  "nothing panics, and what always holds does: see the comments of the targets",
			tests: []test{
				long(fuzzMinutes, "hub", "FuzzRequest"), long(fuzzMinutes, "room", "FuzzPassport"),
				long(fuzzMinutes, "room", "FuzzRoom"), long(fuzzMinutes, "cmd/lectern", "FuzzSettings"),
			},
		},
		{
			title:    "simulation",
			cause:    "whole instances die and come back in a made-up time, on a store, a queue, locks and a bus that lose, repeat, delay and swap what they are given and fail before or after the effect",
			must:     "every promise holds after every step; the same seed gives the same trace; what is broken on purpose is found",
			promises: []int{1},
			tests:    []test{of("room", "TestSimulationRepeats", "TestSimulationFinds"), long(8, "room", "TestSimulation")},
		},
		{
			title:    "the waiting line",
			cause:    "on three instances seats of a full room become free in every way that there is, while sockets of those who wait are cut",
			must:     "whoever has waited longest gets the next seat, by nothing but a freed one, and is told at once",
			promises: []int{9},
			tests:    []test{of("cmd/lectern", "TestWaitingLine")},
		},
		{
			title: "leaks",
			cause: "10,000 connects, which end in every way that there is",
			must:  "no goroutine stays, and file descriptors are as many as before",
			tests: []test{of("cmd/lectern", "TestConnectsLeakNothing")},
		},
		{
			title:    "attendance",
			cause:    "scripted joins, reloads, several tabs and crashes, beside someone who counts seconds",
			must:     "the record equals the count, to the second",
			promises: []int{8},
			tests:    []test{of("room", "TestRecordOracle"), of("cmd/lectern", "TestAttendanceOracle")},
		},
	}
}
