package room_test

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

// memory is a room.Store that any number of instances of one test share.
type memory struct {
	mu     sync.Mutex // guards all below
	rooms  map[room.ID]*stored
	claims map[string]room.ID
	beats  map[room.InstanceID]time.Time
	dead   map[room.InstanceID]bool
	loads  int
	saves  int // tried
	stops  int // calls of SaveNext

	// gate, if not nil, is called before anything is done and can be slow,
	// or fail. Meddle, if not nil, is called in place of a save.
	gate   func(context.Context) error
	meddle func(step room.Step, save func() error) error
}

type stored struct {
	header room.Header
	people map[room.UserID]*room.Person
	log    []room.Entry
}

func newMemory() *memory {
	return &memory{rooms: map[room.ID]*stored{}, claims: map[string]room.ID{}, beats: map[room.InstanceID]time.Time{}, dead: map[room.InstanceID]bool{}}
}

// faults sets what goes wrong from now on; nil: nothing.
func (m *memory) faults(gate func(context.Context) error, meddle func(room.Step, func() error) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gate, m.meddle = gate, meddle
}

// begin waits at the gate and then takes the lock.
func (m *memory) begin(ctx context.Context) error {
	m.mu.Lock()
	gate := m.gate
	m.mu.Unlock()
	if gate != nil {
		if err := gate(ctx); err != nil {
			return err
		}
	}
	m.mu.Lock()
	return nil
}

func (m *memory) Save(ctx context.Context, step room.Step) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	return m.try(step)
}

func (m *memory) SaveNext(ctx context.Context, id room.ID, after int64, next func([]room.Entry) (room.Step, bool)) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.stops++
	if m.rooms[id] == nil || int64(len(m.rooms[id].log)) < after {
		return room.ErrStale
	}
	step, ok := next(slices.Clone(m.rooms[id].log[after:]))
	if !ok {
		return nil
	}
	return m.try(step)
}

func (m *memory) try(step room.Step) error {
	m.saves++
	if m.meddle != nil {
		return m.meddle(step, func() error { return m.save(step) })
	}
	return m.save(step)
}

func (m *memory) save(step room.Step) error {
	e := step.Entry
	s := m.rooms[e.Room]
	if s == nil {
		s = &stored{people: map[room.UserID]*room.Person{}}
	}
	if n := int64(len(s.log)); n >= e.Version && s.log[e.Version-1].Batch == e.Batch {
		return nil
	} else if n != e.Version-1 {
		return room.ErrStale
	}
	for _, key := range step.Claim {
		if holder, taken := m.claims[key]; taken && holder != e.Room {
			return &room.Claimed{Key: key, Holder: holder}
		}
	}
	for _, key := range step.Release {
		if m.claims[key] == e.Room {
			delete(m.claims, key)
		}
	}
	for _, key := range step.Claim {
		m.claims[key] = e.Room
	}
	for _, p := range step.People {
		s.people[p.User] = p
	}
	s.header, s.log = step.Room, append(s.log, e)
	m.rooms[e.Room] = s
	return nil
}

func (m *memory) Load(ctx context.Context, id room.ID, since time.Time) (*room.Room, []room.Entry, error) {
	if err := m.begin(ctx); err != nil {
		return nil, nil, err
	}
	defer m.mu.Unlock()
	m.loads++
	s := m.rooms[id]
	if s == nil {
		return nil, nil, room.ErrNotFound
	}
	first := slices.IndexFunc(s.log, func(e room.Entry) bool { return !e.At.Before(since) })
	if first < 0 {
		first = len(s.log)
	}
	return room.Restore(s.header, slices.Collect(maps.Values(s.people))), slices.Clone(s.log[first:]), nil
}

func (m *memory) Entries(ctx context.Context, id room.ID, after int64, limit int) ([]room.Entry, error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	if m.rooms[id] == nil {
		return nil, nil
	}
	log := m.rooms[id].log
	return slices.Clone(log[after:min(int(after)+limit, len(log))]), nil
}

func (m *memory) Holder(ctx context.Context, claim string) (room.ID, error) {
	if err := m.begin(ctx); err != nil {
		return "", err
	}
	defer m.mu.Unlock()
	if id, ok := m.claims[claim]; ok {
		return id, nil
	}
	return "", room.ErrNotFound
}

func (m *memory) Due(ctx context.Context, at time.Time, limit int) ([]room.ID, error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var due []room.ID
	for id, s := range m.rooms {
		if d := s.header.DueAt; !d.IsZero() && !d.After(at) {
			due = append(due, id)
		}
	}
	slices.SortFunc(due, func(a, b room.ID) int { return m.rooms[a].header.DueAt.Compare(m.rooms[b].header.DueAt) })
	return due[:min(limit, len(due))], nil
}

func (m *memory) Versions(ctx context.Context, ids []room.ID) (map[room.ID]int64, error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	versions := map[room.ID]int64{}
	for _, id := range ids {
		if s := m.rooms[id]; s != nil {
			versions[id] = s.header.Version
		}
	}
	return versions, nil
}

func (m *memory) Beat(ctx context.Context, i room.InstanceID) (room.Pulse, error) {
	if err := m.begin(ctx); err != nil {
		return room.Pulse{}, err
	}
	defer m.mu.Unlock()
	now := time.Now()
	if !m.dead[i] {
		m.beats[i] = now
	}
	return room.Pulse{Now: now, Dead: m.dead[i], Living: len(m.beats) - len(m.dead)}, nil
}

func (m *memory) Bury(ctx context.Context, living room.InstanceID, silence time.Duration) (buried int, err error) {
	if err := m.begin(ctx); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	for i, at := range m.beats {
		if i != living && !m.dead[i] && time.Since(at) >= silence {
			m.dead[i] = true
			buried++
		}
	}
	return buried, nil
}

func (m *memory) Orphans(ctx context.Context) ([]room.Orphan, error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	orphans := map[room.Orphan]bool{}
	for id, s := range m.rooms {
		for _, p := range s.people {
			for _, open := range p.Sessions {
				if _, known := m.beats[open.Instance]; m.dead[open.Instance] || !known {
					orphans[room.Orphan{Room: id, Instance: open.Instance, BeatAt: m.beats[open.Instance]}] = true
				}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(orphans), func(a, b room.Orphan) int { return cmp.Compare(a.Room, b.Room) }), nil
}

// beat returns when an instance was last known to live.
func (m *memory) beat(i room.InstanceID) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.beats[i]
}

// log returns what is saved of a room, checked: versions have no holes, time
// does not go back, nobody is seated beyond the capacity, and no command was
// decided twice.
func (m *memory) log(t *testing.T, id room.ID) []room.Entry {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	r := &room.Room{}
	decided := map[room.CommandID]bool{}
	for i, e := range m.rooms[id].log {
		if e.Version != int64(i+1) || e.At.Before(r.At) || e.Batch == "" {
			t.Errorf("entry %d is version %d of batch %q at %v, after %v", i, e.Version, e.Batch, e.At, r.At)
		}
		r.Apply(e)
		if r.Taken > r.Capacity || r.Taken+r.Waiting+r.Pending != len(r.Roster()) {
			t.Errorf("%d people, %d in %d seats at version %d", len(r.Roster()), r.Taken, r.Capacity, e.Version)
		}
		for _, a := range e.Answers {
			if decided[a.Command] {
				t.Errorf("command %s was decided twice", a.Command)
			}
			decided[a.Command] = true
		}
	}
	return slices.Clone(m.rooms[id].log)
}
