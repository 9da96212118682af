package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

// Shared is what the instances of one system share beside the store.
type Shared interface {
	room.Queue
	room.Locker
	room.Bus
}

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// RunShared runs every promise of a queue, a lock and a bus as two instances
// see them; open returns an empty one for each test.
func RunShared(t *testing.T, open func(t *testing.T) [2]Shared) {
	for name, promise := range map[string]func(*testing.T, [2]Shared){
		"QueueOrder":       queueOrder,
		"Answered":         answered,
		"ConcurrentPush":   concurrentPush,
		"Lock":             lock,
		"LockExcludes":     lockExcludes,
		"Bus":              bus,
		"ListenerEnds":     listenerEnds,
		"RoomsAreApart":    roomsAreApart,
		"CommandsAreWhole": commandsAreWhole,
		"EntriesAreWhole":  entriesAreWhole,
		"LargeEntries":     largeEntries,
		"Wants":            wants,
		"NothingToTell":    nothingToTell,
		"SlowListener":     slowListener,
	} {
		t.Run(name, func(t *testing.T) { promise(t, open(t)) })
	}
}

func command(name string) room.Command {
	return room.Command{ID: room.CommandID(name), Type: room.CommandJoin, Room: "r1", By: student(name), AskedAt: noon}
}

func push(t *testing.T, q room.Queue, id room.ID, names ...string) {
	t.Helper()
	commands := make([]room.Command, len(names))
	for i, name := range names {
		commands[i] = command(name)
	}
	if err := q.Push(t.Context(), id, commands); err != nil {
		t.Fatal(err)
	}
}

// head returns the names that the commands at the head have, and their
// positions.
func head(t *testing.T, q room.Queue, id room.ID, limit int) (names, positions []string) {
	t.Helper()
	queued, err := q.Head(t.Context(), id, limit)
	if err != nil {
		t.Fatal(err)
	}
	names = []string{}
	for _, c := range queued {
		names, positions = append(names, string(c.Command.ID)), append(positions, c.Position)
	}
	return names, positions
}

func queueOrder(t *testing.T, s [2]Shared) {
	push(t, s[0], "r1", "A", "B")
	push(t, s[1], "r1", "C")
	push(t, s[0], "r1", "D")
	for range 2 { // looking takes nothing away
		names, _ := head(t, s[1], "r1", 9)
		same(t, "the queue", names, []string{"A", "B", "C", "D"})
	}
	names, _ := head(t, s[0], "r1", 2)
	same(t, "the first two", names, []string{"A", "B"})
	queued, err := s[1].Head(t.Context(), "r1", 1)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the command", queued[0].Command, command("A"))
}

func answered(t *testing.T, s [2]Shared) {
	push(t, s[0], "r1", "A", "B", "C")
	_, positions := head(t, s[1], "r1", 9)
	push(t, s[0], "r1", "D")
	publish(t, s[1], room.Entry{Room: "r1", Version: 2}, positions[0], positions[2])
	names, _ := head(t, s[0], "r1", 9)
	same(t, "what waits", names, []string{"B", "D"})

	publish(t, s[1], room.Entry{Room: "r1", Version: 2}, positions...) // twice, and B
	names, positions = head(t, s[0], "r1", 9)
	same(t, "what waits", names, []string{"D"})
	publish(t, s[0], room.Entry{Room: "r1", Version: 3}, positions...)
	push(t, s[0], "r1", "E")
	names, _ = head(t, s[0], "r1", 9)
	same(t, "what waits", names, []string{"E"})
}

func publish(t *testing.T, b room.Bus, e room.Entry, answered ...string) {
	t.Helper()
	if err := b.Publish(t.Context(), e, answered); err != nil {
		t.Fatal(err)
	}
}

// concurrentPush: nothing gets lost, and what one instance pushes keeps its
// order.
func concurrentPush(t *testing.T, s [2]Shared) {
	const pushers, each = 8, 50
	var all sync.WaitGroup
	for p := range pushers {
		all.Go(func() {
			for i := range each {
				push(t, s[p%2], "r1", fmt.Sprintf("%d-%03d", p, i))
			}
		})
	}
	all.Wait()
	names, positions := head(t, s[0], "r1", 2*pushers*each)
	last := map[string]string{}
	for _, name := range names {
		if who := name[:1]; name > last[who] {
			last[who] = name
		} else {
			t.Errorf("%s comes after %s", name, last[who])
		}
	}
	if len(names) != pushers*each || len(slices.Compact(slices.Sorted(slices.Values(positions)))) != len(names) {
		t.Errorf("%d commands wait, want %d, each with a position of its own", len(names), pushers*each)
	}
}

func roomsAreApart(t *testing.T, s [2]Shared) {
	push(t, s[0], "r1", "A")
	push(t, s[0], "r2", "B")
	_, positions := head(t, s[0], "r1", 9)
	publish(t, s[0], room.Entry{Room: "r1", Version: 2}, positions...)
	names, _ := head(t, s[1], "r2", 9)
	same(t, "the other room's queue", names, []string{"B"})
	names, _ = head(t, s[1], "r3", 9)
	same(t, "a queue that never was", names, []string{})

	push(t, s[0], "r1", "C")
	_, positions = head(t, s[0], "r2", 9)
	publish(t, s[0], room.Entry{Room: "r1", Version: 3}, positions...) // the other's: harmless
	names, _ = head(t, s[1], "r2", 9)
	same(t, "the other room's queue", names, []string{"B"})
}

func lock(t *testing.T, s [2]Shared) {
	unlock := locked(t, s[0], "r1")
	for _, other := range s {
		if _, ok, err := other.Lock(t.Context(), "r1"); ok || err != nil {
			t.Fatalf("a lock that is held: %t, %v", ok, err)
		}
	}
	locked(t, s[1], "r2")()
	unlock()
	again := locked(t, s[1], "r1")
	unlock() // late, and not its lock any more
	if _, ok, err := s[0].Lock(t.Context(), "r1"); ok || err != nil {
		t.Fatalf("a lock that is held: %t, %v", ok, err)
	}
	again()
	locked(t, s[0], "r1")()
}

func locked(t *testing.T, l room.Locker, id room.ID) (unlock func()) {
	t.Helper()
	unlock, ok, err := l.Lock(t.Context(), id)
	if !ok || err != nil {
		t.Fatalf("a lock that is free: %t, %v", ok, err)
	}
	return unlock
}

func lockExcludes(t *testing.T, s [2]Shared) {
	const times = 20
	done := 0 // guarded by the lock: the race detector sees if it does not exclude
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := 0; n < times; {
				unlock, ok, err := s[i%2].Lock(t.Context(), "r1")
				if err != nil {
					t.Error(err)
					return
				}
				if ok {
					done++
					n++
					unlock()
				}
			}
		})
	}
	all.Wait()
	if done != 4*times {
		t.Errorf("the lock was held %d times, want %d", done, 4*times)
	}
}
