package room

import "time"

// Metrics are told what a Registrar does. Nil functions are not called.
type Metrics struct {
	Lock     func(took time.Duration)
	Save     func(took time.Duration, commands int, err error)
	Conflict func()

	// Skipped: commands were decided without the lock, because nobody could
	// tell who has it ("away"), or another had it for too long ("held").
	Skipped func(reason string)
	// Gap: entries had to be read from the store that the bus did not bring.
	Gap func()
	// Resubscribed: the bus may have lost entries.
	Resubscribed func()
	// Heard: an entry of another instance was applied, so long after it was
	// saved.
	Heard func(lag time.Duration)
	// Reaped: so many sessions of a dead instance have ended.
	Reaped func(sessions int)
	// Instances: so many live, as the store knows.
	Instances func(living int)
}

// Gauges are how much a Registrar has in hand: of the rooms in use on this
// instance that are not closed.
type Gauges struct {
	Rooms    int
	Members  int
	Waiting  int // people in line for a seat
	Commands int // asked here and unanswered
}

func (m *Metrics) locked(began time.Time) {
	if m != nil && m.Lock != nil {
		m.Lock(time.Since(began))
	}
}

func (m *Metrics) saved(began time.Time, commands int, err error) {
	if m != nil && m.Save != nil {
		m.Save(time.Since(began), commands, err)
	}
}

func (m *Metrics) conflict() {
	if m != nil && m.Conflict != nil {
		m.Conflict()
	}
}

func (m *Metrics) skipped(reason string) {
	if m != nil && m.Skipped != nil {
		m.Skipped(reason)
	}
}

func (m *Metrics) gap() {
	if m != nil && m.Gap != nil {
		m.Gap()
	}
}

func (m *Metrics) resubscribed() {
	if m != nil && m.Resubscribed != nil {
		m.Resubscribed()
	}
}

func (m *Metrics) heard(lag time.Duration) {
	if m != nil && m.Heard != nil {
		m.Heard(lag)
	}
}

func (m *Metrics) reaped(sessions int) {
	if m != nil && m.Reaped != nil {
		m.Reaped(sessions)
	}
}

func (m *Metrics) instances(living int) {
	if m != nil && m.Instances != nil {
		m.Instances(living)
	}
}
