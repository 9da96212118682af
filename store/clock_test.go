package store

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/store/storetest"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// A machine is one whose clocks a test sets.
type machine struct {
	*testing.T
	folder string
	wall   time.Time
	steady time.Duration
	starts int // so far: every instance is another
}

func (m *machine) open() *SQLite {
	m.Helper()
	s, err := openSQLite(m.Context(), m.folder, slog.New(slog.DiscardHandler), clock{
		wall:   func() time.Time { return m.wall },
		steady: func() time.Duration { return m.steady },
	})
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { s.Close() })
	if err := s.Migrate(m.Context()); err != nil {
		m.Fatal(err)
	}
	return s
}

func (m *machine) beats(s *SQLite, want time.Time) {
	m.Helper()
	m.starts++
	id := room.InstanceID(fmt.Sprint("i", m.starts))
	if got, err := s.Beat(m.Context(), id); err != nil || got.Now != want {
		m.Errorf("the store's time is %v, want %v: %v", got.Now, want, err)
	}
}

// TestClockIsSet: whoever sets the machine's clock does not set the store's.
func TestClockIsSet(t *testing.T) {
	m := &machine{T: t, folder: t.TempDir(), wall: noon, steady: time.Hour}
	s := m.open()
	m.beats(s, noon)
	for i, step := range []time.Duration{-24 * time.Hour, 48 * time.Hour, 0} {
		m.wall = noon.Add(step)
		m.steady += time.Second + 900*time.Microsecond
		m.beats(s, noon.Add(time.Duration(i+1)*(time.Second+900*time.Microsecond)).Truncate(time.Millisecond))
	}
}

// TestClockAfterRestart: the time goes on from the last beat, or from the
// machine's clock if that is later.
func TestClockAfterRestart(t *testing.T) {
	m := &machine{T: t, folder: t.TempDir(), wall: noon, steady: time.Hour}
	for _, row := range []struct{ wall, want time.Time }{
		{noon, noon},
		{noon.Add(-time.Hour), noon.Add(time.Second)},
		{noon.Add(-2 * time.Hour), noon.Add(2 * time.Second)},
		{noon.Add(time.Hour), noon.Add(time.Hour)},
	} {
		m.wall = row.wall
		s := m.open()
		m.beats(s, row.want)
		m.steady += time.Second
		m.beats(s, row.want.Add(time.Second))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		m.steady = 0 // the machine starts again
	}
}

// TestForgotten: see the promise.
func TestForgotten(t *testing.T) {
	m := &machine{T: t, folder: t.TempDir(), wall: noon, steady: time.Hour}
	storetest.Forgotten(t, m.open(), func(d time.Duration) { m.steady += d })
}

// TestLastBeatStays: where all are long dead the clock still goes on from the
// last beat.
func TestLastBeatStays(t *testing.T) {
	m := &machine{T: t, folder: t.TempDir(), wall: noon, steady: time.Hour}
	s := m.open()
	m.beats(s, noon)
	m.steady += time.Minute
	m.beats(s, noon.Add(time.Minute))
	for range 2 {
		m.steady += 2 * mourning
		if _, err := s.Bury(t.Context(), "", 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	m.wall = noon.Add(-time.Hour)
	m.beats(m.open(), noon.Add(time.Minute))
}

// TestBeatWaits: a beat has the time at which it was asked for.
func TestBeatWaits(t *testing.T) {
	s := open(t)
	release := s.hold()
	defer release()
	asked := time.Now()
	answer := make(chan time.Time, 1)
	go func() {
		pulse, err := s.Beat(t.Context(), "i1")
		if err != nil {
			t.Error(err)
		}
		answer <- pulse.Now
	}()
	const wait = 500 * time.Millisecond
	time.Sleep(wait)
	release()
	if late := (<-answer).Sub(asked); late.Abs() > wait/2 {
		t.Errorf("the answer is %v from the moment of the call", late)
	}
}

// TestSteady: the machine's steady clock runs as fast as time does.
func TestSteady(t *testing.T) {
	clock := steady()
	began, from := time.Now(), clock()
	time.Sleep(50 * time.Millisecond)
	passed := clock() - from
	if real := time.Since(began); passed < 50*time.Millisecond || passed > real {
		t.Errorf("%v passed, the clock says %v", real, passed)
	}
}
