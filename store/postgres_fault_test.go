package store_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/room/roomtest"
	"github.com/lectern-room/lectern/store/servers"
)

// fragilePostgres is for the tests that stop it; each leaves it running.
var fragilePostgres sharedServer

func fragile(tb testing.TB) *servers.Postgres {
	tb.Helper()
	return started[*servers.Postgres](tb)(fragilePostgres.start())
}

// again saves a step until it is told what became of it, as a Registrar does.
func (h *hall) again(tb testing.TB, step room.Step) (tries int) {
	deadline := time.Now().Add(30 * time.Second)
	for {
		tries++
		err := h.store.Save(tb.Context(), step)
		if err == nil {
			h.room.Apply(step.Entry)
			return tries
		}
		if errors.Is(err, room.ErrStale) || time.Now().After(deadline) {
			tb.Errorf("try %d: %v", tries, err)
			return tries
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// holds fails unless the store has the hall's room as it is here.
func (h *hall) holds(tb testing.TB) {
	tb.Helper()
	stored, log, err := h.store.Load(tb.Context(), h.room.ID, time.Time{})
	if err != nil {
		tb.Fatal(err)
	}
	if stored.Version != h.room.Version || stored.Taken != h.room.Taken || len(log) != int(stored.Version) || len(stored.Roster()) != stored.Taken {
		tb.Errorf("version %d with %d entries and %d of %d people is stored, want version %d with %d",
			stored.Version, len(log), len(stored.Roster()), stored.Taken, h.room.Version, h.room.Taken)
	}
}

const (
	// lostAnswers and lostDecisions are how many answers get lost.
	lostAnswers   = 50
	lostDecisions = 10
)

// TestLostAnswer: where the answer to a commit is lost nobody is told that
// the step failed, and saving it again tells the truth.
func TestLostAnswer(t *testing.T) {
	lost, saved := 0, 0
	for name, claim := range map[string][]string{"in a group": nil, "alone": {"code:X"}} {
		t.Run(name, func(t *testing.T) {
			server := postgres(t)
			proxy, err := servers.StartProxy(server.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer proxy.Close()
			address := fresh(t)
			h := openHall(t, openPostgres(t, strings.Replace(address, server.Addr(), proxy.Addr(), 1)))
			witness := openPostgres(t, address)
			join := func() room.Step {
				step := h.joins(1)
				step.Claim = claim
				return step
			}
			committed := 0
			for range lostAnswers {
				h.again(t, join()) // its statements are prepared
				step := join()
				if err := proxy.LoseAnswers(); err != nil {
					t.Fatal(err)
				}
				if err := h.store.Save(t.Context(), step); !errors.Is(err, room.ErrUnknown) {
					t.Fatalf("a save whose answer was lost: %v", err)
				}
				versions, err := witness.Versions(t.Context(), []room.ID{h.room.ID})
				if err != nil {
					t.Fatal(err)
				}
				if versions[h.room.ID] == step.Entry.Version {
					committed++
				}
				if err := proxy.Heal(); err != nil {
					t.Fatal(err)
				}
				h.again(t, step)
			}
			h.holds(t)
			if committed == 0 {
				t.Error("no step was saved before its answer was lost")
			}
			lost, saved = lost+lostAnswers, saved+committed
		})
	}
	if !t.Failed() {
		roomtest.Proved(t, "%d answers to a save lost, of which %d were committed: all unknown at first; saved again, each is there once", lost, saved)
	}
}

// TestLostDecision: the same for a room that is decided under its lock.
func TestLostDecision(t *testing.T) {
	server := postgres(t)
	proxy, err := servers.StartProxy(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	h := openHall(t, openPostgres(t, strings.Replace(fresh(t), server.Addr(), proxy.Addr(), 1)))
	for range lostDecisions {
		step := h.joins(1)
		err := h.store.SaveNext(t.Context(), h.room.ID, h.room.Version, func([]room.Entry) (room.Step, bool) {
			if err := proxy.LoseAnswers(); err != nil {
				t.Error(err)
			}
			return step, true
		})
		if err == nil || errors.Is(err, room.ErrStale) {
			t.Fatalf("a save whose answer was lost: %v", err)
		}
		if err := proxy.Heal(); err != nil {
			t.Fatal(err)
		}
		h.again(t, step)
	}
	if h.holds(t); !t.Failed() {
		roomtest.Proved(t, "%d answers to a step under its room's lock lost: none failed; saved again, each is there once", lostDecisions)
	}
}

// TestPostgresRestart: a server that crashes and comes back has what it
// acknowledged, and saves go on by themselves.
func TestPostgresRestart(t *testing.T) {
	server := fragile(t)
	address, err := server.Fresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := openPostgres(t, address)
	halls := make([]*hall, 20)
	for i := range halls {
		halls[i] = openHall(t, s)
	}
	var stop atomic.Bool
	var saved, slowest atomic.Int64
	var all sync.WaitGroup
	for _, h := range halls {
		all.Go(func() {
			for !stop.Load() {
				began := time.Now()
				h.again(t, h.joins(1))
				saved.Add(1)
				if took := time.Since(began).Milliseconds(); took > slowest.Load() {
					slowest.Store(took)
				}
			}
		})
	}
	defer all.Wait()
	defer stop.Store(true)
	progress := func() {
		for before, deadline := saved.Load(), time.Now().Add(10*time.Second); saved.Load() < before+int64(2*len(halls)); {
			if time.Now().After(deadline) {
				t.Fatal("nothing is saved 10 s after the server came back")
			}
			time.Sleep(time.Millisecond)
		}
	}
	stops := 3
	if roomtest.ProveFor(t) > 0 {
		stops = 20
	}
	longest := time.Duration(0)
	for range stops {
		progress()
		server.Stop(true)
		time.Sleep(300 * time.Millisecond)
		if err := server.Restart(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		progress()
		longest = max(longest, time.Since(began))
	}
	stop.Store(true)
	all.Wait()
	for _, h := range halls {
		h.holds(t)
	}
	if !t.Failed() {
		roomtest.Proved(t, "%d immediate stops of Postgres amid saves of %d rooms: %d acknowledged, 0 lost; %d more at most %v after its return",
			stops, len(halls), saved.Load(), 2*len(halls), longest)
	}
}

// TestPostgresSilent: a server that says nothing holds nobody for long, and
// what it was asked is told once it can be heard again.
func TestPostgresSilent(t *testing.T) {
	server := fragile(t)
	proxy, err := servers.StartProxy(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	for name, fault := range map[string]struct{ begin, end func() error }{
		"frozen":     {server.Pause, server.Resume},
		"black hole": {proxy.BlackHole, proxy.Heal},
	} {
		t.Run(name, func(t *testing.T) {
			address, err := server.Fresh(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			h := openHall(t, openPostgres(t, strings.Replace(address, server.Addr(), proxy.Addr(), 1)))
			if err := fault.begin(); err != nil {
				t.Fatal(err)
			}
			defer fault.end()
			step := h.joins(1)
			silent(t, h, step)
			if err := fault.end(); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			h.again(t, step)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("the first save after the silence took %v", took)
			}
			h.holds(t)
		})
	}
}

// silent asks a server that says nothing.
func silent(t *testing.T, h *hall, step room.Step) {
	t.Helper()
	began := time.Now()
	if err := h.store.Save(t.Context(), step); err == nil {
		t.Error("a silent server has saved")
	}
	if err := h.store.SaveNext(t.Context(), h.room.ID, 0, func([]room.Entry) (room.Step, bool) { return step, true }); err == nil {
		t.Error("a silent server has saved")
	}
	if took := time.Since(began); took > 25*time.Second { // 5 times what it takes
		t.Errorf("two answers took %v", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := h.store.Versions(ctx, []room.ID{h.room.ID}); err == nil {
		t.Error("a silent server answers")
	}
}
