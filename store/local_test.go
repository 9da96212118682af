package store

import (
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

// TestOverflow: a listener that is too slow learns that it missed something,
// after what it did not miss and before what comes later.
func TestOverflow(t *testing.T) {
	var l Local
	busy, free, heardAll := make(chan bool), make(chan bool), make(chan int64, 2*heard)
	go l.Listen(t.Context(), everything, func(e room.Entry) {
		if e.Version == 1 {
			close(busy)
			<-free
		}
		heardAll <- e.Version
	}, func() { heardAll <- 0 })
	next := func(want int64) {
		t.Helper()
		select {
		case v := <-heardAll:
			if v != want {
				t.Fatalf("heard version %d (0: missed), want %d", v, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("heard nothing, want version %d (0: missed)", want)
		}
	}
	publish := func(version int64) {
		if err := l.Publish(t.Context(), room.Entry{Room: "r1", Version: version}, nil); err != nil {
			t.Fatal(err)
		}
	}

	next(0)
	publish(1)
	<-busy
	for v := range int64(heard + 2) { // one too many, and one that follows
		publish(v + 2)
	}
	close(free)
	next(1)
	next(0)
	next(heard + 3)
}

// TestLargeBacklog: what waits for a listener is bounded in memory, too.
func TestLargeBacklog(t *testing.T) {
	b := newBacklog[int]()
	b.offer(1, heardBytes/2)
	b.offer(2, heardBytes/2)
	if waiting, missed := b.take(); len(waiting) != 2 || missed {
		t.Fatalf("%d wait, missed: %t", len(waiting), missed)
	}
	b.offer(3, heardBytes)
	b.offer(4, 1)
	b.offer(5, 1)
	if waiting, missed := b.take(); len(waiting) != 1 || waiting[0] != 5 || !missed {
		t.Fatalf("%v wait, missed: %t", waiting, missed)
	}
}
