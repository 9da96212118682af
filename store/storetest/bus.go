package storetest

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

func everything(room.ID, int64) bool { return true }

// listen listens on a bus until the test ends.
func listen(t *testing.T, b room.Bus, wants func(room.ID, int64) bool, receive func(room.Entry), missed func()) {
	ended := make(chan error, 1)
	ctx := t.Context()
	go func() { ended <- b.Listen(ctx, wants, receive, missed) }()
	t.Cleanup(func() { // the test's context is done by now
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// hear listens on a bus and returns what it receives; a nil entry is a call
// of missed. It returns once the first has come.
func hear(t *testing.T, b room.Bus, wants func(room.ID, int64) bool) <-chan *room.Entry {
	t.Helper()
	heard := make(chan *room.Entry, 10_000)
	listen(t, b, wants, func(e room.Entry) { heard <- &e }, func() { heard <- nil })
	if e := next(t, heard); e != nil {
		t.Fatalf("heard version %d before missed", e.Version)
	}
	return heard
}

func next(t *testing.T, heard <-chan *room.Entry) *room.Entry {
	t.Helper()
	select {
	case e := <-heard:
		return e
	case <-time.After(patience):
		t.Fatal("nothing heard")
		return nil
	}
}

func bus(t *testing.T, s [2]Shared) {
	publish(t, s[0], room.Entry{Room: "r1", Version: 1})
	first, second := hear(t, s[0], everything), hear(t, s[1], everything)
	const last = 100
	for v := range int64(last) {
		publish(t, s[v%2], room.Entry{Room: "r1", Version: v + 2})
	}
	for name, heard := range map[string]<-chan *room.Entry{"first": first, "second": second} {
		for v := range int64(last) {
			if e := next(t, heard); e == nil || e.Version != v+2 {
				t.Fatalf("the %s listener heard %+v, want version %d", name, e, v+2)
			}
		}
	}
}

// entriesAreWhole: every field arrives as it was.
func entriesAreWhole(t *testing.T, s [2]Shared) {
	heard := hear(t, s[1], everything)
	for version, events := range [][]room.Event{{filled[room.Event]()}, {{Change: nothingSet, Policy: &room.Policy{}}}, nil} {
		e := filled[room.Entry]()
		e.Version, e.Events = int64(version+1), events
		publish(t, s[0], e)
		same(t, "the entry", *next(t, heard), e)
	}
}

// largeEntries: the largest batch that a Registrar decides arrives as it was.
func largeEntries(t *testing.T, s [2]Shared) {
	heard := hear(t, s[1], everything)
	r := &room.Room{Header: room.Header{ID: "r1"}}
	title, seats := "Optics", 1024
	commands := []room.Command{
		{ID: "c0", Type: room.CommandOpen, By: lecturer, Change: &room.Change{Title: &title, Capacity: &seats, Code: "ABCDEFGH"}},
	}
	for i := range seats {
		name := fmt.Sprint("학생 ", i)
		commands = append(commands, room.Command{
			ID: room.CommandID(name), Type: room.CommandJoin, By: student(name), Code: "ABCDEFGH",
			Session: room.SessionID(name), Instance: "i1",
		})
	}
	step := r.Batch(commands, noon)
	publish(t, s[0], step.Entry)
	same(t, "the entry", *next(t, heard), step.Entry)
}

// wants: what a listener does not want is not handed to it, and leaves the
// rest in order.
func wants(t *testing.T, s [2]Shared) {
	heard := hear(t, s[1], func(id room.ID, version int64) bool { return id == "r1" && version > 2 })
	for version := range int64(4) {
		publish(t, s[0], room.Entry{Room: "r1", Version: version + 1})
		publish(t, s[0], room.Entry{Room: "r2", Version: version + 1})
	}
	for want := range int64(2) {
		if e := next(t, heard); e == nil || e.Room != "r1" || e.Version != want+3 {
			t.Fatalf("heard %+v, want version %d", e, want+3)
		}
	}
}

// nothingToTell: version 0 takes commands off the queue and is not told.
func nothingToTell(t *testing.T, s [2]Shared) {
	heard := hear(t, s[1], everything)
	push(t, s[0], "r1", "A", "B")
	_, positions := head(t, s[0], "r1", 9)
	publish(t, s[0], room.Entry{Room: "r1"}, positions[0])
	publish(t, s[0], room.Entry{Room: "r1"})
	names, _ := head(t, s[1], "r1", 9)
	same(t, "what waits", names, []string{"B"})
	publish(t, s[0], room.Entry{Room: "r1", Version: 2})
	if e := next(t, heard); e == nil || e.Version != 2 {
		t.Fatalf("heard %+v, want version 2", e)
	}
}

// slowListener: one that is busy for a while holds nobody up, and misses
// nothing that it is not told of.
func slowListener(t *testing.T, s [2]Shared) {
	const last = 10_000
	told, busy, free, end := make(chan bool, last), make(chan bool), make(chan bool), make(chan bool, last)
	heard := int64(0)
	listen(t, s[1], everything, func(e room.Entry) {
		select {
		case <-told:
		default:
			if e.Version > heard+1 {
				t.Errorf("heard version %d after %d, and not that any are missing", e.Version, heard)
			}
		}
		if heard = e.Version; heard == 1 {
			close(busy)
			<-free
		}
		if heard == last {
			end <- true
		}
	}, func() { told <- true })

	for len(told) == 0 {
		runtime.Gosched()
	}
	publish(t, s[0], room.Entry{Room: "r1", Version: 1})
	<-busy
	for version := range int64(last - 2) {
		publish(t, s[0], room.Entry{Room: "r1", Version: version + 2})
	}
	close(free)
	for timeout := time.After(patience); ; { // the last may be what is too much
		publish(t, s[0], room.Entry{Room: "r1", Version: last})
		select {
		case <-end:
			return
		case <-time.After(50 * time.Millisecond):
		case <-timeout:
			t.Fatal("the last version was not heard")
		}
	}
}

// listenerEnds: one listener's end is not another's.
func listenerEnds(t *testing.T, s [2]Shared) {
	t.Run("one", func(t *testing.T) {
		heard := hear(t, s[0], everything)
		publish(t, s[1], room.Entry{Room: "r1", Version: 2})
		next(t, heard)
	})
	heard := hear(t, s[0], everything)
	publish(t, s[1], room.Entry{Room: "r1", Version: 3})
	if e := next(t, heard); e == nil || e.Version != 3 {
		t.Fatalf("heard %+v, want version 3", e)
	}
}
