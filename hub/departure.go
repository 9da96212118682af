package hub

import "time"

const (
	// moveEvery makes of a whole instance's people a thousand joins a second
	// elsewhere, which is no storm. Where new sockets are paced it is their pace:
	// the others have the same one.
	moveEvery = time.Millisecond
	// leastSpread keeps even a few from coming back all at once.
	leastSpread = time.Second
	// mostGrace is how long after its moment a socket is kept for a client that
	// moves by itself: to connect takes some round trips, and a browser lets the
	// timers of a page that nobody looks at be a second late.
	mostGrace = 2 * time.Second
	// departEvery is how precisely those are closed who have not gone.
	departEvery = 50 * time.Millisecond
)

// A departure is how an instance goes away: every socket is told a moment of
// its own at which to go, and is as good as any until then. Run owns it.
type departure struct {
	sockets []*socket // in the order of their moments, but for those closed
	next    time.Time // when the first of them is closed
	every   time.Duration
	end     time.Time // when whoever is still there is closed
}

// spreadOf returns the time between the first moment and the last of so many
// sockets, of which one goes every so often. Of the time to leave, three fifths
// at most are for the moments and a tenth for those who are late; after four
// fifths they are cut, a tenth later those are left behind that still wait for
// the store, and the rest is for the HTTP answers on their way and the store.
func spreadOf(sockets int, every, drain time.Duration) time.Duration {
	return min(max(leastSpread, time.Duration(sockets)*every), drain*3/5)
}

func graceOf(drain time.Duration) time.Duration    { return min(mostGrace, drain/10) }
func patienceOf(drain time.Duration) time.Duration { return drain * 4 / 5 }
func mostOf(drain time.Duration) time.Duration     { return drain * 9 / 10 }

// depart tells every socket when to come back, elsewhere or later, and closes
// gone when the last one has left.
func (h *Hub) depart(drain time.Duration, gone chan struct{}) *departure {
	now := time.Now()
	h.mu.Lock()
	h.draining = true
	all := h.everyone()
	spread := spreadOf(len(all), max(moveEvery, h.admission.share), drain)
	h.leaveBy = now.Add(spread)
	h.mu.Unlock()
	h.Log.Info("draining", "sockets", len(all), "spread", spread)
	d := &departure{
		sockets: all, next: now.Add(graceOf(drain)), every: spread / time.Duration(max(1, len(all))), end: h.leaveBy.Add(graceOf(drain)),
	}
	for i, s := range all {
		s.sayWhen(time.Duration(i) * d.every)
	}
	go func() {
		h.sockets.Wait()
		close(gone)
	}()
	return d
}

// late returns the sockets whose moment is over, each once; in the end all
// that there are, whenever they came.
func (d *departure) late(h *Hub, now time.Time) []*socket {
	if !now.Before(d.end) {
		return h.all()
	}
	n := 0
	for ; n < len(d.sockets) && !now.Before(d.next); n++ {
		d.next = d.next.Add(d.every)
	}
	late := d.sockets[:n]
	d.sockets = d.sockets[n:]
	return late
}
